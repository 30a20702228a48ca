/**
 * Tiles from somewhere that need not be trusted: a server, a cache, a database without checksums. A full tile is
 * believed when its root is the hash that its parent tile holds; the parent is believed in the same way, up to tiles
 * that are known to be true. Nothing is kept that was not verified (as Go's sumdb/tlog does with `SaveTiles`).
 */

import { NewelError } from '../errors.ts';
import { equalBytes } from '../core/bytes.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { hashWithinTile, TILE_BYTES, TILE_WIDTH, tileHashReader } from '../core/tile.ts';
import type { Tile } from '../core/tile.ts';
import type { HashReader } from '../core/tree.ts';

export interface TileSource {
  /** A tile that needs no check, at least as wide as asked for: the right edge of a tree whose root is known. */
  known(tile: Tile): Uint8Array | undefined;
  /** The bytes of a full tile, to be verified. */
  fetch(level: number, index: number): Promise<Uint8Array>;
}

/** A tile that is not what the tree has at its place. */
export class DamagedTileError extends NewelError {
  override name = 'DamagedTileError';
  readonly level: number;
  readonly index: number;

  constructor(level: number, index: number) {
    super('root_mismatch', `tile ${level}/${index} is not what the tree has there`);
    this.level = level;
    this.index = index;
  }
}

export class VerifiedTiles {
  readonly #source: TileSource;
  readonly #maxCached: number;
  /** Verified full tiles, least recently used first. */
  readonly #cache = new Map<string, Uint8Array>();
  /** Fetches under way, so that many readers of a cold tile make one. */
  readonly #pending = new Map<string, Promise<Uint8Array>>();

  constructor(source: TileSource, maxCached: number) {
    this.#source = source;
    this.#maxCached = maxCached;
  }

  /** The tile, exactly `width` hashes, if it is at hand. */
  peek(tile: Tile): Uint8Array | undefined {
    const bytes = tile.width * HASH_SIZE;
    const known = this.#source.known(tile);
    if (known) return known.subarray(0, bytes);
    const key = `${tile.level}/${tile.index}`;
    const cached = this.#cache.get(key);
    if (!cached) return undefined;
    this.#cache.delete(key);
    this.#cache.set(key, cached);
    return cached.subarray(0, bytes);
  }

  /** The tile, exactly `width` hashes. Throws `DamagedTileError`, or whatever the source rejects with. */
  async read(tile: Tile): Promise<Uint8Array> {
    const atHand = this.peek(tile);
    if (atHand) return atHand;
    const key = `${tile.level}/${tile.index}`;
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = this.#fetch(tile.level, tile.index).finally(() => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    return (await pending).subarray(0, tile.width * HASH_SIZE);
  }

  /** Hashes of the tree of `size` leaves. */
  hashes(size: number): HashReader {
    return tileHashReader(size, (tiles) => Promise.all(tiles.map((tile) => this.read(tile))));
  }

  async #fetch(level: number, index: number): Promise<Uint8Array> {
    const data = await this.#source.fetch(level, index);
    const place = index % TILE_WIDTH;
    const above = { level: level + 1, index: Math.floor(index / TILE_WIDTH), width: place + 1 };
    const parent = await this.read(above);
    const expected = parent.subarray(place * HASH_SIZE, (place + 1) * HASH_SIZE);
    if (data.length !== TILE_BYTES || !equalBytes(hashWithinTile(data, 0, TILE_WIDTH), expected)) {
      throw new DamagedTileError(level, index);
    }
    this.#cache.set(`${level}/${index}`, data);
    const oldest = this.#cache.size > this.#maxCached ? this.#cache.keys().next().value : undefined;
    if (oldest !== undefined) this.#cache.delete(oldest);
    return data;
  }
}
