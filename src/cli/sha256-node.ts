/** SHA-256 by Node's own OpenSSL, for `core/hash.ts`: several times as fast as one in JavaScript. */

import { hash } from 'node:crypto';
import type { Sha256 } from '../core/hash.ts';

const HASH_BYTES = 32;

export const nodeSha256: Sha256 = (bytes) => {
  // As text and back: making a Buffer of its own for each digest takes Node longer than the hashing.
  const text = hash('sha256', bytes, 'latin1');
  const digest = new Uint8Array(HASH_BYTES);
  for (let i = 0; i < HASH_BYTES; i++) digest[i] = text.charCodeAt(i);
  return digest;
};
