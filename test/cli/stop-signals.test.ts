/** Signals that come before, while and after a service starts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type End } from '../../src/cli/ending.ts';
import { EXIT } from '../../src/cli/exit-code.ts';
import { runService } from '../../src/cli/stop-signals.ts';
import { createLines } from '../../src/telemetry/lines.ts';

function played() {
  const said: string[] = [];
  const lines = createLines({
    level: 'info',
    write: (line) => said.push((JSON.parse(line) as { msg: string }).msg),
  });
  let stops = 0;
  let resolve: (end: End) => void = () => {};
  const ended = new Promise<End>((settle) => (resolve = settle));
  const service = {
    ended,
    stop(): Promise<End> {
      stops += 1;
      resolve('stopped');
      return ended;
    },
  };
  return { said, lines, service, end: (how: End) => resolve(how), stops: () => stops };
}

const signal = (): boolean => process.emit('SIGTERM', 'SIGTERM');

test('a signal during the start is said, and the service ends in order as soon as it has started', async () => {
  const { said, lines, service, stops } = played();
  let started: (of: typeof service) => void = () => {};
  const start = (): Promise<typeof service> => new Promise((resolve) => (started = resolve));
  const code = runService({ lines, start, onServing: () => assert.fail('it serves nobody') });
  assert.ok(signal(), 'somebody listens');
  assert.deepEqual(said, ['ending: as soon as it has started']);
  assert.equal(stops(), 0);
  started(service);
  assert.equal(await code, EXIT.ok);
  assert.equal(stops(), 1);
  assert.equal(said.at(-1), 'ended');
  assert.equal(process.listenerCount('SIGTERM'), 0);
});

test('a start that fails after a signal fails as it would', async () => {
  const { lines } = played();
  let fail: (error: Error) => void = () => {};
  const start = (): Promise<never> => new Promise((_, reject) => (fail = reject));
  const code = runService({ lines, start });
  signal();
  fail(new Error('the port is taken'));
  await assert.rejects(code, /the port is taken/);
  assert.equal(process.listenerCount('SIGTERM'), 0);
});

test('a signal to who serves, an end of itself, and an announcement that fails', async () => {
  const serving = played();
  const { lines, service } = serving;
  let announced = 0;
  const start = (): Promise<typeof service> => Promise.resolve(service);
  const code = runService({ lines, start, onServing: () => void (announced += 1), still: 'a last word' });
  while (announced === 0) await new Promise((resolve) => setImmediate(resolve));
  signal();
  assert.equal(await code, EXIT.ok);
  assert.deepEqual(serving.said, ['ending: no new requests, a last word', 'ended']);

  const failing = played();
  failing.end('failed');
  const failed = runService({ lines: failing.lines, start: () => Promise.resolve(failing.service) });
  assert.equal(await failed, EXIT.refused);

  const mute = played();
  const onServing = (): Promise<void> => Promise.reject(new Error('the disk is full'));
  const unsaid = runService({ lines: mute.lines, start: () => Promise.resolve(mute.service), onServing });
  await assert.rejects(unsaid, /the disk is full/);
  assert.equal(mute.stops(), 1);
});
