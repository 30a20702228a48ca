/**
 * The private record of an event, sealed from its first byte on disk. Inside the seal, in CBOR:
 *
 *   [ received time in ms, profile, name of the token, schema, holder's JWK as JSON or null,
 *     bytes as sent or null, [ slot, disclosure JSON, slot, disclosure JSON, … ] ]
 *
 * The disclosures are kept letter by letter, since their digests are in the leaf; only the payload's skeleton is made
 * again. The seal is bound to the record's version, its leaf index and the leaf's commitment.
 */

import type { SlotDisclosure } from '../event/statement.ts';
import type { ParsedEvent } from '../event/parse-event.ts';
import { arrayOf, damagedRecord, decodeOwn, encodeOwn, formatIndex, RECORD_VERSION } from './rows.ts';
import { openOnce, sealOnce } from './seal.ts';

export interface EventRecord {
  readonly receivedTimeMs: number;
  readonly profile: ParsedEvent['profile'];
  readonly submitter: string;
  readonly schema: 'stepup/1';
  /** JSON text of the holder's public key, where the submitter sent one. */
  readonly holder: string | undefined;
  /** The bytes as sent, where the canonical form is not what was sent. */
  readonly sent: Uint8Array | undefined;
  readonly disclosures: readonly SlotDisclosure[];
}

/** What a record is sealed for; it opens for nothing else. */
export interface RecordPlace {
  readonly index: number;
  readonly commitment: Uint8Array;
}

export function encodeRecord(record: EventRecord): Uint8Array {
  const { receivedTimeMs, profile, submitter, schema, holder, sent, disclosures } = record;
  const pairs = disclosures.flatMap(({ slot, json }) => [slot, json]);
  return encodeOwn([receivedTimeMs, profile, submitter, schema, holder ?? null, sent ?? null, pairs]);
}

export function sealRecord(recordKey: Uint8Array, encoded: Uint8Array, place: RecordPlace): Uint8Array {
  return sealOnce(recordKey, encoded, contextOf(place));
}

/** Throws `storage_failed` where it does not open, or is not a record. */
export function openRecord(recordKey: Uint8Array, sealed: Uint8Array, place: RecordPlace): EventRecord {
  const value = decodeOwn(openOnce(recordKey, sealed, contextOf(place)));
  const [receivedTimeMs, profile, submitter, schema, holder, sent, pairs] = arrayOf(value, 7);
  if (typeof receivedTimeMs !== 'number' || typeof submitter !== 'string' || schema !== 'stepup/1')
    throw damagedRecord();
  if (profile !== 'stepup/1' && profile !== 'flat/1') throw damagedRecord();
  if (holder !== null && typeof holder !== 'string') throw damagedRecord();
  if (sent !== null && !(sent instanceof Uint8Array)) throw damagedRecord();
  return {
    receivedTimeMs,
    profile,
    submitter,
    schema,
    holder: holder ?? undefined,
    sent: sent ?? undefined,
    disclosures: disclosuresOf(pairs),
  };
}

function disclosuresOf(pairs: unknown): SlotDisclosure[] {
  if (!Array.isArray(pairs)) throw damagedRecord();
  const disclosures: SlotDisclosure[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const [slot, json] = arrayOf(pairs.slice(i, i + 2), 2);
    if (typeof slot !== 'number' || typeof json !== 'string') throw damagedRecord();
    disclosures.push({ slot, json });
  }
  return disclosures;
}

function contextOf({ index, commitment }: RecordPlace): Uint8Array {
  return Buffer.concat([Uint8Array.of(RECORD_VERSION), formatIndex(index), commitment]);
}
