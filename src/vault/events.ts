/**
 * Reading events back. Nothing that was stored is believed for itself: the payload is made again from the disclosures
 * and must be what the leaf in the verified tree commits to, and the record opens only for that leaf.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { commitmentOf, formatEventLeaf } from '../event/leaf.ts';
import { formatPayload } from '../event/statement.ts';
import { NewelError } from '../errors.ts';
import type { JsonObject } from '../formats/json.ts';
import type { Log } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import { contentOf } from './content.ts';
import { digestOfDisclosure, encodeDisclosure } from './disclosure.ts';
import { EventErasedError } from './erased.ts';
import { formatEventId, parseEventId } from './event-id.ts';
import type { Keyring } from './keyring.ts';
import { type OpenRecord, openRecord } from './record.ts';
import { type Issuing, openClaimsOf } from './open-claims.ts';
import {
  damagedRecord,
  eventKey,
  type Marker,
  parseIndex,
  parseRecordRow,
  recordKey,
  type RecordRow,
} from './rows.ts';
import { keysOfSeed, openSeed } from './seed.ts';
import { showDisclosures, type StatementSigner } from './statement-key.ts';
import { storedEvent } from './stored-event.ts';
import type { Terms } from './terms.ts';
import type { StoredEvent } from './vault.ts';

export interface EventsParts {
  readonly log: Log;
  readonly store: Store;
  readonly keyring: Keyring;
  readonly signer: StatementSigner;
  readonly issuing: Issuing;
  readonly terms: Terms;
}

/** A record in clear, with what only this room may see of it. */
export interface OpenedRecord {
  readonly id: string;
  readonly source: string;
  readonly row: RecordRow;
  readonly contentKey: Uint8Array;
  readonly record: OpenRecord;
  /** The event in its canonical form. */
  readonly content: JsonObject;
  readonly payload: string;
}

export interface OpenedEvent extends OpenedRecord {
  readonly event: StoredEvent;
}

/** Events that are opened in one turn. */
const OPENED_AT_ONCE = 25;

export class Events {
  readonly #parts: EventsParts;

  constructor(parts: EventsParts) {
    this.#parts = parts;
  }

  /** The event with this `event_id`, if the revealed tree has it. Throws `event_erased` where its content is gone. */
  async find(eventId: string): Promise<StoredEvent | undefined> {
    const id = parseEventId(eventId);
    if (!id) return undefined;
    const [stored] = await this.#parts.store.getMany([eventKey(id)]);
    if (!stored) return undefined;
    const opened = await this.open(parseIndex(stored));
    if (opened && opened.event.eventId !== eventId) throw notItsLeaf(opened.event.leafIndex);
    return opened?.event;
  }

  /**
   * The event at a leaf; `undefined` beyond the revealed tree. Throws `event_erased`, or `storage_failed` where it is
   * damaged.
   */
  async open(index: number): Promise<OpenedEvent | undefined> {
    if (index >= this.#parts.log.revealed.size) return undefined;
    const [opened] = await this.openAll([index]);
    if (!opened) throw await erasedAt(this.#parts, index);
    return opened;
  }

  /** The events at leaves of the revealed tree; `undefined` for those that were erased. Throws `storage_failed`. */
  async openAll(indexes: readonly number[]): Promise<readonly (OpenedEvent | undefined)[]> {
    const { log } = this.#parts;
    const records = await readSealed(this.#parts, indexes);
    const leaves = records.map((sealed) => sealed && formatEventLeaf(sealed.row.commitment));
    const claimed = leaves.flatMap((entry, i) => (entry ? [{ index: indexes[i]!, entry }] : []));
    const stranger = await log.findStranger(claimed);
    if (stranger !== undefined) throw notItsLeaf(stranger);
    const opened: (OpenedEvent | undefined)[] = [];
    for (const [i, sealed] of records.entries()) {
      // Opening is work for the processor alone: others get their turn in between.
      if (i > 0 && i % OPENED_AT_ONCE === 0) await nextTurn();
      opened.push(sealed && this.#opened(sealed, indexes[i]!, leaves[i]!));
    }
    return opened;
  }

  #opened(sealed: SealedRecord, index: number, leaf: Uint8Array): OpenedEvent {
    const opened = openSealed(this.#parts, sealed, index);
    const { id, source, record, content, payload, row } = opened;
    const parts = {
      eventId: formatEventId(row.eventId),
      id,
      source,
      receivedTimeMs: record.receivedTimeMs,
      index,
      payload,
      leaf,
      notices: record.notices,
      record: () => record,
      content: () => content,
      shown: () => showDisclosures(record.disclosures.map(({ json }) => encodeDisclosure(json))),
    };
    return { ...opened, event: storedEvent(parts, this.#parts.signer) };
  }
}

/** What opening an event takes beside its leaf. */
export type OpeningParts = Pick<EventsParts, 'store' | 'keyring' | 'issuing' | 'terms'>;

/** The row of a leaf that is an event's. Throws `storage_failed` where there is none, or it is damaged. */
export async function readRecordRow(store: Store, index: number): Promise<RecordRow | Marker> {
  const [stored] = await store.getMany([recordKey(index)]);
  if (!stored) throw new NewelError('storage_failed', `the record of leaf ${index} is missing`);
  return parseRecordRow(stored);
}

/**
 * The record of a leaf, whose entry is the tree's. Throws `event_erased` where there is a marker in its place, and
 * `storage_failed` where what is stored does not fit to the leaf.
 */
export async function openRecordOf(
  parts: OpeningParts,
  index: number,
  entry: Uint8Array,
): Promise<OpenedRecord> {
  const [sealed] = await readSealed(parts, [index]);
  if (!sealed) throw await erasedAt(parts, index);
  if (!Buffer.from(formatEventLeaf(sealed.row.commitment)).equals(entry)) throw notItsLeaf(index);
  return openSealed(parts, sealed, index);
}

/** A record as it is stored, with its data key. */
interface SealedRecord {
  readonly row: RecordRow;
  readonly dataKey: Uint8Array;
}

/** How often to read again what an erasure may be at. */
const READ_TRIES = 3;

/** The records of leaves; `undefined` for those that were erased. */
async function readSealed(
  parts: OpeningParts,
  indexes: readonly number[],
): Promise<readonly (SealedRecord | undefined)[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await tryReadSealed(parts, indexes);
    } catch (error) {
      // Between the reading of a record and of its data key both may have been erased: then there is a marker now.
      const isLost = error instanceof NewelError && error.code === 'storage_failed';
      if (!isLost || tries === READ_TRIES) throw error;
    }
  }
}

async function tryReadSealed(
  { store, keyring }: OpeningParts,
  indexes: readonly number[],
): Promise<readonly (SealedRecord | undefined)[]> {
  const stored = await store.getMany(indexes.map(recordKey));
  const rows = stored.map((value, i) => {
    if (!value) throw new NewelError('storage_failed', `the record of leaf ${indexes[i]!} is missing`);
    return parseRecordRow(value);
  });
  const dataKeys = await keyring.openDataKeys(rows.map((row) => ('keyId' in row ? row.keyId : undefined)));
  return rows.map((row, i) => ('keyId' in row ? { row, dataKey: dataKeys[i]! } : undefined));
}

/** The record, whose row has the commitment of the leaf in the tree. */
function openSealed(
  { keyring, issuing }: OpeningParts,
  { row, dataKey }: SealedRecord,
  index: number,
): OpenedRecord {
  const { commitment } = row;
  const keys = keysOfSeed(openSeed(dataKey, row.sealedSeed, row.eventId));
  const record = openRecord(keys.recordKey, row.sealedRecord, { index, commitment });
  const open = openClaimsOf(issuing, row.eventId, record);
  const payload = formatPayload(open, record.disclosures, keys.statementRandom, digestOfDisclosure);
  const rebuilt = commitmentOf(Buffer.from(payload).toString('base64url'));
  if (!Buffer.from(rebuilt).equals(commitment)) throw notItsLeaf(index);
  const content = contentOf(record);
  const { id, source } = content;
  if (typeof id !== 'string' || typeof source !== 'string') throw damagedRecord();
  if (!Buffer.from(keyring.idTag(source, id)).equals(row.idTag)) throw notItsLeaf(index);
  return { id, source, row, contentKey: keys.contentKey, record, content, payload };
}

async function erasedAt({ store, terms }: OpeningParts, index: number): Promise<EventErasedError> {
  const row = await readRecordRow(store, index);
  if (!('erasedBy' in row)) throw new Error('bug: an event is neither there nor erased');
  return new EventErasedError(row, terms);
}

function notItsLeaf(index: number): NewelError {
  return new NewelError('storage_failed', `the record of leaf ${index} is not what the leaf commits to`);
}
