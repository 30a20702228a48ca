/**
 * The nodes between tile levels, of the tiles that the writer touched last. Appending computes each of them once; a
 * proof of a fresh leaf finds them here, where a tile alone would have to be hashed through again for each proof.
 *
 * One tile's nodes lie in 8 KiB as a heap: the node of `k` levels above the tile's hashes, number `i` of its level, is at
 * place 2^(8 − k) + i.
 */

import { HASH_SIZE, hashNode } from '../core/hash.ts';
import { TILE_BYTES, TILE_HEIGHT, TILE_WIDTH } from '../core/tile.ts';
import type { Node } from '../core/tree.ts';

/** Tiles whose nodes are kept: those of one full round, and their parents. */
const MAX_TILES = 64;

export class RecentNodes {
  /** By tile, in the order of their making. A number holds level and index of any tile below 2^53 leaves. */
  readonly #tiles = new Map<number, Uint8Array>();
  /** The tile of each tile level that is being filled, or was last. */
  readonly #newest: number[] = [];

  /** The hash of a node that was added, while its tile is kept. Level multiples of 8 are in tiles, not here. */
  get({ level, index }: Node): Uint8Array | undefined {
    const { tile, place } = placeOf(level, index);
    return this.#tiles.get(tile)?.subarray(place * HASH_SIZE, (place + 1) * HASH_SIZE);
  }

  /** Keeps a node. Nodes of one tile are added from its first on, so what is not added is not complete. */
  add(level: number, index: number, hash: Uint8Array): void {
    const { tile, place } = placeOf(level, index);
    let nodes = this.#tiles.get(tile);
    if (!nodes) {
      nodes = new Uint8Array(TILE_BYTES);
      this.#tiles.set(tile, nodes);
      this.#newest[tile % TILE_HEIGHT] = tile;
      this.#evict();
    }
    nodes.set(hash, place * HASH_SIZE);
  }

  /** The newest tile of a level stays: were it made again, what it had would be missing. */
  #evict(): void {
    for (const tile of this.#tiles.keys()) {
      if (this.#tiles.size <= MAX_TILES) return;
      if (this.#newest[tile % TILE_HEIGHT] !== tile) this.#tiles.delete(tile);
    }
  }

  /** Adds every node of a tile that its first `width` hashes complete. */
  addTile(tile: {
    readonly level: number;
    readonly index: number;
    readonly width: number;
    readonly data: Uint8Array;
  }): void {
    let hashes = tile.data.subarray(0, tile.width * HASH_SIZE);
    for (let above = 1; above < TILE_HEIGHT; above++) {
      const count = Math.floor(hashes.length / (2 * HASH_SIZE));
      const parents = new Uint8Array(count * HASH_SIZE);
      for (let i = 0; i < count; i++) {
        const [left, right] = [2 * i, 2 * i + 1].map((at) =>
          hashes.subarray(at * HASH_SIZE, (at + 1) * HASH_SIZE),
        );
        const hash = hashNode(left!, right!);
        parents.set(hash, i * HASH_SIZE);
        this.add(tile.level * TILE_HEIGHT + above, tile.index * (TILE_WIDTH / 2 ** above) + i, hash);
      }
      hashes = parents;
    }
  }
}

function placeOf(level: number, index: number): { tile: number; place: number } {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const perTile = TILE_WIDTH / 2 ** (level % TILE_HEIGHT);
  const tileIndex = Math.floor(index / perTile);
  return { tile: tileIndex * TILE_HEIGHT + tileLevel, place: perTile + (index % perTile) };
}
