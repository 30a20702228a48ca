/**
 * One head, brought to one witness until it has cosigned it, refused it, or not answered. From the size that is remembered
 * for it; where that is wrong, from the size that it says (409), at once.
 *
 *   old, proof, head ──┬─ 200 ──────────────────────────→ lines
 *                      ├─ 409, size ≤ head ─────────────→ again from there
 *                      ├─ 409, head < size ≤ largest ───→ ahead: it has cosigned a larger head of ours
 *                      ├─ 409, size > largest ──────────→ conflict larger
 *                      ├─ 409 without a size ─ candidates ─┬─ all there are, none accepted ─→ conflict sizeless
 *                      │                                   └─ some, none accepted ─→ none
 *                      ├─ 422, our verifier accepts ────→ conflict rejected
 *                      └─ anything else ────────────────→ none: no answer, never agreement
 */

import { verifyConsistency } from '../core/proof.ts';
import type { NoteSignature } from '../formats/note.ts';
import type { Answer } from './answer.ts';
import { newConflict, type WitnessConflict } from './conflict.ts';
import type { SharedProofs } from './shared-proofs.ts';
import type { Standing } from './standing.ts';

/** A head as witnesses are asked to cosign it. */
export interface HeadToCosign {
  readonly size: number;
  readonly root: Uint8Array;
  /** The note text: three lines. */
  readonly text: string;
  /** The note with the log's own lines alone. */
  readonly checkpoint: Uint8Array;
}

/** Sizes of heads that this log has signed. */
export interface SignedSizes {
  readonly sizes: readonly number[];
  /** Whether these are all of the size that was asked for, or more. */
  readonly isComplete: boolean;
}

export type Outcome =
  | { readonly kind: 'lines'; readonly lines: readonly NoteSignature[] }
  | { readonly kind: 'ahead' }
  | { readonly kind: 'conflict'; readonly conflict: WitnessConflict }
  | { readonly kind: 'none'; readonly why: string }
  /** Called off before it came to an end. */
  | { readonly kind: 'stopped' };

export interface ConversationParts {
  readonly name: string;
  readonly url: string;
  readonly origin: string;
  readonly head: HeadToCosign;
  readonly standing: Standing;
  readonly proofs: SharedProofs;
  /** The root of the tree of our first `size` leaves. */
  readonly rootOf: (size: number) => Promise<Uint8Array>;
  /** Sizes of our heads of at least `since` leaves: all, or what fits of them. */
  readonly recentSizes: (since: number) => Promise<SignedSizes>;
  /** Size of the largest head that was ever signed here, or more. */
  readonly largestSize: () => number;
  /** Sends the head with the proof from `old`. */
  readonly send: (old: number) => Promise<Answer>;
  /** Resolves when another request may be sent; `false` where it need not be. */
  readonly permit: (whatFor: 'a new size' | 'a candidate') => Promise<boolean>;
}

/** How often a witness may say another size: more than our own requests of before, recorded late, can make it. */
const MAX_MOVES = 6;
const REFUSES_FIRST = 'refuses (422) a head that it was offered without a proof to refuse';
const TELLS_NO_SIZE = 'does not say its size (409), and may have cosigned a head of ours that was not tried';

/** Has the head cosigned. Rejects where something of ours fails: a proof that cannot be made, or that does not verify. */
export async function converse(parts: ConversationParts): Promise<Outcome> {
  const { head, standing } = parts;
  for (let moves = 0; moves <= MAX_MOVES; moves++) {
    if (moves > 0 && !(await parts.permit('a new size'))) return { kind: 'stopped' };
    const old = Math.min(standing.size, head.size);
    const answer = await parts.send(old);
    const outcome = answer.kind === 'sizeless' ? await tryCandidates(parts) : await judge(parts, old, answer);
    if (outcome !== 'moved') return outcome;
  }
  return { kind: 'none', why: 'says another size (409) whenever it is asked from the one that it said' };
}

type Said = Exclude<Answer, { kind: 'sizeless' }>;

async function judge(parts: ConversationParts, old: number, answer: Said): Promise<Outcome | 'moved'> {
  const { head, standing, largestSize } = parts;
  if (answer.kind === 'none') return answer;
  if (answer.kind === 'lines') {
    standing.is(head.size);
    return answer;
  }
  if (answer.kind === 'refused') return judgeRefusal(parts, old);
  const { size } = answer;
  if (size > largestSize()) return conflict(parts, 'larger', size);
  standing.is(size);
  return size > head.size ? { kind: 'ahead' } : 'moved';
}

/** A refusal convicts only if the proof is right: what is wrong with ours must not pass for what is wrong with the tree. */
async function judgeRefusal(parts: ConversationParts, old: number): Promise<Outcome> {
  const { head, proofs, rootOf } = parts;
  if (old === 0) return { kind: 'none', why: REFUSES_FIRST };
  const proof = await proofs.of(old, head.size);
  const oldRoot = old === head.size ? head.root : await rootOf(old);
  try {
    verifyConsistency(old, head.size, oldRoot, head.root, proof);
  } catch (cause) {
    throw new Error(`bug: our proof from ${old} to ${head.size} leaves does not verify`, { cause });
  }
  return conflict(parts, 'rejected', old);
}

/**
 * Anybody may have brought it any head of ours that has left the house, in a receipt too. So it is convicted only where
 * each size since the one that is remembered was tried, and no larger head was signed meanwhile.
 */
async function tryCandidates(parts: ConversationParts): Promise<Outcome | 'moved'> {
  const { head, standing, largestSize } = parts;
  const { sizes, isComplete } = await parts.recentSizes(standing.size);
  for (const old of standing.candidates(head.size, sizes)) {
    if (!(await parts.permit('a candidate'))) return { kind: 'stopped' };
    const answer = await parts.send(old);
    const isNotThere = answer.kind === 'sizeless' || (answer.kind === 'refused' && old === 0);
    if (!isNotThere) return judge(parts, old, answer);
  }
  const isAllTried = isComplete && largestSize() <= head.size && standing.isOneOfCandidates(head.size);
  return isAllTried ? conflict(parts, 'sizeless') : { kind: 'none', why: TELLS_NO_SIZE };
}

function conflict(parts: ConversationParts, kind: WitnessConflict['kind'], theirs?: number): Outcome {
  const { name, url, origin, head, largestSize } = parts;
  const sizes = { ours: head.size, ...(theirs === undefined ? {} : { theirs }), largest: largestSize() };
  return { kind: 'conflict', conflict: newConflict({ name, url, kind, origin, root: head.root, ...sizes }) };
}
