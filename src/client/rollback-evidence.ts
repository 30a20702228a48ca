/**
 * A rollback: two lines by one key, whose times and sizes run in opposite directions.
 *
 *   earlier   t, size n       "as of t, the largest tree that I know of has n leaves"
 *   later     t' > t, size m < n
 *
 * A line of a witness (0x04, 0x06), or of the log's ML-DSA-44 key (0x06), says this of itself (tlog-cosignature), so that
 * the two contradict each other, however the trees are related.
 */

import { NewelError } from '../errors.ts';
import type { EvidenceBundle, Judgement } from './evidence-bundle.ts';
import { formatKeyName, type HeadKey, type HeadLine, type LinedHead } from './head-lines.ts';
import { formatUtc } from './time-words.ts';

/** Two lines that contradict each other, each with its head. */
export interface Rollback<Head extends LinedHead = LinedHead> {
  readonly key: HeadKey;
  readonly earlier: { readonly head: Head; readonly timeS: number };
  readonly later: { readonly head: Head; readonly timeS: number };
}

/** The first that `rollbacksAmong` finds, if there is one. */
export function rollbackAmong<Head extends LinedHead>(heads: readonly Head[]): Rollback<Head> | undefined {
  return rollbacksAmong(heads)[0];
}

/** Each key that contradicts itself among the lines of these heads, once, in the order of their first lines. */
export function rollbacksAmong<Head extends LinedHead>(heads: readonly Head[]): Rollback<Head>[] {
  const byKey = new Map<string, TimedLine<Head>[]>();
  for (const line of heads.flatMap((head) => head.lines.flatMap((one) => timed(head, one)))) {
    const name = formatKeyName(line.key);
    byKey.set(name, [...(byKey.get(name) ?? []), line]);
  }
  return [...byKey.values()].flatMap((lines) => firstRollback(lines) ?? []);
}

/** Where the lines of one key, at least one, first contradict each other. */
function firstRollback<Head extends LinedHead>(
  lines: readonly TimedLine<Head>[],
): Rollback<Head> | undefined {
  // Of equal times the smaller first, so that nothing of one second is held against another.
  const inTime = lines.toSorted((a, b) => a.timeS - b.timeS || a.head.size - b.head.size);
  let largest = inTime[0]!;
  for (const line of inTime) {
    if (line.timeS > largest.timeS && line.head.size < largest.head.size) {
      return { key: line.key, earlier: largest, later: line };
    }
    if (line.head.size > largest.head.size) largest = line;
  }
  return undefined;
}

interface TimedLine<Head> {
  readonly key: HeadKey;
  readonly head: Head;
  readonly timeS: number;
}

function timed<Head>(head: Head, { key, timeS }: HeadLine): TimedLine<Head>[] {
  return timeS === undefined ? [] : [{ key, head, timeS }];
}

/** Judges two heads, of which the first is the earlier and larger one: every key that has gone back. Throws `proof_invalid`. */
export function judgeRollback({ origin }: EvidenceBundle, heads: readonly LinedHead[]): Judgement {
  const [first, second] = heads;
  if (!first || !second) throw new Error('bug: a bundle has two heads');
  const found = first.size > second.size ? rollbacksAmong([first, second]) : [];
  if (found.length === 0) {
    throw new NewelError(
      'proof_invalid',
      'evidence of a rollback has no key that signed the larger head first, and later the smaller one',
    );
  }
  const keys = found.map(({ key }) => formatKeyName(key));
  const said = ({ key }: Rollback, { timeS, head }: Rollback['earlier']): string =>
    `At ${formatUtc(timeS)} ${formatKeyName(key)} signed that the largest tree of ${origin} that it knew of had ${head.size} leaves.`;
  return {
    kind: 'rollback',
    keys,
    timesS: [
      Math.min(...found.map(({ earlier }) => earlier.timeS)),
      Math.min(...found.map(({ later }) => later.timeS)),
    ],
    words: [
      ...found.flatMap((one) => [said(one, one.earlier), said(one, one.later)]),
      keys.length === 1
        ? 'It cannot have known of a larger tree first and of none later.'
        : 'None of them can have known of a larger tree first and of none later.',
      keys.length === 1
        ? `So ${keys[0]!} has gone back: it was restored from an older copy, runs twice, its clock was set back between the two, or somebody else has its key. What it signs is no protection against a fork until its operator has explained that.`
        : `So each of ${keys.join(', ')} has gone back: it was restored from an older copy, runs twice, its clock was set back between the two, or somebody else has its key. What they sign is no protection against a fork until their operators have explained that.`,
      ...(found.some(({ key }) => key.isLog) ? [] : [`This shows nothing against ${origin}.`]),
    ],
  };
}
