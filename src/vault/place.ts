/**
 * The turn in which an event gets its place. What moves with events is moved here, one event after the other in the order
 * of the log: the count of its data key, the numbers of its source, its transaction. All of it is durable with the leaf
 * or not at all.
 */

import { EVENT_LEAF_BYTES, formatEventLeaf } from '../event/leaf.ts';
import {
  advanceLink,
  formatLinkState,
  type LinkRule,
  type LinkState,
  parseLinkState,
} from '../event/link.ts';
import type { Notice } from '../event/notice.ts';
import { advanceSequence, expectedOf, isNext } from '../event/sequence.ts';
import { SequenceConflictError } from '../errors.ts';
import type { Reservation, RoundShare } from '../log/log.ts';
import type { Batch, Row } from '../storage/store.ts';
import type { JsonObject } from '../formats/json.ts';
import { contentOf } from './content.ts';
import { formatEventId } from './event-id.ts';
import { type EventsParts, storedEvent } from './events.ts';
import type { Hold } from './held.ts';
import type { DataKey } from './keyring.ts';
import type { Prepared } from './prepare.ts';
import { decodeRecord, type OpenRecord, sealRecord } from './record.ts';
import {
  eventKey,
  exceptionKey,
  formatIndex,
  formatRecordRow,
  idKey,
  INDEX_BYTES,
  linkKey,
  recordKey,
  TERM_BYTES,
  termKey,
} from './rows.ts';
import type { Numbered } from './source-numbers.ts';
import type { Live, Sealing, StateForm, States } from './states.ts';
import type { Taken } from './taken.ts';
import { splitTerms, type Terms } from './terms.ts';

/**
 * What is stored of an event beside its record, notices, terms and states, at most: the leaf, the seal and the other
 * members of the row, the rows that lead to it, its data key, and what has to be said of its transaction.
 */
const FRAME_BYTES = 1024;
/** A term and the leaf index in a key. */
const TERM_ROW_BYTES = 1 + TERM_BYTES + INDEX_BYTES;
const NOTHING = new Uint8Array(0);

export interface PlacingParts extends EventsParts {
  readonly terms: Terms;
  readonly sealing: Sealing;
  readonly sequences: States<Numbered>;
  readonly links: States<LinkState>;
  /** Whether a source's events have to come in the order of their numbers, all of them. */
  readonly isStrict: (source: string) => boolean;
  /** Told of an event that is durable and does not fit to its transaction; resolves when the log has said so. */
  readonly onMismatch: (index: number) => Promise<void>;
}

/** An event that has its place, and is not with the log yet. */
export interface Placed {
  /** `together` is said with the first of several that have to be in one round. */
  append(together?: RoundShare): Promise<Taken>;
  back(): void;
  /** What it takes of a round. */
  readonly bytes: number;
}

/** What is written with an event, in the same batch. */
export type Extra = (index: number, eventId: string) => Batch;

interface Candidate {
  readonly prepared: Prepared;
  readonly tag: Uint8Array;
  readonly receivedTimeMs: number;
  readonly reservation: Reservation;
  readonly extra: Extra | undefined;
}

/** The rows that an event moves, held. */
export interface Held {
  readonly dataKey: DataKey;
  readonly sequence: { readonly tag: Uint8Array; readonly live: Live<Numbered> } | undefined;
  readonly link: { readonly tag: Uint8Array; readonly live: Live<LinkState> } | undefined;
  release(): void;
}

export class Placing {
  readonly #parts: PlacingParts;
  readonly #sequences: States<Numbered>;
  readonly #links: States<LinkState>;

  constructor(parts: PlacingParts) {
    this.#parts = parts;
    this.#sequences = parts.sequences;
    this.#links = parts.links;
  }

  async hold({ subject, source, seq, txn, link }: Prepared): Promise<Held> {
    const { keyring, terms } = this.#parts;
    const holds: Hold<unknown>[] = [];
    const release = (): void => {
      for (const hold of holds) hold.release();
    };
    const keep = async <T>(holding: Promise<Hold<T>>): Promise<T> => {
      const hold = await holding;
      holds.push(hold);
      return hold.value;
    };
    const sequenceTag = seq === undefined ? undefined : terms.tag('sequence', source);
    const linkTag = link === undefined || txn === undefined ? undefined : terms.tag('link', txn);
    const [dataKey, sequence, transaction] = await Promise.allSettled([
      keep(keyring.hold(subject === undefined ? { source } : { subject })),
      sequenceTag && keep(this.#sequences.hold(sequenceTag)),
      linkTag && keep(this.#links.hold(linkTag)),
    ]);
    for (const settled of [dataKey, sequence, transaction]) {
      if (settled.status === 'fulfilled') continue;
      release();
      throw settled.reason;
    }
    return {
      dataKey: valueOf(dataKey),
      sequence: sequenceTag && { tag: sequenceTag, live: valueOf(sequence)! },
      link: linkTag && { tag: linkTag, live: valueOf(transaction)! },
      release,
    };
  }

  /**
   * Moves what moves with the event; `append` then hands it to the log, in the same turn, and `back` undoes the moving
   * where it is not appended. Throws `sequence_conflict`; then nothing has moved.
   */
  place(candidate: Candidate, held: Held): Placed {
    const { prepared, receivedTimeMs } = candidate;
    const { sequence, link } = held;
    const before = { sequence: sequence?.live.state, link: link?.live.state };
    const notices: Notice[] = [...prepared.notices];
    const rows: Row[] = [];
    if (sequence) {
      this.#assertNext(prepared, sequence.live);
      const { source, seq } = prepared;
      const { state, finding } = advanceSequence(before.sequence?.numbers, seq!, receivedTimeMs);
      sequence.live.state = { source, numbers: state };
      rows.push(this.#sequences.row(sequence.tag, sequence.live.state));
      if (finding?.kind === 'gap') {
        notices.push({ code: 'sequence_gap', expected: finding.expected, missing: finding.missing });
      } else if (finding) notices.push({ code: 'sequence_fork', expected: finding.expected });
    }
    let breaches: readonly LinkRule[] = [];
    if (link) {
      const advanced = advanceLink(link.live.state, prepared.link!);
      link.live.state = advanced.state;
      rows.push(this.#links.row(link.tag, advanced.state));
      ({ breaches } = advanced);
      notices.push(...breaches.map((rule) => ({ code: 'link_mismatch', rule }) as const));
    }
    const rowBytes = splitTerms(prepared.terms).length * TERM_ROW_BYTES + bytesOf(rows);
    const noticeBytes = Buffer.byteLength(JSON.stringify(notices));
    const companionBytes = prepared.encodedRecord.length + rowBytes + noticeBytes + FRAME_BYTES;
    const moved = { notices, rows, breaches, companionBytes };
    return {
      append: (together) => this.#append(candidate, held, moved, together),
      back: () => {
        if (sequence) sequence.live.state = before.sequence;
        if (link) link.live.state = before.link;
      },
      bytes: EVENT_LEAF_BYTES + companionBytes,
    };
  }

  #assertNext({ source, seq }: Prepared, { state }: Live<Numbered>): void {
    if (!state || !this.#parts.isStrict(source) || isNext(state.numbers, seq!)) return;
    throw new SequenceConflictError(expectedOf(state.numbers));
  }

  async #append(
    candidate: Candidate,
    { dataKey }: Held,
    { notices, rows, breaches, companionBytes }: Moved,
    together: RoundShare | undefined,
  ): Promise<Taken> {
    const { prepared, tag, receivedTimeMs, reservation, extra } = candidate;
    const { log, keyring, signer, sealing } = this.#parts;
    const { id, source, eventId, commitment, payload, encodedRecord, contentKey, contentMac } = prepared;
    const sealedSeed = keyring.sealSeed(dataKey, prepared.seed, eventId);
    const leaf = formatEventLeaf(commitment);
    let isSealed = false;
    const companions = (index: number): Batch => {
      // One key, one sealing: a second one would be under the same nonce.
      if (isSealed) throw new Error('bug: a record is sealed twice');
      isSealed = true;
      const sealedRecord = sealRecord(prepared.recordKey, encodedRecord, notices, { index, commitment });
      const row = {
        eventId,
        idTag: tag,
        keyId: dataKey.id,
        sealedSeed,
        commitment,
        contentMac,
        sealedRecord,
      };
      const puts: Row[] = [
        { key: eventKey(eventId), value: formatIndex(index) },
        { key: idKey(tag), value: formatIndex(index) },
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
    const { index, head } = await log.append({
      entry: leaf,
      companions,
      companionBytes,
      reservation,
      together,
    });
    dataKey.unstored = [];
    if (breaches.length > 0) await this.#parts.onMismatch(index);
    let decoded: OpenRecord | undefined;
    const record = (): OpenRecord => (decoded ??= { ...decodeRecord(encodedRecord), notices });
    let opened: JsonObject | undefined;
    const content = (): JsonObject => (opened ??= contentOf(record()));
    const event = storedEvent(
      {
        eventId: formatEventId(eventId),
        id,
        source,
        receivedTimeMs,
        notices,
        record,
        content,
        index,
        leaf,
        payload,
        shown: () => prepared.shown,
      },
      signer,
    );
    return { event, head, contentKey, contentMac, record };
  }
}

/** What placing an event has moved. */
interface Moved {
  readonly notices: readonly Notice[];
  readonly rows: readonly Row[];
  readonly breaches: readonly LinkRule[];
  readonly companionBytes: number;
}

export const linkForm: StateForm<LinkState> = {
  key: linkKey,
  format: formatLinkState,
  parse: parseLinkState,
};

function bytesOf(rows: readonly Row[]): number {
  return rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}
