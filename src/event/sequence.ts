/**
 * The numbers of a source (`seq`): one up from event to event, so that it shows what is missing and what is there twice
 * (spec/sequence.md). One number after the other, in the order of the log; the state has a bounded size.
 *
 *   1041 1042 1045       a gap: 1043 was expected, 2 are missing (1043, 1044)
 *   1044                 late: it fills its place in the gap
 *   1042                 a fork: another event had the number, and 1046 was expected
 */

import {
  MAX_GAPS,
  type NumberRange,
  type SequenceGap,
  type SequenceState,
  type Tally,
} from './sequence-state.ts';

export {
  formatSequenceState,
  MAX_GAPS,
  parseSequenceState,
  type SequenceGap,
  type SequenceState,
} from './sequence-state.ts';

/** How far below the first number that came from a source another may still be on its way. */
const BEGINNING_REACH = 1024;

export type SequenceFinding =
  /** Numbers were passed over. */
  | { readonly kind: 'gap'; readonly expected: number; readonly missing: number }
  /** The number is behind, and no gap has it. */
  | { readonly kind: 'fork'; readonly expected: number };

export interface SequenceAdvance {
  readonly state: SequenceState;
  /** None for a number that is the next one, or fills its place in a gap. */
  readonly finding?: SequenceFinding;
}

/** What is to be logged of a source: of a gap the numbers that are missing, of a fork those that came again. */
export interface SequenceReport extends NumberRange {
  readonly kind: 'gap' | 'fork';
  /** Of a gap the numbers that are missing: fewer than the range has, where it is several in one. Of a fork the events. */
  readonly count: number;
  /** Since when, in milliseconds since 1970. */
  readonly sinceMs: number;
}

/** The number that a source has to go on with. After the largest that there is, that one again, which `isNext` refuses. */
export function expectedOf({ highest }: SequenceState): number {
  return Math.min(highest + 1, Number.MAX_SAFE_INTEGER);
}

/** Whether `seq` is the number that a source has to go on with: any, before its first. */
export function isNext(state: SequenceState | undefined, seq: number): boolean {
  return state === undefined || seq === state.highest + 1;
}

/** The state after one more number, at the time `nowMs`, and what is to be said of it. */
export function advanceSequence(
  state: SequenceState | undefined,
  seq: number,
  nowMs: number,
): SequenceAdvance {
  if (state === undefined) return { state: begin(seq, nowMs) };
  const { highest } = state;
  if (seq === highest + 1) return { state: { ...state, highest: seq } };
  const expected = expectedOf(state);
  if (seq > highest) {
    const gap = { first: expected, last: seq - 1, sinceMs: nowMs, isLogged: false };
    return {
      state: withGaps({ ...state, highest: seq }, [...state.gaps, gap]),
      finding: { kind: 'gap', expected, missing: seq - expected },
    };
  }
  const index = state.gaps.findIndex(({ first, last }) => first <= seq && seq <= last);
  if (index >= 0) return { state: withGaps(state, filled(state.gaps, index, seq)) };
  const forks = added(state.forks, { first: seq, last: seq, count: 1, sinceMs: nowMs });
  return { state: { ...state, forks }, finding: { kind: 'fork', expected } };
}

/**
 * What is to be logged now: gaps that were open for more than `graceMs`, and at once forks and gaps that could not be
 * kept. The state that comes with it has them marked; it is the same one where nothing is due.
 */
export function dueGaps(
  state: SequenceState,
  nowMs: number,
  graceMs: number,
): { readonly due: readonly SequenceReport[]; readonly state: SequenceState } {
  const isDue = (gap: SequenceGap): boolean => !gap.isLogged && nowMs - gap.sinceMs > graceMs;
  const due: SequenceReport[] = [];
  if (state.lost !== undefined) due.push({ kind: 'gap', ...state.lost });
  for (const gap of state.gaps) {
    if (isDue(gap)) due.push({ kind: 'gap', ...tallyOf(gap) });
  }
  if (state.forks !== undefined) due.push({ kind: 'fork', ...state.forks });
  if (due.length === 0) return { due, state };
  const gaps = state.gaps.map((gap) => (isDue(gap) ? { ...gap, isLogged: true } : gap));
  return { due, state: { highest: state.highest, gaps, lost: undefined, forks: undefined } };
}

/** The first number is taken for the beginning. What was sent just before it may arrive after it, and is not missed. */
function begin(seq: number, nowMs: number): SequenceState {
  const before = { first: Math.max(0, seq - BEGINNING_REACH), last: seq - 1, sinceMs: nowMs, isLogged: true };
  return { highest: seq, gaps: seq === 0 ? [] : [before], lost: undefined, forks: undefined };
}

/** The gaps without one number of the gap at `index`. */
function filled(gaps: readonly SequenceGap[], index: number, seq: number): SequenceGap[] {
  const gap = gaps[index]!;
  const rest = [
    { ...gap, last: seq - 1 },
    { ...gap, first: seq + 1 },
  ].filter(({ first, last }) => first <= last);
  return gaps.toSpliced(index, 1, ...rest);
}

/** Of more gaps than can be kept the lowest is given up; what was not logged of it becomes due at once. */
function withGaps(state: SequenceState, gaps: readonly SequenceGap[]): SequenceState {
  const [lowest] = gaps;
  if (lowest === undefined || gaps.length <= MAX_GAPS) return { ...state, gaps };
  const lost = lowest.isLogged ? state.lost : added(state.lost, tallyOf(lowest));
  return { ...state, gaps: gaps.slice(1), lost };
}

function tallyOf({ first, last, sinceMs }: SequenceGap): Tally {
  return { first, last, count: last - first + 1, sinceMs };
}

/** Two in one: the range that has both, and since the earlier. */
function added(tally: Tally | undefined, more: Tally): Tally {
  if (tally === undefined) return more;
  return {
    first: Math.min(tally.first, more.first),
    last: Math.max(tally.last, more.last),
    count: Math.min(tally.count + more.count, Number.MAX_SAFE_INTEGER),
    sinceMs: Math.min(tally.sinceMs, more.sinceMs),
  };
}
