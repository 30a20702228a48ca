import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProgress, startProgress } from '../../src/cli/progress.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

function terminalUnderTest(isTerminal: boolean): { terminal: Terminal; written: string[] } {
  const written: string[] = [];
  const output = { write: (text: string): void => void written.push(text), isTerminal };
  return {
    terminal: {
      input: [],
      out: { ...output, write: () => assert.fail('to stdout') },
      err: output,
      env: {},
      cwd: '/',
    },
    written,
  };
}

test('a line says how far, how fast and how long yet', () => {
  assert.equal(formatProgress('checking', 'entries', 0, 70_000, 0), 'checking 0 of 70,000 entries');
  assert.equal(
    formatProgress('checking', 'entries', 10_000, 70_000, 2000),
    'checking 10,000 of 70,000 entries, 5,000 a second, 12 s to go',
  );
  assert.match(formatProgress('checking', 'entries', 1000, 1_000_000, 1000), /16 min 39 s to go$/);
  assert.match(formatProgress('checking', 'entries', 1000, 10_000_000, 1000), /2 h 46 min to go$/);
});

test('on a terminal the line is renewed and then taken away', () => {
  const { terminal, written } = terminalUnderTest(true);
  let nowMs = 0;
  const progress = startProgress(terminal, 'checking', 'entries', () => nowMs);
  progress.update({ done: 1, total: 100 });
  assert.deepEqual(written, []);
  nowMs = 100;
  progress.update({ done: 50, total: 100 });
  progress.end();
  assert.equal(written.length, 2);
  const line = formatProgress('checking', 'entries', 50, 100, 100);
  assert.equal(written[0], `\r${line}\u001b[K`);
  assert.equal(written[1], '\r\u001b[K');
});

test('elsewhere it is a line every five seconds', () => {
  const { terminal, written } = terminalUnderTest(false);
  let nowMs = 0;
  const progress = startProgress(terminal, 'checking', 'entries', () => nowMs);
  for (; nowMs <= 11_000; nowMs += 100) progress.update({ done: nowMs, total: 20_000 });
  progress.end();
  assert.equal(written.length, 2);
  for (const line of written) assert.match(line, /^checking .* to go\n$/);
});
