/**
 * The private zone's rows, in the key range of companions. Nothing in a key or beside a sealed record is personal:
 * event ids are random, tags are keyed hashes.
 *
 *   80                vault        version, index key sealed under the master key; written with leaf 0
 *   81 event_id16     → index8     where an event is
 *   82 id tag32       → index8     where a submitter's (source, id) is
 *   83 index8         record       what `RecordRow` has, in CBOR
 *   84 owner tag32    → key id16   whose data key is which
 *   85 key id16       data key     owner tag32, and the key sealed under the master key
 */

import { Decoder, Encoder } from 'cbor-x';
import { NewelError } from '../errors.ts';

/** Rows of a version that this code does not know are refused, never guessed at. */
export const RECORD_VERSION = 1;

export const EVENT_ID_BYTES = 16;
export const TAG_BYTES = 32;
export const KEY_ID_BYTES = 16;
/** nonce 12 · key 32 · tag 16 */
export const SEALED_KEY_BYTES = 60;
export const INDEX_BYTES = 8;

export const vaultKey: Uint8Array = Uint8Array.of(0x80);

export function eventKey(eventId: Uint8Array): Uint8Array {
  return prefixed(0x81, eventId);
}

export function idKey(tag: Uint8Array): Uint8Array {
  return prefixed(0x82, tag);
}

export function recordKey(index: number): Uint8Array {
  return prefixed(0x83, formatIndex(index));
}

export function ownerKey(tag: Uint8Array): Uint8Array {
  return prefixed(0x84, tag);
}

export function dataKeyKey(keyId: Uint8Array): Uint8Array {
  return prefixed(0x85, keyId);
}

function prefixed(prefix: number, rest: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + rest.length);
  key[0] = prefix;
  key.set(rest, 1);
  return key;
}

/** The 8 bytes of a leaf index, big-endian, so that keys sort as the leaves do. */
export function formatIndex(index: number): Uint8Array {
  const bytes = Buffer.alloc(INDEX_BYTES);
  bytes.writeBigUInt64BE(BigInt(index));
  return bytes;
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
  readonly sealedKey: Uint8Array;
}

export function formatDataKeyRow({ ownerTag, sealedKey }: DataKeyRow): Uint8Array {
  return Buffer.concat([ownerTag, sealedKey]);
}

/** Throws `storage_failed`. */
export function parseDataKeyRow(bytes: Uint8Array): DataKeyRow {
  if (bytes.length !== TAG_BYTES + SEALED_KEY_BYTES) {
    throw new NewelError('storage_failed', 'a stored data key is damaged');
  }
  return { ownerTag: bytes.subarray(0, TAG_BYTES), sealedKey: bytes.subarray(TAG_BYTES) };
}

/** What is stored of an event: who may unlock it, and the record itself, sealed. */
export interface RecordRow {
  readonly eventId: Uint8Array;
  /** Of (source, id); names the row that leads here. */
  readonly idTag: Uint8Array;
  /** The data key that the seed is sealed under. */
  readonly keyId: Uint8Array;
  readonly sealedSeed: Uint8Array;
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

export function formatRecordRow(row: RecordRow): Uint8Array {
  const { eventId, idTag, keyId, sealedSeed, contentMac, sealedRecord } = row;
  return encodeOwn([RECORD_VERSION, eventId, idTag, keyId, sealedSeed, contentMac, sealedRecord]);
}

/** Throws `storage_failed`. */
export function parseRecordRow(bytes: Uint8Array): RecordRow {
  let value: unknown;
  try {
    value = decodeOwn(bytes);
  } catch (cause) {
    throw new NewelError('storage_failed', 'a stored record is damaged', { cause });
  }
  const [version, eventId, idTag, keyId, sealedSeed, contentMac, sealedRecord] = arrayOf(value, 7);
  if (version !== RECORD_VERSION) {
    throw new NewelError('storage_failed', `a stored record is not of version ${RECORD_VERSION}`);
  }
  return {
    eventId: bytesOf(eventId, EVENT_ID_BYTES),
    idTag: bytesOf(idTag, TAG_BYTES),
    keyId: bytesOf(keyId, KEY_ID_BYTES),
    sealedSeed: bytesOf(sealedSeed, SEALED_KEY_BYTES),
    contentMac: bytesOf(contentMac, TAG_BYTES),
    sealedRecord: bytesOf(sealedRecord),
  };
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
