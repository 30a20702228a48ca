/**
 * HMAC-SHA-256 (RFC 2104) of texts, by two one-shot hashes: for a kilobyte, an object of `node:crypto` costs more than
 * the hashing.
 *
 *   SHA-256(key ⊕ 5c…5c ‖ SHA-256(key ⊕ 36…36 ‖ UTF-8 of the text))
 */

import { hash } from 'node:crypto';

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
/** Texts that are hashed from a buffer which is there already. */
const SCRATCH_BYTES = 16 * 1024;
const scratch = Buffer.alloc(SCRATCH_BYTES);
const outer = Buffer.alloc(BLOCK_BYTES + HASH_BYTES);

/** The MAC of `text`, 32 bytes, under a key of 32 bytes. Throws `RangeError` for another key. */
export function hmac(key: Uint8Array, text: string): Uint8Array {
  if (key.length !== HASH_BYTES) throw new RangeError(`key of ${HASH_BYTES} bytes expected`);
  const length = BLOCK_BYTES + Buffer.byteLength(text, 'utf8');
  const inner = length <= SCRATCH_BYTES ? scratch.subarray(0, length) : Buffer.allocUnsafe(length);
  pad(inner, key, 0x36);
  inner.write(text, BLOCK_BYTES, 'utf8');
  pad(outer, key, 0x5c);
  outer.write(hash('sha256', inner, 'latin1'), BLOCK_BYTES, 'latin1');
  const digest = hash('sha256', outer, 'latin1');
  inner.fill(0);
  outer.fill(0);
  const mac = new Uint8Array(HASH_BYTES);
  for (let i = 0; i < HASH_BYTES; i++) mac[i] = digest.charCodeAt(i);
  return mac;
}

function pad(block: Uint8Array, key: Uint8Array, value: number): void {
  for (let i = 0; i < HASH_BYTES; i++) block[i] = key[i]! ^ value;
  block.fill(value, HASH_BYTES, BLOCK_BYTES);
}
