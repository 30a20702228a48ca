/** Text ⇄ UTF-8 without loss: nothing is replaced, no byte order mark is dropped, so what decodes encodes back. */

import { NewelError } from '../errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Whether `text` has no lone surrogate, so that UTF-8 can carry it. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** Whether `text` holds an ASCII control character (below U+0020) other than newline: no note may. */
export function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 && code !== 0x0a) return true;
  }
  return false;
}

/** The UTF-8 bytes of `text`. Throws `malformed` if it holds a lone surrogate. */
export function encodeUtf8(text: string): Uint8Array {
  if (!isWellFormed(text))
    throw new NewelError('malformed', 'text holds a lone surrogate, which UTF-8 cannot carry');
  return encoder.encode(text);
}

/** The text of UTF-8 bytes. Throws `malformed` if they are not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new NewelError('malformed', 'bytes are not valid UTF-8', { cause });
  }
}
