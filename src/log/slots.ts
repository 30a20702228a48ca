/** The publication slots that want witnesses, in the order of their strength, and when their policies are met. */

import type { NoteSignature } from '../formats/note.ts';
import { isQuorumMet, type Policy, witnessOf } from '../formats/tlog-policy.ts';

export type WitnessedSlot = 'fast' | 'public';
export const WITNESSED_SLOTS: readonly WitnessedSlot[] = ['fast', 'public'];

/** Which of the policy's witnesses the lines are of. The lines are verified. */
export function witnessesIn(policy: Policy, lines: Iterable<NoteSignature>): ReadonlySet<string> {
  const names = [...lines].map((line) => witnessOf(policy, line)?.name);
  return new Set(names.filter((name) => name !== undefined));
}

/** Whether the verified lines are enough for the policy. */
export function isMetBy(policy: Policy, lines: Iterable<NoteSignature>): boolean {
  return isQuorumMet(policy, witnessesIn(policy, lines));
}
