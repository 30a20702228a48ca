import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  verifyInclusion,
  verifyConsistency,
  proveConsistency,
  proveInclusion,
} from '../../src/core/proof.ts';
import { hashLeaf } from '../../src/core/hash.ts';
import { readRoot } from '../../src/core/tree.ts';
import { equalBytes } from '../../src/core/bytes.ts';
import { NewelError } from '../../src/errors.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { parseEntries } from '../../src/formats/entry-bundle.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { fsck } from '../../src/log/fsck.ts';
import { storeSource } from '../../src/log/store-source.ts';
import { openTestLog, type TestLog, testEntry } from '../support/test-log.ts';
import { ReferenceTree } from '../support/reference-tree.ts';

/** The one invariant: everything public, read again from scratch, is whole. */
async function checkLog({ store, verifier, origin }: TestLog): Promise<number> {
  const report = await fsck(storeSource(store), { verifiers: [verifier], origin });
  assert.deepEqual(report.findings, []);
  return report.size;
}

describe('log', () => {
  test('a new log is empty, signed and published', async () => {
    const t = await openTestLog();
    assert.equal(t.log.revealed.size, 0);
    assert.equal(t.log.published.size, 0);
    assert.equal(openCheckpoint(t.log.published.checkpoint, [t.verifier], t.origin).size, 0);
    assert.equal(await checkLog(t), 0);
    await t.log.close();
  });

  test('appends get the next indexes, and a head that covers them', async () => {
    const t = await openTestLog();
    const answers = await Promise.all([0, 1, 2].map((i) => t.log.append({ entry: testEntry(i) })));
    assert.deepEqual(
      answers.map(({ index }) => index),
      [0, 1, 2],
    );
    const { head } = answers[0]!;
    assert.equal(head.size, 3);
    const opened = openCheckpoint(head.checkpoint, [t.verifier], t.origin);
    const entries = [0, 1, 2].map(testEntry);
    assert.ok(equalBytes(opened.root, ReferenceTree.ofEntries(entries).root(3)));
    assert.equal((await t.log.append({ entry: testEntry(3) })).index, 3);
    await t.log.close();
    assert.equal(await checkLog(t), 4);
  });

  test('every size has its root, every leaf its proof, every two sizes their consistency', async () => {
    const t = await openTestLog();
    const roots = [t.log.revealed.root];
    for (let i = 0; i < 40; i++) roots.push((await t.log.append({ entry: testEntry(i) })).head.root);
    for (let size = 1; size <= 40; size++) {
      assert.ok(equalBytes(await readRoot(size, t.log.hashes(size)), roots[size]!));
      for (let index = 0; index < size; index += 3) {
        const path = await proveInclusion(index, size, t.log.hashes(size));
        verifyInclusion(index, size, hashLeaf(testEntry(index)), path, roots[size]!);
      }
      for (let first = 1; first <= size; first += 7) {
        const proof = await proveConsistency(first, size, t.log.hashes(size));
        verifyConsistency(first, size, roots[first]!, roots[size]!, proof);
      }
    }
    await t.log.close();
  });

  test('over several tiles, and across a restart, entries, tiles and index agree', async () => {
    const t = await openTestLog({ entries: 700 });
    const again = await t.reopen();
    for (let at = 700; at < 66_000; at += 4096) {
      const count = Math.min(4096, 66_000 - at);
      await Promise.all(Array.from({ length: count }, (_, i) => again.append(testEntry(at + i))));
    }
    await again.publish();
    assert.equal(again.log.published.size, 66_000);
    for (const index of [0, 255, 256, 699, 700, 65_535, 65_536, 65_999]) {
      const n = Math.floor(index / 256);
      const width = Math.min(256, 66_000 - n * 256);
      const bundle = parseEntries(await again.log.readBundle(n, width), width);
      assert.deepEqual(bundle[index % 256], testEntry(index));
      assert.equal(await again.log.findLeaf(hashLeaf(testEntry(index)), 66_000), index);
    }
    assert.equal(await again.log.findLeaf(hashLeaf(testEntry(65_999)), 65_999), undefined);
    assert.equal(await again.log.findLeaf(hashLeaf(encodeUtf8('never')), 66_000), undefined);
    await again.log.close();
    assert.equal(await checkLog(again), 66_000);
  });

  test('the same entry twice is two leaves; by hash, the first is found', async () => {
    const t = await openTestLog();
    for (let i = 0; i < 3; i++) await t.append(encodeUtf8('same'));
    assert.equal(await t.log.findLeaf(hashLeaf(encodeUtf8('same')), 3), 0);
    await t.log.close();
  });

  test('entries of 0 and of 65,535 bytes are entries; one more byte stops nothing but itself', async () => {
    const t = await openTestLog();
    await t.append(new Uint8Array(0));
    await t.append(new Uint8Array(65_535));
    await assert.rejects(t.append(new Uint8Array(65_536)), { code: 'too_large' });
    assert.equal(await t.append(testEntry(2)), 2);
    await t.publish();
    assert.deepEqual(
      parseEntries(await t.log.readBundle(0, 3), 3).map((entry) => entry.length),
      [0, 65_535, 7],
    );
    await t.log.close();
    assert.equal(await checkLog(t), 3);
  });

  test('companions are told the index once and are durable with the entry', async () => {
    const t = await openTestLog();
    const calls: number[] = [];
    const key = (index: number) => Uint8Array.of(0x80, index);
    const companions = (index: number) => {
      calls.push(index);
      return { puts: [{ key: key(index), value: encodeUtf8(`of ${index}`) }] };
    };
    await Promise.all([0, 1].map((i) => t.log.append({ entry: testEntry(i), companions })));
    assert.deepEqual(calls, [0, 1]);
    assert.deepEqual(await t.store.getMany([key(0), key(1)]), [encodeUtf8('of 0'), encodeUtf8('of 1')]);
    await t.log.close();
  });

  test('what stands beside the leaves is asked about at open, each leaf once, in order, and can refuse', async () => {
    const asked: [number, number][] = [];
    let lost = -1;
    const proveCompanions = async (first: number, entries: readonly Uint8Array[]): Promise<void> => {
      asked.push([first, entries.length]);
      entries.forEach((entry, i) => assert.deepEqual(entry, testEntry(first + i)));
      if (lost >= first && lost < first + entries.length) throw new NewelError('log_refused', `lost ${lost}`);
    };
    const t = await openTestLog({ entries: 2500, open: { proveCompanions } });
    assert.equal(asked.length, 0, 'the tree was empty');
    const again = await t.reopen();
    assert.deepEqual([asked[0]![0], asked.reduce((sum, [, count]) => sum + count, 0)], [0, 2500]);
    assert.ok(asked.length > 1 && asked.every(([, count]) => count <= 1024 + 256));
    asked.length = 0;
    await Promise.all([again.append(testEntry(2500)), again.append(testEntry(2501))]);
    lost = 2501;
    await assert.rejects(again.reopen(), { code: 'log_refused', message: 'lost 2501' });
  });

  test("a companion outside its key range is our own mistake, and stops the log rather than overwrite the tree's rows", async () => {
    const t = await openTestLog();
    const companions = () => ({ puts: [{ key: Uint8Array.of(0x10), value: new Uint8Array(0) }] });
    await assert.rejects(t.log.append({ entry: testEntry(0), companions }), { code: 'storage_failed' });
    assert.equal(t.log.accepting, false);
    assert.equal(t.log.revealed.size, 0);
  });

  test('the times of heads never go back, whatever the clock does', async () => {
    const t = await openTestLog();
    const first = await t.log.append({ entry: testEntry(0) });
    t.clock.set(t.clock.now() - 60_000);
    const second = await t.log.append({ entry: testEntry(1) });
    assert.equal(second.head.timeMs, first.head.timeMs);
    await t.log.close();
  });

  test('close finishes what was taken, publishes it and takes no more', async () => {
    const t = await openTestLog();
    const waiting = Promise.all([0, 1, 2].map((i) => t.append(testEntry(i))));
    const closing = t.log.close();
    assert.throws(() => t.log.reserve(1), { code: 'storage_failed' });
    assert.deepEqual(await waiting, [0, 1, 2]);
    await closing;
    assert.equal(t.log.published.size, 3);
    assert.equal(await checkLog(t), 3);
  });
});
