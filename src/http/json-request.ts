/** Requests that are one small JSON object: read whole, and with the members that the route knows, no other. */

import type { Context } from 'hono';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonValue, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { declaredLength, readBody } from './body.ts';
import { assertJsonType, isNdjson } from './json-body.ts';

/** Bytes of a request; a thousand event ids have half of that. */
const MAX_REQUEST_BYTES = 64 * 1024;

/**
 * The members of the body, only those that are `known`. Throws `unsupported_media_type`, `too_large`, and `malformed` for
 * what is not one JSON object in UTF-8, has a member name twice or another member. Nothing of the body is in the words.
 */
export async function readJsonRequest<Name extends string>(
  c: Context,
  known: readonly Name[],
): Promise<Partial<Record<Name, JsonValue>>> {
  assertJsonType(c);
  if (isNdjson(c)) {
    throw new NewelError('unsupported_media_type', 'this route takes one object, as application/json');
  }
  declaredLength(c, MAX_REQUEST_BYTES);
  const body = parseJson(decodeUtf8(await readBody(c, MAX_REQUEST_BYTES)));
  if (!isJsonObject(body)) throw new NewelError('malformed', 'the body is not a JSON object');
  const members: Partial<Record<Name, JsonValue>> = {};
  for (const [name, value] of Object.entries(body)) {
    const key = known.find((candidate) => candidate === name);
    if (key === undefined) {
      throw new NewelError(
        'malformed',
        `the body has a member that this route does not know; it takes ${known.join(', ')}`,
      );
    }
    members[key] = value;
  }
  return members;
}
