/**
 * What the log says that it erased, held against what was: each marker names the `erasure` event that names its leaf, each
 * such event names leaves that have markers, and each erasure lists its events.
 *
 *   83 marker ⇄ `erasure` event ⇄ 8f of 8b
 */

import { LOG_SOURCE } from '../event/log-events.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../formats/json.ts';
import type { Row } from '../storage/store.ts';
import { parseErasureId } from './erasure-row.ts';
import { formatEventId } from './event-id.ts';
import { type OpenedRecord, type OpeningParts, openRecordOf, readRecordRow } from './events.ts';
import { pagesOf } from './row-pages.ts';
import { erasureKey, EVENT_ID_BYTES, INDEX_BYTES, indexOfKey, tombstoneKey } from './rows.ts';
import type { Sealing } from './states.ts';

export interface ErasuresToCheck extends OpeningParts {
  readonly sealing: Sealing;
  /** Entries of the tree: [first, first + count). */
  readonly readEntries: (first: number, count: number) => Promise<readonly Uint8Array[]>;
}

/** What an `erasure` event says. */
interface Said {
  readonly erasureId: string;
  readonly leafIndexes: readonly number[];
}

/** Throws `storage_failed` where the leaf that a marker names does not say that it is erased. */
export async function checkMarker(parts: ErasuresToCheck, index: number, by: number): Promise<void> {
  const said = saidBy((await openedAt(parts, by, 'its marker names')).content);
  if (!said?.leafIndexes.includes(index))
    throw wrong(`its marker names leaf ${by}, which does not say that it is erased`);
}

/** Throws `storage_failed` where an `erasure` event names a leaf without such a marker, or is that of no erasure. */
export async function checkSaid(
  { store }: ErasuresToCheck,
  index: number,
  content: JsonObject,
): Promise<void> {
  const said = saidBy(content);
  if (!said) return;
  for (const erased of said.leafIndexes) {
    const other = await readRecordRow(store, erased);
    if ('erasedBy' in other && other.erasedBy === index) continue;
    throw wrong(`it says that leaf ${erased} is erased, which has no marker that names it`);
  }
  const id = parseErasureId(said.erasureId);
  const [listed] = id ? await store.getMany([tombstoneKey(id, index)]) : [];
  if (!listed) throw wrong('it says that leaves are erased, and its erasure does not list it');
}

/** 8f → 8b, 83: what an erasure lists says so. */
export async function checkTombstones(parts: ErasuresToCheck): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(parts.store, 0x8f)) {
    const stored = await parts.store.getMany(rows.map(({ key }) => erasureKey(idIn(key))));
    for (const [i, row] of rows.entries()) {
      if (row.key.length !== 1 + EVENT_ID_BYTES + INDEX_BYTES || !stored[i])
        findings.push('an erasure that is not there lists an event');
      else findings.push(...(await checkTombstone(parts, row)));
    }
  }
  return findings;
}

async function checkTombstone(parts: ErasuresToCheck, { key, value }: Row): Promise<string[]> {
  const index = indexOfKey(key);
  try {
    const { row, content } = await openedAt(parts, index, 'an erasure lists');
    const said = saidBy(content);
    const id = said && parseErasureId(said.erasureId);
    const listed = parts.sealing.openJson(key, value) as JsonValue;
    const isSame =
      id !== undefined &&
      Buffer.from(id).equals(idIn(key)) &&
      isJsonObject(listed) &&
      listed['eventId'] === formatEventId(row.eventId) &&
      listed['erased'] === said?.leafIndexes.length;
    return isSame ? [] : [`leaf ${index}: an erasure lists it otherwise than it says`];
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return [`leaf ${index}: ${error.message}`];
  }
}

async function openedAt(parts: ErasuresToCheck, index: number, who: string): Promise<OpenedRecord> {
  try {
    const [entry] = await parts.readEntries(index, 1);
    if (entry) return await openRecordOf(parts, index, entry);
  } catch (cause) {
    throw wrong(`${who} leaf ${index}, which does not open`, cause);
  }
  throw wrong(`${who} leaf ${index}, which there is not`);
}

/** `undefined` for another event. */
function saidBy({ source, type, ext }: JsonObject): Said | undefined {
  // Others may use the type as well, and what they say erases nothing.
  if (source !== LOG_SOURCE || type !== 'erasure' || !isJsonObject(ext)) return undefined;
  const said = ext['newel:erasure'];
  const { erasure_id: erasureId, leaf_indexes: leafIndexes } = isJsonObject(said) ? said : {};
  if (!Array.isArray(leafIndexes)) return undefined;
  return {
    erasureId: typeof erasureId === 'string' ? erasureId : '',
    leafIndexes: leafIndexes.map(Number),
  };
}

function idIn(key: Uint8Array): Uint8Array {
  return key.subarray(1, 1 + EVENT_ID_BYTES);
}

function wrong(message: string, cause?: unknown): NewelError {
  return new NewelError('storage_failed', message, { cause });
}
