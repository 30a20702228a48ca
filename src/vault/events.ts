/**
 * Reading events back. Nothing that was stored is believed for itself: the payload is made again from the disclosures
 * and must be what the leaf in the verified tree commits to, and the record opens only for that leaf.
 */

import { commitmentOf, formatEventLeaf, parseLeaf } from '../event/leaf.ts';
import { formatPayload } from '../event/statement.ts';
import { NewelError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import { contentOf } from './content.ts';
import { encodeDisclosure } from './disclosure.ts';
import { formatEventId, parseEventId } from './event-id.ts';
import type { Keyring } from './keyring.ts';
import { type EventRecord, openRecord } from './record.ts';
import { type Issuing, openClaimsOf } from './open-claims.ts';
import { damagedRecord, eventKey, parseIndex, parseRecordRow, recordKey, type RecordRow } from './rows.ts';
import { keysOfSeed } from './seed.ts';
import { showDisclosures, type StatementSigner } from './statement-key.ts';
import type { StoredEvent } from './vault.ts';

export interface EventsParts {
  readonly log: Log;
  readonly store: Store;
  readonly keyring: Keyring;
  readonly signer: StatementSigner;
  readonly issuing: Issuing;
}

/** A record in clear, with what only this room may see of it. */
export interface OpenedRecord {
  readonly id: string;
  readonly source: string;
  readonly row: RecordRow;
  readonly contentKey: Uint8Array;
  readonly record: EventRecord;
  readonly payload: string;
}

export interface OpenedEvent extends OpenedRecord {
  readonly event: StoredEvent;
}

export class Events {
  readonly #parts: EventsParts;

  constructor(parts: EventsParts) {
    this.#parts = parts;
  }

  /** The event with this `event_id`, if the revealed tree has it. */
  async find(eventId: string): Promise<StoredEvent | undefined> {
    const id = parseEventId(eventId);
    if (!id) return undefined;
    const [stored] = await this.#parts.store.getMany([eventKey(id)]);
    if (!stored) return undefined;
    const opened = await this.open(parseIndex(stored));
    if (opened && opened.event.eventId !== eventId) throw notItsLeaf(opened.event.leafIndex);
    return opened?.event;
  }

  /** The event at a leaf; `undefined` beyond the revealed tree. Throws `storage_failed` where it is damaged. */
  async open(index: number): Promise<OpenedEvent | undefined> {
    const { log } = this.#parts;
    if (index >= log.revealed.size) return undefined;
    const [leaf] = await log.readEntries(index, 1);
    const opened = await openRecordOf(this.#parts, index, leaf!);
    const { id, source, record, payload, row } = opened;
    const { receivedTimeMs } = record;
    const eventId = formatEventId(row.eventId);
    const parts = {
      eventId,
      id,
      source,
      receivedTimeMs,
      index,
      payload,
      leaf: leaf!,
      record: () => record,
      shown: () => showDisclosures(record.disclosures.map(({ json }) => encodeDisclosure(json))),
    };
    return { ...opened, event: storedEvent(parts, this.#parts.signer) };
  }
}

/** What opening an event takes beside its leaf. */
export type OpeningParts = Pick<EventsParts, 'store' | 'keyring' | 'issuing'>;

/** The record of a leaf, whose entry is the tree's. Throws `storage_failed` where what is stored does not fit to it. */
export async function openRecordOf(
  { store, keyring, issuing }: OpeningParts,
  index: number,
  entry: Uint8Array,
): Promise<OpenedRecord> {
  const [stored] = await store.getMany([recordKey(index)]);
  if (!stored) throw new NewelError('storage_failed', `the record of leaf ${index} is missing`);
  const row = parseRecordRow(stored);
  const leaf = parseLeaf(entry);
  if (!('commitment' in leaf)) throw notItsLeaf(index);
  const keys = keysOfSeed(await keyring.openSeed(row.keyId, row.sealedSeed, row.eventId));
  const record = openRecord(keys.recordKey, row.sealedRecord, { index, commitment: leaf.commitment });
  const open = openClaimsOf(issuing, row.eventId, record);
  const payload = formatPayload(open, record.disclosures, keys.statementRandom);
  const rebuilt = formatEventLeaf(commitmentOf(Buffer.from(payload).toString('base64url')));
  if (!Buffer.from(rebuilt).equals(entry)) throw notItsLeaf(index);
  const { id, source } = contentOf(payload, record.disclosures);
  if (typeof id !== 'string' || typeof source !== 'string') throw damagedRecord();
  if (!Buffer.from(keyring.idTag(source, id)).equals(row.idTag)) throw notItsLeaf(index);
  return { id, source, row, contentKey: keys.contentKey, record, payload };
}

/** What an event is made of when it is handed out: from a submission, or from its record. */
export interface EventParts {
  readonly eventId: string;
  readonly id: string;
  readonly source: string;
  readonly receivedTimeMs: number;
  /** Asked for only where something of it is. */
  readonly record: () => EventRecord;
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly payload: string;
  /** Its disclosures as they follow the signature; asked for only for a statement. */
  readonly shown: () => string;
}

export function storedEvent(parts: EventParts, signer: StatementSigner): StoredEvent {
  const { eventId, id, source, receivedTimeMs, record, index, leaf, payload, shown } = parts;
  return {
    eventId,
    id,
    source,
    get profile() {
      return record().profile;
    },
    leafIndex: index,
    leaf,
    receivedTimeMs,
    get content() {
      return contentOf(payload, record().disclosures);
    },
    statement: (alg) => signer.sign(alg, payload, shown()),
  };
}

function notItsLeaf(index: number): NewelError {
  return new NewelError('storage_failed', `the record of leaf ${index} is not what the leaf commits to`);
}
