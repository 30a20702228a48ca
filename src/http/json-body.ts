/** Bodies of JSON, as their headers and their first byte have them: one object, an array of them, or lines of them. */

import type { Context } from 'hono';
import { NewelError } from '../errors.ts';
import { headerOf } from './target.ts';

/** JSON is UTF-8 (RFC 8259 §8.1) and its type has no parameters; this one is common, and says what is so anyway. */
const JSON_MEDIA_TYPE = /^application\/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$/i;
const NDJSON_MEDIA_TYPE = /^application\/x-ndjson(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$/i;

/** Whether the body is declared as lines of JSON. */
export function isNdjson(c: Context): boolean {
  return NDJSON_MEDIA_TYPE.test(headerOf(c, 'content-type') ?? '');
}

/** Throws `unsupported_media_type` unless the body is declared as JSON, or lines of it, in no encoding. */
export function assertJsonType(c: Context): void {
  const type = headerOf(c, 'content-type');
  if (type === undefined || !(JSON_MEDIA_TYPE.test(type) || NDJSON_MEDIA_TYPE.test(type))) {
    throw unsupported(
      'the body is taken as application/json or application/x-ndjson only, which Content-Type has to say',
    );
  }
  const encoding = headerOf(c, 'content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw unsupported('the body is taken without any Content-Encoding');
  }
}

const SPACE = 0x20;
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const OPEN_BRACKET = 0x5b;

/** Whether an octet is white space of JSON (RFC 8259 §2). */
export function isWhiteSpace(octet: number): boolean {
  return octet === SPACE || octet === LF || octet === CR || octet === TAB;
}

/** Whether a body that begins with these bytes is an array; `undefined` where they are all white space. */
export function beginsArray(bytes: Uint8Array): boolean | undefined {
  const first = bytes.find((octet) => !isWhiteSpace(octet));
  return first === undefined ? undefined : first === OPEN_BRACKET;
}

function unsupported(message: string): NewelError {
  return new NewelError('unsupported_media_type', message);
}
