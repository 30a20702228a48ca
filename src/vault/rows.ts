/**
 * The private zone's rows, in the key range of companions. Nothing in a key or beside a sealed record is personal:
 * event ids are random, tags are keyed hashes.
 *
 *   80                vault        version, index key sealed under the master key; written with leaf 0
 *   81 event_id16     → index8     where an event is; stays when it is erased
 *   82 id tag32       → index8     where a submitter's (source, id) is; stays when it is erased
 *   83 index8         record       what `RecordRow` has, in CBOR; in its place the marker of an erased one
 *   84 owner tag32    → key id16   whose data key is which
 *   85 key id16       data key     owner tag32, epoch4, and the key sealed under the key of that epoch
 *   86 key id16 index8             an event under that key; empty
 *   87 key id16       → count8     how many there are
 *   88 term16 index8               an event of which that term is true (`terms.ts`); empty
 *   89 tag16          sealed       where a source is with its numbers (`event/sequence.ts`)
 *   8a tag16          sealed       what a transaction has so far (`event/link.ts`)
 *   8b erasure id16   sealed       an erasure, from the moment it is accepted (`erasure-row.ts`)
 *   8c index8         sealed       what the log has yet to say about an event that it took (`exceptions.ts`)
 *   8d                sealed       who had tokens when it was last said (`token-changes.ts`)
 *   8e key id16       → erasure id16   a data key whose events are being erased: its owner has another one
 *   8f erasure id16 index8   sealed    an `erasure` event of it, and how many leaves that names
 *   90 … 9f                        kept for counts by hour and what else queries may want with each event
 */

import { Decoder, Encoder } from 'cbor-x';
import { NewelError } from '../errors.ts';

/** Rows of a version that this code does not know are refused, never guessed at. */
export const RECORD_VERSION = 1;

export const EVENT_ID_BYTES = 16;
export const TAG_BYTES = 32;
const COMMITMENT_BYTES = 32;
export const KEY_ID_BYTES = 16;
/** nonce 12 · key 32 · tag 16 */
export const SEALED_KEY_BYTES = 60;
export const INDEX_BYTES = 8;
/** Of a term or another short tag: enough that no two meet. */
export const TERM_BYTES = 16;

export const vaultKey: Uint8Array = Uint8Array.of(0x80);

export function eventKey(eventId: Uint8Array): Uint8Array {
  return prefixed(0x81, eventId);
}

export function idKey(tag: Uint8Array): Uint8Array {
  return prefixed(0x82, tag);
}

export function recordKey(index: number): Uint8Array {
  return prefixed(0x83, NO_NAME, index);
}

export function ownerKey(tag: Uint8Array): Uint8Array {
  return prefixed(0x84, tag);
}

export function dataKeyKey(keyId: Uint8Array): Uint8Array {
  return prefixed(0x85, keyId);
}

/** Of the events under a data key, or where `index` is given of one. */
export function keyEventKey(keyId: Uint8Array, index: number): Uint8Array {
  return prefixed(0x86, keyId, index);
}

export function keyCountKey(keyId: Uint8Array): Uint8Array {
  return prefixed(0x87, keyId);
}

export function termKey(term: Uint8Array, index: number): Uint8Array {
  return prefixed(0x88, term, index);
}

export function sequenceKey(tag: Uint8Array): Uint8Array {
  return prefixed(0x89, tag);
}

export function linkKey(tag: Uint8Array): Uint8Array {
  return prefixed(0x8a, tag);
}

export function erasureKey(erasureId: Uint8Array): Uint8Array {
  return prefixed(0x8b, erasureId);
}

export function exceptionKey(index: number): Uint8Array {
  return prefixed(0x8c, NO_NAME, index);
}

export function retiredKey(keyId: Uint8Array): Uint8Array {
  return prefixed(0x8e, keyId);
}

/** Of the `erasure` events of an erasure. */
export function tombstoneKey(erasureId: Uint8Array, index: number): Uint8Array {
  return prefixed(0x8f, erasureId, index);
}

export const tokensSaidKey: Uint8Array = Uint8Array.of(0x8d);

/** All rows that begin with one byte. */
export function rangeOf(prefix: number): { readonly from: Uint8Array; readonly to: Uint8Array } {
  return { from: Uint8Array.of(prefix), to: Uint8Array.of(prefix + 1) };
}

/** The index that ends a key. Throws `storage_failed`. */
export function indexOfKey(key: Uint8Array): number {
  return parseIndex(key.subarray(-INDEX_BYTES));
}

const NO_NAME = new Uint8Array(0);

function prefixed(prefix: number, name: Uint8Array, index?: number): Uint8Array {
  const key = new Uint8Array(1 + name.length + (index === undefined ? 0 : INDEX_BYTES));
  key[0] = prefix;
  key.set(name, 1);
  if (index !== undefined) writeIndex(key, 1 + name.length, index);
  return key;
}

/** The 8 bytes of a leaf index, big-endian, so that keys sort as the leaves do. */
export function formatIndex(index: number): Uint8Array {
  const bytes = new Uint8Array(INDEX_BYTES);
  writeIndex(bytes, 0, index);
  return bytes;
}

function writeIndex(bytes: Uint8Array, at: number, index: number): void {
  if (!Number.isSafeInteger(index) || index < 0) throw new RangeError('index expected: a whole number');
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, INDEX_BYTES);
  view.setUint32(0, Math.floor(index / 2 ** 32));
  view.setUint32(4, index % 2 ** 32);
}

/** Throws `storage_failed` for anything but 8 bytes of a number below 2^53. */
export function parseIndex(bytes: Uint8Array): number {
  if (bytes.length === INDEX_BYTES) {
    const index = Number(Buffer.from(bytes).readBigUInt64BE());
    if (Number.isSafeInteger(index)) return index;
  }
  throw new NewelError('storage_failed', 'a stored row of the vault is not a leaf index');
}

/** A data key as it is stored: whose it is, and the key. */
export interface DataKeyRow {
  readonly ownerTag: Uint8Array;
  /** The number of the epoch whose key seals it. */
  readonly epoch: number;
  readonly sealedKey: Uint8Array;
}

const EPOCH_BYTES = 4;

export function formatDataKeyRow({ ownerTag, epoch, sealedKey }: DataKeyRow): Uint8Array {
  const number = Buffer.alloc(EPOCH_BYTES);
  number.writeUInt32BE(epoch);
  return Buffer.concat([ownerTag, number, sealedKey]);
}

/** Throws `storage_failed`. */
export function parseDataKeyRow(bytes: Uint8Array): DataKeyRow {
  if (bytes.length !== TAG_BYTES + EPOCH_BYTES + SEALED_KEY_BYTES) {
    throw new NewelError('storage_failed', 'a stored data key is damaged');
  }
  return {
    ownerTag: bytes.subarray(0, TAG_BYTES),
    epoch: Buffer.from(bytes).readUInt32BE(TAG_BYTES),
    sealedKey: bytes.subarray(TAG_BYTES + EPOCH_BYTES),
  };
}

/** What is stored of an event: who may unlock it, and the record itself, sealed. */
export interface RecordRow {
  readonly eventId: Uint8Array;
  /** Of (source, id); names the row that leads here. */
  readonly idTag: Uint8Array;
  /** The data key that the seed is sealed under. */
  readonly keyId: Uint8Array;
  readonly sealedSeed: Uint8Array;
  /** What the leaf commits to; public, and here so that a record is opened without reading the leaf. */
  readonly commitment: Uint8Array;
  /** HMAC-SHA-256 of the event as it was sent, under a key from the seed: of no use to anyone once that is gone. */
  readonly contentMac: Uint8Array;
  readonly sealedRecord: Uint8Array;
}

const cbor = { useRecords: false, tagUint8Array: false, copyBuffers: true };
const encoder = new Encoder(cbor);
const decoder = new Decoder(cbor);

/** CBOR of our own arrays. Never hashed, never signed: that is for `formats/cbor.ts`. */
export function encodeOwn(value: readonly unknown[]): Uint8Array {
  return encoder.encode(value);
}

/** Throws whatever cbor-x throws for bytes that are damaged. */
export function decodeOwn(bytes: Uint8Array): unknown {
  return decoder.decode(bytes);
}

/** What was encoded one after the other. */
export function decodeOwnSequence(bytes: Uint8Array): unknown {
  return decoder.decodeMultiple(bytes);
}

export function formatRecordRow(row: RecordRow): Uint8Array {
  const { eventId, idTag, keyId, sealedSeed, commitment, contentMac, sealedRecord } = row;
  return encodeOwn([RECORD_VERSION, eventId, idTag, keyId, sealedSeed, commitment, contentMac, sealedRecord]);
}

/** What is left of an event that was erased: nothing that opens, and the leaf of the erasure that says so. */
export interface Marker {
  readonly eventId: Uint8Array;
  readonly idTag: Uint8Array;
  readonly erasedBy: number;
  /** The term of its source, so that it can be told whose it was. */
  readonly sourceTerm: Uint8Array;
}

export function formatMarker({ eventId, idTag, erasedBy, sourceTerm }: Marker): Uint8Array {
  return encodeOwn([RECORD_VERSION, eventId, idTag, erasedBy, sourceTerm]);
}

const MARKER_LENGTH = 5;

/** Throws `storage_failed`. */
export function parseRecordRow(bytes: Uint8Array): RecordRow | Marker {
  let value: unknown;
  try {
    value = decodeOwn(bytes);
  } catch (cause) {
    throw new NewelError('storage_failed', 'a stored record is damaged', { cause });
  }
  if (Array.isArray(value) && value.length === MARKER_LENGTH) return markerOf(value);
  const [version, eventId, idTag, keyId, sealedSeed, commitment, contentMac, sealedRecord] = arrayOf(
    value,
    8,
  );
  assertVersion(version);
  return {
    eventId: bytesOf(eventId, EVENT_ID_BYTES),
    idTag: bytesOf(idTag, TAG_BYTES),
    keyId: bytesOf(keyId, KEY_ID_BYTES),
    sealedSeed: bytesOf(sealedSeed, SEALED_KEY_BYTES),
    commitment: bytesOf(commitment, COMMITMENT_BYTES),
    contentMac: bytesOf(contentMac, TAG_BYTES),
    sealedRecord: bytesOf(sealedRecord),
  };
}

function markerOf([version, eventId, idTag, erasedBy, sourceTerm]: readonly unknown[]): Marker {
  assertVersion(version);
  if (!Number.isSafeInteger(erasedBy) || (erasedBy as number) < 0) throw damagedRecord();
  return {
    eventId: bytesOf(eventId, EVENT_ID_BYTES),
    idTag: bytesOf(idTag, TAG_BYTES),
    erasedBy: erasedBy as number,
    sourceTerm: bytesOf(sourceTerm, TERM_BYTES),
  };
}

function assertVersion(version: unknown): void {
  if (version === RECORD_VERSION) return;
  throw new NewelError('storage_failed', `a stored record is not of version ${RECORD_VERSION}`);
}

/** The items of an array of that length. Throws `storage_failed`. */
export function arrayOf(value: unknown, length: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) throw damagedRecord();
  return value as readonly unknown[];
}

/** A byte string of that length, or of any. Throws `storage_failed`. */
export function bytesOf(value: unknown, length?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length))
    throw damagedRecord();
  return value;
}

export function damagedRecord(): NewelError {
  return new NewelError('storage_failed', 'a stored record is damaged');
}
