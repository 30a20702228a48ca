/**
 * How much a receipt proves (design: the levels that a submitter is promised), computed from the verified lines of its
 * checkpoint under the policy of whoever verifies, never copied from what the receipt says.
 *
 *   signed      the log itself signed a head that covers the event: its word, which convicts it where it forks
 *   witnessed   the witness lines satisfy the policy
 */

import { NewelError } from '../errors.ts';
import { parseTimestampedSignature } from '../formats/cosignature.ts';
import type { NoteSignature } from '../formats/note.ts';
import { missingWitnesses, type Policy, witnessOf } from '../formats/tlog-policy.ts';

export type Level = 'signed' | 'witnessed';

export interface LevelFound {
  readonly level: Level;
  /** Key names of the policy's witnesses whose lines were verified, once each, in the order of the lines. */
  readonly cosigners: readonly string[];
  /** Of the fewest lines that meet the quorum, how many are there, and how many that is in all. */
  readonly have: number;
  readonly need: number;
  /** Since when enough of the witnesses have seen the checkpoint, by their own clocks, in seconds since 1970. */
  readonly witnessedTimeS?: number;
}

/**
 * The level that verified lines of a checkpoint of the log `origin` reach. Which of them are by the policy's witnesses is
 * told by key; none of the log's own is. A policy whose quorum is none needs no witness and calls nothing witnessed.
 */
export function levelOf(policy: Policy, verified: readonly NoteSignature[], origin: string): LevelFound {
  const lines = verified.flatMap((line) => {
    const witness = line.name === origin ? undefined : witnessOf(policy, line);
    return witness ? [{ witness, timeS: parseTimestampedSignature(line.signature).timestampS }] : [];
  });
  const cosigners = [...new Set(lines.map(({ witness }) => witness.vkey.name))];
  const need = missingWitnesses(policy, new Set());
  const cosigned = new Set<string>();
  let missing = need;
  let witnessedTimeS: number | undefined;
  for (const { witness, timeS } of lines.sort((a, b) => a.timeS - b.timeS)) {
    missing = missingWitnesses(policy, cosigned.add(witness.name));
    if (missing === 0) witnessedTimeS ??= timeS;
  }
  const found = { cosigners, have: need - missing, need };
  if (need === 0 || witnessedTimeS === undefined) return { level: 'signed', ...found };
  return { level: 'witnessed', ...found, witnessedTimeS };
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
