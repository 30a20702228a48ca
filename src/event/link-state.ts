/**
 * What the events of one `txn` have said so far, as far as the rules of link.ts ask (spec/binding.md). It is a map of
 * CBOR; what has its first value is left out.
 *
 *   1 hash          byte string of 32          7 wasUsed       true
 *   2 hashesDiffer  true                       8 completions   list of [earliest, latest] in milliseconds
 *   3 lacksHash     true                       9 early         number
 *   4 maxAgeS       number                    10 late          number
 *   5 isDue         true                      11 oldestAgeMs   number
 *   6 isAllowed     true
 */

import { equalBytes } from '../core/bytes.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { type CborMap, type CborValue, formatCbor, parseCbor } from '../formats/cbor.ts';
import { type Instant, MAX_TIME_MS } from './instant.ts';

export interface LinkState {
  /** The first transaction hash, 32 bytes. */
  readonly hash: Uint8Array | undefined;
  /** Another one came after it. */
  readonly hashesDiffer: boolean;
  /** An event that has to carry the hash came without, and none carried one yet. */
  readonly lacksHash: boolean;
  /** The strictest requirement, in seconds. */
  readonly maxAgeS: number | undefined;
  /** A step-up was required, and nothing came of it yet. */
  readonly isDue: boolean;
  /** An execution may follow without a step-up. */
  readonly isAllowed: boolean;
  /** A completion or allowance has had its execution. */
  readonly wasUsed: boolean;
  /** The authentications that no execution has used, the oldest first, at most `MAX_COMPLETIONS`. */
  readonly completions: readonly Instant[];
  /** Executions of which nothing is known yet, at most `MAX_WAITING`. */
  readonly early: number;
  /** Executions that were reported as not authenticated, and whose completion may still come, at most `MAX_WAITING`. */
  readonly late: number;
  /** The most time from an authentication to its execution that no rule was broken by, in milliseconds. */
  readonly oldestAgeMs: number;
}

/** Unused completions that are remembered. Of more, the oldest is forgotten, so that an execution finds none. */
export const MAX_COMPLETIONS = 8;
/** Executions that are counted as early or late. Late ones that reach it use up every completion from then on. */
export const MAX_WAITING = 8;
/** Of `requirement.max_age`. */
const MAX_MAX_AGE_S = 31_536_000;

/** The state before the first event. */
export const NO_LINK: LinkState = {
  hash: undefined,
  hashesDiffer: false,
  lacksHash: false,
  maxAgeS: undefined,
  isDue: false,
  isAllowed: false,
  wasUsed: false,
  completions: [],
  early: 0,
  late: 0,
  oldestAgeMs: 0,
};

/** The bytes of a state: at most 300, and about 60 where one completion waits for its execution. */
export function formatLinkState(state: LinkState): Uint8Array {
  const { completions } = state;
  const values: readonly (CborValue | undefined)[] = [
    state.hash,
    state.hashesDiffer || undefined,
    state.lacksHash || undefined,
    state.maxAgeS,
    state.isDue || undefined,
    state.isAllowed || undefined,
    state.wasUsed || undefined,
    completions.length === 0
      ? undefined
      : completions.map(({ earliestMs, latestMs }) => [earliestMs, latestMs]),
    state.early || undefined,
    state.late || undefined,
    state.oldestAgeMs || undefined,
  ];
  const map: CborMap = new Map();
  values.forEach((value, i) => value !== undefined && map.set(i + 1, value));
  return formatCbor(map);
}

/** Throws `malformed` for bytes that `formatLinkState` does not write. */
export function parseLinkState(bytes: Uint8Array): LinkState {
  const map = parseCbor(bytes, { maxDepth: 3 });
  if (!(map instanceof Map)) throw malformed();
  const state: LinkState = {
    hash: hashOf(map.get(1)),
    hashesDiffer: flagOf(map.get(2)),
    lacksHash: flagOf(map.get(3)),
    maxAgeS: map.has(4) ? numberOf(map.get(4), MAX_MAX_AGE_S) : undefined,
    isDue: flagOf(map.get(5)),
    isAllowed: flagOf(map.get(6)),
    wasUsed: flagOf(map.get(7)),
    completions: completionsOf(map.get(8)),
    early: numberOf(map.get(9) ?? 0, MAX_WAITING),
    late: numberOf(map.get(10) ?? 0, MAX_WAITING),
    oldestAgeMs: numberOf(map.get(11) ?? 0, MAX_TIME_MS),
  };
  if (state.hash === undefined ? state.hashesDiffer : state.lacksHash) throw malformed();
  // Other names, and a first value that is written out, do not come back.
  if (!equalBytes(formatLinkState(state), bytes)) throw malformed();
  return state;
}

function hashOf(value: CborValue | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (!(value instanceof Uint8Array) || value.length !== HASH_SIZE) throw malformed();
  return value;
}

function flagOf(value: CborValue | undefined): boolean {
  if (value !== undefined && value !== true) throw malformed();
  return value === true;
}

function numberOf(value: CborValue | undefined, max: number): number {
  if (typeof value !== 'number' || value < 0 || value > max) throw malformed();
  return value;
}

function completionsOf(value: CborValue | undefined): Instant[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_COMPLETIONS) throw malformed();
  const completions = value.map((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw malformed();
    return { earliestMs: numberOf(pair[0], MAX_TIME_MS), latestMs: numberOf(pair[1], MAX_TIME_MS) };
  });
  completions.forEach(({ earliestMs, latestMs }, i) => {
    const previousMs = completions[i - 1]?.earliestMs ?? 0;
    if (latestMs < earliestMs || earliestMs < previousMs) throw malformed();
  });
  return completions;
}

function malformed(): NewelError {
  return new NewelError('malformed', 'what is kept of a txn is not what this log writes');
}
