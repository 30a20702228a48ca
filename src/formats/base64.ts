/**
 * Base64 of RFC 4648 §4: the standard alphabet, always padded, and in one spelling only (the unused bits of the last
 * character are zero). `Buffer` and `atob` take more than that, so neither is used.
 *
 *   00 ff 10  ⇄  AP8Q      00  ⇄  AA==      (nothing)  ⇄  (nothing)
 */

import { NewelError } from '../errors.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The two characters of each 12-bit value. */
const PAIRS: readonly string[] = Array.from(
  { length: 4096 },
  (_, i) => ALPHABET[i >> 6]! + ALPHABET[i & 63]!,
);

/** The value of each ASCII character; 255 where it is not in the alphabet. */
const VALUES: Uint8Array = new Uint8Array(128).fill(255);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

const PAD = 0x3d;

/** The padded base64 text of `bytes`. */
export function formatBase64(bytes: Uint8Array): string {
  let out = '';
  const whole = bytes.length - (bytes.length % 3);
  for (let i = 0; i < whole; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    out += PAIRS[group >> 12]! + PAIRS[group & 4095]!;
  }
  if (bytes.length - whole === 1) return out + PAIRS[bytes[whole]! << 4]! + '==';
  if (bytes.length - whole === 2) {
    const group = (bytes[whole]! << 10) | (bytes[whole + 1]! << 2);
    return out + PAIRS[group >> 6]! + ALPHABET[group & 63]! + '=';
  }
  return out;
}

/** The bytes of padded base64. Throws `malformed`, naming `what`, for every text that `formatBase64` does not make. */
export function parseBase64(text: string, what = 'text'): Uint8Array {
  if (text.length % 4 !== 0) throw notBase64(what);
  let padding = 0;
  if (text.length > 0 && text.charCodeAt(text.length - 1) === PAD) {
    padding = text.charCodeAt(text.length - 2) === PAD ? 2 : 1;
  }
  const out = new Uint8Array((text.length / 4) * 3 - padding);
  const whole = padding === 0 ? text.length : text.length - 4;
  let at = 0;
  for (let i = 0; i < whole; i += 4) {
    const a = valueAt(text, i);
    const b = valueAt(text, i + 1);
    const c = valueAt(text, i + 2);
    const d = valueAt(text, i + 3);
    if ((a | b | c | d) > 63) throw notBase64(what);
    out[at++] = (a << 2) | (b >> 4);
    out[at++] = (b << 4) | (c >> 2);
    out[at++] = (c << 6) | d;
  }
  if (padding > 0) {
    const a = valueAt(text, whole);
    const b = valueAt(text, whole + 1);
    const c = padding === 1 ? valueAt(text, whole + 2) : 0;
    if ((a | b | c) > 63) throw notBase64(what);
    const unused = padding === 1 ? c & 3 : b & 15;
    if (unused !== 0) throw notBase64(what);
    out[at++] = (a << 2) | (b >> 4);
    if (padding === 1) out[at] = (b << 4) | (c >> 2);
  }
  return out;
}

function valueAt(text: string, index: number): number {
  return VALUES[text.charCodeAt(index)] ?? 255;
}

function notBase64(what: string): NewelError {
  return new NewelError('malformed', `${what} is not canonical padded base64`);
}
