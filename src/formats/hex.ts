/** Lower-case hexadecimal, two digits a byte: `00 ff` ⇄ `00ff`. Upper case is refused, so a value has one spelling. */

import { NewelError } from '../errors.ts';

const PAIRS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The lower-case hex text of `bytes`. */
export function formatHex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += PAIRS[byte]!;
  return out;
}

/** The bytes of lower-case hex. Throws `malformed`, naming `what`, for every text that `formatHex` does not make. */
export function parseHex(text: string, what = 'text'): Uint8Array {
  if (text.length % 2 !== 0) throw notHex(what);
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) {
    const value = (digitAt(text, 2 * i) << 4) | digitAt(text, 2 * i + 1);
    if (value > 255) throw notHex(what);
    out[i] = value;
  }
  return out;
}

/** The value of a digit; 256 where it is none. */
function digitAt(text: string, index: number): number {
  const code = text.charCodeAt(index);
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x61 + 10;
  return 256;
}

function notHex(what: string): NewelError {
  return new NewelError('malformed', `${what} is not lower-case hexadecimal`);
}
