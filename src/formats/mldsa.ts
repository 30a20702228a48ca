/**
 * ML-DSA-44 (FIPS 204) as C2SP tlog-cosignature uses it: the pure variant with an empty context. A signature holds
 * where FIPS 204 Algorithm 3 says so, whoever does the arithmetic; signing is the deterministic variant of Algorithm 2.
 * A private key is the 32-byte seed ξ that Algorithm 1 expands.
 */

/** Bytes of the seed that a private key is made from. */
export const MLDSA44_SEED_BYTES = 32;
/** Bytes of a public key. */
export const MLDSA44_PUBLIC_KEY_BYTES = 1312;
/** Bytes of a signature. */
export const MLDSA44_SIGNATURE_BYTES = 2420;

/** One implementation of ML-DSA-44. Every one signs the same bytes and accepts exactly the same signatures. */
export interface Mldsa44 {
  /** The 1,312-byte public key of a 32-byte seed. Throws `RangeError` for a seed of another length. */
  publicKey(seed: Uint8Array): Uint8Array;
  /** The 2,420-byte signature of `message`, deterministic. Throws `RangeError` for a seed of another length. */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  /** Whether the signature holds. False, never an error, for wrong lengths and bad encodings. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}
