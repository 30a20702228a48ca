/**
 * The digest of a disclosure straight from its JSON: what `digestOf(encodeDisclosure(json))` gives, without the texts in
 * between. A statement has dozens of them, and each costs as much as all else about it.
 *
 *   JSON text → UTF-8 → base64url as ASCII bytes → SHA-256 → base64url
 */

import { hashBytes } from '../core/hash.ts';
import { formatBase64Url } from '../formats/base64url.ts';
import { digestOf, encodeDisclosure } from '../formats/sd-jwt.ts';

/** UTF-16 code units of a text that is surely no longer than the buffers: as UTF-8 it has at most three times as many bytes. */
const MAX_LENGTH = 4096;

const encoder = new TextEncoder();
const utf8 = new Uint8Array(3 * MAX_LENGTH + 2);
/** Four characters for three bytes, two characters at a time. */
const pairs = new Uint16Array(2 * MAX_LENGTH);
const ascii = new Uint8Array(pairs.buffer);

const ALPHABET = encoder.encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
/** The two characters of each 12-bit value, in the byte order of the machine. */
const PAIRS = new Uint16Array(
  Uint8Array.from({ length: 8192 }, (_, i) => ALPHABET[i % 2 === 0 ? i >> 7 : (i >> 1) & 63]!).buffer,
);

/** The digest of a disclosure, 43 characters of base64url. `json` is what JSON.stringify makes: no lone surrogate in it. */
export function digestOfDisclosure(json: string): string {
  if (json.length > MAX_LENGTH) return digestOf(encodeDisclosure(json));
  const { written } = encoder.encodeInto(json, utf8);
  // Zeros after the end: the last group then needs no case of its own.
  utf8[written] = 0;
  utf8[written + 1] = 0;
  for (let from = 0, to = 0; from < written; from += 3) {
    const group = (utf8[from]! << 16) | (utf8[from + 1]! << 8) | utf8[from + 2]!;
    pairs[to++] = PAIRS[group >> 12]!;
    pairs[to++] = PAIRS[group & 4095]!;
  }
  return formatBase64Url(hashBytes(ascii.subarray(0, Math.ceil((4 * written) / 3))));
}
