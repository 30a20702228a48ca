/**
 * Ed25519 (RFC 8032 §5.1) with one acceptance rule, whoever does the arithmetic. A signature (R, S) by key A holds if
 *
 *   1. A is 32 bytes, a canonical encoding of a point on the curve, and not of small order;
 *   2. R is a canonical encoding of a point on the curve; S < L;
 *   3. [8][S]B = [8]R + [8][k]A with k = SHA-512(R ‖ A ‖ message): RFC 8032 §5.1.7, the equation with the cofactor.
 *
 * Implementations differ in each of the three; a log and its monitors must not. So there is this rule, 914 vectors
 * that pin it, and a faster implementation (`cli/ed25519-node.ts`) that is held to it.
 */

import { getPublicKey, hashes, Point, sign, verify } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';

hashes.sha512 = sha512;

/** Bytes of a public key, and of the seed that a private key is made from. */
export const ED25519_KEY_BYTES = 32;
/** Bytes of a signature. */
export const ED25519_SIGNATURE_BYTES = 64;

/**
 * One implementation of Ed25519. Every one signs the same bytes and accepts exactly the same signatures.
 */
export interface Ed25519 {
  /** The 32-byte public key of a 32-byte seed. */
  publicKey(seed: Uint8Array): Uint8Array;
  /** The 64-byte signature of `message`, deterministic. */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  /** Whether the signature holds by the rule above. False, never an error, for wrong lengths and bad encodings. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** Whether a key may be trusted at all: step 1 of the rule. */
export function isAcceptableKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== ED25519_KEY_BYTES) return false;
  try {
    return !Point.fromBytes(publicKey, false).isSmallOrder();
  } catch {
    return false;
  }
}

/** The part that needs no secret. Who only verifies loads no more. */
export type Ed25519Verification = Pick<Ed25519, 'verify'>;

/** Verification in plain JavaScript: the same everywhere, and the judge where another implementation disagrees. */
export const nobleVerification: Ed25519Verification = {
  verify(publicKey, message, signature) {
    if (publicKey.length !== ED25519_KEY_BYTES || signature.length !== ED25519_SIGNATURE_BYTES) return false;
    try {
      return verify(signature, message, publicKey, { zip215: false });
    } catch {
      return false;
    }
  },
};

/** All of Ed25519 in plain JavaScript. */
export const nobleEd25519: Ed25519 = {
  ...nobleVerification,
  publicKey: (seed) => getPublicKey(seed),
  sign: (seed, message) => sign(message, seed),
};
