/**
 * What recovery demands of the private zone: each event in the tree has its record or the marker of its erasure, event id
 * and submitter's id lead to it, and its data key is there. A database that has lost records while its tree is whole is
 * refused like one that has lost leaves. No key is needed for it.
 */

import { EVENT_LEAF_VERSION, formatEventLeaf, parseLeaf } from '../event/leaf.ts';
import { NewelError } from '../errors.ts';
import type { Store } from '../storage/store.ts';
import {
  dataKeyKey,
  eventKey,
  formatIndex,
  idKey,
  keyCountKey,
  keyEventKey,
  ownerKey,
  parseDataKeyRow,
  type Marker,
  parseRecordRow,
  recordKey,
  type RecordRow,
  retiredKey,
} from './rows.ts';

/** Proves the records of the leaves from `first` on. Throws `log_refused`, naming the leaf. */
export async function proveRecords(
  store: Store,
  first: number,
  entries: readonly Uint8Array[],
): Promise<void> {
  const indexes = entries.flatMap((entry, i) =>
    versionOf(entry, first + i) === EVENT_LEAF_VERSION ? [first + i] : [],
  );
  const stored = await store.getMany(indexes.map(recordKey));
  const rows = stored.map((value, i) => rowOf(value, indexes[i]!));
  const leads = await store.getMany(rows.flatMap(({ eventId, idTag }) => [eventKey(eventId), idKey(idTag)]));
  leads.forEach((value, i) => {
    const index = indexes[Math.floor(i / 2)]!;
    if (value && Buffer.from(value).equals(formatIndex(index))) return;
    throw lost(index, i % 2 === 0 ? 'its event id does not lead to it' : 'its id does not lead to it');
  });
  rows.forEach((row, i) => {
    const index = indexes[i]!;
    if (!('keyId' in row)) return;
    if (Buffer.from(formatEventLeaf(row.commitment)).equals(entries[index - first]!)) return;
    throw lost(index, 'its record is of another leaf');
  });
  const sealed = rows.flatMap((row, i) => ('keyId' in row ? [{ keyId: row.keyId, index: indexes[i]! }] : []));
  const listed = await store.getMany(sealed.map(({ keyId, index }) => keyEventKey(keyId, index)));
  listed.forEach((value, i) => {
    if (!value) throw lost(sealed[i]!.index, 'its data key does not lead to it');
  });
  await proveDataKeys(store, new Map(sealed.map((key) => [Buffer.from(key.keyId).toString('hex'), key])));
}

/** Each data key once, with the leaf of an event under it. */
async function proveDataKeys(store: Store, keys: ReadonlyMap<string, KeyOfLeaf>): Promise<void> {
  const used = [...keys.values()];
  const stored = await store.getMany(used.flatMap(({ keyId }) => [dataKeyKey(keyId), keyCountKey(keyId)]));
  const tags = used.map(({ index }, i) => {
    if (!stored[2 * i + 1]) throw lost(index, 'the count of its data key is missing');
    return ownerTagOf(stored[2 * i], index);
  });
  const leads = await store.getMany(used.flatMap(({ keyId }, i) => [ownerKey(tags[i]!), retiredKey(keyId)]));
  used.forEach(({ keyId, index }, i) => {
    const owned = leads[2 * i];
    const isRetired = leads[2 * i + 1] !== undefined;
    if (isRetired || (owned && Buffer.from(owned).equals(keyId))) return;
    throw lost(index, 'its data key is not the one of its owner');
  });
}

interface KeyOfLeaf {
  readonly keyId: Uint8Array;
  readonly index: number;
}

function ownerTagOf(value: Uint8Array | undefined, index: number): Uint8Array {
  if (!value) throw lost(index, 'its data key is missing');
  try {
    return parseDataKeyRow(value).ownerTag;
  } catch (cause) {
    throw lost(index, 'its data key is damaged', cause);
  }
}

function versionOf(entry: Uint8Array, index: number): number {
  try {
    return parseLeaf(entry).version;
  } catch (cause) {
    throw lost(index, 'it is no leaf of an event log', cause);
  }
}

function rowOf(value: Uint8Array | undefined, index: number): RecordRow | Marker {
  if (!value) throw lost(index, 'its record is missing');
  try {
    return parseRecordRow(value);
  } catch (cause) {
    throw lost(index, 'its record is damaged', cause);
  }
}

function lost(index: number, what: string, cause?: unknown): NewelError {
  return new NewelError(
    'log_refused',
    `leaf ${index}: ${what}. The database has lost or changed what was acknowledged. ` +
      'Do not repair it; keep it, and bring back a whole copy of the newest state',
    { cause },
  );
}
