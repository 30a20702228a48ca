/** A checkpoint with no more lines than its policy needs, for whoever keeps or hands on many of them. */

import { openCheckpoint } from '../formats/checkpoint.ts';
import type { NoteSignature } from '../formats/note.ts';
import { trimToPolicy } from '../formats/policy-lines.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { formatTlogProof, parseTlogProof } from '../formats/tlog-proof.ts';
import { isQuorumMet, witnessOf } from '../formats/tlog-policy.ts';
import { toTrust, type Trust, type TrustInput } from './trust.ts';

/** Which lines a receipt keeps: all that the log gave, or the fewest that meet the policy in the trust file. */
export type Lines = 'all' | 'policy';

/**
 * The signed note with the log's Ed25519 line, or its lines by other keys that the policy lists where it has none, and the
 * smallest set of witness lines that meets the policy of `trust`, or all lines of its witnesses where it is not met. Every line that is left was verified. Throws what `openCheckpoint`
 * throws, and `malformed` or `too_large` for what is no trust file.
 */
export function trimLines(checkpoint: Uint8Array, trust: TrustInput): Uint8Array {
  const { policy, origin, verifiers } = toTrust(trust);
  const { signatures } = openCheckpoint(checkpoint, verifiers, origin);
  return trimToPolicy(checkpoint, { verified: signatures, policy, origin });
}

/**
 * The text of a proof with its checkpoint so, of which `verified` are the lines that were verified; as it was where these
 * do not meet the policy: what cannot be checked here may be what another needs. Throws what `parseTlogProof` throws.
 */
export function trimProof(
  proof: string,
  verified: readonly NoteSignature[],
  { policy, origin }: Trust,
): string {
  const signed = new Set(verified.flatMap((line) => witnessOf(policy, line)?.name ?? []));
  if (!isQuorumMet(policy, signed)) return proof;
  const parts = parseTlogProof(encodeUtf8(proof));
  const checkpoint = trimToPolicy(parts.checkpoint, { verified, policy, origin });
  return formatTlogProof({ ...parts, checkpoint });
}
