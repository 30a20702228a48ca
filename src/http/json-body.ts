/** A body that is one JSON object, as its headers and its first byte have it. */

import type { Context } from 'hono';
import { NewelError } from '../errors.ts';
import { headerOf } from './target.ts';

/** JSON is UTF-8 (RFC 8259 §8.1) and its type has no parameters; this one is common, and says what is so anyway. */
const JSON_MEDIA_TYPE = /^application\/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$/i;

/** Throws `unsupported_media_type` unless the body is declared as JSON, in no encoding. */
export function assertJsonType(c: Context): void {
  const type = headerOf(c, 'content-type');
  if (type === undefined || !JSON_MEDIA_TYPE.test(type)) {
    throw unsupported('the body is taken as application/json only, which Content-Type has to say');
  }
  const encoding = headerOf(c, 'content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw unsupported('the body is taken without any Content-Encoding');
  }
}

const WHITE_SPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OPEN_BRACKET = 0x5b;

/** Throws `unsupported_media_type` for an array: many events at once. */
export function assertNoArray(body: Uint8Array): void {
  let at = 0;
  while (WHITE_SPACE.has(body[at] ?? 0)) at++;
  if (body[at] !== OPEN_BRACKET) return;
  throw unsupported('an array of events is not taken: post them one by one, each as an object');
}

function unsupported(message: string): NewelError {
  return new NewelError('unsupported_media_type', message);
}
