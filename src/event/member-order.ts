/**
 * The order of members. A statement's digests are sorted, so what is read back from one has lost it; in an event it means
 * nothing, and people and tests read one order more easily than any.
 */

import { isJsonObject, type JsonObject, type JsonValue } from '../formats/json.ts';
import type { Members } from './member.ts';
import { EVENT_MEMBERS } from './members.ts';

/**
 * The event with its members in the order of the schema `stepup/1`, those of its objects too, as `parseEvent` gives them.
 * Values stay as they are: subject identifiers, lists, `labels` and `ext` are not looked into. Members that the schema
 * does not list come last, in the order that they have. `event` itself is left alone.
 */
export function orderEvent(event: JsonObject): JsonObject {
  return orderMembers(event, EVENT_MEMBERS);
}

function orderMembers(object: JsonObject, members: Members): JsonObject {
  const ordered: [name: string, value: JsonValue][] = [];
  for (const [name, member] of Object.entries(members)) {
    if (!Object.hasOwn(object, name)) continue;
    const value = object[name]!;
    const isNested = member.is === 'object' && isJsonObject(value);
    ordered.push([name, isNested ? orderMembers(value, member.members) : value]);
  }
  for (const [name, value] of Object.entries(object)) {
    if (!Object.hasOwn(members, name)) ordered.push([name, value]);
  }
  // Defines every name as a member, `__proto__` too.
  return Object.fromEntries(ordered);
}
