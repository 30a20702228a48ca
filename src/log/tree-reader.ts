/**
 * Reading the tree back. LevelDB serves damaged bytes as if nothing had happened, so the tree is the checksum: tiles
 * are verified up to the edge in memory, which recovery proved, and each entry of a bundle against its tile.
 *
 * Callers keep what they ask for within `revealed`; what a round is committing is not here to be read.
 */

import { NewelError } from '../errors.ts';
import { concatBytes, equalBytes } from '../core/bytes.ts';
import { HASH_SIZE, hashLeaf } from '../core/hash.ts';
import { TILE_WIDTH } from '../core/tile.ts';
import type { Tile } from '../core/tile.ts';
import type { HashReader } from '../core/tree.ts';
import { VerifiedTiles } from '../client/verified-tiles.ts';
import { entriesPrefix, parseEntries } from '../formats/entry-bundle.ts';
import { entriesKey, leafKey, numberOfKey, tileKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { Edge } from './edge.ts';
import type { Listener } from './signals.ts';

export class TreeReader {
  readonly #store: Store;
  readonly #tiles: VerifiedTiles;
  readonly #onSignal: Listener;

  constructor(store: Store, edge: Edge, cachedTiles: number, onSignal: Listener) {
    this.#store = store;
    this.#onSignal = onSignal;
    const source = {
      known: ({ level, index, width }: Tile): Uint8Array | undefined => {
        const tile = edge.tile(level, index);
        return tile && tile.width >= width ? tile.data : undefined;
      },
      // Whatever is not in the edge is full and committed.
      fetch: async (level: number, index: number): Promise<Uint8Array> => {
        const [data] = await store.getMany([tileKey(level, index)]);
        return data ?? new Uint8Array(0);
      },
    };
    this.#tiles = new VerifiedTiles(source, cachedTiles);
  }

  peekTile(tile: Tile): Uint8Array | undefined {
    return this.#tiles.peek(tile);
  }

  async readTile(tile: Tile): Promise<Uint8Array> {
    try {
      return await this.#tiles.read(tile);
    } catch (error) {
      throw this.#damaged(`tile ${tile.level}/${tile.index}`, error);
    }
  }

  async readBundle(index: number, width: number): Promise<Uint8Array> {
    const first = index * TILE_WIDTH;
    const [rows, tile] = await Promise.all([
      this.#store.scan({ from: entriesKey(first), to: entriesKey(first + width), limit: TILE_WIDTH }),
      this.readTile({ level: 0, index, width }),
    ]);
    try {
      const bundle = entriesPrefix(concatBytes(...rows.map(({ value }) => value)), width);
      parseEntries(bundle, width).forEach((entry, i) => {
        const hash = tile.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE);
        if (!equalBytes(hashLeaf(entry), hash))
          throw new NewelError('malformed', `entry ${first + i} is another`);
      });
      return bundle;
    } catch (error) {
      throw this.#damaged(`bundle ${index}`, error);
    }
  }

  hashes(size: number): HashReader {
    const read = this.#tiles.hashes(size);
    return async (nodes) => {
      try {
        return await read(nodes);
      } catch (error) {
        throw this.#damaged(`tree of ${size} leaves`, error);
      }
    };
  }

  /** The index row is believed only if the tree has that leaf there. */
  async findLeaf(hash: Uint8Array, size: number): Promise<number | undefined> {
    const [row] = await this.#store.scan({ from: leafKey(hash, 0), to: leafKey(hash, size), limit: 1 });
    if (!row) return undefined;
    const index = numberOfKey(row.key);
    const [stored] = await this.hashes(size)([{ level: 0, index }]);
    if (!equalBytes(stored!, hash)) throw this.#damaged(`index row of leaf ${index}`);
    return index;
  }

  #damaged(what: string, cause?: unknown): NewelError {
    this.#onSignal({ event: 'damage_read', what });
    return new NewelError('storage_failed', `the stored ${what} is not what was committed`, { cause });
  }
}
