/**
 * Verification that throws: what comes back holds, and there is no boolean to forget. All of it is offline.
 *
 *   receipt    verifyReceipt     statement, leaf, inclusion, checkpoint, level: `receipt-checks.ts` has the checks
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
import { type Findings, findReceipt, type SignedHead, type VerifyOptions } from './receipt-checks.ts';
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
  /** Key names of the policy's witnesses whose lines were verified. */
  readonly cosigners: readonly string[];
  /** When enough of them had signed, by their own clocks, in seconds since 1970; at `witnessed` alone. */
  readonly witnessedTimeS: number | undefined;
  readonly checkpoint: SignedHead;
}

/**
 * Verifies a receipt (text, bytes or JSON; whole, or with some of its disclosures) under a trust file. Rejects with the
 * error of the first check that fails, by its code: `malformed`, `too_large`, `schema_unknown`, `signer_unknown`,
 * `signature_invalid`, `proof_invalid`, `root_mismatch`; `no_witnesses` and `level_not_met` where all is true and the
 * level is not reached.
 */
export async function verifyReceipt(receipt: unknown, options: VerifyOptions): Promise<VerifiedReceipt> {
  return verified(findReceipt(receipt, options));
}

/** What a receipt proves. Throws the error of the first check that failed. */
export function verified({
  receipt,
  statement,
  checkpoint,
  found,
  isTrue,
  error,
}: Findings): VerifiedReceipt {
  const { value: said } = statement;
  const { value: head } = checkpoint;
  if (error || !isTrue || !said || !head) throw error ?? new Error('bug: false, and no error');
  return {
    eventId: receipt.event_id,
    event: said.event,
    receivedTimeMs: Date.parse(receipt.received_time),
    kid: said.kid,
    leafIndex: receipt.leaf_index,
    treeSize: head.size,
    level: found.level,
    cosigners: found.cosigners,
    witnessedTimeS: found.witnessedTimeS,
    checkpoint: head,
  };
}

/** A proof, and what it is said to prove: an entry of the log, or the hash of its leaf. */
export type ProofOptions = VerifyOptions & { readonly proof: string | Uint8Array } & (
    | { readonly entry: Uint8Array; readonly leafHash?: undefined }
    | { readonly leafHash: Uint8Array; readonly entry?: undefined }
  );

/** As of a receipt. */
export type VerifiedProof = Pick<
  VerifiedReceipt,
  'leafIndex' | 'treeSize' | 'level' | 'cosigners' | 'witnessedTimeS' | 'checkpoint'
>;

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
  const { cosigners, witnessedTimeS } = found;
  const at = { leafIndex: proof.index, treeSize: checkpoint.size, checkpoint };
  return { ...at, level: found.level, cosigners, witnessedTimeS };
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
