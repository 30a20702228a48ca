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
import type { JsonObject } from '../formats/json.ts';
import type { Reservation, RoundShare } from '../log/log.ts';
import type { Row } from '../storage/store.ts';
import { contentOf } from './content.ts';
import { formatEventId } from './event-id.ts';
import { bytesOfEvent, type Extra, type Moved, rowsOfEvent } from './event-rows.ts';
import type { EventsParts } from './events.ts';
import { type Held, type HoldingParts, holdRows } from './hold-rows.ts';
import type { Prepared } from './prepare.ts';
import { decodeRecord, type OpenRecord } from './record.ts';
import { linkKey } from './rows.ts';
import type { Numbered } from './source-numbers.ts';
import { storedEvent } from './stored-event.ts';
import type { Live, Sealing, StateForm } from './states.ts';
import type { Taken } from './taken.ts';

export interface PlacingParts extends EventsParts, HoldingParts {
  readonly sealing: Sealing;
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

interface Candidate {
  readonly prepared: Prepared;
  readonly tag: Uint8Array;
  readonly receivedTimeMs: number;
  readonly reservation: Reservation;
  readonly extra: Extra | undefined;
}

export class Placing {
  readonly #parts: PlacingParts;

  constructor(parts: PlacingParts) {
    this.#parts = parts;
  }

  hold(prepared: Prepared): Promise<Held> {
    return holdRows(this.#parts, prepared);
  }

  /**
   * Moves what moves with the event; `append` then hands it to the log, in the same turn, and `back` undoes the moving
   * where it is not appended. Throws `sequence_conflict`; then nothing has moved.
   */
  place(candidate: Candidate, held: Held): Placed {
    const { prepared, receivedTimeMs } = candidate;
    const { sequences, links } = this.#parts;
    const { sequence, link } = held;
    const before = { sequence: sequence?.live.state, link: link?.live.state };
    const notices: Notice[] = [...prepared.notices];
    const rows: Row[] = [];
    if (sequence) {
      this.#assertNext(prepared, sequence.live);
      const { source, seq } = prepared;
      const { state, finding } = advanceSequence(before.sequence?.numbers, seq!, receivedTimeMs);
      sequence.live.state = { source, numbers: state };
      rows.push(sequences.row(sequence.tag, sequence.live.state));
      if (finding?.kind === 'gap') {
        notices.push({ code: 'sequence_gap', expected: finding.expected, missing: finding.missing });
      } else if (finding) notices.push({ code: 'sequence_fork', expected: finding.expected });
    }
    let breaches: readonly LinkRule[] = [];
    if (link) {
      const advanced = advanceLink(link.live.state, prepared.link!);
      link.live.state = advanced.state;
      rows.push(links.row(link.tag, advanced.state));
      ({ breaches } = advanced);
      notices.push(...breaches.map((rule) => ({ code: 'link_mismatch', rule }) as const));
    }
    const moved = { notices, rows, breaches };
    const companionBytes = bytesOfEvent(prepared, moved);
    return {
      append: (together) => this.#append(candidate, held, { ...moved, companionBytes }, together),
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
    moved: Moved & { readonly companionBytes: number },
    together: RoundShare | undefined,
  ): Promise<Taken> {
    const { prepared, receivedTimeMs, reservation } = candidate;
    const { log, signer } = this.#parts;
    const { id, source, commitment, payload, encodedRecord, contentKey, contentMac } = prepared;
    const eventId = formatEventId(prepared.eventId);
    const { notices, breaches, companionBytes } = moved;
    const leaf = formatEventLeaf(commitment);
    const companions = rowsOfEvent(this.#parts, { ...candidate, dataKey, moved });
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
    const shown = (): Prepared['shown'] => prepared.shown;
    const event = storedEvent(
      { eventId, id, source, receivedTimeMs, notices, record, content, index, leaf, payload, shown },
      signer,
    );
    return { event, head, contentKey, contentMac, record };
  }
}

export const linkForm: StateForm<LinkState> = {
  key: linkKey,
  format: formatLinkState,
  parse: parseLinkState,
};
