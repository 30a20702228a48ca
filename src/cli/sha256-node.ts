/** SHA-256 by Node's own OpenSSL, for `core/hash.ts`: two to fifteen times as fast as one in JavaScript. */

import { hash } from 'node:crypto';
import type { Sha256 } from '../core/hash.ts';

export const nodeSha256: Sha256 = (bytes) => {
  const digest = hash('sha256', bytes, 'buffer');
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.length);
};
