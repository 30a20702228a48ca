/**
 * Whether a checkpoint may follow the one that was cosigned last (C2SP tlog-witness, "add-checkpoint"), in the order of
 * the specification. That the log has signed it is known by then.
 *
 *   400   the old size is larger than the checkpoint's
 *   409   the old size is not that of the checkpoint cosigned last, or 0 where there is none
 *   422   a tree without leaves has a root that is not the empty tree's
 *   422   from old size 0 there is something to prove, or the trees of one size differ, or the proof does not hold
 */

import { equalBytes } from '../core/bytes.ts';
import { EMPTY_ROOT } from '../core/hash.ts';
import { verifyConsistency } from '../core/proof.ts';
import type { Checkpoint } from '../formats/checkpoint.ts';
import { type Conflict, type Refusal, refusalOf } from './serving-answer.ts';

/** Returns `undefined` where it may. `last` is what was cosigned last, if anything was. */
export function checkSuccessor(
  { oldSize, proof }: { readonly oldSize: number; readonly proof: readonly Uint8Array[] },
  { size, root }: Pick<Checkpoint, 'size' | 'root'>,
  last: Pick<Checkpoint, 'size' | 'root'> | undefined,
): Refusal | Conflict | undefined {
  if (oldSize > size)
    return { status: 400, reason: 'the old size is larger than the size of the checkpoint' };
  const { size: lastSize, root: lastRoot } = last ?? { size: 0, root: EMPTY_ROOT };
  if (oldSize !== lastSize) return { status: 409, size: lastSize };
  if (size === 0 && !equalBytes(root, EMPTY_ROOT))
    return untrue('the checkpoint of a tree without leaves has another root');
  if (oldSize === 0) {
    return proof.length > 0
      ? untrue('from the old size 0 there is nothing to prove, and there is a proof')
      : undefined;
  }
  try {
    verifyConsistency(oldSize, size, lastRoot, root, proof);
    return undefined;
  } catch (error) {
    return refusalOf(error);
  }
}

function untrue(reason: string): Refusal {
  return { status: 422, reason };
}
