/**
 * AES-256-GCM, in three uses.
 *
 *   sealKey / openKey        a 32-byte key under another, many under one:  nonce 12 (random) ‖ ciphertext 32 ‖ tag 16
 *   sealBytes / openBytes    bytes, many under one key:                    nonce 12 (random) ‖ ciphertext ‖ tag 16
 *   sealOnce / openOnce      bytes under a key that seals nothing else:    ciphertext ‖ tag 16, nonce of zeros
 *
 * What is sealed is bound to a context, which has to be the same when it is opened.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { NewelError } from '../errors.ts';
import { randomBytes } from './random.ts';
import { SEALED_KEY_BYTES } from './rows.ts';

const ALGORITHM = 'aes-256-gcm';
export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NO_NONCE = Buffer.alloc(NONCE_BYTES);

export function sealKey(under: Uint8Array, key: Uint8Array, context: Uint8Array): Uint8Array {
  return sealBytes(under, key, context);
}

/** Throws `storage_failed` where it is not what was sealed under that key for that context. */
export function openKey(under: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array {
  if (sealed.length !== SEALED_KEY_BYTES) throw notSealed();
  return openBytes(under, sealed, context);
}

export function sealBytes(key: Uint8Array, plain: Uint8Array, context: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  return Buffer.concat([nonce, ...seal(key, nonce, plain, context)]);
}

/** Throws `storage_failed` where it is not what was sealed under that key for that context. */
export function openBytes(key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw notSealed();
  return open(key, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES), context);
}

/** The key must never seal anything else. */
export function sealOnce(key: Uint8Array, plain: Uint8Array, context: Uint8Array): Uint8Array {
  return Buffer.concat(seal(key, NO_NONCE, plain, context));
}

/** Throws `storage_failed` where it is not what was sealed under that key for that context. */
export function openOnce(key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array {
  return open(key, NO_NONCE, sealed, context);
}

/** The ciphertext, and the tag last. */
function seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, context: Uint8Array): Uint8Array[] {
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(context);
  return [cipher.update(plain), cipher.final(), cipher.getAuthTag()];
}

function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array {
  if (sealed.length < TAG_BYTES) throw notSealed();
  const end = sealed.length - TAG_BYTES;
  try {
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(context)
      .setAuthTag(sealed.subarray(end));
    return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
  } catch (cause) {
    throw notSealed(cause);
  }
}

function notSealed(cause?: unknown): NewelError {
  return new NewelError('storage_failed', 'what is stored does not open under its key', { cause });
}
