import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import {
  KEEP_ALL_MS,
  KEEP_ONE_EVERY_MS,
  PUBLISH_INTERVAL_MS,
  REPUBLISH_INTERVAL_MS,
} from '../../src/log/limits.ts';
import type { LogSignal } from '../../src/log/signals.ts';
import { checkpointKey, numberOfKey } from '../../src/storage/keys.ts';
import { openTestLog, type TestLog, testEntry } from '../support/test-log.ts';

/** Lets the publisher do what is due. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function keptSizes({ store }: TestLog): Promise<number[]> {
  const rows = await store.scan({ from: checkpointKey(0), to: checkpointKey(2 ** 53 - 1), limit: 1e6 });
  return rows.map(({ key }) => numberOfKey(key));
}

describe('publishing', () => {
  test('at once when the last publication is an interval ago, else when the interval is over', async () => {
    const t = await openTestLog();
    t.clock.advance(PUBLISH_INTERVAL_MS);
    await t.append(testEntry(0));
    t.clock.advance(0);
    await settle();
    assert.equal(t.log.published.size, 1);
    await t.append(testEntry(1));
    t.clock.advance(PUBLISH_INTERVAL_MS - 1);
    await settle();
    assert.equal(t.log.published.size, 1, 'not before the interval is over');
    t.clock.advance(1);
    await settle();
    assert.equal(t.log.published.size, 2);
    await t.log.close();
  });

  test('a publication is on disk before it is served, and served again after a restart', async () => {
    const t = await openTestLog({ entries: 3 });
    const { checkpoint } = t.log.published;
    const again = await t.reopen();
    assert.deepEqual(again.log.published.checkpoint, checkpoint);
    assert.equal(openCheckpoint(checkpoint, [t.verifier], t.origin).size, 3);
    await again.log.close();
  });

  test('an idle log publishes its head again, with a new time', async () => {
    const signals: LogSignal[] = [];
    const t = await openTestLog({ entries: 1, open: { onSignal: (signal) => signals.push(signal) } });
    const before = t.log.published;
    t.clock.advance(REPUBLISH_INTERVAL_MS - 1);
    await settle();
    assert.equal(t.log.published.timeMs, before.timeMs);
    t.clock.advance(1);
    await settle();
    assert.equal(t.log.published.size, 1);
    assert.equal(t.log.published.timeMs, before.timeMs + REPUBLISH_INTERVAL_MS);
    assert.equal(signals.filter(({ event }) => event === 'published').length, 2);
    assert.equal(t.guard.head.kind, 'published');
    assert.deepEqual(await keptSizes(t), [1], 'the kept checkpoint is the first of its size');
    await t.log.close();
  });

  test('a receipt is made on the earliest kept checkpoint that covers the leaf', async () => {
    const t = await openTestLog();
    for (let i = 0; i < 6; i++) {
      await t.append(testEntry(i));
      if (i % 2 === 1) await t.publish();
    }
    await t.append(testEntry(6));
    const sizes = await Promise.all(
      [0, 1, 2, 5].map(async (index) => {
        const kept = await t.log.checkpointCovering(index);
        return openCheckpoint(kept!.checkpoint, [t.verifier], t.origin).size;
      }),
    );
    assert.deepEqual(sizes, [2, 2, 4, 6]);
    assert.equal(await t.log.checkpointCovering(6), undefined, 'leaf 6 is not published yet');
    await t.log.close();
  });

  test('sizes of signed heads: all since one where they fit, else the last, and those published first and last', async () => {
    const t = await openTestLog();
    for (let i = 0; i < 60; i++) {
      await t.append(testEntry(i));
      if (i % 5 === 4) await t.publish();
    }
    const down = (from: number, to: number): number[] =>
      Array.from({ length: from - to + 1 }, (_, i) => from - i);
    const { log } = t;
    assert.deepEqual(await log.recentSizes(60, 1), { sizes: [60], isComplete: true });
    assert.deepEqual(await log.recentSizes(61, 1), { sizes: [], isComplete: true });
    assert.deepEqual(await log.recentSizes(41, 20), { sizes: down(60, 41), isComplete: true });
    assert.deepEqual(await log.recentSizes(0, 61), { sizes: down(60, 0), isComplete: true });
    const { sizes, isComplete } = await log.recentSizes(7, 12);
    assert.deepEqual([sizes, isComplete], [[...down(60, 53), 10, 15], false]);
    assert.deepEqual((await log.recentSizes(7, 20)).sizes, [
      ...down(60, 53),
      10,
      15,
      20,
      25,
      30,
      35,
      50,
      45,
      40,
    ]);
    // What an idle log publishes again is a round of the same size.
    for (let i = 0; i < 300; i++) {
      t.clock.advance(REPUBLISH_INTERVAL_MS);
      await settle();
    }
    assert.equal(t.log.revealed.size, 60);
    assert.ok(t.log.revealed.round > 300);
    assert.deepEqual(await log.recentSizes(58, 3), { sizes: [60, 59, 58], isComplete: true });
    await t.log.close();
  });

  test('kept checkpoints: all for a week, then the first of each minute', async () => {
    const t = await openTestLog();
    const started = t.clock.now();
    for (let i = 0; i < 180; i++) {
      await t.append(testEntry(i));
      await t.publish();
    }
    assert.equal((await keptSizes(t)).length, 180);
    const minutes = Math.ceil((t.clock.now() - started) / KEEP_ONE_EVERY_MS) + 1;
    assert.ok(minutes <= 4);
    t.clock.advance(KEEP_ALL_MS + KEEP_ONE_EVERY_MS);
    await settle();
    // Each publication thins a bounded number; a few more, and all are done.
    for (let i = 180; i < 185; i++) {
      await t.append(testEntry(i));
      await t.publish();
    }
    const kept = await keptSizes(t);
    const old = kept.filter((size) => size <= 180);
    assert.ok(old.length >= 3 && old.length <= minutes, `${old.length} of 180 are kept`);
    assert.equal(old[0], 1, 'the first of the first minute stays');
    assert.deepEqual(
      kept.filter((size) => size > 180),
      [181, 182, 183, 184, 185],
    );
    const covering = await t.log.checkpointCovering(100);
    assert.ok(openCheckpoint(covering!.checkpoint, [t.verifier], t.origin).size > 100);
    await t.log.close();
  });

  test('the newest kept checkpoint stays, however long the log was idle', async () => {
    const t = await openTestLog();
    for (let i = 0; i < 3; i++) {
      await t.append(testEntry(i));
      await t.publish();
    }
    t.clock.advance(KEEP_ALL_MS + KEEP_ONE_EVERY_MS);
    for (let i = 0; i < 3; i++) {
      t.clock.advance(REPUBLISH_INTERVAL_MS);
      await settle();
    }
    assert.deepEqual(await keptSizes(t), [1, 3]);
    assert.ok(await t.log.checkpointCovering(2));
    await t.log.close();
  });

  test('a clock set back does not hold it up, and one set forward does not hurry it', async () => {
    const t = await openTestLog({ entries: 1 });
    t.clock.set(t.clock.now() - 3_600_000);
    for (let i = 1; i < 40; i++) {
      await t.append(testEntry(i));
      t.clock.advance(100);
      await settle();
      assert.ok(
        t.log.revealed.size - t.log.published.size <= 11,
        `${t.log.published.size} of ${i + 1} are published`,
      );
    }
    const { timeMs } = t.log.published;
    t.clock.set(t.clock.now() + 7_200_000);
    await t.append(testEntry(40));
    await settle();
    assert.ok(t.log.published.size < 41);
    t.clock.advance(PUBLISH_INTERVAL_MS);
    await settle();
    assert.equal(t.log.published.size, 41);
    assert.ok(t.log.published.timeMs > timeMs, 'no time of ours goes back');
    await t.log.close();
  });
});
