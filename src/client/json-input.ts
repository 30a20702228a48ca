/**
 * JSON objects however a caller has them: as text, as bytes of UTF-8, or as a value that something else parsed. Whatever
 * comes, what is read is a plain copy, in which a member is what it was when it was looked at.
 */

import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';

/** The object in `input`. Throws `too_large` over `maxBytes`, `malformed` for anything but a JSON object, naming `what`. */
export function readJsonObject(input: unknown, what: string, maxBytes: number): JsonObject {
  const value = readJson(input, what, maxBytes);
  if (!isJsonObject(value)) throw new NewelError('malformed', `${what} is not a JSON object`);
  return value;
}

function readJson(input: unknown, what: string, maxBytes: number): JsonValue {
  if (input instanceof Uint8Array && input.length > maxBytes) throw tooLarge(what, maxBytes);
  try {
    const text = textOf(input);
    if (text.length > maxBytes) throw tooLarge(what, maxBytes);
    return parseJson(text);
  } catch (cause) {
    if (!(cause instanceof NewelError) || cause.code === 'too_large') throw cause;
    throw new NewelError(cause.code, `${what} is not JSON that can be read: ${cause.message}`, { cause });
  }
}

function textOf(input: unknown): string {
  if (typeof input === 'string') return input;
  if (input instanceof Uint8Array) return decodeUtf8(input);
  let text: string | undefined;
  try {
    text = JSON.stringify(input);
  } catch (cause) {
    throw new NewelError('malformed', 'it is a value that JSON cannot hold', { cause });
  }
  if (text === undefined) throw new NewelError('malformed', 'there is none');
  return text;
}

function tooLarge(what: string, maxBytes: number): NewelError {
  return new NewelError('too_large', `${what} is longer than ${maxBytes} bytes`);
}
