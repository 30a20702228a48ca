import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sayStopped } from '../../src/cli/monitor-stopped.ts';
import type { LogPosition } from '../../src/monitor/monitor.ts';

function position(
  origin: string,
  at: readonly [verified: number, size: number] | undefined,
  rest: Partial<LogPosition> = {},
): LogPosition {
  const state = at && { range: { size: at[0] }, head: { size: at[1] } };
  const follower = { log: { origin }, state } as unknown as LogPosition['follower'];
  return { follower, step: undefined, awaited: [], witnesses: [], ...rest };
}

function said(...positions: readonly LogPosition[]): string {
  let text = '';
  sayStopped({ err: { write: (some) => void (text += some), isTerminal: false } }, positions);
  return text;
}

test('every log is in one line, with what it has come to and what it waits for', () => {
  assert.equal(
    said(
      position('a', undefined, { step: 'head' }),
      position('b', [1200, 3000], { step: 'entries' }),
      position('c', [7, 7], { step: 'peers' }),
      position('d', [7, 7], { step: 'witnesses', awaited: [{ source: 'w', size: 1001 }] }),
      position('e', [9, 9]),
      position('f', [9, 9], {
        awaited: [
          { source: 'https://w.example', size: 10 },
          { source: 'posted', size: 9 },
        ],
      }),
    ),
    'newel: told to stop before the pass was over: ' +
      'a: no head verified, waits for its head; ' +
      'b: 1,200 of 3,000 entries verified, waits for entries; ' +
      'c: 7 of 7 entries verified, waits for peers; ' +
      'd: 7 of 7 entries verified, waits for what witnesses have cosigned and the log to serve the head of 1,001 leaves that w has shown; ' +
      'e: 9 of 9 entries verified; ' +
      'f: 9 of 9 entries verified, waits for the log to serve the head of 10 leaves that https://w.example has shown ' +
      'and tiles that show whether the head of 9 leaves that posted has shown is of its tree\n',
  );
});

test('what came from outside puts nothing on the terminal but words', () => {
  const text = said(position('a\u001b[2J\n', [1, 1]));
  assert.equal(text.split('\n').length, 2);
  assert.ok(!text.includes('\u001b'));
});
