import assert from 'node:assert/strict';
import { test } from 'node:test';
import '../../src/cli/sha256-node.ts';
import { hashLeaf } from '../../src/core/hash.ts';
import { CompactRange } from '../../src/core/range.ts';
import { RecentNodes } from '../../src/log/recent-nodes.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';

/** Enough that the tile of the third level has nodes of its own, and its first ones are long past. */
const LEAVES = 270_000;
/** Tiles of level 0 that are surely kept. */
const KEPT = 60;

test('a node that was added is given back as it was, or not at all', () => {
  const nodes = new RecentNodes();
  const all: { level: number; index: number; hash: Uint8Array }[] = [];
  const newest: number[] = [];
  const tileOf = (level: number, index: number): number => Math.floor((index * 2 ** (level % 8)) / 256);
  const range = new CompactRange();
  const check = (): void => {
    for (const { level, index, hash } of all) {
      const got = nodes.get({ level, index });
      if (got) assert.deepEqual(got, hash, `node (${level}, ${index})`);
      const tileLevel = Math.floor(level / 8);
      const isRecent = tileOf(level, index) > newest[tileLevel]! - (tileLevel === 0 ? KEPT : 1);
      if (isRecent) assert.ok(got, `node (${level}, ${index}) is at hand`);
    }
  };
  for (let size = 1; size <= LEAVES; size++) {
    range.append(hashLeaf(encodeUtf8(String(size))), (level, index, hash) => {
      if (level % 8 === 0) return;
      nodes.add(level, index, hash);
      all.push({ level, index, hash });
      newest[Math.floor(level / 8)] = tileOf(level, index);
    });
    if (size % 45_000 === 0) check();
  }
  assert.equal(newest[2], 0, 'the third level has nodes of its own');
});

test('the nodes of a tile that was loaded are those that appending gives', () => {
  for (const width of [0, 1, 2, 3, 100, 255]) {
    const range = new CompactRange();
    const data = new Uint8Array(256 * 32);
    const added = new RecentNodes();
    const loaded = new RecentNodes();
    const seen: [number, number][] = [];
    for (let i = 0; i < width; i++) {
      range.append(hashLeaf(Uint8Array.of(i)), (level, index, hash) => {
        if (level === 0) return data.set(hash, index * 32);
        added.add(level, index, hash);
        seen.push([level, index]);
      });
    }
    loaded.addTile({ level: 0, index: 0, width, data });
    for (const [level, index] of seen) {
      assert.deepEqual(
        loaded.get({ level, index }),
        added.get({ level, index }),
        `(${level}, ${index}) of ${width}`,
      );
    }
  }
});
