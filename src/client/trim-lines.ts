/** A checkpoint with no more lines than its policy needs, for whoever keeps or hands on many of them. */

import { openCheckpoint } from '../formats/checkpoint.ts';
import { trimToPolicy } from '../formats/policy-lines.ts';
import { toTrust, type TrustInput } from './trust.ts';

/**
 * The signed note with the log's Ed25519 line and the smallest set of witness lines that meets the policy of `trust`, or
 * all lines of its witnesses where it is not met. Every line that is left was verified. Throws what `openCheckpoint`
 * throws, and `malformed` or `too_large` for what is no trust file.
 */
export function trimLines(checkpoint: Uint8Array, trust: TrustInput): Uint8Array {
  const { policy, origin, verifiers } = toTrust(trust);
  const { signatures } = openCheckpoint(checkpoint, verifiers, origin);
  return trimToPolicy(checkpoint, { verified: signatures, policy, origin });
}
