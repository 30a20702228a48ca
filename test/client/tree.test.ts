import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LogSource } from '../../src/client/source.ts';
import { checkExtends, fetchCheckpoint, openTree } from '../../src/client/tree.ts';
import { DamagedTileError } from '../../src/client/verified-tiles.ts';
import { hashLeaf } from '../../src/core/hash.ts';
import { proveInclusion, verifyConsistency, verifyInclusion } from '../../src/core/proof.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { storeSource } from '../../src/log/store-source.ts';
import { openTestLog, type TestLog, testEntry } from '../support/test-log.ts';

/** Counts what is read, and changes it on the way. */
class Spy implements LogSource {
  readonly reads: string[] = [];
  readonly #inner: LogSource;
  edit: (path: string, bytes: Uint8Array | undefined) => Uint8Array | undefined = (_, bytes) => bytes;

  constructor(inner: LogSource) {
    this.#inner = inner;
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    this.reads.push(path);
    return this.edit(path, (await this.#inner.read(path))?.slice());
  }
}

async function logOf(entries: number): Promise<{ t: TestLog; source: Spy }> {
  const t = await openTestLog({ entries });
  return { t, source: new Spy(storeSource(t.store)) };
}

describe('fetchCheckpoint', () => {
  test('opens what the log serves, and refuses what does not verify', async () => {
    const { t, source } = await logOf(5);
    const head = await fetchCheckpoint(source, [t.verifier], t.origin);
    assert.equal(head.size, 5);
    assert.deepEqual(head.note, t.log.published.checkpoint);
    await assert.rejects(fetchCheckpoint(source, [t.verifier], 'log.example/other'), {
      code: 'signer_unknown',
    });
    source.edit = (_, bytes) => bytes!.with(20, bytes![20]! ^ 1);
    await assert.rejects(fetchCheckpoint(source, [t.verifier], t.origin));
    source.edit = () => undefined;
    await assert.rejects(fetchCheckpoint(source, [t.verifier], t.origin), { code: 'unreachable' });
  });
});

describe('openTree', () => {
  test('proves any leaf, reading each tile once', async () => {
    const { t, source } = await logOf(1000);
    const { size, root } = t.log.published;
    const tiles = await openTree(source, { size, root });
    assert.deepEqual(source.reads.toSorted(), ['tile/0/003.p/232', 'tile/1/000.p/3']);
    for (const index of [0, 1, 255, 256, 511, 700, 999, 300, 2]) {
      const path = await proveInclusion(index, size, tiles.hashes(size));
      verifyInclusion(index, size, hashLeaf(testEntry(index)), path, root);
    }
    assert.equal(new Set(source.reads).size, source.reads.length);
  });

  test('many readers of one cold tile fetch it once', async () => {
    const { t, source } = await logOf(1000);
    const tiles = await openTree(source, t.log.published);
    const before = source.reads.length;
    await Promise.all(Array.from({ length: 50 }, () => tiles.read({ level: 0, index: 1, width: 256 })));
    assert.equal(source.reads.length, before + 1);
  });

  test('another edge is refused at once, another full tile when it is read; nothing false is kept', async () => {
    const { t, source } = await logOf(1000);
    for (const path of ['tile/0/003.p/232', 'tile/1/000.p/3']) {
      source.edit = (read, bytes) => (read === path ? bytes!.with(3, bytes![3]! ^ 1) : bytes);
      await assert.rejects(openTree(source, t.log.published), { code: 'root_mismatch' });
    }
    source.edit = (_, bytes) => bytes;
    const tiles = await openTree(source, t.log.published);
    source.edit = (_, bytes) => bytes!.with(3, bytes![3]! ^ 1);
    await assert.rejects(tiles.read({ level: 0, index: 2, width: 256 }), (error) => {
      return error instanceof DamagedTileError && error.level === 0 && error.index === 2;
    });
    source.edit = (_, bytes) => bytes;
    assert.equal((await tiles.read({ level: 0, index: 2, width: 256 })).length, 8192);
  });

  test('a partial tile that the log has dropped is read from the full one', async () => {
    const { t, source } = await logOf(300);
    const { size, root } = t.log.published;
    for (let i = 300; i < 600; i++) await t.append(testEntry(i));
    source.edit = (path, bytes) => (path.startsWith('tile/0/001.p/') ? undefined : bytes);
    const tiles = await openTree(source, { size, root });
    const path = await proveInclusion(299, size, tiles.hashes(size));
    verifyInclusion(299, size, hashLeaf(testEntry(299)), path, root);
  });

  test('a missing or short tile is an error, not a guess', async () => {
    const { t, source } = await logOf(300);
    source.edit = () => undefined;
    await assert.rejects(openTree(source, t.log.published), { code: 'unreachable' });
    source.edit = (_, bytes) => bytes!.subarray(1);
    await assert.rejects(openTree(source, t.log.published), { code: 'malformed' });
  });
});

describe('checkExtends', () => {
  test('a log that only grew is consistent with all its heads', async () => {
    const t = await openTestLog();
    const heads = [t.log.revealed];
    for (let i = 0; i < 20; i++) heads.push((await t.log.append({ entry: testEntry(i) })).head);
    const source = storeSource(t.store);
    for (const older of heads) {
      for (const newer of heads.filter(({ size }) => size >= older.size)) {
        const proof = await checkExtends(source, older, newer);
        if (older.size > 0) verifyConsistency(older.size, newer.size, older.root, newer.root, proof);
      }
    }
    await assert.rejects(checkExtends(source, heads[5]!, heads[4]!), { code: 'inconsistent' });
  });

  test('a head of another history is inconsistent', async () => {
    const { t, source } = await logOf(10);
    const other = await openTestLog({ entries: Array.from({ length: 6 }, () => encodeUtf8('forked')) });
    await assert.rejects(checkExtends(source, other.log.published, t.log.published), {
      code: 'inconsistent',
    });
    const same = { size: 10, root: other.log.published.root };
    await assert.rejects(checkExtends(source, same, t.log.published), { code: 'inconsistent' });
  });
});
