/**
 * Tile coordinates of C2SP tlog-tiles, as numbers (their paths are in `formats/tile-path.ts`).
 *
 * A tile is 256 consecutive hashes at tree level 8 · L; what lies between two tile levels is computed from it.
 * For a tree of 70,000 leaves:
 *
 *   L = 2   tile 0, width 1
 *   L = 1   tile 0 full, tile 1 width 17
 *   L = 0   tiles 0 … 272 full, tile 273 width 112
 *
 * A tile that is narrower than 256 is a prefix of every wider version of itself.
 */

import { NewelError } from '../errors.ts';
import { HASH_SIZE } from './hash.ts';
import type { HashReader, Node } from './tree.ts';
import { nodesOf } from './tree.ts';
import { hashNode } from './hash.ts';

/** Tree levels that a tile spans. */
export const TILE_HEIGHT = 8;
/** Hashes in a full tile, entries in a full bundle. */
export const TILE_WIDTH = 256;
/** Bytes of a full tile. */
export const TILE_BYTES: number = TILE_WIDTH * HASH_SIZE;

/** A tile by level, index within the level, and width: how many hashes, 1 … 256. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

/** How many hashes the tree of `size` leaves has at tile level `level`. */
export function hashesAt(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** The width of a tile in the tree of `size` leaves; 0 where the tree has no such tile. */
export function tileWidth(level: number, index: number, size: number): number {
  return Math.max(0, Math.min(TILE_WIDTH, hashesAt(level, size) - index * TILE_WIDTH));
}

/** Every tile that the tree of `second` leaves has and the tree of `first` leaves has not, or has narrower; level 0 first. */
export function* newTiles(first: number, second: number): Generator<Tile> {
  for (let level = 0; hashesAt(level, second) > 0; level++) {
    const before = hashesAt(level, first);
    const after = hashesAt(level, second);
    if (before >= after) continue;
    for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < after; index++) {
      yield { level, index, width: tileWidth(level, index, second) };
    }
  }
}

/** The tile that holds a node's subtree, and which of its hashes the node covers: `count` of them from `first`. */
export function tileOfNode({ level, index }: Node): {
  level: number;
  index: number;
  first: number;
  count: number;
} {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const count = 2 ** (level % TILE_HEIGHT);
  const at = index * count;
  return { level: tileLevel, index: Math.floor(at / TILE_WIDTH), first: at % TILE_WIDTH, count };
}

/** The hash over `count` (a power of two) hashes of a tile, from the hash number `first`. */
export function hashWithinTile(tile: Uint8Array, first: number, count: number): Uint8Array {
  if (count === 1) return tile.subarray(first * HASH_SIZE, (first + 1) * HASH_SIZE);
  const halfCount = count / 2;
  return hashNode(hashWithinTile(tile, first, halfCount), hashWithinTile(tile, first + halfCount, halfCount));
}

/** Reads many tiles at once, in the order asked for, each at least as wide as asked for; or rejects. */
export type TileReader = (tiles: readonly Tile[]) => Promise<readonly Uint8Array[]>;

/**
 * A hash reader over the tiles of a tree of `size` leaves. It asks for each tile once, at its width in that tree.
 * Whether the tiles are the tree's own is the business of `read`; one that is missing or too short is `malformed`.
 */
export function tileHashReader(size: number, read: TileReader): HashReader {
  return async (nodes) => {
    const wanted = new Map<string, Tile>();
    const places = nodes.map((node) => {
      const place = tileOfNode(node);
      const key = `${place.level}/${place.index}`;
      const width = tileWidth(place.level, place.index, size);
      if (place.first + place.count > width) {
        throw new RangeError(`node (${node.level}, ${node.index}) is not in a tree of size ${size}`);
      }
      wanted.set(key, { level: place.level, index: place.index, width });
      return { ...place, key };
    });
    const data = await read([...wanted.values()]);
    const tiles = new Map([...wanted].map(([key, tile], i) => [key, wideEnough(tile, data[i])]));
    return places.map(({ key, first, count }) => hashWithinTile(tiles.get(key)!, first, count));
  };
}

function wideEnough({ level, index, width }: Tile, data: Uint8Array | undefined): Uint8Array {
  if (data === undefined || data.length < width * HASH_SIZE) {
    const got = data === undefined ? 'is missing' : `has ${data.length} bytes`;
    throw new NewelError('malformed', `tile (${level}, ${index}) of width ${width} ${got}`);
  }
  return data;
}

/** The tiles that the root of the tree of `size` leaves is computed from: the rightmost of each level. */
export function edgeTiles(size: number): Tile[] {
  const places = nodesOf({ begin: 0, end: size }).map(tileOfNode);
  const unique = new Map(places.map((place) => [`${place.level}/${place.index}`, place]));
  return [...unique.values()].map(({ level, index }) => ({
    level,
    index,
    width: tileWidth(level, index, size),
  }));
}
