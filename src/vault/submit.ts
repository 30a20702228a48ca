/**
 * Accepting events, one or a group. The order is that of design §5; nothing before the append leaves a trace, and nothing
 * after it can fail without stopping the log.
 *
 *   prepare (parse, refuse secrets, validate, whose source, commit the fields) → an earlier copy (under way, then stored)
 *         → hold what moves with it (data key, numbers of the source, transaction) → place it → append
 *
 * The design looks for an earlier copy before it commits the fields. Here that is one step with the parsing, since it can
 * then be done in another thread; for a copy, what was made is thrown away.
 */

import { EventInvalidError, NewelError } from '../errors.ts';
import { decodeUtf8 } from '../formats/text.ts';
import type { Reservation } from '../log/log.ts';
import type { Events } from './events.ts';
import type { GatheredReads } from './gathered-reads.ts';
import { Group } from './group.ts';
import type { Extra } from './event-rows.ts';
import { Placing, type PlacingParts } from './place.ts';
import type { Prepare } from './prepare.ts';
import { type Candidate, Taking } from './taking.ts';
import type { GroupOutcome, GroupSubmission, Submission, Submitted } from './vault.ts';

/** One event on its way. */
interface Item {
  readonly reservation: Reservation;
  readonly receivedTimeMs: number;
  readonly idempotencyKey: string | undefined;
  /** What goes with it in the same batch. */
  readonly extra: Extra | undefined;
}

interface Sender {
  readonly submitter: string;
  readonly sources: readonly string[];
}

export class Submissions {
  readonly #prepare: Prepare;
  readonly #now: () => number;
  readonly #parts: PlacingParts;
  readonly #taking: Taking;

  constructor(
    parts: PlacingParts,
    reads: Pick<GatheredReads, 'get'>,
    events: Events,
    prepare: Prepare,
    now: () => number,
  ) {
    this.#parts = parts;
    this.#prepare = prepare;
    this.#now = now;
    this.#taking = new Taking({ placing: new Placing(parts), events, reads, limits: parts.log.limits });
  }

  /** `extra` is what goes with it in the same batch: for events of the log's own. */
  async submit(
    { body, idempotencyKey, reservation, ...sender }: Submission,
    extra?: Extra,
  ): Promise<Submitted> {
    const [outcome] = await this.#submitAll([{ body, idempotencyKey, reservation, extra }], sender, {
      isAtomic: false,
    });
    if (outcome?.submitted) return outcome.submitted;
    throw outcome!.error!;
  }

  submitGroup({
    bodies,
    reservations,
    isAtomic,
    after,
    ...sender
  }: GroupSubmission): Promise<readonly GroupOutcome[]> {
    const items = bodies.map((body, i) => ({
      body,
      reservation: reservations[i]!,
      idempotencyKey: undefined,
      extra: undefined,
    }));
    return this.#submitAll(items, sender, { isAtomic, after });
  }

  async #submitAll(
    items: readonly (Omit<Item, 'receivedTimeMs'> & { readonly body: Uint8Array })[],
    sender: Sender,
    { isAtomic, after }: Pick<GroupSubmission, 'isAtomic' | 'after'>,
  ): Promise<readonly GroupOutcome[]> {
    const receivedTimeMs = this.#now();
    try {
      const group = new Group(items.length, isAtomic);
      const candidates = await Promise.all(
        items.map(({ body, ...item }, i) =>
          group.attempt(i, async () => this.#candidate({ ...item, receivedTimeMs }, body, sender)),
        ),
      );
      if (after) await after;
      await this.#taking.take(group, candidates);
      return group.outcomes();
    } finally {
      // Of no effect once the event has taken its place.
      for (const { reservation } of items) reservation.release();
    }
  }

  async #candidate(item: Item, body: Uint8Array, sender: Sender): Promise<Candidate> {
    const { idempotencyKey, receivedTimeMs, reservation, extra } = item;
    const { submitter, sources } = sender;
    if (sources.length === 0) throw new NewelError('forbidden', 'this token is of no source');
    const text = decodeUtf8(body);
    const prepared = await this.#prepare({ text, sources, idempotencyKey, submitter, receivedTimeMs });
    if (prepared.seq === undefined && this.#parts.isStrict(prepared.source)) {
      const detail = 'is required of this source, which is strict about its numbers';
      throw new EventInvalidError([{ pointer: '/seq', detail }]);
    }
    const tag = this.#parts.keyring.idTag(prepared.source, prepared.id);
    return { text, prepared, tag, reservation, receivedTimeMs, extra };
  }
}
