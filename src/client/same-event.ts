/** Whether a receipt is of the event that was sent: its statement shows that event, whole, as the profiles read it. */

import { NewelError } from '../errors.ts';
import { type FlatEvent, mapFlat } from '../event/flat.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../formats/json.ts';

/**
 * Throws `inconsistent` unless `shown` is the event `sent`, to the last member: itself, or what the flat profile makes of
 * it under the receipt's source.
 */
export function assertSameEvent(shown: JsonObject, sent: JsonObject, source: string): void {
  const expected = Object.hasOwn(sent, 'schema') ? sent : readFlat(sent, source);
  if (!isEqual(shown, expected)) throw differs();
}

function readFlat(sent: JsonObject, source: string): JsonObject {
  const { id } = sent;
  if (typeof id !== 'string') throw new Error('bug: an event was sent without an id');
  try {
    // What is sent is the caller's: where it is no flat event, no log of ours has taken it.
    return mapFlat(sent as FlatEvent, id, source);
  } catch (cause) {
    if (cause instanceof TypeError || cause instanceof RangeError) throw differs(cause);
    throw cause;
  }
}

/** Equality of JSON: members in whatever order. */
function isEqual(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isEqual(item, b[i]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isEqual(a[name], b[name]))
  );
}

function differs(cause?: TypeError | RangeError): NewelError {
  return new NewelError('inconsistent', 'the log answers with a receipt of another event', { cause });
}
