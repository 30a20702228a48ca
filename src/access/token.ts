/**
 * Tokens: the bearer secrets of API callers (RFC 6750).
 *
 *   newel_3q2-…                      the prefix, then the base64url of 32 random bytes: 43 characters
 *   Authorization: Bearer newel_…    how it is presented
 *
 * Only its SHA-256 is kept. 256 random bits need no slow hash, and looking up a digest tells by its timing nothing
 * about the token that was presented.
 */

import { createHash, randomBytes } from 'node:crypto';

/** 32 bytes are 43 characters, of which the last has two unused bits, which are zero. */
const TOKEN = /^newel_[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const BEARER = /^Bearer /i;
const BEARER_LENGTH = 'Bearer '.length;

/** A new token, from the system's random source. */
export function newToken(): string {
  return `newel_${randomBytes(32).toString('base64url')}`;
}

/** Whether `text` has the one spelling of a token. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** The token in an Authorization header; `undefined` for every other scheme, spelling or length. */
export function parseBearer(authorization: string): string | undefined {
  if (!BEARER.test(authorization)) return undefined;
  const token = authorization.slice(BEARER_LENGTH);
  return isToken(token) ? token : undefined;
}

/** The SHA-256 of the token's characters, as 64 lower-case hex digits. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token, 'ascii').digest('hex');
}
