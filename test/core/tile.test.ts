import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { NewelError } from '../../src/errors.ts';
import { concatBytes } from '../../src/core/bytes.ts';
import { HASH_SIZE } from '../../src/core/hash.ts';
import { proveConsistency, proveInclusion } from '../../src/core/proof.ts';
import {
  edgeTiles,
  hashesAt,
  hashWithinTile,
  newTiles,
  type Tile,
  TILE_BYTES,
  TILE_HEIGHT,
  TILE_WIDTH,
  tileHashReader,
  tileOfNode,
  type TileReader,
  tileWidth,
} from '../../src/core/tile.ts';
import { nodesOf, readRoot } from '../../src/core/tree.ts';
import { ReferenceTree, referenceLeafHash } from '../support/reference-tree.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 2_000 : 60;
const LEAVES = 70_000;

/** Sizes at the borders of tiles of levels 0, 1 and 2. */
const BORDERS = [1, 2, 255, 256, 257, 258, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, LEAVES];

/** Every tile of a tree, counted off hash by hash. */
function listTiles(size: number): Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / 256)) {
    for (let left = hashes, index = 0; left > 0; left -= 256, index++) {
      tiles.push({ level, index, width: Math.min(left, 256) });
    }
  }
  return tiles;
}

const name = ({ level, index, width }: Tile): string => `${level}/${index}.${width}`;
const byName = (tiles: Iterable<Tile>): string[] => [...tiles].map(name).sort();

/** A tile as the definition has it: hash i is the root of its own 256^level leaves. */
function referenceTile(tree: ReferenceTree, { level, index, width }: Tile): Uint8Array {
  const hashes = Array.from({ length: width }, (_, i) =>
    tree.node({ level: level * 8, index: index * 256 + i }),
  );
  return concatBytes(...hashes);
}

/** Serves reference tiles, remembering every call and refusing tiles that the tree of `size` leaves has not. */
function referenceTileReader(
  tree: ReferenceTree,
  size: number,
): { read: TileReader; calls: (readonly Tile[])[] } {
  const calls: (readonly Tile[])[] = [];
  const read: TileReader = (tiles) => {
    calls.push(tiles);
    for (const { level, index, width } of tiles) {
      assert.ok(width >= 1 && width <= 256);
      assert.ok(index * 256 + width <= Math.floor(size / 256 ** level), 'a tile of this tree');
    }
    return Promise.resolve(tiles.map((tile) => referenceTile(tree, tile)));
  };
  return { read, calls };
}

test('the dimensions of tlog-tiles', () => {
  assert.equal(TILE_WIDTH, 2 ** TILE_HEIGHT);
  assert.equal(TILE_BYTES, 8_192);
});

describe('coordinates', () => {
  test('widths are those of the full listing', () => {
    for (const size of [0, ...BORDERS]) {
      const widths = new Map(listTiles(size).map(({ level, index, width }) => [`${level}/${index}`, width]));
      for (let level = 0; level <= 4; level++) {
        let hashes = size;
        for (let i = 0; i < level; i++) hashes = Math.floor(hashes / 256);
        assert.equal(hashesAt(level, size), hashes);
        for (let index = 0; index <= Math.ceil(hashes / 256) + 1; index++) {
          assert.equal(
            tileWidth(level, index, size),
            widths.get(`${level}/${index}`) ?? 0,
            `${level}/${index}`,
          );
        }
      }
    }
  });

  test('widths up to 2^53', () => {
    const max = Number.MAX_SAFE_INTEGER;
    assert.equal(tileWidth(0, 2 ** 45 - 1, max), 255);
    assert.equal(tileWidth(0, 2 ** 45 - 2, max), 256);
    assert.equal(tileWidth(0, 2 ** 45, max), 0);
    assert.equal(tileWidth(0, 2 ** 24, 2 ** 32 + 1), 1);
    assert.equal(tileWidth(3, 0, 2 ** 32), 256);
    assert.equal(tileWidth(4, 0, 2 ** 32), 1);
    assert.equal(tileWidth(4, 0, 2 ** 32 - 1), 0);
    assert.equal(tileWidth(6, 0, max), 31);
    assert.equal(tileWidth(7, 0, max), 0);
  });

  test('the listing of the header: 70,000 leaves', () => {
    const tiles = listTiles(LEAVES);
    assert.equal(tiles.length, 274 + 2 + 1);
    assert.deepEqual(byName(newTiles(0, LEAVES)), byName(tiles));
    for (const tile of ['2/0.1', '1/0.256', '1/1.17', '0/272.256', '0/273.112']) {
      assert.ok(tiles.map(name).includes(tile), tile);
    }
  });

  test('newTiles: nothing for nothing, nor for a tree that is smaller', () => {
    for (const size of [0, ...BORDERS]) {
      assert.deepEqual([...newTiles(size, size)], []);
      assert.deepEqual([...newTiles(size + 1, size)], []);
      assert.deepEqual([...newTiles(2 * size + 300, size)], []);
    }
  });

  test('newTiles: what the larger listing has and the smaller has not, each once, level 0 first', () => {
    const check = (first: number, second: number): void => {
      const old = new Set(listTiles(first).map(name));
      const tiles = [...newTiles(first, second)];
      assert.deepEqual(
        byName(tiles),
        byName(listTiles(second).filter((tile) => !old.has(name(tile)))),
        `${first} → ${second}`,
      );
      tiles.slice(1).forEach((tile, i) => {
        const before = tiles[i]!;
        assert.ok(tile.level > before.level || (tile.level === before.level && tile.index > before.index));
      });
    };
    for (const first of [0, ...BORDERS])
      for (const second of BORDERS) if (first <= second) check(first, second);
    const size = fc.oneof(fc.nat(1_000), fc.nat(200_000));
    fc.assert(
      fc.property(size, size, (a, b) => check(Math.min(a, b), Math.max(a, b))),
      { numRuns },
    );
  });

  test('newTiles near 2^53 does not list the whole tree', () => {
    const max = Number.MAX_SAFE_INTEGER;
    assert.deepEqual([...newTiles(max - 1, max)], [{ level: 0, index: 2 ** 45 - 1, width: 255 }]);
    assert.deepEqual([...newTiles(2 ** 32 - 1, 2 ** 32)].map(name), [
      '0/16777215.256',
      '1/65535.256',
      '2/255.256',
      '3/0.256',
      '4/0.1',
    ]);
  });

  test('tileOfNode: the hashes that a node covers are its own leaves', () => {
    const check = (level: number, index: number): void => {
      const tile = tileOfNode({ level, index });
      assert.equal(tile.level, Math.floor(level / 8));
      assert.ok(
        tile.first + tile.count <= 256 && tile.first % tile.count === 0,
        'one aligned run inside one tile',
      );
      const perHash = 256n ** BigInt(tile.level);
      const begin = (BigInt(tile.index) * 256n + BigInt(tile.first)) * perHash;
      assert.equal(begin, BigInt(index) * 2n ** BigInt(level));
      assert.equal(BigInt(tile.count) * perHash, 2n ** BigInt(level));
    };
    for (let level = 0; level <= 52; level++) {
      for (const index of [0, 1, 2, 127, 128, 255, 256, 257, 2 ** 31, 2 ** 32, 2 ** (53 - level) - 1]) {
        if (index < 2 ** (53 - level)) check(level, index);
      }
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 52 }), fc.maxSafeNat(), (level, n) => {
        check(level, Math.floor(n / 2 ** level));
      }),
    );
  });
});

describe('hashes from tiles', () => {
  let tree: ReferenceTree;
  before(() => {
    const leafHashes = Array.from({ length: LEAVES }, (_, i) => referenceLeafHash(Buffer.from(`leaf ${i}`)));
    tree = ReferenceTree.ofLeafHashes(leafHashes);
  });

  test('hashWithinTile: every aligned run of a tile', () => {
    const tile = referenceTile(tree, { level: 0, index: 3, width: 256 });
    for (let level = 0; level <= 8; level++) {
      const count = 2 ** level;
      for (let first = 0; first < 256; first += count) {
        const node = { level, index: (3 * 256 + first) / count };
        assert.deepEqual(hashWithinTile(tile, first, count), tree.node(node), `${first}+${count}`);
      }
    }
  });

  test('roots, from the edge tiles and no other', async () => {
    for (const size of [0, 3, ...BORDERS]) {
      const edge = new Set(edgeTiles(size).map(name));
      assert.equal(edge.size, edgeTiles(size).length);
      const { read, calls } = referenceTileReader(tree, size);
      assert.deepEqual(await readRoot(size, tileHashReader(size, read)), tree.root(size), `size ${size}`);
      assert.equal(calls.length, 1);
      assert.deepEqual(byName(calls[0]!), [...edge].sort(), 'each edge tile once');
      assert.ok(edge.size <= 3, 'at most one a level');
      for (const { level, index, width } of edgeTiles(size)) {
        assert.equal(index * 256 + width, hashesAt(level, size), 'the rightmost of its level');
      }
    }
  });

  test('every node of a tree, at the borders of tiles', async () => {
    for (const size of BORDERS) {
      const { read, calls } = referenceTileReader(tree, size);
      const nodes = [];
      for (let level = 0; 2 ** level <= size; level++) {
        const last = Math.floor(size / 2 ** level) - 1;
        for (const index of new Set([0, 1, last >> 1, last - 1, last])) {
          if (index >= 0 && index <= last) nodes.push({ level, index });
        }
      }
      const hashes = await tileHashReader(size, read)(nodes);
      nodes.forEach((node, i) =>
        assert.deepEqual(hashes[i], tree.node(node), JSON.stringify({ size, node })),
      );
      assert.equal(calls.length, 1);
      const asked = calls[0]!.map(({ level, index }) => `${level}/${index}`);
      assert.equal(new Set(asked).size, asked.length, 'no tile twice');
    }
  });

  test('proofs, at the borders of tiles', async () => {
    for (const size of BORDERS) {
      const { read, calls } = referenceTileReader(tree, size);
      const hashes = tileHashReader(size, read);
      const indexes = new Set([0, 1, 254, 255, 256, 257, 65_535, 65_536, size >> 1, size - 2, size - 1]);
      let proofs = 0;
      for (const index of indexes) {
        if (index < 0 || index >= size) continue;
        assert.deepEqual(await proveInclusion(index, size, hashes), tree.path(index, size));
        proofs++;
      }
      for (const first of BORDERS) {
        if (first > size) continue;
        assert.deepEqual(await proveConsistency(first, size, hashes), tree.proof(first, size));
        proofs++;
      }
      assert.equal(calls.length, proofs, 'one read a proof');
    }
  });

  test('random proofs of random trees', async () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 1_100 }), fc.integer({ min: 1, max: LEAVES }));
    await fc.assert(
      fc.asyncProperty(size, fc.maxSafeNat(), async (second, n) => {
        const { read } = referenceTileReader(tree, second);
        const hashes = tileHashReader(second, read);
        const index = n % second;
        assert.deepEqual(await proveInclusion(index, second, hashes), tree.path(index, second));
        assert.deepEqual(await proveConsistency(index + 1, second, hashes), tree.proof(index + 1, second));
      }),
      { numRuns },
    );
  });

  test('a tile is a prefix of its wider versions, so a wider one does', async () => {
    const { read } = referenceTileReader(tree, LEAVES);
    const wide: TileReader = (tiles) =>
      read(tiles.map(({ level, index }) => ({ level, index, width: tileWidth(level, index, LEAVES) })));
    for (const size of [1, 100, 255, 257, 600, 65_537]) {
      assert.deepEqual(await readRoot(size, tileHashReader(size, wide)), tree.root(size));
    }
  });

  test('a node outside the tree is refused before anything is read', async () => {
    for (const size of [0, 1, 255, 256, 257, 65_536, LEAVES]) {
      const { read, calls } = referenceTileReader(tree, size);
      const hashes = tileHashReader(size, read);
      for (let level = 0; level <= 17; level++) {
        const node = { level, index: Math.floor(size / 2 ** level) };
        await assert.rejects(hashes([node]), RangeError, JSON.stringify({ size, node }));
        await assert.rejects(hashes([{ level: 0, index: 0 }, node]), RangeError);
      }
      assert.equal(calls.length, 0);
    }
  });

  test('a tile that is missing or short is refused, whichever of its hashes is asked for', async () => {
    const size = 300;
    const { read } = referenceTileReader(tree, size);
    const nodes = nodesOf({ begin: 0, end: size });
    const refused = (short: TileReader): Promise<void> =>
      assert.rejects(
        tileHashReader(size, short)(nodes),
        (error) => error instanceof NewelError && error.code === 'malformed',
      );
    await refused(() => Promise.resolve([]));
    await refused(async (tiles) => (await read(tiles)).slice(0, -1));
    for (const missing of [1, HASH_SIZE - 1, HASH_SIZE]) {
      await refused(async (tiles) =>
        (await read(tiles)).map((tile) => tile.subarray(0, tile.length - missing)),
      );
    }
    const failure = new Error('unreachable');
    await assert.rejects(tileHashReader(size, () => Promise.reject(failure))(nodes), failure);
  });

  test('one byte changed in any edge tile changes the root', async () => {
    for (const size of [257, 513, 65_537]) {
      const { read } = referenceTileReader(tree, size);
      for (const target of edgeTiles(size)) {
        const changed: TileReader = async (tiles) =>
          (await read(tiles)).map((data, i) => {
            if (name(tiles[i]!) !== name(target)) return data;
            const copy = data.slice();
            copy[copy.length - 1]! ^= 1;
            return copy;
          });
        assert.notDeepEqual(
          await readRoot(size, tileHashReader(size, changed)),
          tree.root(size),
          name(target),
        );
      }
    }
  });
});

test('edge tiles of trees near 2^31, 2^32 and 2^53 give the root', async () => {
  for (const around of [2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    for (const size of [around - 2, around - 1, around, around + 1]) {
      if (!Number.isSafeInteger(size)) continue;
      const tree = ReferenceTree.sparse([0, size - 1]);
      const edge = edgeTiles(size);
      const { read, calls } = referenceTileReader(tree, size);
      assert.deepEqual(await readRoot(size, tileHashReader(size, read)), tree.root(size), `size ${size}`);
      assert.deepEqual(byName(calls[0]!), byName(edge));
    }
  }
});
