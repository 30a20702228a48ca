/**
 * The right edge: all that the writer remembers of the tree. A compact range for the root, the rightmost tile of each
 * level in memory, so that a round reads nothing, and the nodes of the last tiles, so that its proofs hash little. Recovery re-plays rounds through this same class.
 *
 * The sequencer owns it and is the only one to append. Readers may look at its tiles: bytes below a revealed width
 * never change again, and a full tile makes place for a fresh array, it is not overwritten.
 */

import { HASH_SIZE } from '../core/hash.ts';
import { CompactRange } from '../core/range.ts';
import { edgeTiles, hashesAt, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, tileHashReader } from '../core/tile.ts';
import type { TileReader } from '../core/tile.ts';
import { type Node, nodesOf } from '../core/tree.ts';
import { RecentNodes } from './recent-nodes.ts';

export interface EdgeTile {
  readonly level: number;
  readonly index: number;
  /** Hashes so far. */
  width: number;
  /** 8,192 bytes, of which `width` · 32 are filled. */
  readonly data: Uint8Array;
}

export class Edge {
  readonly #range: CompactRange;
  readonly #tiles: EdgeTile[] = [];
  readonly #nodes = new RecentNodes();
  #changed = new Set<EdgeTile>();
  /** The tiles of the last `takeChanged`: until they are committed, the full ones among them are only here. */
  #taken = new Set<EdgeTile>();

  private constructor(range: CompactRange) {
    this.#range = range;
  }

  /** The edge of a tree of `size` leaves, from its rightmost tiles. What they hash to is for the caller to compare. */
  static async load(size: number, readTiles: TileReader): Promise<Edge> {
    const wanted = edgeTiles(size);
    const stored = await readTiles(wanted);
    const byLevel = new Map(wanted.map((tile, i) => [tile.level, { tile, data: stored[i]! }]));
    const read = tileHashReader(size, async (tiles) => tiles.map(({ level }) => byLevel.get(level)!.data));
    const edge = new Edge(new CompactRange(size, await read(nodesOf({ begin: 0, end: size }))));
    for (let level = 0; hashesAt(level, size) > 0; level++) {
      const width = hashesAt(level, size) % TILE_WIDTH;
      const tile = newTile(level, Math.floor(hashesAt(level, size) / TILE_WIDTH));
      tile.data.set(byLevel.get(level)?.data.subarray(0, width * HASH_SIZE) ?? []);
      tile.width = width;
      edge.#tiles.push(tile);
      edge.#nodes.addTile(tile);
    }
    return edge;
  }

  get size(): number {
    return this.#range.size;
  }

  root(): Uint8Array {
    return this.#range.root();
  }

  append(leafHash: Uint8Array): void {
    this.#range.append(leafHash, (treeLevel, index, hash) => {
      if (treeLevel % TILE_HEIGHT === 0) this.#push(treeLevel / TILE_HEIGHT, hash);
      else this.#nodes.add(treeLevel, index, hash);
    });
  }

  /** A node of the tree so far, if it is at hand. */
  node(node: Node): Uint8Array | undefined {
    const { level, index } = node;
    if ((index + 1) * 2 ** level > this.size) return undefined;
    if (level % TILE_HEIGHT !== 0) return this.#nodes.get(node);
    const tile = this.tile(level / TILE_HEIGHT, Math.floor(index / TILE_WIDTH));
    const at = (index % TILE_WIDTH) * HASH_SIZE;
    return tile?.data.subarray(at, at + HASH_SIZE);
  }

  /** A tile that is not to be sought in the store: the rightmost of its level, or one that a round is committing. */
  tile(level: number, index: number): EdgeTile | undefined {
    const tile = this.#tiles[level];
    if (tile?.index === index) return tile;
    for (const taken of this.#taken) if (taken.level === level && taken.index === index) return taken;
    return undefined;
  }

  /** The tiles that changed since the last call. What that call returned must be committed by now. */
  takeChanged(): ReadonlySet<EdgeTile> {
    this.#taken = this.#changed;
    this.#changed = new Set();
    return this.#taken;
  }

  #push(level: number, hash: Uint8Array): void {
    const tile = (this.#tiles[level] ??= newTile(level, 0));
    tile.data.set(hash, tile.width * HASH_SIZE);
    tile.width += 1;
    this.#changed.add(tile);
    if (tile.width === TILE_WIDTH) this.#tiles[level] = newTile(level, tile.index + 1);
  }
}

function newTile(level: number, index: number): EdgeTile {
  return { level, index, width: 0, data: new Uint8Array(TILE_BYTES) };
}
