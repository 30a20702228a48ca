/**
 * Paths of tiles and entry bundles (C2SP tlog-tiles), without the leading slash.
 *
 *   tile/0/x001/x234/067        level 0, index 1234067, full
 *   tile/1/000.p/17             level 1, index 0, the first 17 hashes
 *   tile/entries/x001/234.p/5   the first 5 entries of bundle 1234
 */

import { isSize } from '../core/int.ts';
import { TILE_WIDTH } from '../core/tile.ts';
import { NewelError } from '../errors.ts';

/** What a path names. `width` is how many hashes or entries, 1 … 256; 256 has no suffix. */
export type TilePath =
  | { readonly kind: 'tile'; readonly level: number; readonly index: number; readonly width: number }
  | { readonly kind: 'entries'; readonly index: number; readonly width: number };

/** Tile levels that a path can name. No tree below 2^53 has more than seven. */
export const MAX_TILE_LEVEL = 63;

/** The one path of a tile or bundle. Throws `RangeError` for coordinates that no path has. */
export function formatTilePath(path: TilePath): string {
  if (path.kind === 'tile' && !isWithin(path.level, 0, MAX_TILE_LEVEL)) {
    throw new RangeError(`level expected 0 to ${MAX_TILE_LEVEL}, got ${path.level}`);
  }
  if (!isSize(path.index))
    throw new RangeError(`index expected a whole number below 2^53, got ${path.index}`);
  if (!isWithin(path.width, 1, TILE_WIDTH)) {
    throw new RangeError(`width expected 1 to ${TILE_WIDTH}, got ${path.width}`);
  }
  let index = lastDigits(path.index);
  for (let rest = Math.floor(path.index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    index = `x${lastDigits(rest)}/${index}`;
  }
  const suffix = path.width === TILE_WIDTH ? '' : `.p/${path.width}`;
  return `tile/${path.kind === 'tile' ? path.level : 'entries'}/${index}${suffix}`;
}

// Six groups of three digits are enough for 2^53.
const PATH = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/;

/** Reads a path. Throws `malformed` for every text that `formatTilePath` does not make. */
export function parseTilePath(path: string): TilePath {
  const parts = PATH.exec(path);
  if (parts === null) throw notAPath();
  const [, head, groups, suffix] = parts;
  const index = Number(groups!.replaceAll('x', '').replaceAll('/', ''));
  const width = suffix === undefined ? TILE_WIDTH : Number(suffix);
  const level = Number(head);
  if (!isSize(index) || !isWithin(width, 1, TILE_WIDTH)) throw notAPath();
  if (head !== 'entries' && level > MAX_TILE_LEVEL) throw notAPath();
  const parsed: TilePath =
    head === 'entries' ? { kind: 'entries', index, width } : { kind: 'tile', level, index, width };
  if (formatTilePath(parsed) !== path) throw notAPath();
  return parsed;
}

function lastDigits(index: number): string {
  return String(index % 1000).padStart(3, '0');
}

function isWithin(x: number, min: number, max: number): boolean {
  return Number.isInteger(x) && x >= min && x <= max;
}

function notAPath(): NewelError {
  return new NewelError('malformed', 'path is not the canonical path of a tile or entry bundle');
}
