/**
 * How much a receipt proves (design: the levels that a submitter is promised), computed from the verified lines of its
 * checkpoint under the policy of whoever verifies, never copied from what the receipt says.
 *
 *   signed      the log itself signed a head that covers the event: its word, which convicts it where it forks
 *   witnessed   the witness lines satisfy the policy
 */

import { NewelError } from '../errors.ts';
import type { NoteSignature } from '../formats/note.ts';
import type { Policy } from '../formats/tlog-policy.ts';

export type Level = 'signed' | 'witnessed';

export interface LevelFound {
  readonly level: Level;
  /** Names of the witnesses whose lines were verified. */
  readonly cosigners: readonly string[];
  /** Lines of the policy's witnesses that are there, and how many its quorum needs. */
  readonly have: number;
  readonly need: number;
}

/** The level that verified lines reach. A policy whose quorum is none needs no witness and calls nothing witnessed. */
export function levelOf(policy: Policy, verified: readonly NoteSignature[], origin: string): LevelFound {
  const cosigners = verified.filter(({ name }) => name !== origin).map(({ name }) => name);
  switch (policy.quorum) {
    case 'none':
      return { level: 'signed', cosigners, have: 0, need: 0 };
  }
}

/** Throws `no_witnesses` where `level` is one that the policy cannot reach, whatever lines there are. */
export function assertReachable(policy: Policy, level: Level): void {
  if (level === 'witnessed' && policy.quorum === 'none') {
    throw new NewelError('no_witnesses', 'the policy names no witnesses, so that nothing is ever witnessed');
  }
}

/** Throws `no_witnesses`, or `level_not_met` where the lines that the policy wants are not there yet. */
export function assertLevel(policy: Policy, found: LevelFound, level: Level): void {
  assertReachable(policy, level);
  if (level === 'witnessed' && found.level !== 'witnessed') {
    throw new NewelError('level_not_met', `${found.have} of ${found.need} witnesses have signed`);
  }
}
