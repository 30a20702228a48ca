/**
 * Accepting an event. The order is that of design §5; nothing before the append leaves a trace, and nothing after it can
 * fail without stopping the log.
 *
 *   parse → validate → whose source → an earlier copy (under way, then stored) → data key
 *         → commit the fields → append leaf and rows in one batch
 */

import { timingSafeEqual } from 'node:crypto';
import { NewelError } from '../errors.ts';
import { commitmentOf, formatEventLeaf } from '../event/leaf.ts';
import { type ParsedEvent, parseEvent } from '../event/parse-event.ts';
import { encodeStatement } from '../event/statement.ts';
import { type JsonValue, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';
import type { Appended } from '../log/log.ts';
import type { Row } from '../storage/store.ts';
import { formatCanonical } from './canonical.ts';
import { nodeDisclosureDigest } from './disclosure-digest.ts';
import { formatEventId, newEventId } from './event-id.ts';
import { type Events, type EventsParts, storedEvent } from './events.ts';
import { GatheredReads } from './gathered-reads.ts';
import { InFlight } from './in-flight.ts';
import { type EventRecord, encodeRecord, sealRecord } from './record.ts';
import { eventKey, formatIndex, formatRecordRow, idKey, parseIndex, recordKey } from './rows.ts';
import { contentMac, keysOfSeed, newSeed } from './seed.ts';
import type { StoredEvent, Submission, Submitted } from './vault.ts';

/** What sealing, framing and the row's other members add to a record, at most. */
const RECORD_FRAME_BYTES = 512;

/** A submission once it is durable: what a second copy needs to be compared with it. */
interface Taken {
  readonly event: StoredEvent;
  readonly head: Appended['head'] | undefined;
  readonly contentKey: Uint8Array;
  readonly contentMac: Uint8Array;
}

export class Submissions {
  readonly #parts: EventsParts;
  readonly #events: Events;
  readonly #now: () => number;
  readonly #inFlight = new InFlight<Taken>();
  readonly #reads: GatheredReads;

  constructor(parts: EventsParts, events: Events, now: () => number) {
    this.#parts = parts;
    this.#events = events;
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

  async #submit(submission: Submission): Promise<Submitted> {
    const receivedTimeMs = this.#now();
    const eventId = newEventId();
    const parsed = parse(submission, formatEventId(eventId));
    if (!submission.sources.includes(parsed.source)) {
      throw new NewelError('forbidden', 'this token is not of the source that the event names');
    }
    const content = formatContent(parsed);
    const tag = this.#parts.keyring.idTag(parsed.source, parsed.id);
    for (;;) {
      const first = this.#inFlight.find(tag);
      if (!first) break;
      // If the first copy fails, this one is the first.
      const taken = await first.catch(() => undefined);
      if (taken) return sameAs(taken, content);
    }
    let isFirst = false;
    const taken = await this.#inFlight.run(tag, async () => {
      const stored = await this.#findStored(tag);
      if (stored) return stored;
      isFirst = true;
      return this.#append(submission, parsed, { eventId, tag, content, receivedTimeMs });
    });
    return isFirst ? { created: true, event: taken.event, head: taken.head } : sameAs(taken, content);
  }

  async #findStored(tag: Uint8Array): Promise<Taken | undefined> {
    const stored = await this.#reads.get(idKey(tag));
    if (!stored) return undefined;
    const opened = await this.#events.open(parseIndex(stored));
    if (!opened || !Buffer.from(opened.row.idTag).equals(tag)) {
      throw new NewelError('storage_failed', 'an id leads to a record that is not its own');
    }
    const { event, keys, row } = opened;
    return { event, head: undefined, contentKey: keys.contentKey, contentMac: row.contentMac };
  }

  async #append(
    submission: Submission,
    { profile, event, subject, source, holder }: ParsedEvent,
    made: {
      readonly eventId: Uint8Array;
      readonly tag: Uint8Array;
      readonly content: string;
      readonly receivedTimeMs: number;
    },
  ): Promise<Taken> {
    const { log, keyring, signer } = this.#parts;
    const { eventId, tag, receivedTimeMs } = made;
    const dataKey = await keyring.dataKey(subject === undefined ? { source } : { subject });
    const seed = newSeed();
    const keys = keysOfSeed(seed);
    const kept = {
      receivedTimeMs,
      profile,
      schema: 'stepup/1' as const,
      holder: holder && JSON.stringify(holder),
      submitter: submission.submitter,
      sent: profile === 'flat/1' ? submission.body : undefined,
    };
    const open = this.#events.openClaims(formatEventId(eventId), kept);
    const { payload, disclosures } = encodeStatement(open, event, keys.statementRandom, nodeDisclosureDigest);
    const commitment = commitmentOf(Buffer.from(payload).toString('base64url'));
    const leaf = formatEventLeaf(commitment);
    const record: EventRecord = { ...kept, disclosures };
    const encoded = encodeRecord(record);
    const mac = contentMac(keys.contentKey, made.content);
    const sealedSeed = keyring.sealSeed(dataKey, seed, eventId);
    const companions = (index: number): readonly Row[] => {
      const sealedRecord = sealRecord(keys.recordKey, encoded, { index, commitment });
      const row = { eventId, idTag: tag, keyId: dataKey.id, sealedSeed, contentMac: mac, sealedRecord };
      return [
        { key: eventKey(eventId), value: formatIndex(index) },
        { key: idKey(tag), value: formatIndex(index) },
        { key: recordKey(index), value: formatRecordRow(row) },
        ...dataKey.unstored,
      ];
    };
    const companionBytes = encoded.length + RECORD_FRAME_BYTES;
    const { reservation } = submission;
    const { index, head } = await log.append({ entry: leaf, companions, companionBytes, reservation });
    dataKey.unstored = [];
    const stored = storedEvent({ open, record, content: event, index, leaf, payload }, signer);
    return { event: stored, head, contentKey: keys.contentKey, contentMac: mac };
  }
}

function parse({ body, sources, idempotencyKey }: Submission, fallbackId: string): ParsedEvent {
  const [source] = sources;
  if (source === undefined) throw new NewelError('forbidden', 'this token is of no source');
  const value = parseJson(decodeUtf8(body));
  assertSameId(value, idempotencyKey);
  return parseEvent(value, {
    source,
    fallbackId,
    ...(idempotencyKey === undefined ? {} : { id: idempotencyKey }),
  });
}

/** Two names for one event would leave it open which one a retry has to use. */
function assertSameId(value: JsonValue, idempotencyKey: string | undefined): void {
  if (idempotencyKey === undefined || typeof value !== 'object' || value === null || Array.isArray(value))
    return;
  if (value['id'] !== undefined && value['id'] !== idempotencyKey) {
    throw new NewelError('malformed', 'the header Idempotency-Key and the id of the event are not the same');
  }
}

/** What makes two submissions the same: everything but the order of members and the spelling of numbers and strings. */
function formatContent({ profile, event, holder }: ParsedEvent): string {
  return formatCanonical([profile, event, holder ?? null]);
}

/** Throws `id_conflict` where an earlier event of that id has other content. */
function sameAs(taken: Taken, content: string): Submitted {
  if (!timingSafeEqual(contentMac(taken.contentKey, content), taken.contentMac)) {
    throw new NewelError('id_conflict', 'an event of this source has this id already, and other content');
  }
  return { created: false, event: taken.event, head: undefined };
}
