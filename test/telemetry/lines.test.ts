import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import type { LogSignal } from '../../src/log/signals.ts';
import { createLines, type Level, type Lines } from '../../src/telemetry/lines.ts';

interface Line {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

function linesUnderTest(level: Level = 'debug'): { lines: Lines; written: Line[]; clock: { nowMs: number } } {
  const written: Line[] = [];
  const clock = { nowMs: 0 };
  const write = (line: string): void => {
    assert.ok(line.endsWith('}\n') && !line.slice(0, -1).includes('\n'), 'one line');
    written.push(JSON.parse(line) as Line);
  };
  return { lines: createLines({ level, write, now: () => clock.nowMs }), written, clock };
}

const ROUND: LogSignal = {
  event: 'round',
  round: 7,
  entries: 3,
  bytes: 900,
  size: 10,
  commitMs: 1.2345,
  guardMs: 0.5,
};

test('a line is a JSON object with level, time in UTC, message, and units in the names of fields', () => {
  const { lines, written } = linesUnderTest();
  lines.log({ event: 'opened', size: 41, round: 42, provedRounds: 40, durationMs: 12.345 });
  lines.log(ROUND);
  const [opened, round] = written;
  assert.match(opened!.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(
    { ...opened, time: '' },
    {
      level: 'info',
      time: '',
      size: 41,
      round: 42,
      proved_rounds: 40,
      duration_ms: 12.3,
      msg: 'log opened and proved',
    },
  );
  assert.deepEqual(
    { ...round, time: '' },
    {
      level: 'debug',
      time: '',
      round: 7,
      entries: 3,
      written_bytes: 900,
      size: 10,
      commit_ms: 1.2,
      guard_ms: 0.5,
      msg: 'round',
    },
  );
});

test('what comes with every round or request is not said at info', () => {
  const { lines, written } = linesUnderTest('info');
  lines.log(ROUND);
  lines.log({ event: 'published', slot: 'none', size: 10 });
  lines.request({ method: 'GET', route: '/tile/*', status: 200, durationMs: 1 });
  lines.request({ method: 'GET', route: '/tile/*', status: 404, durationMs: 1 });
  assert.deepEqual(written, []);
});

test('what an operator must see is graver than info', () => {
  const { lines, written } = linesUnderTest('warn');
  lines.log({ event: 'guard_caught_up', round: 3 });
  lines.log({ event: 'clock_waited', waitedMs: 100 });
  lines.log({ event: 'clock_accepted', behindMs: 100_000 });
  lines.log({ event: 'damage_read', what: 'tile 0/1' });
  lines.log({ event: 'fatal', error: new Error('disk full') });
  lines.tokens({ event: 'tokens_read', tokens: 2 });
  lines.tokens({ event: 'tokens_unreadable', error: new NewelError('malformed', 'not JSON') });
  lines.issuer({ event: 'issuer_keys_read', keys: 2 });
  lines.issuer({ event: 'issuer_unreachable', error: new NewelError('unreachable', 'no whole answer') });
  lines.request({ method: 'GET', route: '/v1/log', status: 500, durationMs: 2 });
  assert.deepEqual(
    written.map(({ level }) => level),
    ['warn', 'warn', 'warn', 'error', 'error', 'error', 'error', 'error'],
  );
  assert.equal(written[4]!['error'], 'disk full');
  assert.equal(written[5]!['code'], 'malformed');
  assert.equal(written[6]!['code'], 'unreachable');
  assert.equal(written[7]!['route'], '/v1/log');
});

test('an error is told with its code and its causes; only a bug has a stack', () => {
  const { lines, written } = linesUnderTest();
  const cause = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  lines.log({ event: 'fatal', error: new NewelError('storage_failed', 'a write failed', { cause }) });
  lines.log({ event: 'fatal', error: new TypeError('x is undefined') });
  lines.log({ event: 'fatal', error: 'thrown text' });
  const [failed, bug, thrown] = written;
  assert.equal(failed!['code'], 'storage_failed');
  assert.deepEqual(failed!['causes'], ['ENOSPC: no space left on device, write']);
  assert.equal(failed!['stack'], undefined);
  assert.match(String(bug!['stack']), /TypeError: x is undefined\n/);
  assert.ok(!JSON.stringify(thrown).includes('thrown text'));
});

test('refusals under load are counted, not listed', () => {
  const { lines, written, clock } = linesUnderTest('info');
  const refuse = (): void => lines.request({ method: 'POST', route: '/add', status: 503, durationMs: 0.1 });
  for (let i = 0; i < 1000; i++) refuse();
  assert.deepEqual(
    written.map(({ requests }) => requests),
    [1],
  );
  clock.nowMs = 10_000;
  refuse();
  assert.deepEqual(
    written.map(({ requests }) => requests),
    [1, 1000],
  );
});

test('the request that was refused is told, not the one that comes when it is told', () => {
  const { lines, written, clock } = linesUnderTest('info');
  const told = (): unknown[] =>
    written.splice(0).map(({ requests, route, status, msg }) => [requests, route, status, msg]);
  const msg = 'requests are being refused';
  lines.request({ method: 'POST', route: '/add', status: 503, durationMs: 0.1 });
  assert.deepEqual(told(), [[1, '/add', 503, msg]]);
  lines.request({ method: 'POST', route: '/add', status: 503, durationMs: 0.1 });
  lines.request({ method: 'GET', route: '/v1/events', status: 429, durationMs: 0.1 });
  clock.nowMs = 10_000;
  lines.request({ method: 'GET', route: '/v1/log', status: 200, durationMs: 0.1 });
  assert.deepEqual(told(), [[2, '/v1/events', 429, msg]]);
  lines.request({ method: 'GET', route: '/v1/log', status: 500, durationMs: 0.1 });
  assert.deepEqual(told(), [[undefined, '/v1/log', 500, 'request failed']]);
});

test('what happens with each witness is told in the same words and units as the rest', () => {
  const { lines, written } = linesUnderTest();
  const name = 'witness.example/w1';
  lines.witnesses({ event: 'asked', name, size: 41, old: 40 });
  lines.witnesses({ event: 'answered', name, size: 41, lines: 2, durationMs: 12.3456789 });
  lines.witnesses({ event: 'late', name, size: 41 });
  lines.witnesses({ event: 'failed', name, why: 'no answer', failures: 2 });
  const shared = { level: 'debug', time: '', name };
  assert.deepEqual(
    written.map((line) => ({ ...line, time: '' })),
    [
      { ...shared, size: 41, old: 40, msg: 'a witness is asked' },
      { ...shared, size: 41, lines: 2, duration_ms: 12.3, msg: 'a witness has cosigned' },
      { ...shared, size: 41, msg: 'a witness has cosigned after its asking was over' },
      { ...shared, why: 'no answer', failures: 2, msg: 'a witness did not cosign' },
    ],
  );
});
