/**
 * Verification that throws: what comes back holds, and there is no boolean to forget. All of it is offline.
 *
 *   receipt    verifyReceipt     statement, leaf, inclusion, checkpoint, level: `report.ts` makes the checks
 *   proof      verifyProof       a C2SP tlog-proof and the entry that it is of, or the entry's leaf hash
 *   statement  verifyStatement   the SD-JWT alone: what the log says of an event, not that it is in the tree
 */

import { hashLeaf } from '../core/hash.ts';
import { verifyInclusion } from '../core/proof.ts';
import { openCheckpoint } from '../formats/checkpoint.ts';
import type { JsonObject } from '../formats/json.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { parseTlogProof } from '../formats/tlog-proof.ts';
import { assertLevel, type Level, levelOf } from './level.ts';
import { checkReceipt, type ReceiptReport, type SignedHead, type VerifyOptions } from './report.ts';
import { type OpenedStatement, openStatement } from './statement.ts';
import { toTrust } from './trust.ts';

/** What a receipt proves. */
export interface VerifiedReceipt {
  readonly eventId: string;
  /** The event as far as it is shown: `schema`, what is disclosed, `holder` where there is one. */
  readonly event: JsonObject;
  /** When the log received it, as the receipt says; `floor(ms / 1000)` is in the statement. */
  readonly receivedTimeMs: number;
  /** Thumbprint of the key that signed the statement. */
  readonly kid: string;
  readonly leafIndex: number;
  readonly treeSize: number;
  /** What the verified lines reach, at least what was asked for. */
  readonly level: Level;
  /** Names of the witnesses whose lines were verified. */
  readonly cosigners: readonly string[];
  readonly checkpoint: SignedHead;
}

/**
 * Verifies a receipt (text, bytes or JSON; whole, or with some of its disclosures) under a trust file. Rejects with the
 * error of the first check that fails, by its code: `malformed`, `too_large`, `schema_unknown`, `signer_unknown`,
 * `signature_invalid`, `proof_invalid`, `root_mismatch`; `no_witnesses` and `level_not_met` where all is true and the
 * level is not reached.
 */
export async function verifyReceipt(receipt: unknown, options: VerifyOptions): Promise<VerifiedReceipt> {
  return verified(checkReceipt(receipt, options));
}

/** What a report proves. Throws the error of the first check that failed. */
export function verified(report: ReceiptReport): VerifiedReceipt {
  if (report.error) throw report.error;
  const { statement, checkpoint, level } = report;
  if (!report.ok || !statement || !checkpoint || !level)
    throw new Error('bug: a receipt that is not ok has no error');
  return {
    eventId: report.eventId,
    event: statement.event,
    receivedTimeMs: report.receivedTimeMs,
    kid: statement.kid,
    leafIndex: report.receipt.leaf_index,
    treeSize: checkpoint.size,
    level,
    cosigners: report.cosigners,
    checkpoint,
  };
}

/** A proof, and what it is said to prove: an entry of the log, or the hash of its leaf. */
export type ProofOptions = VerifyOptions & { readonly proof: string | Uint8Array } & (
    | { readonly entry: Uint8Array; readonly leafHash?: undefined }
    | { readonly leafHash: Uint8Array; readonly entry?: undefined }
  );

export interface VerifiedProof {
  readonly leafIndex: number;
  readonly treeSize: number;
  readonly level: Level;
  readonly cosigners: readonly string[];
  readonly checkpoint: SignedHead;
}

/**
 * Verifies that the entry is in the log. Rejects with `malformed`, `too_large`, `signer_unknown`, `signature_invalid`,
 * `proof_invalid`, `root_mismatch`, `no_witnesses`, `level_not_met`.
 */
export async function verifyProof(options: ProofOptions): Promise<VerifiedProof> {
  const { proof: input, entry, level = 'signed' } = options;
  const { policy, origin, verifiers } = toTrust(options.trust);
  const leafHash = entry === undefined ? options.leafHash : hashLeaf(entry);
  const proof = parseTlogProof(typeof input === 'string' ? encodeUtf8(input) : input);
  const checkpoint = openCheckpoint(proof.checkpoint, verifiers, origin);
  verifyInclusion(proof.index, checkpoint.size, leafHash, proof.path, checkpoint.root);
  const found = levelOf(policy, checkpoint.signatures, origin);
  assertLevel(policy, found, level);
  const { cosigners } = found;
  return { leafIndex: proof.index, treeSize: checkpoint.size, level: found.level, cosigners, checkpoint };
}

/**
 * Verifies a statement, with all of its disclosures or some. That the event is in the tree, the statement alone does not
 * say. Rejects with `malformed`, `too_large`, `schema_unknown`, `signer_unknown`, `signature_invalid`.
 */
export async function verifyStatement(
  statement: string,
  { trust }: Pick<VerifyOptions, 'trust'>,
): Promise<OpenedStatement> {
  return openStatement(statement, toTrust(trust));
}
