/**
 * The private record of an event, sealed from its first byte on disk. Inside the seal, in CBOR:
 *
 *   [ received time in ms, profile, name of the token, schema, holder's JWK as JSON or null,
 *     bytes as sent or null, slots (a byte each), disclosures as JSON, a line each ]
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
  const slots = Uint8Array.from(disclosures, ({ slot }) => slot);
  // JSON has no newline of its own. One long text costs a fraction of many short ones.
  const lines = disclosures.map(({ json }) => json).join('\n');
  return encodeOwn([receivedTimeMs, profile, submitter, schema, holder ?? null, sent ?? null, slots, lines]);
}

export function sealRecord(recordKey: Uint8Array, encoded: Uint8Array, place: RecordPlace): Uint8Array {
  return sealOnce(recordKey, encoded, contextOf(place));
}

/** Throws `storage_failed` where it does not open, or is not a record. */
export function openRecord(recordKey: Uint8Array, sealed: Uint8Array, place: RecordPlace): EventRecord {
  return decodeRecord(openOnce(recordKey, sealed, contextOf(place)));
}

/** Throws `storage_failed` for what `encodeRecord` did not write. */
export function decodeRecord(encoded: Uint8Array): EventRecord {
  const value = decodeOwn(encoded);
  const [receivedTimeMs, profile, submitter, schema, holder, sent, slots, lines] = arrayOf(value, 8);
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
    disclosures: disclosuresOf(slots, lines),
  };
}

function disclosuresOf(slots: unknown, lines: unknown): SlotDisclosure[] {
  if (!(slots instanceof Uint8Array) || typeof lines !== 'string') throw damagedRecord();
  const disclosures = lines.split('\n').map((json, i) => ({ slot: slots[i] ?? -1, json }));
  if (disclosures.length !== slots.length) throw damagedRecord();
  return disclosures;
}

function contextOf({ index, commitment }: RecordPlace): Uint8Array {
  return Buffer.concat([Uint8Array.of(RECORD_VERSION), formatIndex(index), commitment]);
}
