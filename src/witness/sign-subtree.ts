/**
 * Signing a subtree of a tree that this witness has cosigned (C2SP tlog-witness, "sign-subtree"):
 *
 *   form 400, 413 ─ proof 422 ─ origin 404 ─ own cosignature 403 ─ budget 429 ─ sign ─ 200
 */

import { isSubtree, verifySubtreeConsistency } from '../core/subtree.ts';
import type { Cosigner } from '../formats/cosignature.ts';
import { formatSignatureLines, openNote, type Verifier } from '../formats/note.ts';
import type { KnownLogs } from './known-logs.ts';
import type { LogBudgets } from './log-budgets.ts';
import type { Memory } from './memory.ts';
import { overBudget, refusalOf, type SignSubtreeAnswer, STOPPED, UNKNOWN_ORIGIN } from './serving-answer.ts';
import { parseSignSubtree } from './sign-subtree-body.ts';
import { readSubmitted } from './submitted-checkpoint.ts';

export interface SignSubtreeParts {
  readonly memory: Memory;
  /** Of type 0x06: no other signs subtrees. */
  readonly cosigners: readonly Cosigner[];
  /** Of all our own keys: one of them has cosigned the tree. */
  readonly verifiers: readonly Verifier[];
  readonly logs: KnownLogs;
  readonly budgets: LogBudgets;
}

/** Answers the body of a request. Never rejects for what is in it. */
export async function signSubtree(
  { memory, cosigners, verifiers, logs, budgets }: SignSubtreeParts,
  body: Uint8Array,
): Promise<SignSubtreeAnswer> {
  if (!memory.isReliable) return STOPPED;
  try {
    const { start, end, hash, proof, checkpoint: note } = parseSignSubtree(body);
    const { origin, size, root } = readSubmitted(note).checkpoint;
    if (!isSubtree(start, end)) return { status: 400, reason: 'the range is not that of a subtree' };
    if (end > size) return { status: 400, reason: 'the range ends behind the tree of the checkpoint' };
    verifySubtreeConsistency(start, end, size, hash, root, proof);
    const log = logs.find(origin);
    if (!log) return UNKNOWN_ORIGIN;
    openNote(note, verifiers);
    const waitS = budgets.charge(log, 'subtree');
    if (waitS > 0) return overBudget(waitS);
    const statement = { timestampS: 0, origin, start, end, hash };
    const lines = await Promise.all(cosigners.map((cosigner) => cosigner.cosignSubtree!(statement)));
    return { status: 200, lines: formatSignatureLines(lines) };
  } catch (error) {
    return refusalOf(error);
  }
}
