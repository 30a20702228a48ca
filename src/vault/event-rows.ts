/** The rows that are written with the leaf of an event, in the same batch: the record, what leads to it, what it has moved. */

import type { LinkRule } from '../event/link.ts';
import type { Notice } from '../event/notice.ts';
import type { Batch, Row } from '../storage/store.ts';
import { formatEventId } from './event-id.ts';
import type { DataKey, Keyring } from './keyring.ts';
import type { Prepared } from './prepare.ts';
import { sealRecord } from './record.ts';
import {
  eventKey,
  exceptionKey,
  formatIndex,
  formatRecordRow,
  idKey,
  INDEX_BYTES,
  recordKey,
  TERM_BYTES,
  termKey,
} from './rows.ts';
import { sealSeed } from './seed.ts';
import type { Sealing } from './states.ts';
import { splitTerms } from './terms.ts';

/**
 * What is stored of an event beside its record, notices, terms and states, at most: the leaf, the seal and the other
 * members of the row, the rows that lead to it, its data key, and what has to be said of its transaction.
 */
const FRAME_BYTES = 1024;
/** A term and the leaf index in a key. */
const TERM_ROW_BYTES = 1 + TERM_BYTES + INDEX_BYTES;
/** `[]` */
const NO_NOTICES = 2;
const NOTHING = new Uint8Array(0);

/** What is written with an event, in the same batch. */
export type Extra = (index: number, eventId: string) => Batch;

/** What placing an event has moved. */
export interface Moved {
  readonly notices: readonly Notice[];
  readonly rows: readonly Row[];
  readonly breaches: readonly LinkRule[];
}

export interface EventToWrite {
  readonly prepared: Prepared;
  /** Of (source, id). */
  readonly tag: Uint8Array;
  readonly dataKey: DataKey;
  readonly moved: Moved;
  readonly extra: Extra | undefined;
}

/** Bytes of its rows, at most. */
export function bytesOfEvent({ terms, encodedRecord }: Prepared, { notices, rows }: Moved): number {
  const movedBytes = rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const termBytes = (terms.length / TERM_BYTES) * TERM_ROW_BYTES;
  const noticeBytes = notices.length === 0 ? NO_NOTICES : Buffer.byteLength(JSON.stringify(notices));
  return encodedRecord.length + termBytes + movedBytes + noticeBytes + FRAME_BYTES;
}

/** What makes its rows, once, when the round knows the index. */
export function rowsOfEvent(
  { keyring, sealing }: { readonly keyring: Keyring; readonly sealing: Sealing },
  { prepared, tag, dataKey, moved, extra }: EventToWrite,
): (index: number) => Batch {
  const { eventId, commitment, encodedRecord, contentMac } = prepared;
  const { notices, rows, breaches } = moved;
  const sealedSeed = sealSeed(dataKey.key, prepared.seed, eventId);
  let isSealed = false;
  return (index) => {
    // One key, one sealing: a second one would be under the same nonce.
    if (isSealed) throw new Error('bug: a record is sealed twice');
    isSealed = true;
    const sealedRecord = sealRecord(prepared.recordKey, encodedRecord, notices, { index, commitment });
    const row = { eventId, idTag: tag, keyId: dataKey.id, sealedSeed, commitment, contentMac, sealedRecord };
    const place = formatIndex(index);
    const puts: Row[] = [
      { key: eventKey(eventId), value: place },
      { key: idKey(tag), value: place },
      { key: recordKey(index), value: formatRecordRow(row) },
      ...keyring.addEvent(dataKey, index),
      ...splitTerms(prepared.terms).map((term) => ({ key: termKey(term, index), value: NOTHING })),
      ...rows,
    ];
    if (breaches.length > 0) {
      const unsaid = { event_id: formatEventId(eventId), rules: breaches };
      puts.push(sealing.jsonRow(exceptionKey(index), unsaid));
    }
    const more = extra?.(index, formatEventId(eventId));
    return { puts: more ? [...puts, ...more.puts] : puts, deletes: more?.deletes ?? [] };
  };
}
