/**
 * The event that a record's disclosures say, by their slots. What stands in the event itself has been checked with the
 * payload; what stands inside another disclosure is checked here, against the digests that one has.
 */

import type { Members } from '../event/member.ts';
import { EVENT_MEMBERS } from '../event/members.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../formats/json.ts';
import { digestOfDisclosure } from './disclosure.ts';
import type { EventRecord } from './record.ts';
import { damagedRecord } from './rows.ts';

/** A disclosure as it is kept, and the value in it. */
interface Kept {
  readonly json: string;
  readonly name: unknown;
  readonly value: JsonValue;
}

/** The canonical event, its members in the schema's order. Throws `storage_failed` where the parts do not fit together. */
export function contentOf({
  schema,
  holder,
  disclosures,
}: Pick<EventRecord, 'schema' | 'holder' | 'disclosures'>): JsonObject {
  const kept = new Map(disclosures.map(({ slot, json }) => [slot, keptOf(json)]));
  if (kept.size < disclosures.length) throw damagedRecord();
  const open = holder === undefined ? { schema } : { schema, holder: objectOf(holder) };
  const content = membersOf(TABLE, open, kept, undefined);
  // Each has its place in an object that is there.
  if (kept.size > 0) throw damagedRecord();
  return content;
}

/** The object of a JSON text of our own. Throws `storage_failed` where it is none. */
export function objectOf(json: string): JsonObject {
  const value = parseJson(json);
  if (!isJsonObject(value)) throw damagedRecord();
  return value;
}

/** The members of one object; those that stand alone are taken from `kept`, and their digests are in `digests`. */
function membersOf(
  table: readonly Entry[],
  plain: JsonObject,
  kept: Map<number, Kept>,
  digests: readonly JsonValue[] | undefined,
): JsonObject {
  const content: JsonObject = {};
  for (const { name, slot, inner } of table) {
    const value = slot === undefined ? plain[name] : take(kept, slot, name, digests);
    if (value === undefined) continue;
    if (inner === undefined) content[name] = value;
    else {
      if (!isJsonObject(value)) throw damagedRecord();
      const { _sd: innerDigests } = value;
      content[name] = membersOf(inner, value, kept, Array.isArray(innerDigests) ? innerDigests : []);
    }
  }
  return content;
}

function take(
  kept: Map<number, Kept>,
  slot: number,
  name: string,
  digests: readonly JsonValue[] | undefined,
): JsonValue | undefined {
  const found = kept.get(slot);
  if (!found) return undefined;
  kept.delete(slot);
  if (found.name !== name) throw damagedRecord();
  if (digests && !digests.includes(digestOfDisclosure(found.json))) throw damagedRecord();
  return found.value;
}

function keptOf(json: string): Kept {
  const parts = JSON.parse(json) as JsonValue;
  if (!Array.isArray(parts) || parts.length !== 3) throw damagedRecord();
  return { json, name: parts[1], value: parts[2]! };
}

/** A member of the schema, in its order. */
interface Entry {
  readonly name: string;
  readonly slot: number | undefined;
  readonly inner: readonly Entry[] | undefined;
}

const TABLE: readonly Entry[] = entriesOf(EVENT_MEMBERS);

function entriesOf(members: Members): readonly Entry[] {
  return Object.entries(members).map(([name, member]) => ({
    name,
    slot: member.slot,
    inner: member.is === 'object' ? entriesOf(member.members) : undefined,
  }));
}
