/**
 * The private record of an event, sealed from its first byte on disk. Inside the seal, in CBOR:
 *
 *   [ received time in ms, profile, name of the token, schema, holder's JWK as JSON or null,
 *     bytes as sent or null, slots (a byte each), disclosures as JSON, a line each ]
 *   notices, as JSON
 *
 * The disclosures are kept letter by letter, since their digests are in the leaf; only the payload's skeleton is made
 * again. The seal is bound to the record's version, its leaf index and the leaf's commitment.
 */

import type { Notice } from '../event/notice.ts';
import type { SlotDisclosure } from '../event/statement.ts';
import type { ParsedEvent } from '../event/parse-event.ts';
import {
  arrayOf,
  damagedRecord,
  decodeOwn,
  decodeOwnSequence,
  encodeOwn,
  formatIndex,
  RECORD_VERSION,
} from './rows.ts';
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

/** A record as it is read back: with what was noticed when the event had its place. */
export interface OpenRecord extends EventRecord {
  readonly notices: readonly Notice[];
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

export function sealRecord(
  recordKey: Uint8Array,
  encoded: Uint8Array,
  notices: readonly Notice[],
  place: RecordPlace,
): Uint8Array {
  const plain = Buffer.concat([encoded, encodeNotices(notices)]);
  return sealOnce(recordKey, plain, contextOf(place));
}

/** Throws `storage_failed` where it does not open, or is not a record. */
export function openRecord(recordKey: Uint8Array, sealed: Uint8Array, place: RecordPlace): OpenRecord {
  const [record, notices] = arrayOf(decodeOwnSequence(openOnce(recordKey, sealed, contextOf(place))), 2);
  if (!Array.isArray(notices)) throw damagedRecord();
  return { ...recordOf(record), notices: notices.map((json) => noticeOf(json)) };
}

/** Throws `storage_failed` for what `encodeRecord` did not write. */
export function decodeRecord(encoded: Uint8Array): EventRecord {
  return recordOf(decodeOwn(encoded));
}

/** Mostly there are none, and then it costs a byte. */
function encodeNotices(notices: readonly Notice[]): Uint8Array {
  return encodeOwn(notices.map((notice) => JSON.stringify(notice)));
}

function noticeOf(json: unknown): Notice {
  if (typeof json !== 'string') throw damagedRecord();
  return JSON.parse(json) as Notice;
}

function recordOf(value: unknown): EventRecord {
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
