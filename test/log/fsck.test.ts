import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LogSource } from '../../src/client/source.ts';
import { newTiles } from '../../src/core/tile.ts';
import { formatTilePath } from '../../src/formats/tile-path.ts';
import { type Finding, fsck } from '../../src/log/fsck.ts';
import { storeSource } from '../../src/log/store-source.ts';
import { openTestLog, type TestLog, testEntry } from '../support/test-log.ts';

/** Every public file of a tree, by its path. */
function publicFiles(size: number): string[] {
  const tiles = [...newTiles(0, size)];
  const bundles = tiles.filter(({ level }) => level === 0);
  return [
    'checkpoint',
    ...tiles.map((tile) => formatTilePath({ kind: 'tile', ...tile })),
    ...bundles.map(({ index, width }) => formatTilePath({ kind: 'entries', index, width })),
  ];
}

/** A source whose one file is changed. */
function changed(
  source: LogSource,
  path: string,
  edit: (bytes: Uint8Array) => Uint8Array | undefined,
): LogSource {
  return {
    async read(wanted) {
      const bytes = await source.read(wanted);
      return wanted === path && bytes ? edit(bytes.slice()) : bytes;
    },
  };
}

async function findings({ verifier, origin }: TestLog, source: LogSource): Promise<readonly Finding[]> {
  return (await fsck(source, { verifiers: [verifier], origin })).findings;
}

const SIZES = [0, 1, 255, 256, 257, 600, 1024];

describe('fsck', () => {
  test('a whole log has no findings, whatever its size, and progress reaches the end', async () => {
    for (const entries of SIZES) {
      const t = await openTestLog({ entries });
      const progress: number[] = [];
      const report = await fsck(storeSource(t.store), {
        verifiers: [t.verifier],
        origin: t.origin,
        onProgress: ({ done, total }) => {
          assert.equal(total, entries);
          progress.push(done);
        },
      });
      assert.deepEqual(report.findings, []);
      assert.equal(report.size, entries);
      assert.deepEqual(report.root, t.log.revealed.root);
      assert.equal(progress.at(-1), entries === 0 ? undefined : entries);
      await t.log.close();
    }
  });

  for (const entries of [300, 700]) {
    test(`any flipped bit of any file is found, and the file is named: ${entries} entries`, async () => {
      const t = await openTestLog({ entries });
      const source = storeSource(t.store);
      for (const path of publicFiles(entries)) {
        const bytes = (await source.read(path))!;
        const step = Math.max(1, Math.floor((bytes.length * 8) / 40));
        for (let bit = 0; bit < bytes.length * 8; bit += step) {
          const flipped = changed(source, path, (copy) => {
            copy[bit >> 3]! ^= 1 << (bit & 7);
            return copy;
          });
          const found = (await findings(t, flipped)).map((finding) => finding.path);
          assert.deepEqual(found, [path], `bit ${bit} of ${path}`);
        }
      }
      await t.log.close();
    });
  }

  test('a missing, short, long or empty file is found and named', async () => {
    const t = await openTestLog({ entries: 600 });
    const source = storeSource(t.store);
    for (const path of publicFiles(600).slice(1)) {
      for (const edit of [
        () => undefined,
        (bytes: Uint8Array) => bytes.subarray(1),
        (bytes: Uint8Array) => Uint8Array.of(...bytes, 0),
        () => new Uint8Array(0),
      ]) {
        assert.deepEqual(
          (await findings(t, changed(source, path, edit))).map((finding) => finding.path),
          [path],
        );
      }
    }
    await assert.rejects(
      findings(
        t,
        changed(source, 'checkpoint', () => undefined),
      ),
      { code: 'unreachable' },
    );
    await t.log.close();
  });

  test('two damaged files are both named', async () => {
    const t = await openTestLog({ entries: 1024 });
    const flip = (bytes: Uint8Array) => {
      bytes[9]! ^= 4;
      return bytes;
    };
    const twice = changed(changed(storeSource(t.store), 'tile/0/001', flip), 'tile/entries/002', flip);
    assert.deepEqual(
      (await findings(t, twice)).map(({ path }) => path),
      ['tile/0/001', 'tile/entries/002'],
    );
    await t.log.close();
  });

  test('a tile beside a bundle that says nothing: both are named, and nothing else', async () => {
    const t = await openTestLog({ entries: 700 });
    const flip = (at: number) => (bytes: Uint8Array) => bytes.with(at, bytes[at]! ^ 1);
    for (const tile of [flip(100), () => undefined]) {
      for (const bundle of [flip(0), () => undefined]) {
        const source = changed(changed(storeSource(t.store), 'tile/0/001', tile), 'tile/entries/001', bundle);
        const found = (await findings(t, source)).map(({ path }) => path);
        assert.deepEqual(found.toSorted(), ['tile/0/001', 'tile/entries/001']);
      }
    }
    await t.log.close();
  });

  test("another log's checkpoint is a finding", async () => {
    const t = await openTestLog({ entries: 3 });
    const other = await openTestLog({ entries: 3, origin: 'log.example/other' });
    const swapped = changed(storeSource(t.store), 'checkpoint', () => other.log.published.checkpoint);
    assert.deepEqual(
      (await findings(t, swapped)).map(({ path }) => path),
      ['checkpoint'],
    );
    await t.log.close();
    await other.log.close();
  });

  test('a log that has dropped its partial files for full ones is whole', async () => {
    const t = await openTestLog({ entries: 300 });
    const { checkpoint } = t.log.published;
    for (let i = 300; i < 600; i++) await t.append(testEntry(i));
    await t.publish();
    const source = storeSource(t.store);
    const pruned: LogSource = {
      async read(path) {
        if (path === 'checkpoint') return checkpoint;
        return path.startsWith('tile/0/001.p') || path.startsWith('tile/entries/001.p')
          ? undefined
          : source.read(path);
      },
    };
    assert.deepEqual(await findings(t, pruned), []);
    const damaged = changed(pruned, 'tile/entries/001', (bytes) => bytes.with(9, bytes[9]! ^ 1));
    assert.deepEqual(
      (await findings(t, damaged)).map(({ path }) => path),
      ['tile/entries/001.p/44'],
    );
    await t.log.close();
  });
});
