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

/** A key that contradicts itself among the lines of these heads, if there is one. */
export function rollbackAmong<Head extends LinedHead>(heads: readonly Head[]): Rollback<Head> | undefined {
  const byKey = new Map<string, TimedLine<Head>[]>();
  for (const line of heads.flatMap((head) => head.lines.flatMap((one) => timed(head, one)))) {
    const name = formatKeyName(line.key);
    byKey.set(name, [...(byKey.get(name) ?? []), line]);
  }
  for (const lines of byKey.values()) {
    // Of equal times the smaller first, so that nothing of one second is held against another.
    const inTime = lines.toSorted((a, b) => a.timeS - b.timeS || a.head.size - b.head.size);
    let largest = inTime[0]!;
    for (const line of inTime) {
      if (line.timeS > largest.timeS && line.head.size < largest.head.size) {
        return { key: line.key, earlier: largest, later: line };
      }
      if (line.head.size > largest.head.size) largest = line;
    }
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

/** Judges two heads, of which the first is the earlier and larger one. Throws `proof_invalid`. */
export function judgeRollback({ origin }: EvidenceBundle, heads: readonly LinedHead[]): Judgement {
  const [first, second] = heads;
  if (!first || !second) throw new Error('bug: a bundle has two heads');
  const found = first.size > second.size ? rollbackAmong([first, second]) : undefined;
  if (!found) {
    throw new NewelError(
      'proof_invalid',
      'evidence of a rollback has no key that signed the larger head first, and later the smaller one',
    );
  }
  const { key, earlier, later } = found;
  const name = formatKeyName(key);
  const said = (timeS: number, { size }: LinedHead): string =>
    `At ${formatUtc(timeS)} ${name} signed that the largest tree of ${origin} that it knew of had ${size} leaves.`;
  return {
    kind: 'rollback',
    keys: [name],
    timesS: [earlier.timeS, later.timeS],
    words: [
      said(earlier.timeS, earlier.head),
      said(later.timeS, later.head),
      'It cannot have known of a larger tree first and of none later.',
      `So ${name} has gone back: it was restored from an older copy, or runs twice, or its clock was set back between the two. What it signs is no protection against a fork until its operator has explained that.${
        key.isLog ? '' : ` It shows nothing against ${origin}.`
      }`,
    ],
  };
}
