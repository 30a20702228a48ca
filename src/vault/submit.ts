/**
 * Accepting an event. The order is that of design §5; nothing before the append leaves a trace, and nothing after it can
 * fail without stopping the log.
 *
 *   prepare (parse, validate, whose source, commit the fields) → an earlier copy (under way, then stored)
 *         → data key → append leaf and rows in one batch
 *
 * The design looks for an earlier copy before it commits the fields. Here that is one step with the parsing, since it can
 * then be done in another thread; for a copy, what was made is thrown away.
 */

import { timingSafeEqual } from 'node:crypto';
import { NewelError } from '../errors.ts';
import { formatEventLeaf } from '../event/leaf.ts';
import { decodeUtf8 } from '../formats/text.ts';
import type { Appended, Reservation } from '../log/log.ts';
import type { Row } from '../storage/store.ts';
import { formatCanonical } from './canonical.ts';
import { contentOf } from './content.ts';
import { formatEventId } from './event-id.ts';
import { type Events, type EventsParts, storedEvent } from './events.ts';
import { GatheredReads } from './gathered-reads.ts';
import { hmac } from './hmac.ts';
import { InFlight } from './in-flight.ts';
import type { Prepare, Prepared } from './prepare.ts';
import { decodeRecord, type EventRecord, sealRecord } from './record.ts';
import { eventKey, formatIndex, formatRecordRow, idKey, parseIndex, recordKey } from './rows.ts';
import type { StoredEvent, Submission, Submitted } from './vault.ts';

/** What sealing, framing and the row's other members add to a record, at most. */
const RECORD_FRAME_BYTES = 512;

/** A submission once it is durable: what a second copy needs to be compared with it. */
interface Taken {
  readonly event: StoredEvent;
  readonly head: Appended['head'] | undefined;
  readonly contentKey: Uint8Array;
  readonly contentMac: Uint8Array;
  /** The content in one text, made only where the bytes are not the same. */
  readonly canonical: () => string;
}

interface AppendedAs {
  /** Of (source, id). */
  readonly tag: Uint8Array;
  readonly receivedTimeMs: number;
  readonly reservation: Reservation;
}

export class Submissions {
  readonly #parts: EventsParts;
  readonly #events: Events;
  readonly #prepare: Prepare;
  readonly #now: () => number;
  readonly #inFlight = new InFlight<Taken>();
  readonly #reads: GatheredReads;

  constructor(parts: EventsParts, events: Events, prepare: Prepare, now: () => number) {
    this.#parts = parts;
    this.#events = events;
    this.#prepare = prepare;
    this.#now = now;
    this.#reads = new GatheredReads(parts.store);
  }

  async submit(submission: Submission): Promise<Submitted> {
    try {
      return await this.#submit(submission);
    } finally {
      // Of no effect once the event has taken its place.
      submission.reservation.release();
    }
  }

  async #submit({ body, sources, idempotencyKey, submitter, reservation }: Submission): Promise<Submitted> {
    const receivedTimeMs = this.#now();
    if (sources.length === 0) throw new NewelError('forbidden', 'this token is of no source');
    const text = decodeUtf8(body);
    const prepared = await this.#prepare({ text, sources, idempotencyKey, submitter, receivedTimeMs });
    const tag = this.#parts.keyring.idTag(prepared.source, prepared.id);
    for (;;) {
      const first = this.#inFlight.find(tag);
      if (!first) break;
      // If the first copy fails, this one is the first.
      const taken = await first.catch(() => undefined);
      if (taken) return sameAs(taken, text, prepared);
    }
    let isFirst = false;
    const taken = await this.#inFlight.run(tag, async () => {
      const stored = await this.#findStored(tag);
      if (stored) return stored;
      isFirst = true;
      return this.#append(prepared, { tag, receivedTimeMs, reservation });
    });
    return isFirst ? { created: true, event: taken.event, head: taken.head } : sameAs(taken, text, prepared);
  }

  async #findStored(tag: Uint8Array): Promise<Taken | undefined> {
    const stored = await this.#reads.get(idKey(tag));
    if (!stored) return undefined;
    const opened = await this.#events.open(parseIndex(stored));
    // Its own tag is of its own source and id, as opening it has shown.
    if (!opened || !Buffer.from(opened.row.idTag).equals(tag)) {
      throw new NewelError('storage_failed', 'an id leads to a record that is not its own');
    }
    const { event, contentKey, row, record, payload } = opened;
    const { contentMac } = row;
    return { event, head: undefined, contentKey, contentMac, canonical: () => canonicalOf(payload, record) };
  }

  async #append(prepared: Prepared, { tag, receivedTimeMs, reservation }: AppendedAs): Promise<Taken> {
    const { log, keyring, signer } = this.#parts;
    const { subject, source, eventId, commitment, payload, encodedRecord, contentKey, contentMac } = prepared;
    const dataKey = await keyring.dataKey(subject === undefined ? { source } : { subject });
    const sealedSeed = keyring.sealSeed(dataKey, prepared.seed, eventId);
    const leaf = formatEventLeaf(commitment);
    let isSealed = false;
    const companions = (index: number): readonly Row[] => {
      // One key, one sealing: a second one would be under the same nonce.
      if (isSealed) throw new Error('bug: a record is sealed twice');
      isSealed = true;
      const sealedRecord = sealRecord(prepared.recordKey, encodedRecord, { index, commitment });
      const row = { eventId, idTag: tag, keyId: dataKey.id, sealedSeed, contentMac, sealedRecord };
      return [
        { key: eventKey(eventId), value: formatIndex(index) },
        { key: idKey(tag), value: formatIndex(index) },
        { key: recordKey(index), value: formatRecordRow(row) },
        ...dataKey.unstored,
      ];
    };
    const companionBytes = encodedRecord.length + RECORD_FRAME_BYTES;
    const { index, head } = await log.append({ entry: leaf, companions, companionBytes, reservation });
    dataKey.unstored = [];
    let decoded: EventRecord | undefined;
    const record = (): EventRecord => (decoded ??= decodeRecord(encodedRecord));
    const { id } = prepared;
    const event = storedEvent(
      {
        eventId: formatEventId(eventId),
        id,
        source,
        receivedTimeMs,
        record,
        index,
        leaf,
        payload,
        shown: () => prepared.shown,
      },
      signer,
    );
    return { event, head, contentKey, contentMac, canonical: () => canonicalOf(payload, record()) };
  }
}

/** Throws `id_conflict` where an earlier event of that id has other content than what is sent now. */
function sameAs(taken: Taken, text: string, { payload, encodedRecord }: Prepared): Submitted {
  const isSame =
    timingSafeEqual(hmac(taken.contentKey, text), taken.contentMac) ||
    canonicalOf(payload, decodeRecord(encodedRecord)) === taken.canonical();
  if (!isSame) {
    throw new NewelError('id_conflict', 'an event of this source has this id already, and other content');
  }
  return { created: false, event: taken.event, head: undefined };
}

/** What makes two submissions the same: everything but the order of members and the spelling of numbers and strings. */
function canonicalOf(payload: string, { profile, holder, disclosures }: EventRecord): string {
  return formatCanonical([profile, contentOf(payload, disclosures), holder ?? null]);
}
