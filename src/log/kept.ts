/**
 * Published checkpoints as they are stored: the newest of each slot, and those that are kept with their lines, so that a
 * receipt can be made on the earliest one that covers its leaf. All are kept for a week, then of each minute the first,
 * and the first that was witnessed.
 *
 *   slot, kept checkpoint    time8 note               when it was published, and the note as served
 *   witnessed mark                                    empty: the kept checkpoint of that size met that policy
 *   thinned mark             size8 time8 time8        the last kept checkpoint that was looked at; when the last one that
 *                                                     stays was published, and the last witnessed one
 */

import { NewelError } from '../errors.ts';
import {
  checkpointKey,
  numberOfKey,
  readUint64,
  type Slot,
  slotKey,
  thinnedMarkKey,
  witnessedKey,
  writeUint64,
} from '../storage/keys.ts';
import type { Batch, Row, Store } from '../storage/store.ts';
import { KEEP_ONE_EVERY_MS } from './limits.ts';

/** A checkpoint that has left, or may leave, the house. */
export interface Publication {
  readonly size: number;
  readonly root: Uint8Array;
  readonly timeMs: number;
  /** The signed note, as served. */
  readonly checkpoint: Uint8Array;
}

export interface KeptCheckpoint {
  readonly timeMs: number;
  readonly checkpoint: Uint8Array;
}

/** Rows looked at by one publication: thinning keeps up with any cadence and never makes a round wait. */
const THINNED_AT_ONCE = 64;
/** Witnessed marks that are followed at once, looking for one whose checkpoint serves. */
const MARKS_AT_ONCE = 16;

export function slotRow(slot: Slot | 'shown', kept: KeptCheckpoint): Row {
  return { key: slotKey(slot), value: formatKept(kept) };
}

export function keptRow(size: number, kept: KeptCheckpoint): Row {
  return { key: checkpointKey(size), value: formatKept(kept) };
}

/** What the slot holds, or `undefined`. */
export async function readSlot(store: Store, slot: Slot | 'shown'): Promise<KeptCheckpoint | undefined> {
  const [value] = await store.getMany([slotKey(slot)]);
  return value && parseKept(value);
}

/** The kept checkpoint of that size, or `undefined`. */
export async function readKept(store: Store, size: number): Promise<KeptCheckpoint | undefined> {
  const [value] = await store.getMany([checkpointKey(size)]);
  return value && parseKept(value);
}

/** Sizes of kept checkpoints of at least `since` leaves: the `limit` smallest and the `limit` largest. */
export async function readKeptSizes(store: Store, since: number, limit: number): Promise<number[]> {
  const range = { from: checkpointKey(since), to: checkpointKey(Number.MAX_SAFE_INTEGER), limit };
  const rows = await Promise.all([store.scan(range), store.scan({ ...range, reverse: true })]);
  return rows.flat().map(({ key }) => numberOfKey(key));
}

/** The earliest kept checkpoint of a tree that has leaf `index`, or `undefined`. */
export async function readCheckpointCovering(
  store: Store,
  index: number,
): Promise<KeptCheckpoint | undefined> {
  const range = { from: checkpointKey(index + 1), to: checkpointKey(Number.MAX_SAFE_INTEGER), limit: 1 };
  const [row] = await store.scan(range);
  return row && parseKept(row.value);
}

/**
 * The earliest kept checkpoint of a tree that has leaf `index`, met the policy of that id, and `serves`: what is marked is
 * looked at again before it is believed.
 */
export async function readWitnessedCovering(
  store: Store,
  policyId: Uint8Array,
  index: number,
  serves: (kept: KeptCheckpoint) => boolean,
): Promise<KeptCheckpoint | undefined> {
  const to = witnessedKey(policyId, Number.MAX_SAFE_INTEGER);
  for (let from = witnessedKey(policyId, index + 1); ;) {
    const marks = await store.scan({ from, to, limit: MARKS_AT_ONCE });
    const sizes = marks.map(({ key }) => numberOfKey(key));
    for (const value of await store.getMany(sizes.map(checkpointKey))) {
      const kept = value && parseKept(value);
      if (kept && serves(kept)) return kept;
    }
    if (marks.length < MARKS_AT_ONCE) return undefined;
    from = witnessedKey(policyId, sizes.at(-1)! + 1);
  }
}

/**
 * Removes kept checkpoints published before `untilMs`, but for the first of each minute and the first witnessed one, and
 * never the newest, of `newestSize`: every leaf that is published stays covered by one that is kept.
 */
export async function thin(
  store: Store,
  policyId: Uint8Array,
  newestSize: number,
  untilMs: number,
): Promise<Batch> {
  const [mark] = await store.getMany([thinnedMarkKey]);
  let size = mark ? readUint64(mark, 0) : 0;
  let keptMs = mark ? readUint64(mark, 8) : 0;
  let witnessedMs = mark && mark.length >= 24 ? readUint64(mark, 16) : 0;
  const before = size;
  const range = { from: checkpointKey(size + 1), to: checkpointKey(newestSize), limit: THINNED_AT_ONCE };
  // Nearly always the first one is too new, and the others are not looked at.
  const [oldest] = await store.scan({ ...range, limit: 1 });
  if (!oldest || parseKept(oldest.value).timeMs >= untilMs) return { puts: [] };
  const rows = await store.scan(range);
  const marks = await store.getMany(rows.map(({ key }) => witnessedKey(policyId, numberOfKey(key))));
  const deletes: Uint8Array[] = [];
  for (const [i, { key, value }] of rows.entries()) {
    const { timeMs } = parseKept(value);
    if (timeMs >= untilMs) break;
    size = numberOfKey(key);
    const isWitnessed = marks[i] !== undefined;
    if (!isSameMinute(timeMs, keptMs) || (isWitnessed && !isSameMinute(timeMs, witnessedMs))) {
      keptMs = timeMs;
      if (isWitnessed) witnessedMs = timeMs;
      continue;
    }
    deletes.push(key);
    if (isWitnessed) deletes.push(witnessedKey(policyId, size));
  }
  if (size === before) return { puts: [] };
  const value = new Uint8Array(24);
  writeUint64(value, 0, size);
  writeUint64(value, 8, keptMs);
  writeUint64(value, 16, witnessedMs);
  return { puts: [{ key: thinnedMarkKey, value }], deletes };
}

function isSameMinute(aMs: number, bMs: number): boolean {
  return Math.floor(aMs / KEEP_ONE_EVERY_MS) === Math.floor(bMs / KEEP_ONE_EVERY_MS);
}

function formatKept({ timeMs, checkpoint }: KeptCheckpoint): Uint8Array {
  const bytes = new Uint8Array(8 + checkpoint.length);
  writeUint64(bytes, 0, timeMs);
  bytes.set(checkpoint, 8);
  return bytes;
}

function parseKept(bytes: Uint8Array): KeptCheckpoint {
  if (bytes.length <= 8) throw new NewelError('storage_failed', 'a kept checkpoint is damaged');
  try {
    return { timeMs: readUint64(bytes, 0), checkpoint: bytes.subarray(8) };
  } catch (cause) {
    throw new NewelError('storage_failed', 'a kept checkpoint is damaged', { cause });
  }
}
