/**
 * Reading the tree back. LevelDB serves damaged bytes as if nothing had happened, so the tree is the checksum: tiles
 * are verified up to the edge in memory, which recovery proved, and each entry of a bundle against its tile.
 *
 * Callers keep what they ask for within `revealed`; what a round is committing is not here to be read.
 *
 * A bundle can have 16 MiB, so few are read at a time, equal reads are one, and what is kept is bounded in bytes.
 */

import { NewelError } from '../errors.ts';
import { concatBytes, equalBytes } from '../core/bytes.ts';
import { HASH_SIZE, hashLeaf } from '../core/hash.ts';
import { TILE_WIDTH } from '../core/tile.ts';
import type { Tile } from '../core/tile.ts';
import type { HashReader, Node } from '../core/tree.ts';
import { VerifiedTiles } from '../client/verified-tiles.ts';
import { entriesPrefix, parseEntries } from '../formats/entry-bundle.ts';
import { entriesKey, leafKey, numberOfKey, tileKey } from '../storage/keys.ts';
import type { Row, Scan, Store } from '../storage/store.ts';
import { BundleCache } from './bundle-cache.ts';
import type { Edge } from './edge.ts';
import type { Listener } from './signals.ts';
import { Turns } from './turns.ts';

/** Verified full bundles that are kept in memory. */
const CACHED_BUNDLE_BYTES = 8 * 2 ** 20;
/** Reads of entries under way. The others wait for their turn. */
const MAX_LOADS = 2;

export class TreeReader {
  readonly #store: Store;
  readonly #edge: Edge;
  readonly #tiles: VerifiedTiles;
  readonly #onSignal: Listener;
  readonly #bundles = new BundleCache(CACHED_BUNDLE_BYTES);
  /** Bundle reads under way, by index and width. */
  readonly #pending = new Map<string, Promise<Uint8Array>>();
  readonly #turns = new Turns(MAX_LOADS);

  constructor(store: Store, edge: Edge, cachedTiles: number, onSignal: Listener) {
    this.#store = store;
    this.#edge = edge;
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
    const full = this.#bundles.get(index);
    if (full) return entriesPrefix(full, width);
    const key = `${index}/${width}`;
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = this.#turns
        .take(() => this.#loadBundle(index, width))
        .finally(() => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    return pending;
  }

  /** Entries [first, first + count). Reads the runs that hold them, and verifies them and no others. */
  async readEntries(first: number, count: number): Promise<Uint8Array[]> {
    const entries: Uint8Array[] = [];
    for (let at = first; at < first + count;) {
      const index = Math.floor(at / TILE_WIDTH);
      const begin = index * TILE_WIDTH;
      const place = at - begin;
      const end = Math.min(TILE_WIDTH, first + count - begin);
      const full = this.#bundles.get(index);
      const read = full
        ? parseEntries(full, TILE_WIDTH).slice(place, end)
        : await this.#turns.take(() => this.#loadEntries(index, place, end));
      entries.push(...read);
      at = begin + end;
    }
    return entries;
  }

  hashes(size: number): HashReader {
    const readTiles = this.#tiles.hashes(size);
    return async (nodes) => {
      const hashes = nodes.map((node) => (isWithin(node, size) ? this.#edge.node(node) : undefined));
      const missing = nodes.filter((_, i) => !hashes[i]);
      try {
        const read = missing.length > 0 ? (await readTiles(missing)).values() : [].values();
        return hashes.map((hash) => hash ?? read.next().value!);
      } catch (error) {
        throw this.#damaged(`tree of ${size} leaves`, error);
      }
    };
  }

  /** The index row is believed only if the tree has that leaf there. */
  async findLeaf(hash: Uint8Array, size: number): Promise<number | undefined> {
    const [row] = await this.#scan('leaf index', {
      from: leafKey(hash, 0),
      to: leafKey(hash, size),
      limit: 1,
    });
    if (!row) return undefined;
    const index = numberOfKey(row.key);
    const [stored] = await this.hashes(size)([{ level: 0, index }]);
    if (!equalBytes(stored!, hash)) throw this.#damaged(`index row of leaf ${index}`);
    return index;
  }

  async #loadBundle(index: number, width: number): Promise<Uint8Array> {
    const first = index * TILE_WIDTH;
    const what = `bundle ${index}`;
    const [rows, tile] = await Promise.all([
      this.#scan(what, { from: entriesKey(first), to: entriesKey(first + width), limit: TILE_WIDTH }),
      this.readTile({ level: 0, index, width }),
    ]);
    const bundle = this.#checking(what, () => {
      const bytes = entriesPrefix(joined(rows), width);
      checkEntries(parseEntries(bytes, width), tile, 0);
      return bytes;
    });
    if (width === TILE_WIDTH) this.#bundles.set(index, bundle);
    return bundle;
  }

  /** Entries `place` to `end` of a bundle. The run that holds the first of them may begin before it. */
  async #loadEntries(index: number, place: number, end: number): Promise<Uint8Array[]> {
    const begin = index * TILE_WIDTH;
    const what = `entries ${begin + place} to ${begin + end - 1}`;
    const after = entriesKey(begin + place + 1);
    const [[run], rest, tile] = await Promise.all([
      this.#scan(what, { from: entriesKey(begin), to: after, limit: 1, reverse: true }),
      this.#scan(what, { from: after, to: entriesKey(begin + end), limit: TILE_WIDTH }),
      this.readTile({ level: 0, index, width: end }),
    ]);
    return this.#checking(what, () => {
      if (!run) throw new NewelError('malformed', 'no run holds the first of them');
      const before = begin + place - numberOfKey(run.key);
      const width = before + end - place;
      const entries = parseEntries(entriesPrefix(joined([run, ...rest]), width), width).slice(before);
      checkEntries(entries, tile, place);
      return entries;
    });
  }

  /** Rows of the store; what it cannot read is damage too. */
  async #scan(what: string, range: Scan): Promise<Row[]> {
    try {
      return await this.#store.scan(range);
    } catch (error) {
      throw this.#damaged(what, error);
    }
  }

  #checking<T>(what: string, check: () => T): T {
    try {
      return check();
    } catch (error) {
      throw this.#damaged(what, error);
    }
  }

  #damaged(what: string, cause?: unknown): NewelError {
    this.#onSignal({ event: 'damage_read', what });
    return new NewelError('storage_failed', `the stored ${what} is not what was committed`, { cause });
  }
}

function joined(rows: readonly Row[]): Uint8Array {
  return rows.length === 1 ? rows[0]!.value : concatBytes(...rows.map(({ value }) => value));
}

/** Throws `malformed` unless the entries are those that the tile has from hash number `place`. */
function checkEntries(entries: readonly Uint8Array[], tile: Uint8Array, place: number): void {
  entries.forEach((entry, i) => {
    const at = place + i;
    if (equalBytes(hashLeaf(entry), tile.subarray(at * HASH_SIZE, (at + 1) * HASH_SIZE))) return;
    throw new NewelError('malformed', `entry ${at} of the bundle is another`);
  });
}

function isWithin({ level, index }: Node, size: number): boolean {
  return (index + 1) * 2 ** level <= size;
}
