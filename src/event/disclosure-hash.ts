/**
 * The hash of a disclosure straight from its JSON: what `digestOf(encodeDisclosure(json))` is the base64url of, without the
 * texts in between. A statement has dozens of them, and they cost as much as all else about it.
 *
 *   JSON text → UTF-8 → base64url as ASCII bytes → SHA-256
 */

import { hashBytes } from '../core/hash.ts';
import { encodeDisclosure } from '../formats/sd-jwt.ts';

/** UTF-16 code units of a text that has its place in the buffers: as UTF-8 it has at most three times as many bytes. */
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

/** The hash of a disclosure, 32 bytes. `json` is what JSON.stringify makes: no lone surrogate in it. */
export function hashOfDisclosure(json: string): Uint8Array {
  if (json.length > MAX_LENGTH) return hashBytes(encoder.encode(encodeDisclosure(json)));
  const { written } = encoder.encodeInto(json, utf8);
  // Zeros after the end: the last group then needs no case of its own.
  utf8[written] = 0;
  utf8[written + 1] = 0;
  for (let from = 0, to = 0; from < written; from += 3) {
    const group = (utf8[from]! << 16) | (utf8[from + 1]! << 8) | utf8[from + 2]!;
    pairs[to++] = PAIRS[group >> 12]!;
    pairs[to++] = PAIRS[group & 4095]!;
  }
  return hashBytes(ascii.subarray(0, Math.ceil((4 * written) / 3)));
}
