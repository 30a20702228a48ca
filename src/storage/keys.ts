/**
 * The keyspace: one byte of prefix, then fixed-width big-endian numbers, so that keys sort as their coordinates do.
 *
 *   01                          identity        what this database is; written once
 *   02                          head            the newest signed tree head, a signed note
 *   03                          proved mark     round number up to which nothing is re-read at open
 *   04 slot                     publication     the newest checkpoint of a slot
 *   05                          thinned mark    how far kept checkpoints have been thinned
 *   06                          accepted clock  which last head was accepted as signed under a wrong clock
 *   07                          witness sizes   the size that each witness has cosigned last, as far as it is known
 *   08 time8                    start           that a start did not wait for witnesses, and for which
 *   10 level index8             tile            1 … 256 hashes of 32 bytes, as wide as the tree
 *   11 first8                   entries         a run of entries from leaf `first`, within one bundle
 *   12 round8                   round record
 *   13 hash32 index8            leaf index      empty value; the key says it all
 *   14 size8                    kept checkpoint
 *   15 policy8 size8            witnessed       empty: the kept checkpoint of that size met the policy with that hash
 *   80 … ff                     companions      the key range of whoever appends
 */

const KEY = {
  identity: 0x01,
  head: 0x02,
  provedMark: 0x03,
  slot: 0x04,
  thinnedMark: 0x05,
  acceptedClock: 0x06,
  witnessSizes: 0x07,
  start: 0x08,
  tile: 0x10,
  entries: 0x11,
  round: 0x12,
  leaf: 0x13,
  checkpoint: 0x14,
  witnessed: 0x15,
  companions: 0x80,
} as const;

/** Bytes of a number in a key. */
const NUMBER_BYTES = 8;

export const identityKey: Uint8Array = Uint8Array.of(KEY.identity);
export const headKey: Uint8Array = Uint8Array.of(KEY.head);
export const provedMarkKey: Uint8Array = Uint8Array.of(KEY.provedMark);
export const thinnedMarkKey: Uint8Array = Uint8Array.of(KEY.thinnedMark);
export const acceptedClockKey: Uint8Array = Uint8Array.of(KEY.acceptedClock);
export const witnessSizesKey: Uint8Array = Uint8Array.of(KEY.witnessSizes);

/** Publication slots, in the order of their strength; and what was shown last, where they do not say it (log/shown.ts). */
const SLOTS = { none: 0, fast: 1, public: 2, shown: 3 } as const;
export type Slot = Exclude<keyof typeof SLOTS, 'shown'>;

export function slotKey(slot: keyof typeof SLOTS): Uint8Array {
  return Uint8Array.of(KEY.slot, SLOTS[slot]);
}

export function tileKey(level: number, index: number): Uint8Array {
  const key = new Uint8Array(2 + NUMBER_BYTES);
  key[0] = KEY.tile;
  key[1] = level;
  writeUint64(key, 2, index);
  return key;
}

export function entriesKey(first: number): Uint8Array {
  return numberKey(KEY.entries, first);
}

export function roundKey(round: number): Uint8Array {
  return numberKey(KEY.round, round);
}

export function checkpointKey(size: number): Uint8Array {
  return numberKey(KEY.checkpoint, size);
}

/** `policyId` are the first 8 bytes of the hash of the policy. */
export function witnessedKey(policyId: Uint8Array, size: number): Uint8Array {
  const key = new Uint8Array(1 + policyId.length + NUMBER_BYTES);
  key[0] = KEY.witnessed;
  key.set(policyId, 1);
  writeUint64(key, 1 + policyId.length, size);
  return key;
}

export function startKey(timeMs: number): Uint8Array {
  return numberKey(KEY.start, timeMs);
}

/** With index 2^53 − 1 it is the end of the range of that hash. */
export function leafKey(hash: Uint8Array, index: number): Uint8Array {
  const key = new Uint8Array(1 + hash.length + NUMBER_BYTES);
  key[0] = KEY.leaf;
  key.set(hash, 1);
  writeUint64(key, 1 + hash.length, index);
  return key;
}

/** The number that ends a key. */
export function numberOfKey(key: Uint8Array): number {
  return readUint64(key, key.length - NUMBER_BYTES);
}

/** Whether a key lies in the range that companions may use. */
export function isCompanionKey(key: Uint8Array): boolean {
  return key.length > 0 && key[0]! >= KEY.companions;
}

/** Writes `value`, a whole number below 2^53, as 8 bytes, big-endian. */
export function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value % 2 ** 32);
}

/** Reads 8 bytes, big-endian. Throws `RangeError` for 2^53 and more. */
export function readUint64(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const value = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  if (!Number.isSafeInteger(value)) throw new RangeError('number expected below 2^53');
  return value;
}

function numberKey(prefix: number, value: number): Uint8Array {
  const key = new Uint8Array(1 + NUMBER_BYTES);
  key[0] = prefix;
  writeUint64(key, 1, value);
  return key;
}
