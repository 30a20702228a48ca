/**
 * The statement of an event, profile `stepup/1`: an SD-JWT (RFC 9901) without its header and signature, which are put
 * on when it is handed out.
 *
 *   payload      {"iss":"https://log.example/bank","log":"log.example/bank","iat":1795176008,"jti":"evt_…",
 *                 "schema":"stepup/1","_sd_alg":"sha-256","_sd":[32 digests, sorted]}
 *   disclosure   ["<salt>","outcome","success"]
 *   nested       ["<salt>","subject",{"actor_type":"user","_sd":[1 digest]}]   and   ["<salt>","sub_id",{…}]
 *
 * Where a member is absent a decoy stands for it, so the count of digests says nothing. All randomness is given:
 *
 *   16·slot          16 bytes   salt of the slot
 *   16·50 + 32·slot  32 bytes   decoy of the slot: a digest of nothing
 */

import { formatBase64Url } from '../formats/base64url.ts';
import type { JsonObject, JsonValue } from '../formats/json.ts';
import { digestOf, encodeDisclosure } from '../formats/sd-jwt.ts';
import type { EventMembers } from './schema.ts';
import { SLOT_COUNT, TOP_LEVEL, type Level } from './slots.ts';
import { DIGEST_ALGORITHM, type SCHEMA } from './statement-names.ts';

const SALT_BYTES = 16;
const DECOY_BYTES = 32;

/** Bytes of randomness in one statement: 2,400. */
export const STATEMENT_RANDOM_BYTES: number = SLOT_COUNT * (SALT_BYTES + DECOY_BYTES);

/** The claims that everyone sees who is shown anything of the statement. */
export interface OpenClaims {
  /** URI of the log operator as issuer. */
  readonly iss: string;
  /** Origin of the log. */
  readonly log: string;
  /** When the log received the event, in seconds since 1970. */
  readonly iat: number;
  /** The `event_id`. */
  readonly jti: string;
  readonly schema: typeof SCHEMA;
  /** The holder's public key, where the submitter sent one. */
  readonly cnf?: { readonly jwk: JsonObject };
}

export interface SlotDisclosure {
  readonly slot: number;
  /** The disclosure as JSON text, letter by letter what its digest is made of. */
  readonly json: string;
}

export interface EncodedStatement {
  /** The JSON text of the payload. */
  readonly payload: string;
  /** In the order of their slots. */
  readonly disclosures: readonly SlotDisclosure[];
}

/**
 * From the JSON text of a disclosure, which is that of a slot, to its digest. Whoever encodes many has a faster one, which
 * gives the same.
 */
export type DisclosureDigest = (json: string, slot: number) => string;

const digestOfDisclosure: DisclosureDigest = (json) => digestOf(encodeDisclosure(json));

/** What the members of one event are encoded with, and where their disclosures gather. */
interface Encoding {
  readonly random: Uint8Array;
  readonly digest: DisclosureDigest;
  readonly disclosures: SlotDisclosure[];
}

/**
 * The payload and the disclosures of an event. `random` is used once and for nothing else. The same arguments give the
 * same bytes. Throws `RangeError` for another amount of randomness than STATEMENT_RANDOM_BYTES.
 */
export function encodeStatement(
  open: OpenClaims,
  event: EventMembers,
  random: Uint8Array,
  digest: DisclosureDigest = digestOfDisclosure,
): EncodedStatement {
  assertRandom(random);
  const disclosures: SlotDisclosure[] = [];
  const digests = discloseMembers(event, TOP_LEVEL, { random, digest, disclosures });
  disclosures.sort((a, b) => a.slot - b.slot);
  return { payload: payloadOf(open, digests), disclosures };
}

/**
 * The same payload again, from the disclosures that were kept: only its skeleton is rebuilt. Whether it is the same shows
 * against the leaf. Throws `RangeError` as `encodeStatement` does.
 */
export function formatPayload(
  open: OpenClaims,
  disclosures: readonly SlotDisclosure[],
  random: Uint8Array,
  digest: DisclosureDigest = digestOfDisclosure,
): string {
  assertRandom(random);
  const kept = new Map(disclosures.map(({ slot, json }) => [slot, json]));
  const digests = TOP_LEVEL.slots.map(({ slot }) => {
    const json = kept.get(slot);
    return json === undefined ? decoyOf(slot, random) : digest(json, slot);
  });
  return payloadOf(open, digests.sort());
}

/** The digests of one object's `_sd`, sorted; what they disclose is added to the encoding's disclosures. */
function discloseMembers(object: JsonObject, level: Level, encoding: Encoding): string[] {
  const { random, digest, disclosures } = encoding;
  const digests: string[] = [];
  for (const { slot, name, inner } of level.slots) {
    const value = object[name];
    if (value === undefined) {
      digests.push(decoyOf(slot, random));
      continue;
    }
    const shown =
      inner === undefined ? formatValue(value) : withDigests(value as JsonObject, inner, encoding);
    // As `formatDisclosure` writes it; no name in the schema has a character that JSON escapes.
    const json = `["${saltOf(slot, random)}","${name}",${shown}]`;
    disclosures.push({ slot, json });
    digests.push(digest(json, slot));
  }
  return digests.sort();
}

/** The JSON of an object with digests in the place of the members that stand alone. */
function withDigests(object: JsonObject, level: Level, encoding: Encoding): string {
  let members = '';
  for (const name of Object.keys(object)) {
    if (!level.names.has(name)) members += `"${name}":${formatValue(object[name]!)},`;
  }
  return `{${members}"_sd":${formatDigests(discloseMembers(object, level, encoding))}}`;
}

function payloadOf({ iss, log, iat, jti, schema, cnf }: OpenClaims, digests: readonly string[]): string {
  const open = cnf === undefined ? { iss, log, iat, jti, schema } : { iss, log, iat, jti, schema, cnf };
  return `${JSON.stringify(open).slice(0, -1)},"_sd_alg":"${DIGEST_ALGORITHM}","_sd":${formatDigests(digests)}}`;
}

const ESCAPED = /["\\\p{Cc}\p{Cs}]/u;

/** What JSON.stringify makes, sooner for the many texts without anything to escape. */
function formatValue(value: JsonValue): string {
  return typeof value === 'string' && !ESCAPED.test(value) ? `"${value}"` : JSON.stringify(value);
}

/** An array of base64url texts as JSON: at every level there is at least one. */
function formatDigests(digests: readonly string[]): string {
  return `["${digests.join('","')}"]`;
}

function saltOf(slot: number, random: Uint8Array): string {
  return formatBase64Url(random.subarray(SALT_BYTES * slot, SALT_BYTES * (slot + 1)));
}

function decoyOf(slot: number, random: Uint8Array): string {
  const at = SALT_BYTES * SLOT_COUNT + DECOY_BYTES * slot;
  return formatBase64Url(random.subarray(at, at + DECOY_BYTES));
}

function assertRandom(random: Uint8Array): void {
  if (random.length !== STATEMENT_RANDOM_BYTES) {
    throw new RangeError(`random expected ${STATEMENT_RANDOM_BYTES} bytes, got ${random.length}`);
  }
}
