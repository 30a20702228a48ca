/**
 * What is known of the numbers of a source, in CBOR. Numbers that are neither above `highest` nor in a gap came, or are
 * too far back to be known.
 *
 *   {1: highest, 2: [[first, last, sinceMs, isLogged], …], 3: [first, last, count, sinceMs], 4: [… as 3]}
 *                gaps, the lowest first                     lost                             forks
 *
 * 2, 3 and 4 are left out where there are none.
 */

import { equalBytes } from '../core/bytes.ts';
import { isSize } from '../core/int.ts';
import { NewelError } from '../errors.ts';
import { type CborMap, type CborValue, formatCbor, parseCbor } from '../formats/cbor.ts';

/** Numbers from `first` to `last`, both included. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** Numbers that are missing, all of them. */
export interface SequenceGap extends NumberRange {
  /** When the first number above them came, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly isLogged: boolean;
}

/** Several ranges in one: `count` numbers, all from `first` to `last`, the earliest since `sinceMs`. */
export interface Tally extends NumberRange {
  readonly count: number;
  readonly sinceMs: number;
}

export interface SequenceState {
  /** The largest number that came. */
  readonly highest: number;
  /** In the order of their numbers, with at least one number between them that came. At most `MAX_GAPS`. */
  readonly gaps: readonly SequenceGap[];
  /** Gaps that were given up and are not logged yet. */
  readonly lost: Tally | undefined;
  /** Events with a number that is behind and in no gap, not logged yet. */
  readonly forks: Tally | undefined;
}

/** Gaps that are kept of a source. */
export const MAX_GAPS = 64;

/** The bytes of a state: 10 without gaps, at most 2 KiB. */
export function formatSequenceState({ highest, gaps, lost, forks }: SequenceState): Uint8Array {
  const map: CborMap = new Map<number, CborValue>([[1, highest]]);
  if (gaps.length > 0) {
    const list = gaps.map(({ first, last, sinceMs, isLogged }) => [first, last, sinceMs, isLogged]);
    map.set(2, list);
  }
  if (lost !== undefined) map.set(3, listOf(lost));
  if (forks !== undefined) map.set(4, listOf(forks));
  return formatCbor(map);
}

function listOf({ first, last, count, sinceMs }: Tally): CborValue[] {
  return [first, last, count, sinceMs];
}

/** Throws `malformed` for bytes that `formatSequenceState` does not write. */
export function parseSequenceState(bytes: Uint8Array): SequenceState {
  const map = parseCbor(bytes, { maxDepth: 3 });
  if (!(map instanceof Map)) throw malformed();
  const highest = numberOf(map.get(1));
  const state: SequenceState = {
    highest,
    gaps: gapsOf(map.get(2), highest),
    lost: tallyOf(map.get(3), highest),
    forks: tallyOf(map.get(4), highest),
  };
  if (state.lost !== undefined && state.lost.count > state.lost.last - state.lost.first + 1)
    throw malformed();
  // Other names, and an empty list, do not come back.
  if (!equalBytes(formatSequenceState(state), bytes)) throw malformed();
  return state;
}

function gapsOf(value: CborValue | undefined, highest: number): SequenceGap[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_GAPS) throw malformed();
  let from = 0;
  return value.map((item) => {
    const [first, last, sinceMs, isLogged] = itemsOf(item);
    if (typeof isLogged !== 'boolean') throw malformed();
    const gap = { ...rangeOf(first, last), sinceMs: numberOf(sinceMs), isLogged };
    if (gap.first < from || gap.last >= highest) throw malformed();
    from = gap.last + 2;
    return gap;
  });
}

function tallyOf(value: CborValue | undefined, highest: number): Tally | undefined {
  if (value === undefined) return undefined;
  const [first, last, count, sinceMs] = itemsOf(value);
  const tally = { ...rangeOf(first, last), count: numberOf(count), sinceMs: numberOf(sinceMs) };
  if (tally.last > highest || tally.count === 0) throw malformed();
  return tally;
}

function itemsOf(value: CborValue): readonly CborValue[] {
  if (!Array.isArray(value) || value.length !== 4) throw malformed();
  return value;
}

function rangeOf(first: CborValue | undefined, last: CborValue | undefined): NumberRange {
  const range = { first: numberOf(first), last: numberOf(last) };
  if (range.first > range.last) throw malformed();
  return range;
}

function numberOf(value: CborValue | undefined): number {
  if (typeof value !== 'number' || !isSize(value)) throw malformed();
  return value;
}

function malformed(): NewelError {
  return new NewelError('malformed', 'what is kept of the numbers of a source is not what this log writes');
}
