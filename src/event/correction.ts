/**
 * Corrections (the type `correction`): an event stays what was logged, and what its source said later in its place is
 * folded in when it is read.
 *
 *   logged       {"type":"stepup.completed","outcome":"success","challenge":{"method":"totp","duration_ms":4100}, …}
 *   correction   {"type":"correction","corrects":"e-1","challenge":{"method":"push"}, …}
 *   corrected    {"type":"stepup.completed","outcome":"success","challenge":{"method":"push","duration_ms":4100}, …}
 */

import { isJsonObject, type JsonObject, type JsonValue, setMember } from '../formats/json.ts';
import { orderEvent } from './member-order.ts';

/** What a correction says of itself, and not of the event that it corrects. */
const OF_ITSELF: ReadonlySet<string> = new Set([
  'schema',
  'id',
  'source',
  'type',
  'time',
  'seq',
  'corrects',
  'causation_id',
  'trace_id',
  'clock',
  'raw_hash',
  'adapter',
  'holder',
]);

/** Names of the members that a correction gives in place of those of the event. */
export function correctedMembers(correction: JsonObject): string[] {
  return Object.keys(correction).filter((name) => !OF_ITSELF.has(name));
}

/**
 * The event as its corrections, in the order of the log, leave it. A member that is an object on both sides keeps what
 * the correction does not name; what stands inside its members is replaced whole, as every other member is. Nothing is
 * taken away: no event says that it has not a member. The arguments are left alone.
 */
export function correctedEvent(event: JsonObject, corrections: readonly JsonObject[]): JsonObject {
  const corrected = copyOf(event);
  for (const correction of corrections) {
    for (const name of correctedMembers(correction)) {
      setMember(corrected, name, merged(ownMember(corrected, name), correction[name]!));
    }
  }
  return orderEvent(corrected);
}

function merged(before: JsonValue | undefined, after: JsonValue): JsonValue {
  if (!isJsonObject(before) || !isJsonObject(after)) return after;
  const object = copyOf(before);
  for (const [name, value] of Object.entries(after)) setMember(object, name, value);
  return object;
}

function ownMember(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Members of any name are members of the copy: a spread defines what it copies. */
function copyOf(object: JsonObject): JsonObject {
  return { ...object };
}
