/** The leaf hash of `core/hash`, by the platform's SHA-256: several times as fast where entries are large. */

import { hash } from 'node:crypto';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';

/** 0x00, and room for the largest entry behind it: one call hashes both. */
const prefixed = new Uint8Array(1 + MAX_ENTRY_BYTES);

/** SHA-256(0x00 ‖ entry), 32 bytes (RFC 6962 §2.1); the same as `hashLeaf`. Throws `RangeError` for over 65,535 bytes. */
export function hashLeafNatively(entry: Uint8Array): Uint8Array {
  if (entry.length > MAX_ENTRY_BYTES) {
    throw new RangeError(`entry expected at most ${MAX_ENTRY_BYTES} bytes, got ${entry.length}`);
  }
  prefixed.set(entry, 1);
  const digest = hash('sha256', prefixed.subarray(0, 1 + entry.length), 'buffer');
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.length);
}
