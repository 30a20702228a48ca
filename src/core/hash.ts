/**
 * RFC 6962 §2.1: the two hashes of a Merkle tree, kept apart by one byte so that no node can pass for a leaf.
 *
 *   leaf  SHA-256(0x00 ‖ entry)
 *   node  SHA-256(0x01 ‖ left ‖ right)
 *   empty SHA-256()
 */

import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

/** SHA-256 of `bytes`, 32 bytes in an array of the caller's own. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

let sha256: Sha256 = nobleSha256;

/** Has everything here hashed by another SHA-256 from now on: a server has one that is several times as fast. */
export function setSha256(implementation: Sha256): void {
  sha256 = implementation;
}

/** SHA-256 of `bytes` as they are: for what is hashed outside a tree. */
export function hashBytes(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

/** Bytes of a SHA-256 hash. */
export const HASH_SIZE = 32;

/** The root of the tree without leaves: SHA-256 of nothing. */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array(0));

/** 0x00, and room behind it: most entries are small enough to be hashed from here. */
const leaf = new Uint8Array(4096);

/** The leaf hash of an entry, 32 bytes. */
export function hashLeaf(entry: Uint8Array): Uint8Array {
  const length = 1 + entry.length;
  const prefixed = length <= leaf.length ? leaf.subarray(0, length) : new Uint8Array(length);
  prefixed.set(entry, 1);
  return sha256(prefixed);
}

const node = new Uint8Array(1 + 2 * HASH_SIZE);
node[0] = 1;

/** The hash of an interior node, 32 bytes, from the hashes of its two children. Throws `RangeError` unless both have 32. */
export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  // A shorter one would leave bytes of an earlier call in place.
  if (left.length !== HASH_SIZE || right.length !== HASH_SIZE) {
    throw new RangeError(`children expected ${HASH_SIZE} bytes each, got ${left.length} and ${right.length}`);
  }
  node.set(left, 1);
  node.set(right, 1 + HASH_SIZE);
  return sha256(node);
}
