import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNote } from '../../src/formats/note.ts';
import type { LogSignal } from '../../src/log/signals.ts';
import { COSIGNERS, FakeAsking, policyOf, WITNESS_VERIFIERS } from '../support/fake-asking.ts';
import { openTestLog, type TestLog, type TestLogOptions, testEntry } from '../support/test-log.ts';

const INTERVAL_MS = 50;
/** As many heads as are remembered; and one that is to get two lines. */
const OTHERS = 64;
const WANTED = 70;
const LEAVES = 140;

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function openGrown(
  options: TestLogOptions,
  asking: FakeAsking | undefined,
  signals: LogSignal[] = [],
): Promise<TestLog> {
  const test = await openTestLog({
    ...options,
    open: {
      publishIntervalMs: INTERVAL_MS,
      slots: { fast: { policy: policyOf('two'), deadlineMs: 500, intervalMs: INTERVAL_MS } },
      ...(asking && { asking }),
      witnessVerifiers: WITNESS_VERIFIERS,
      onSignal: (signal) => signals.push(signal),
    },
  });
  while (test.log.revealed.size < LEAVES) {
    if (asking) asking.timeS += 1;
    await test.append(testEntry(test.log.revealed.size));
    test.clock.advance(INTERVAL_MS);
    await settle();
  }
  return test;
}

test('lines that are being written are not forgotten, however many other heads are looked at meanwhile', async () => {
  let hold: Promise<void> | undefined;
  const wrapStore: TestLogOptions['wrapStore'] = (store) => ({
    getMany: (keys) => store.getMany(keys),
    scan: (range) => store.scan(range),
    compact: (from, to) => store.compact(from, to),
    close: () => store.close(),
    async commit(batch) {
      await hold;
      await store.commit(batch);
    },
  });
  const { log } = await openGrown({ wrapStore }, undefined);
  const noteOf = async (size: number) => parseNote((await log.keptCheckpoint(size))!.checkpoint);
  const give = async (size: number, witness: number): Promise<boolean> => {
    const { text } = await noteOf(size);
    return log.addLines(size, [await COSIGNERS[witness]!.cosign(text, 1_795_176_000)]);
  };
  for (let size = 1; size <= OTHERS; size++) await give(size, 2);

  let release = (): void => {};
  hold = new Promise((resolve) => (release = resolve));
  const one = give(WANTED, 0);
  await settle();
  const repeated = Array.from({ length: OTHERS }, (_, i) => give(i + 1, 2));
  await settle();
  // New ones, too, which do take places.
  const more = Array.from({ length: OTHERS }, (_, i) => give(WANTED + 1 + i, 1));
  await settle();
  const two = give(WANTED, 1);
  await settle();
  hold = undefined;
  release();
  assert.ok((await Promise.all([one, two, ...repeated, ...more])).every(Boolean));
  const names = (await noteOf(WANTED)).signatures.map(({ name }) => name);
  assert.deepEqual(names.slice(1).toSorted(), ['w1.example', 'w2.example']);
  await log.close();
});

test('what strangers repeat of older heads leaves what is known of the newest one', async () => {
  const asking = new FakeAsking();
  const { log, origin } = await openGrown({}, asking);
  const met = { have: 2, need: 2, reason: 'deadline' };
  assert.deepEqual(log.wantingOf(LEAVES - 1), met);
  for (let size = 1; size <= OTHERS + 2; size++) {
    const { signatures } = parseNote((await log.keptCheckpoint(size))!.checkpoint);
    await log.addLines(
      size,
      signatures.filter(({ name }) => name !== origin),
    );
  }
  assert.deepEqual(log.wantingOf(LEAVES - 1), met);
  await log.close();
});

test('a witness that repeats the second of its last line has answered', async () => {
  const signals: LogSignal[] = [];
  const asking = new FakeAsking();
  const first = await openGrown({}, asking, signals);
  await first.log.close();
  const unmet = (): number => signals.filter(({ event }) => event === 'unmet').length;
  const before = unmet();
  const { clock } = first;
  const { log } = await openGrown({ existing: first, clock }, asking, signals);
  for (let i = 0; i < 10; i++) {
    clock.advance(1000);
    await settle();
  }
  assert.equal(unmet(), before);
  await log.close();
});
