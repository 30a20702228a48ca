/**
 * Tokens of HTTP and JOSE in a text.
 *
 *   eyJhbGciOi….….…   eyJhbGciOi…..….….…          JWS and JWE in compact form
 *   Bearer mF_9.B5f-4.1JqM                          the credentials of a scheme
 *   Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==              a name and a password
 */

import { isMasked } from './secret-mask.ts';
import type { Hits } from './secret-rules.ts';

const DOTTED = /(?<![A-Za-z0-9_-])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2,}(?:~[A-Za-z0-9_.~-]*)?/g;
/** `{"`, `{ `, `{` and a line end, in base64. */
const HEADER_START = /e[wy][A-Za-z0-9_-]{10}/;
const HEADER = /^\s*\{\s*"|"(?:alg|enc|typ|kid|zip)"\s*:/;
const MAX_HEADER = 2048;

/** JWS and JWE in compact form, SD-JWTs with what follows them: three or five parts, the first a JSON object of a header. */
export function findJwts(text: string, hits: Hits): void {
  for (const { 0: run, index } of text.matchAll(DOTTED)) {
    let begin = 0;
    const parts = run.split('.');
    for (const [i, part] of parts.slice(0, -2).entries()) {
      const start = part.search(HEADER_START);
      if (start >= 0 && isHeader(part.slice(start)) && (parts[i + 1] !== '' || parts[i + 2] !== '')) {
        hits.add('jwt', index + begin + start, index + run.length);
        break;
      }
      begin += part.length + 1;
    }
  }
}

function isHeader(part: string): boolean {
  const text = decodeBase64(part.slice(0, MAX_HEADER));
  return (
    text !== undefined && HEADER.test(text) && /"(?:alg|enc|typ|kid|zip|jwk|jku|x5[ctu]|cty)"/.test(text)
  );
}

/** Of base64 or base64url, whole groups of four and what is left of the last, one character to a byte. */
function decodeBase64(text: string): string | undefined {
  const plain = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
  try {
    return atob(plain.length % 4 === 1 ? plain.slice(0, -1) : plain);
  } catch {
    return undefined;
  }
}

const SCHEME =
  /(?<![A-Za-z0-9_-])(bearer|dpop|negotiate|ntlm|apikey|basic)["']?[ \t]{1,4}([A-Za-z0-9._~+/-]{4,}={0,2})(?![A-Za-z0-9=*•])/gi;
const MIN_CREDENTIAL = 12;
const MIN_MIXED_CREDENTIAL = 20;

/** What follows the name of a scheme and is a credential, not the next word of a sentence or a parameter of a challenge. */
export function findAuthorizations(text: string, hits: Hits): void {
  if (text.search(SCHEME) < 0) return;
  for (const match of text.matchAll(SCHEME)) {
    const [all, scheme, credential] = match as unknown as [string, string, string];
    const end = match.index + all.length;
    const isParameter = credential.endsWith('=') && text.charAt(end) === '"';
    if (isParameter || isMasked(credential)) continue;
    const isOne = scheme.toLowerCase() === 'basic' ? isBasic(credential) : isCredential(credential);
    if (isOne) hits.add('authorization', end - credential.length, end);
  }
}

function isBasic(credential: string): boolean {
  const pair = decodeBase64(credential);
  // A name and a password, and no control character.
  return (
    pair !== undefined &&
    /^[^\p{Cc}:]*:[^\p{Cc}]+$/u.test(pair) &&
    !isMasked(pair.slice(pair.indexOf(':') + 1))
  );
}

function isCredential(text: string): boolean {
  if (text.length >= MIN_CREDENTIAL && /[0-9]/.test(text)) return true;
  return text.length >= MIN_MIXED_CREDENTIAL && /[a-z][A-Z]/.test(text);
}
