/**
 * Random bytes from the system's generator, drawn in blocks: an event needs three small pieces, and each call costs as
 * much as hashing. What is handed out is gone from the block.
 */

import { randomFillSync } from 'node:crypto';

const BLOCK_BYTES = 16 * 1024;
const block = new Uint8Array(BLOCK_BYTES);
let used = BLOCK_BYTES;

/** Fresh random bytes, at most 64. */
export function randomBytes(count: number): Uint8Array {
  if (count > 64) throw new RangeError('at most 64 random bytes expected');
  if (used + count > BLOCK_BYTES) {
    randomFillSync(block);
    used = 0;
  }
  const bytes = block.slice(used, used + count);
  block.fill(0, used, used + count);
  used += count;
  return bytes;
}
