/**
 * Base64url of RFC 4648 §5 as JOSE writes it (RFC 7515 §2): the URL-safe alphabet, never padded, in one spelling only.
 *
 *   fb ff bf  ⇄  -_-_      00  ⇄  AA      (nothing)  ⇄  (nothing)
 */

import { NewelError } from '../errors.ts';
import { sixBits } from './sixbit.ts';

const { format, parse } = sixBits('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

/** The unpadded base64url text of `bytes`. */
export function formatBase64Url(bytes: Uint8Array): string {
  return format(bytes);
}

/** The bytes of base64url. Throws `malformed`, naming `what`, for every text that `formatBase64Url` does not make. */
export function parseBase64Url(text: string, what: string): Uint8Array {
  const bytes = parse(text);
  if (bytes === undefined) throw new NewelError('malformed', `${what} is not canonical unpadded base64url`);
  return bytes;
}
