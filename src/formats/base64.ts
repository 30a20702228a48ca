/**
 * Base64 of RFC 4648 §4: the standard alphabet, always padded, in one spelling only.
 *
 *   00 ff 10  ⇄  AP8Q      00  ⇄  AA==      (nothing)  ⇄  (nothing)
 */

import { NewelError } from '../errors.ts';
import { sixBits } from './sixbit.ts';

const { format, parse } = sixBits('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');

/** By the bytes that the last group has: none is missing where there are three. */
const PADDING = ['', '==', '='] as const;

/** The padded base64 text of `bytes`. */
export function formatBase64(bytes: Uint8Array): string {
  return format(bytes) + PADDING[bytes.length % 3]!;
}

/** The bytes of padded base64. Throws `malformed`, naming `what`, for every text that `formatBase64` does not make. */
export function parseBase64(text: string, what = 'text'): Uint8Array {
  // What stands before the padding says how much of it there has to be.
  const bytes = text.length % 4 === 0 ? parse(text.replace(/={1,2}$/, '')) : undefined;
  if (bytes === undefined) throw new NewelError('malformed', `${what} is not canonical padded base64`);
  return bytes;
}
