/**
 * The entries of a log, verified: each is hashed and compared with its hash in the level-0 tile, which is itself verified
 * up to the signed root. Bundles and tiles are read ahead, a few at a time, and settled in their order.
 */

import { NewelError } from '../errors.ts';
import { leafVersionOf } from '../client/leaf-version.ts';
import type { LogSource } from '../client/source.ts';
import type { VerifiedTiles } from '../client/verified-tiles.ts';
import { equalBytes } from '../core/bytes.ts';
import { HASH_SIZE, hashLeaf } from '../core/hash.ts';
import type { CompactRange } from '../core/range.ts';
import { TILE_HEIGHT, TILE_WIDTH, tileWidth } from '../core/tile.ts';
import { entriesPrefix, parseEntries } from '../formats/entry-bundle.ts';
import { formatTilePath } from '../formats/tile-path.ts';
import type { LeafCounts } from './followed-state.ts';

export interface EntriesOptions {
  readonly source: LogSource;
  /** Of the tree of `size` leaves. */
  readonly tiles: VerifiedTiles;
  readonly size: number;
  /** Of the entries that are verified already; it grows by each bundle before that is yielded. */
  readonly range: CompactRange;
  readonly leaves: LeafCounts;
  /** Whether every entry is to be a leaf of a log of events. */
  readonly areEvents: boolean;
}

/** Bundles that are read ahead of the one that is settled. */
const READ_AHEAD = 8;

/** An entry, or a whole bundle, that is not what the tree has at its place. */
export class EntryChangedError extends NewelError {
  override name = 'EntryChangedError';
  /** The first entry that is wrong, or that of the bundle. */
  readonly index: number;

  constructor(index: number, message: string, options?: ErrorOptions) {
    super('root_mismatch', message, options);
    this.index = index;
  }
}

/**
 * Verifies the entries from the end of `range` to `size`, bundle by bundle, and yields how many of each form there are
 * after each. Throws `EntryChangedError`, `DamagedTileError` (`root_mismatch`) or `malformed` for a tile, and `unreachable`
 * for a file that is not served.
 */
export async function* verifyEntries(options: EntriesOptions): AsyncGenerator<LeafCounts, void> {
  const { source, tiles, size, range, areEvents } = options;
  let { leaves } = options;
  const bundles = Math.ceil(size / TILE_WIDTH);
  const ahead: Promise<Read>[] = [];
  for (let index = Math.floor(range.size / TILE_WIDTH), next = index; index < bundles; index++) {
    for (; next < bundles && next < index + READ_AHEAD; next++) {
      const reading = read(source, tiles, next, tileWidth(0, next, size));
      // Awaited in its turn; until then, and where the walk ends before, a rejection is nobody's.
      reading.catch(() => {});
      ahead.push(reading);
    }
    const { entries, hashes } = await ahead.shift()!;
    const known = range.size - index * TILE_WIDTH;
    compare(entries, hashes, index);
    if (areEvents) leaves = countLeaves(leaves, entries.slice(known), range.size);
    if (known === 0 && entries.length === TILE_WIDTH) {
      const [root] = await tiles.hashes(size)([{ level: TILE_HEIGHT, index }]);
      range.appendNode(TILE_HEIGHT, root!);
    } else {
      for (let at = known; at < entries.length; at++) range.append(hashAt(hashes, at).slice());
    }
    yield leaves;
  }
}

interface Read {
  readonly entries: readonly Uint8Array[];
  /** The level-0 tile, as wide as there are entries. */
  readonly hashes: Uint8Array;
}

async function read(source: LogSource, tiles: VerifiedTiles, index: number, width: number): Promise<Read> {
  const [bundle, hashes] = await Promise.all([
    readBundle(source, index, width),
    tiles.read({ level: 0, index, width }),
  ]);
  try {
    return { entries: parseEntries(bundle, width), hashes };
  } catch (cause) {
    throw notABundle(index, width, cause);
  }
}

async function readBundle(source: LogSource, index: number, width: number): Promise<Uint8Array> {
  const path = formatTilePath({ kind: 'entries', index, width });
  const bundle = await readFile(source, { index, width });
  if (bundle) return bundle;
  // A log may drop a partial bundle once the full one exists (tlog-tiles, "Partial Tiles").
  const full = width < TILE_WIDTH ? await readFile(source, { index, width: TILE_WIDTH }) : undefined;
  if (!full) throw new NewelError('unreachable', `the log has no ${path}`);
  try {
    return entriesPrefix(full, width);
  } catch (cause) {
    throw notABundle(index, width, cause);
  }
}

async function readFile(
  source: LogSource,
  { index, width }: { readonly index: number; readonly width: number },
): Promise<Uint8Array | undefined> {
  try {
    return await source.read(formatTilePath({ kind: 'entries', index, width }));
  } catch (cause) {
    // What is longer than any bundle is none.
    if (!(cause instanceof NewelError) || cause.code !== 'too_large') throw cause;
    throw notABundle(index, width, cause);
  }
}

function compare(entries: readonly Uint8Array[], hashes: Uint8Array, index: number): void {
  for (const [at, entry] of entries.entries()) {
    if (equalBytes(hashLeaf(entry), hashAt(hashes, at))) continue;
    const leaf = index * TILE_WIDTH + at;
    throw new EntryChangedError(leaf, `entry ${leaf} is not the one that the signed tree has there`);
  }
}

function hashAt(hashes: Uint8Array, at: number): Uint8Array {
  return hashes.subarray(at * HASH_SIZE, (at + 1) * HASH_SIZE);
}

function countLeaves(before: LeafCounts, entries: readonly Uint8Array[], first: number): LeafCounts {
  let { events, statements, unknown, malformed, firstMalformed } = before;
  for (const [at, entry] of entries.entries()) {
    const version = versionOf(entry);
    if (version === 1) events += 1;
    else if (version === 0) statements += 1;
    else if (version !== undefined) unknown += 1;
    else {
      if (malformed === 0) firstMalformed = first + at;
      malformed += 1;
    }
  }
  return { events, statements, unknown, malformed, firstMalformed };
}

function versionOf(entry: Uint8Array): number | undefined {
  try {
    return leafVersionOf(entry);
  } catch (error) {
    if (error instanceof NewelError) return undefined;
    throw error;
  }
}

function notABundle(index: number, width: number, cause: unknown): EntryChangedError {
  const path = formatTilePath({ kind: 'entries', index, width });
  return new EntryChangedError(index * TILE_WIDTH, `${path} is not a bundle of ${width} entries`, { cause });
}
