/** The event that a payload and its disclosures say: every digest replaced by the claim that it stands for. */

import { orderEvent } from '../event/member-order.ts';
import type { SlotDisclosure } from '../event/statement.ts';
import { isJsonObject, type JsonObject, parseJson } from '../formats/json.ts';
import { digestOf, encodeDisclosure, type Disclosure } from '../formats/sd-jwt.ts';
import { processPayload } from '../formats/sd-jwt-verify.ts';
import { damagedRecord } from './rows.ts';

/** The canonical event, its members in the schema's order. Throws `storage_failed` or `malformed` where the parts do not fit together. */
export function contentOf(payload: string, disclosures: readonly SlotDisclosure[]): JsonObject {
  const {
    iss: _iss,
    log: _log,
    iat: _iat,
    jti: _jti,
    cnf,
    ...content
  } = processPayload({
    payload: objectOf(payload),
    disclosures: disclosures.map(disclosureOf),
  });
  return orderEvent(isJsonObject(cnf) ? { ...content, holder: cnf['jwk']! } : content);
}

/** The object of a JSON text of our own. Throws `storage_failed` where it is none. */
export function objectOf(json: string): JsonObject {
  const value = parseJson(json);
  if (!isJsonObject(value)) throw damagedRecord();
  return value;
}

function disclosureOf({ json }: SlotDisclosure): Disclosure {
  const parts = parseJson(json);
  if (!Array.isArray(parts)) throw damagedRecord();
  const [, name, value] = parts;
  if (typeof name !== 'string' || value === undefined) throw damagedRecord();
  const encoded = encodeDisclosure(json);
  return { encoded, digest: digestOf(encoded), name, value };
}
