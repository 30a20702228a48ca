/**
 * Receipts as a log answers with them, once they are verified: what they say of themselves is then what they prove.
 *
 *   { …, "level": "signed",
 *     "pending": { "level": "witnessed", "reason": "deadline", "have": 1, "need": 2 } }      below the level asked for alone
 */

import { NewelError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../formats/json.ts';
import { parseSdJwt } from '../formats/sd-jwt.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { parseTlogProof } from '../formats/tlog-proof.ts';
import type { KnownHead } from './consistency.ts';
import type { Level, LevelFound } from './level.ts';
import type { Receipt } from './receipt.ts';
import { findReceipt } from './receipt-checks.ts';
import { type Lines, trimProof } from './trim-lines.ts';
import type { Trust } from './trust.ts';
import { verified } from './verify.ts';

/** What a receipt still lacks for the level that was asked for. */
export type Pending = {
  readonly level: Level;
  /**
   * Why the log says that it is so: `deadline`, the witnesses had not signed when the wait was over;
   * `witnesses_unreachable`; or another word of a later log. `policy_differs` where the log says that nothing is pending:
   * its own policy is met, and the one in the trust file is not.
   */
  readonly reason: string;
  /**
   * Of the fewest witnesses that the policy needs, how many have signed: at least those whose lines are in the receipt, and
   * as many as the log says beside them, which nobody can check.
   */
  readonly have: number;
  readonly need: number;
};

/** A receipt that holds under the pinned keys, and says of itself the level that it proves. */
export interface ProvenReceipt extends Receipt {
  readonly level: Level;
  /** There where a higher level was asked for and is not reached. */
  readonly pending?: Pending;
}

/** A receipt that holds, and what it shows. */
export interface Proven {
  readonly receipt: ProvenReceipt;
  /** The event as far as it is shown. */
  readonly event: JsonObject;
  readonly head: KnownHead;
}

/** What a receipt is to be. */
export interface Asked {
  readonly level: Level;
  /** Which lines it keeps; all by default. */
  readonly lines?: Lines | undefined;
}

/** Verifies a receipt, of which `level` was asked. Throws what `verifyReceipt` throws, and never for the level. */
export function proveReceipt(input: Receipt | string, trust: Trust, { level, lines = 'all' }: Asked): Proven {
  const findings = findReceipt(input, { trust });
  const { event, level: found, checkpoint } = verified(findings);
  const { pending: said, ...members } = findings.receipt;
  const { proof } = members;
  const kept = lines === 'policy' ? trimProof(proof, checkpoint.signatures, trust) : proof;
  const receipt = { ...members, level: found, proof: kept };
  // As it was served: where it convicts, it is handed on so.
  const note = parseTlogProof(encodeUtf8(proof)).checkpoint;
  const head = { size: checkpoint.size, root: checkpoint.root, note };
  if (reaches(found, level)) return { receipt, event, head };
  return { receipt: { ...receipt, pending: pendingOf(said, level, findings.found) }, event, head };
}

/** Whether a level that was found is at least the one that is wanted. */
export function reaches(found: Level, wanted: Level): boolean {
  return found === 'witnessed' || wanted === 'signed';
}

function pendingOf(said: JsonObject | undefined, level: Level, { have, need }: LevelFound): Pending {
  const told = said?.['have'];
  const isLikely =
    typeof told === 'number' && Number.isInteger(told) && said?.['need'] === need && told < need;
  return { level, reason: reasonOf(said), have: isLikely ? Math.max(have, told) : have, need };
}

/** A word that can be shown and switched on. */
const REASON = /^[a-z_]{1,64}$/;

function reasonOf(said: JsonObject | undefined): string {
  const reason: JsonValue | undefined = said ? said['reason'] : 'policy_differs';
  return typeof reason === 'string' && REASON.test(reason) ? reason : 'unknown';
}

/** Throws `inconsistent` unless `later` is of the leaf and statement of `first`, and shows all that `first` does. */
export function assertSameReceipt(later: Receipt, first: Receipt): void {
  const [had, has] = [parseSdJwt(first.statement), parseSdJwt(later.statement)];
  const shown = new Set(has.disclosures.map(({ digest }) => digest));
  const isSame =
    later.event_id === first.event_id &&
    later.id === first.id &&
    later.source === first.source &&
    later.leaf_index === first.leaf_index &&
    later.leaf_hash === first.leaf_hash &&
    has.encodedPayload === had.encodedPayload;
  if (!isSame) throw differs('the log hands out another leaf or statement of the same event');
  if (!had.disclosures.every(({ digest }) => shown.has(digest))) {
    throw differs('the log hands out less of the same statement');
  }
}

function differs(how: string): NewelError {
  return new NewelError('inconsistent', how);
}
