/**
 * Base64url of RFC 4648 §5 as JOSE writes it (RFC 7515 §2): the URL-safe alphabet, never padded, and in one spelling
 * only (the unused bits of the last character are zero). `Buffer` and `atob` take more than that, so neither is used.
 *
 *   fb ff bf  ⇄  -_-_      00  ⇄  AA      (nothing)  ⇄  (nothing)
 */

import { NewelError } from '../errors.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The ASCII code of each 6-bit value. */
const CODES: Uint8Array = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0));

/** The value of each ASCII character; 255 where it is not in the alphabet. */
const VALUES: Uint8Array = new Uint8Array(128).fill(255);
for (let i = 0; i < CODES.length; i++) VALUES[CODES[i]!] = i;

const decoder = new TextDecoder();

/** Room for most texts: an array of their own each would cost more than writing them. */
const scratch = new Uint8Array(8192);

/** The unpadded base64url text of `bytes`. */
export function formatBase64Url(bytes: Uint8Array): string {
  const length = Math.ceil((bytes.length * 4) / 3);
  const out = length <= scratch.length ? scratch : new Uint8Array(length);
  const rest = bytes.length % 3;
  const whole = bytes.length - rest;
  let at = 0;
  for (let i = 0; i < whole; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    out[at++] = CODES[group >> 18]!;
    out[at++] = CODES[(group >> 12) & 63]!;
    out[at++] = CODES[(group >> 6) & 63]!;
    out[at++] = CODES[group & 63]!;
  }
  if (rest > 0) {
    const group = (bytes[whole]! << 10) | (rest === 2 ? bytes[whole + 1]! << 2 : 0);
    out[at++] = CODES[group >> 12]!;
    out[at++] = CODES[(group >> 6) & 63]!;
    if (rest === 2) out[at] = CODES[group & 63]!;
  }
  return decoder.decode(out.subarray(0, length));
}

/** The bytes of base64url. Throws `malformed`, naming `what`, for every text that `formatBase64Url` does not make. */
export function parseBase64Url(text: string, what: string): Uint8Array {
  const rest = text.length % 4;
  if (rest === 1) throw notBase64Url(what);
  const whole = text.length - rest;
  const out = new Uint8Array((whole / 4) * 3 + (rest === 0 ? 0 : rest - 1));
  let at = 0;
  for (let i = 0; i < whole; i += 4) {
    const a = valueAt(text, i);
    const b = valueAt(text, i + 1);
    const c = valueAt(text, i + 2);
    const d = valueAt(text, i + 3);
    if ((a | b | c | d) > 63) throw notBase64Url(what);
    out[at++] = (a << 2) | (b >> 4);
    out[at++] = (b << 4) | (c >> 2);
    out[at++] = (c << 6) | d;
  }
  if (rest > 0) {
    const a = valueAt(text, whole);
    const b = valueAt(text, whole + 1);
    const c = rest === 3 ? valueAt(text, whole + 2) : 0;
    const unused = rest === 3 ? c & 3 : b & 15;
    if ((a | b | c) > 63 || unused !== 0) throw notBase64Url(what);
    out[at++] = (a << 2) | (b >> 4);
    if (rest === 3) out[at] = (b << 4) | (c >> 2);
  }
  return out;
}

function valueAt(text: string, index: number): number {
  return VALUES[text.charCodeAt(index)] ?? 255;
}

function notBase64Url(what: string): NewelError {
  return new NewelError('malformed', `${what} is not canonical unpadded base64url`);
}
