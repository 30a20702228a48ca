/**
 * Entry bundles (C2SP tlog-tiles, "Log entries"): up to 256 entries, each behind its length as a big-endian uint16.
 *
 *   00 03 66 6f 6f  00 00  00 01 62       "foo", "", "b"
 *
 * A bundle with fewer entries is a prefix of every later version of itself.
 */

import { TILE_WIDTH } from '../core/tile.ts';
import { NewelError } from '../errors.ts';

/** Bytes that an entry may have: what its length prefix can say. */
export const MAX_ENTRY_BYTES = 65_535;

const PREFIX_BYTES = 2;

/** The bundle of up to 256 entries, in order. Throws `RangeError` for more, or for an entry that is too long. */
export function formatEntries(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length > TILE_WIDTH)
    throw new RangeError(`entries expected at most ${TILE_WIDTH}, got ${entries.length}`);
  let length = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) {
      throw new RangeError(`entry expected at most ${MAX_ENTRY_BYTES} bytes, got ${entry.length}`);
    }
    length += PREFIX_BYTES + entry.length;
  }
  const bundle = new Uint8Array(length);
  let at = 0;
  for (const entry of entries) {
    bundle[at] = entry.length >> 8;
    bundle[at + 1] = entry.length;
    bundle.set(entry, at + PREFIX_BYTES);
    at += PREFIX_BYTES + entry.length;
  }
  return bundle;
}

/** The entries of a bundle of exactly `width` entries, as views of `bytes`. Throws `malformed`. */
export function parseEntries(bytes: Uint8Array, width: number): Uint8Array[] {
  const entries: Uint8Array[] = [];
  const end = walk(bytes, width, (begin, length) => entries.push(bytes.subarray(begin, begin + length)));
  if (end !== bytes.length)
    throw new NewelError('malformed', `entry bundle has bytes after its ${width} entries`);
  return entries;
}

/** The bundle of the first `width` entries of a longer one, as a view of `bytes`. Throws `malformed` if it is shorter. */
export function entriesPrefix(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.subarray(0, walk(bytes, width));
}

/** Walks over `width` entries and returns where they end. */
function walk(bytes: Uint8Array, width: number, visit?: (begin: number, length: number) => void): number {
  if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH) {
    throw new RangeError(`width expected 1 to ${TILE_WIDTH}, got ${width}`);
  }
  let at = 0;
  for (let i = 0; i < width; i++) {
    const begin = at + PREFIX_BYTES;
    if (begin > bytes.length)
      throw new NewelError('malformed', `entry bundle ends before entry ${i} of ${width}`);
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    at = begin + length;
    if (at > bytes.length)
      throw new NewelError('malformed', `entry bundle ends within entry ${i} of ${width}`);
    visit?.(begin, length);
  }
  return at;
}
