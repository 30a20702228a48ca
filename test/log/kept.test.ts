/** Checkpoints as they are kept: found again by size and by leaf, thinned so that every leaf stays covered. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeUtf8 } from '../../src/formats/text.ts';
import {
  type KeptCheckpoint,
  keptRow,
  readCheckpointCovering,
  readKept,
  readKeptSizes,
  readSlot,
  readWitnessedCovering,
  slotRow,
  thin,
} from '../../src/log/kept.ts';
import { KEEP_ONE_EVERY_MS as MINUTE_MS } from '../../src/log/limits.ts';
import { checkpointKey, slotKey, witnessedKey } from '../../src/storage/keys.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { SLOW } from '../support/slow.ts';
import { TEST_TIME_MS } from '../support/test-log.ts';

const NUM_RUNS = SLOW ? 2000 : 100;
const POLICY = new Uint8Array(8).fill(1);
const OTHER_POLICY = new Uint8Array(8).fill(2);
const EMPTY = new Uint8Array();

function keptOf(size: number, timeMs: number = TEST_TIME_MS): KeptCheckpoint {
  return { timeMs, checkpoint: encodeUtf8(`checkpoint of ${size}`) };
}

/** Sizes, and which of them met the policy. */
interface Kept {
  readonly size: number;
  readonly timeMs?: number;
  readonly isWitnessed?: boolean;
}

async function storeOf(kept: readonly Kept[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  const rows = kept.map(({ size, timeMs }) => keptRow(size, keptOf(size, timeMs)));
  const marks = kept.filter(({ isWitnessed }) => isWitnessed).map(({ size }) => markOf(size));
  await store.commit({ puts: [...rows, ...marks] });
  return store;
}

function markOf(size: number, policyId = POLICY): { key: Uint8Array; value: Uint8Array } {
  return { key: witnessedKey(policyId, size), value: EMPTY };
}

describe('a checkpoint', () => {
  test('is read as it was kept, of its slot and of its size', async () => {
    const store = new MemoryStore();
    await store.commit({
      puts: [slotRow('fast', keptOf(7)), keptRow(5, keptOf(5, 0)), keptRow(2 ** 40, keptOf(6))],
    });
    assert.deepEqual(await readSlot(store, 'fast'), keptOf(7));
    assert.deepEqual(await readKept(store, 5), keptOf(5, 0));
    assert.deepEqual(await readKept(store, 2 ** 40), keptOf(6));
    assert.deepEqual([await readSlot(store, 'public'), await readKept(store, 7)], [undefined, undefined]);
  });

  test('that is damaged is not read', async () => {
    const store = new MemoryStore();
    const isDamaged = { code: 'storage_failed', message: 'a kept checkpoint is damaged' };
    for (const value of [EMPTY, new Uint8Array(8), new Uint8Array(20).fill(0xff)]) {
      await store.commit({
        puts: [{ key: slotKey('none'), value }, { key: checkpointKey(9), value }, markOf(9)],
      });
      await assert.rejects(readSlot(store, 'none'), isDamaged);
      await assert.rejects(readKept(store, 9), isDamaged);
      await assert.rejects(readCheckpointCovering(store, 8), isDamaged);
      await assert.rejects(
        readWitnessedCovering(store, POLICY, 8, () => true),
        isDamaged,
      );
      await assert.rejects(thin(store, POLICY, 10, TEST_TIME_MS), isDamaged);
    }
  });
});

describe('of the checkpoints that cover a leaf', () => {
  const sizes = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 50 });
  const index = fc.integer({ min: 0, max: 62 });

  test('the earliest is found', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, index, async (kept, leaf) => {
        const store = await storeOf(kept.map((size) => ({ size })));
        const covering = kept.filter((size) => size > leaf).sort((a, b) => a - b);
        const expected = covering[0] === undefined ? undefined : keptOf(covering[0]);
        assert.deepEqual(await readCheckpointCovering(store, leaf), expected);
      }),
      { numRuns: NUM_RUNS },
    );
  });

  test('the earliest that met the policy is found, if it still serves, however many before it do not', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, sizes, index, async (kept, marked, serving, leaf) => {
        const store = await storeOf(kept.map((size) => ({ size })));
        const others = kept.map((size) => markOf(size, OTHER_POLICY));
        await store.commit({ puts: [...marked.map((size) => markOf(size)), ...others] });
        const serves = new Set(serving.map((size) => `checkpoint of ${size}`));
        const looked: string[] = [];
        const found = await readWitnessedCovering(store, POLICY, leaf, ({ checkpoint }) => {
          const text = new TextDecoder().decode(checkpoint);
          looked.push(text);
          return serves.has(text);
        });
        const covering = kept.filter((size) => size > leaf && marked.includes(size)).sort((a, b) => a - b);
        const first = covering.findIndex((size) => serving.includes(size));
        assert.deepEqual(found, first === -1 ? undefined : keptOf(covering[first]!));
        const seen = first === -1 ? covering : covering.slice(0, first + 1);
        assert.deepEqual(
          looked,
          seen.map((size) => `checkpoint of ${size}`),
          'each once, in their order',
        );
      }),
      { numRuns: NUM_RUNS },
    );
  });

  test('and none is passed over where many before it do not serve', async () => {
    const kept = Array.from({ length: 40 }, (_, i) => ({ size: i + 1, isWitnessed: true }));
    const store = await storeOf(kept);
    for (const { size } of kept) {
      const { checkpoint } = keptOf(size);
      const serves = (one: KeptCheckpoint): boolean => Buffer.from(one.checkpoint).equals(checkpoint);
      assert.deepEqual(await readWitnessedCovering(store, POLICY, 0, serves), keptOf(size));
    }
  });

  test('the smallest and the largest sizes are told', async () => {
    const store = await storeOf([3, 5, 8, 13, 21].map((size) => ({ size })));
    assert.deepEqual(await readKeptSizes(store, 5, 2), [5, 8, 21, 13]);
    assert.deepEqual(await readKeptSizes(store, 14, 2), [21, 21]);
    assert.deepEqual(await readKeptSizes(store, 22, 2), []);
  });
});

describe('thinning', () => {
  /** Thins until there is nothing more to do. Returns how many rows each pass has deleted. */
  async function thinAll(store: MemoryStore, newestSize: number, untilMs: number): Promise<number[]> {
    const passes: number[] = [];
    for (;;) {
      const batch = await thin(store, POLICY, newestSize, untilMs);
      if (batch.puts.length === 0) return passes;
      await store.commit(batch);
      passes.push(batch.deletes?.length ?? 0);
    }
  }

  async function left(store: MemoryStore): Promise<{ sizes: number[]; marked: number[] }> {
    const numbersOf = async (from: Uint8Array, to: Uint8Array): Promise<number[]> =>
      (await store.scan({ from, to, limit: 10_000 })).map(({ key }) =>
        Number(new DataView(key.buffer, key.byteOffset + key.length - 8).getBigUint64(0)),
      );
    return {
      sizes: await numbersOf(checkpointKey(0), checkpointKey(Number.MAX_SAFE_INTEGER)),
      marked: await numbersOf(witnessedKey(POLICY, 0), witnessedKey(POLICY, Number.MAX_SAFE_INTEGER)),
    };
  }

  /** What is to stay: all that is too new, the newest, and of each minute the first and the first witnessed. */
  function staying(kept: readonly Required<Kept>[], newestSize: number, untilMs: number): Required<Kept>[] {
    const minuteOf = ({ timeMs }: Required<Kept>): number => Math.floor(timeMs / MINUTE_MS);
    const isFirst = (one: Required<Kept>, among: readonly Required<Kept>[]): boolean =>
      among.find((other) => minuteOf(other) === minuteOf(one)) === one;
    const witnessed = kept.filter(({ isWitnessed }) => isWitnessed);
    return kept.filter(
      (one) =>
        one.timeMs >= untilMs || one.size >= newestSize || isFirst(one, kept) || isFirst(one, witnessed),
    );
  }

  const history = fc
    .array(
      fc.record({
        gapMs: fc.integer({ min: 1, max: 40_000 }),
        growth: fc.integer({ min: 1, max: 5 }),
        isWitnessed: fc.boolean(),
      }),
      { minLength: 1, maxLength: 200 },
    )
    .map((steps) => {
      let [size, timeMs] = [0, TEST_TIME_MS];
      return steps.map(({ gapMs, growth, isWitnessed }) => ({
        size: (size += growth),
        timeMs: (timeMs += gapMs),
        isWitnessed,
      }));
    });

  test('leaves of each minute the first and the first witnessed, whatever the passes that it takes', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.array(fc.nat({ max: 200 }), { maxLength: 4 }), async (kept, until) => {
        const store = await storeOf(kept);
        const newestSize = kept.at(-1)!.size;
        const timesMs = until.map((at) => kept[at % kept.length]!.timeMs).sort((a, b) => a - b);
        for (const timeMs of timesMs) await thinAll(store, newestSize, timeMs);
        const untilMs = timesMs.at(-1) ?? 0;
        const stay = staying(kept, newestSize, untilMs);
        const { sizes, marked } = await left(store);
        assert.deepEqual(
          sizes,
          stay.map(({ size }) => size),
        );
        assert.deepEqual(
          marked,
          stay.filter(({ isWitnessed }) => isWitnessed).map(({ size }) => size),
        );
        for (const leaf of [0, Math.floor(newestSize / 2), newestSize - 1])
          assert.ok(await readCheckpointCovering(store, leaf));
      }),
      { numRuns: NUM_RUNS },
    );
  });

  test('never takes the newest, and looks at a bounded number at once', async () => {
    const kept = Array.from({ length: 200 }, (_, i) => ({
      size: i + 1,
      timeMs: TEST_TIME_MS + i,
      isWitnessed: true,
    }));
    const store = await storeOf(kept);
    const passes = await thinAll(store, 200, TEST_TIME_MS + MINUTE_MS);
    // A row and its mark each; the first stays, and the newest is not looked at.
    assert.deepEqual(passes, [2 * 63, 2 * 64, 2 * 64, 2 * 7]);
    assert.deepEqual(await left(store), { sizes: [1, 200], marked: [1, 200] });
    assert.deepEqual(await thin(store, POLICY, 200, TEST_TIME_MS + MINUTE_MS), { puts: [] });
  });

  test('writes nothing where the oldest is too new', async () => {
    const store = await storeOf([{ size: 1 }, { size: 2 }, { size: 3 }]);
    assert.deepEqual(await thin(store, POLICY, 3, TEST_TIME_MS), { puts: [] });
    assert.deepEqual(await thin(new MemoryStore(), POLICY, 3, TEST_TIME_MS), { puts: [] });
  });

  test('leaves what met another policy to the marks of that one', async () => {
    const store = await storeOf([{ size: 1 }, { size: 2 }, { size: 3 }]);
    await store.commit({ puts: [markOf(2, OTHER_POLICY)] });
    await thinAll(store, 3, TEST_TIME_MS + 1);
    assert.deepEqual((await left(store)).sizes, [1, 3]);
    assert.equal(await readWitnessedCovering(store, OTHER_POLICY, 0, () => true), undefined);
  });
});
