import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashLeaf } from '../../src/core/hash.ts';
import { formatEntries } from '../../src/formats/entry-bundle.ts';
import type { LogSignal } from '../../src/log/signals.ts';
import { entriesKey, leafKey } from '../../src/storage/keys.ts';
import type { Scan, Store } from '../../src/storage/store.ts';
import { SLOW } from '../support/slow.ts';
import { openTestLog, type TestLog, testEntry } from '../support/test-log.ts';

interface Watched {
  readonly log: TestLog;
  readonly scans: Scan[];
  readonly signals: LogSignal[];
  /** The most scans that were under way at a time. */
  readonly most: () => number;
  /** Makes every scan from now on fail. */
  readonly fail: (error: Error) => void;
}

/** A log whose entries came in rounds of the given sizes, so that runs begin in the middle of bundles. */
async function openRounds(rounds: readonly number[], entryOf = testEntry): Promise<Watched> {
  const scans: Scan[] = [];
  const signals: LogSignal[] = [];
  let underWay = 0;
  let most = 0;
  let failure: Error | undefined;
  const wrapStore = (store: Store): Store => ({
    ...store,
    async scan(range) {
      scans.push(range);
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      if (failure) throw failure;
      return store.scan(range);
    },
  });
  const log = await openTestLog({ wrapStore, open: { onSignal: (signal) => signals.push(signal) } });
  let index = 0;
  for (const count of rounds) {
    const round = Array.from({ length: count }, () => entryOf(index++));
    await Promise.all(round.map((entry) => log.log.append({ entry })));
  }
  scans.length = 0;
  signals.length = 0;
  most = 0;
  return { log, scans, signals, most: () => most, fail: (error) => void (failure = error) };
}

const ROUNDS = [1, 3, 250, 1, 1, 1, 40, 300, 2, 7];
const SIZE = ROUNDS.reduce((a, b) => a + b);

test('any entries are read, wherever runs and bundles begin', async () => {
  const { log } = await openRounds(ROUNDS);
  const check = async (first: number, count: number): Promise<void> => {
    const wanted = Array.from({ length: count }, (_, i) => testEntry(first + i));
    assert.deepEqual(await log.log.readEntries(first, count), wanted, `${count} from ${first}`);
  };
  for (let first = 0; first < SIZE; first++) await check(first, 1);
  await check(0, SIZE);
  const ranges = fc.tuple(fc.nat({ max: SIZE - 1 }), fc.integer({ min: 1, max: SIZE }));
  const property = fc.asyncProperty(ranges, ([first, count]) => check(first, Math.min(count, SIZE - first)));
  await fc.assert(property, { numRuns: SLOW ? 1000 : 50 });
  assert.deepEqual(await log.log.readEntries(3, 0), []);
  // The same once the full bundles are in memory.
  await log.log.readBundle(0, 256);
  await fc.assert(property, { numRuns: 20 });
  await log.log.close();
});

test('one entry costs its run, not its bundle', async () => {
  const { log, scans } = await openRounds([100, 1, 100]);
  await log.store.commit({ puts: [{ key: entriesKey(101), value: Uint8Array.of(9) }] });
  assert.deepEqual(await log.log.readEntries(100, 1), [testEntry(100)], 'damage elsewhere is not looked at');
  assert.equal(scans.length, 2);
  assert.ok(scans.every(({ limit, to }) => limit === 1 || Buffer.from(to).equals(entriesKey(101))));
  await log.log.close();
});

test('equal reads are one read, and a full bundle is read once', async () => {
  const { log, scans } = await openRounds([300]);
  const bundles = await Promise.all(Array.from({ length: 50 }, () => log.log.readBundle(0, 256)));
  const wanted = formatEntries(Array.from({ length: 256 }, (_, i) => testEntry(i)));
  for (const bundle of bundles) assert.deepEqual(bundle, wanted);
  assert.equal(scans.length, 1);
  await log.log.readBundle(0, 256);
  const narrow = await log.log.readBundle(0, 3);
  assert.deepEqual(narrow, formatEntries([testEntry(0), testEntry(1), testEntry(2)]));
  assert.deepEqual(await log.log.readEntries(255, 1), [testEntry(255)]);
  assert.equal(scans.length, 1);
  await log.log.readBundle(1, 44);
  await log.log.readBundle(1, 44);
  assert.equal(scans.length, 3, 'a partial one is not kept: it grows');
  await log.log.close();
});

test('bundles that are too many for memory are read again', async () => {
  const entryOf = (index: number): Uint8Array => new Uint8Array(13_000).fill(index);
  const { log, scans } = await openRounds(
    Array.from({ length: 12 }, () => 64),
    entryOf,
  );
  for (const index of [0, 1, 0, 1]) await log.log.readBundle(index, 256);
  assert.equal(scans.length, 2, 'two of 3.3 MB fit');
  await log.log.readBundle(2, 256);
  await log.log.readBundle(1, 256);
  assert.equal(scans.length, 3, 'the least recently used one went');
  await log.log.readBundle(0, 256);
  assert.equal(scans.length, 4);
  await log.log.close();
});

test('two bundles are read at a time', async () => {
  const { log, most } = await openRounds([300]);
  const widths = Array.from({ length: 40 }, (_, i) => i + 1);
  const bundles = await Promise.all(widths.map((width) => log.log.readBundle(0, width)));
  bundles.forEach((bundle, i) => {
    assert.deepEqual(bundle, formatEntries(Array.from({ length: i + 1 }, (_, at) => testEntry(at))));
  });
  assert.equal(most(), 2);
  await log.log.close();
});

const READS: [what: string, read: (log: TestLog) => Promise<unknown>][] = [
  ['readBundle', ({ log }) => log.readBundle(0, 5)],
  ['readEntries', ({ log }) => log.readEntries(4, 1)],
  ['findLeaf', ({ log }) => log.findLeaf(hashLeaf(testEntry(4)), 5)],
];

for (const [what, read] of READS) {
  test(`${what}: what the store cannot read is damage`, async () => {
    const { log, signals, fail } = await openRounds([5]);
    const cause = new Error('Corruption: block checksum mismatch');
    fail(cause);
    await assert.rejects(read(log), { code: 'storage_failed', cause });
    assert.deepEqual(
      signals.map(({ event }) => event),
      ['damage_read'],
    );
    await assert.rejects(read(log), { code: 'storage_failed' }, 'a failed read holds no turn');
    await assert.rejects(read(log), { code: 'storage_failed' });
  });
}

test('entries that are not those of the tree are never handed out, and the next read finds out again', async () => {
  const { log, signals } = await openRounds([2, 3]);
  const [row] = await log.store.getMany([entriesKey(2)]);
  const bad: Uint8Array[] = [
    Uint8Array.from(row!, (byte, i) => (i === row!.length - 1 ? byte ^ 1 : byte)),
    row!.subarray(0, row!.length - 1),
    formatEntries([testEntry(2), testEntry(3)]),
    new Uint8Array(0),
  ];
  for (const value of bad) {
    await log.store.commit({ puts: [{ key: entriesKey(2), value }] });
    signals.length = 0;
    await assert.rejects(log.log.readEntries(4, 1), { code: 'storage_failed' });
    await assert.rejects(log.log.readBundle(0, 5), { code: 'storage_failed' });
    assert.equal(signals.length, 2);
    assert.deepEqual(await log.log.readEntries(1, 1), [testEntry(1)]);
  }
  await log.store.commit({ puts: [{ key: entriesKey(2), value: row! }], deletes: [entriesKey(0)] });
  await assert.rejects(log.log.readEntries(0, 1), { code: 'storage_failed' });
  assert.deepEqual(await log.log.readEntries(4, 1), [testEntry(4)]);
  await log.store.commit({ puts: [{ key: leafKey(hashLeaf(testEntry(4)), 3), value: new Uint8Array(0) }] });
  await assert.rejects(log.log.findLeaf(hashLeaf(testEntry(4)), 5), { code: 'storage_failed' });
});
