/**
 * ML-DSA-44 in plain JavaScript: the same everywhere, milliseconds a call. Only who needs post-quantum lines loads it:
 * it is larger than the rest of a verifier.
 */

import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import {
  type Mldsa44,
  MLDSA44_PUBLIC_KEY_BYTES,
  MLDSA44_SEED_BYTES,
  MLDSA44_SIGNATURE_BYTES,
} from './mldsa.ts';

export const nobleMldsa44: Mldsa44 = {
  publicKey: (seed) => expand(seed).publicKey,
  sign(seed, message) {
    const { secretKey } = expand(seed);
    try {
      return ml_dsa44.sign(message, secretKey, { extraEntropy: false });
    } finally {
      secretKey.fill(0);
    }
  },
  verify(publicKey, message, signature) {
    if (publicKey.length !== MLDSA44_PUBLIC_KEY_BYTES || signature.length !== MLDSA44_SIGNATURE_BYTES)
      return false;
    try {
      return ml_dsa44.verify(signature, message, publicKey);
    } catch {
      return false;
    }
  },
};

function expand(seed: Uint8Array): { publicKey: Uint8Array; secretKey: Uint8Array } {
  if (seed.length !== MLDSA44_SEED_BYTES)
    throw new RangeError(`seed expected ${MLDSA44_SEED_BYTES} bytes, got ${seed.length}`);
  return ml_dsa44.keygen(seed);
}
