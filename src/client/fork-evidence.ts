/**
 * A fork: two heads that one log signed, of which no tree is both. Exactly these two things are one.
 *
 *   one size    (n, R) and (n, R'), R ≠ R'
 *   two sizes   (m, R_m) and (n, R_n), 0 < m < n, and a consistency proof that holds from (m, R'_m) to (n, R_n) with
 *               R'_m ≠ R_m: the second tree begins with m leaves, and they are not those that were signed
 *
 * A proof that does not hold shows nothing: anybody can write one. Of m = 0 there is no proof either, for any tree begins
 * with the empty one.
 */

import { equalBytes } from '../core/bytes.ts';
import { verifyConsistency } from '../core/proof.ts';
import { NewelError } from '../errors.ts';
import { formatBase64 } from '../formats/base64.ts';
import type { EvidenceBundle, Judgement } from './evidence-bundle.ts';
import { formatKeyName, type HeadLine, type LinedHead } from './head-lines.ts';
import { formatUtc } from './time-words.ts';

/** Judges two heads of which the log's lines are known to be true. Throws `signer_unknown`, `proof_invalid`, `root_mismatch`. */
export function judgeFork({ origin, root, proof }: EvidenceBundle, heads: readonly LinedHead[]): Judgement {
  const [first, second] = heads.map((head) => ({
    ...head,
    lines: head.lines.filter(({ key }) => key.isLog),
  }));
  if (!first || !second) throw new Error('bug: a bundle has two heads');
  if (first.lines.length === 0 || second.lines.length === 0) {
    throw new NewelError('signer_unknown', 'evidence has a head without a signature by the log itself');
  }
  assertFork(first, second, root, proof);
  const signed = (head: LinedHead): string =>
    `${origin} signed a tree of ${head.size} leaves with the root ${formatBase64(head.root)}: ${head.lines.map(wordsOf).join(', ')}.`;
  const shown = root
    ? `The tree of ${second.size} leaves begins with a tree of ${first.size} whose root is ${formatBase64(root)}. That is proven by hashes, and it is not the root that was signed for ${first.size} leaves: the second tree does not extend the first one.`
    : `No tree of ${first.size} leaves has two roots.`;
  return {
    kind: 'fork',
    keys: guiltyOf(first, second),
    timesS: [timeOf(first), timeOf(second)],
    words: [
      signed(first),
      signed(second),
      shown,
      `So ${origin} has kept or shown two lists of entries under one name: an entry was changed, moved or removed. Nobody without its key can have made these signatures.`,
    ],
  };
}

function assertFork(
  first: LinedHead,
  second: LinedHead,
  root: Uint8Array | undefined,
  proof: readonly Uint8Array[] | undefined,
): void {
  if (first.size > second.size) throw notProven('has its heads in the wrong order: the smaller one is first');
  if (first.size === second.size) {
    if (root || proof) throw notProven('has a proof between heads of one size, which need none');
    if (equalBytes(first.root, second.root)) throw notProven('has two heads of one tree');
    return;
  }
  if (!root || !proof) throw notProven('has heads of different sizes, and no proof that they conflict');
  if (equalBytes(root, first.root)) throw notProven('shows that the second head extends the first one');
  verifyConsistency(first.size, second.size, root, second.root, proof);
}

/** Keys that have signed both heads contradict themselves; where there are none, all of them the log. */
function guiltyOf(first: LinedHead, second: LinedHead): string[] {
  const [ofFirst, ofSecond] = [first, second].map(
    ({ lines }) => new Set(lines.map(({ key }) => formatKeyName(key))),
  );
  const both = [...ofFirst!].filter((name) => ofSecond!.has(name));
  return both.length > 0 ? both : [...new Set([...ofFirst!, ...ofSecond!])];
}

function wordsOf({ key, timeS }: HeadLine): string {
  const time = timeS === undefined ? '' : ` at ${formatUtc(timeS)}`;
  return `key ${formatKeyName(key)}${time}`;
}

/** The earliest time that a line says. */
function timeOf({ lines }: LinedHead): number | undefined {
  const times = lines.flatMap(({ timeS }) => (timeS === undefined ? [] : [timeS]));
  return times.length === 0 ? undefined : Math.min(...times);
}

function notProven(how: string): NewelError {
  return new NewelError('proof_invalid', `evidence of a fork ${how}`);
}
