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
import { type Claim, InFlight } from './in-flight.ts';
import type { Events } from './events.ts';
import type { GatheredReads } from './gathered-reads.ts';
import { type Extra, type Held, type Placed, Placing, type PlacingParts } from './place.ts';
import type { Prepare, Prepared } from './prepare.ts';
import { idKey, parseIndex } from './rows.ts';
import { assertSame, sameAs, type Taken } from './taken.ts';
import type { GroupOutcome, GroupSubmission, Submission, Submitted } from './vault.ts';

/** One event on its way. */
interface Item {
  readonly text: string;
  readonly reservation: Reservation;
  readonly receivedTimeMs: number;
  readonly idempotencyKey: string | undefined;
  /** What goes with it in the same batch. */
  readonly extra: Extra | undefined;
}

interface Candidate extends Item {
  readonly prepared: Prepared;
  readonly tag: Uint8Array;
}

interface Sender {
  readonly submitter: string;
  readonly sources: readonly string[];
}

export class Submissions {
  readonly #prepare: Prepare;
  readonly #now: () => number;
  readonly #events: Events;
  readonly #parts: PlacingParts;
  readonly #placing: Placing;
  readonly #inFlight = new InFlight<Taken>();
  readonly #reads: Pick<GatheredReads, 'get'>;

  constructor(
    parts: PlacingParts,
    reads: Pick<GatheredReads, 'get'>,
    events: Events,
    prepare: Prepare,
    now: () => number,
  ) {
    this.#parts = parts;
    this.#events = events;
    this.#prepare = prepare;
    this.#now = now;
    this.#reads = reads;
    this.#placing = new Placing(parts);
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
    items: readonly (Omit<Item, 'text' | 'receivedTimeMs'> & { readonly body: Uint8Array })[],
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
      await this.#take(group, candidates);
      return group.outcomes();
    } finally {
      // Of no effect once the event has taken its place.
      for (const { reservation } of items) reservation.release();
    }
  }

  async #candidate(item: Omit<Item, 'text'>, body: Uint8Array, sender: Sender): Promise<Candidate> {
    const { idempotencyKey, receivedTimeMs } = item;
    const { submitter, sources } = sender;
    if (sources.length === 0) throw new NewelError('forbidden', 'this token is of no source');
    const text = decodeUtf8(body);
    const prepared = await this.#prepare({ text, sources, idempotencyKey, submitter, receivedTimeMs });
    if (prepared.seq === undefined && this.#parts.isStrict(prepared.source)) {
      const detail = 'is required of this source, which is strict about its numbers';
      throw new EventInvalidError([{ pointer: '/seq', detail }]);
    }
    const tag = this.#parts.keyring.idTag(prepared.source, prepared.id);
    return { ...item, text, prepared, tag };
  }

  /** Gives each candidate of the group an outcome. */
  async #take(group: Group, candidates: readonly (Candidate | undefined)[]): Promise<void> {
    let left = candidates.map((_, i) => i).filter((i) => candidates[i]);
    if (group.isAtomic) compareWithin(group, candidates, left);
    while (left.length > 0 && !group.isRefused) {
      const claims = new Map<number, Claim<Taken>>();
      const copies = new Map<number, Promise<Taken>>();
      // Nothing of an atomic group is taken before it is known what becomes of the copies that others have under way.
      const isWaiting =
        group.isAtomic && left.some((i) => this.#inFlight.find(candidates[i]!.tag) !== undefined);
      for (const i of left) {
        const { tag } = candidates[i]!;
        const first = this.#inFlight.find(tag);
        if (first) copies.set(i, first);
        else if (!isWaiting) claims.set(i, this.#inFlight.claim(tag));
      }
      try {
        await this.#takeFirst(group, candidates, claims);
      } finally {
        // Of no effect on those that were settled.
        for (const [i, claim] of claims) claim.reject(group.errorOf(i));
      }
      const settled = new Set(claims.keys());
      for (const [i, first] of copies) {
        // If the first copy fails, this one is the first.
        const taken = await first.catch(() => undefined);
        if (!taken) continue;
        settled.add(i);
        group.settle(i, () => sameAs(taken, candidates[i]!.text, candidates[i]!.prepared));
      }
      left = left.filter((i) => !settled.has(i));
    }
  }

  /** Those that no other copy is under way of. */
  async #takeFirst(
    group: Group,
    candidates: readonly (Candidate | undefined)[],
    claims: ReadonlyMap<number, Claim<Taken>>,
  ): Promise<void> {
    const fresh: number[] = [];
    await Promise.all(
      [...claims].map(([i, claim]) =>
        group.attempt(i, async () => {
          const { tag, text, prepared } = candidates[i]!;
          const stored = await this.#findStored(tag);
          if (!stored) return void fresh.push(i);
          claim.resolve(stored);
          group.settle(i, () => sameAs(stored, text, prepared));
        }),
      ),
    );
    fresh.sort((a, b) => a - b);
    const held = new Map<number, Held>();
    try {
      await Promise.all(
        fresh.map((i) =>
          group.attempt(i, async () => void held.set(i, await this.#placing.hold(candidates[i]!.prepared))),
        ),
      );
      // From here to the last append nothing awaits: the group has its place in one turn, in its order.
      const placed = this.#place(group, candidates, fresh, held);
      const appends = [...placed].map(async ([i, append]) => {
        const taken = await group.attempt(i, append);
        if (!taken) return;
        claims.get(i)!.resolve(taken);
        group.settle(i, () => ({ created: true, event: taken.event, head: taken.head }));
      });
      await Promise.all(appends);
    } finally {
      for (const hold of held.values()) hold.release();
    }
  }

  /** How to append each; none of them where the group is refused. */
  #place(
    group: Group,
    candidates: readonly (Candidate | undefined)[],
    fresh: readonly number[],
    held: ReadonlyMap<number, Held>,
  ): ReadonlyMap<number, () => Promise<Taken>> {
    const { maxRoundEntries, maxRoundBytes } = this.#parts.log.limits;
    const placed: [number, Placed][] = [];
    let bytes = 0;
    for (const i of fresh) {
      const hold = held.get(i);
      if (!hold) continue;
      try {
        const one = this.#placing.place(candidates[i]!, hold);
        placed.push([i, one]);
        bytes += one.bytes;
        if (group.isAtomic && (placed.length > maxRoundEntries || bytes > maxRoundBytes)) {
          throw new NewelError(
            'too_large',
            'events that are taken all or not at all have to fit in one round',
          );
        }
      } catch (error) {
        group.fail(i, error);
      }
    }
    if (group.isRefused) {
      for (const [, one] of placed.toReversed()) one.back();
      return new Map();
    }
    const together = group.isAtomic ? { entries: placed.length, bytes } : undefined;
    return new Map(placed.map(([i, one], at) => [i, () => one.append(at === 0 ? together : undefined)]));
  }

  async #findStored(tag: Uint8Array): Promise<Taken | undefined> {
    const stored = await this.#reads.get(idKey(tag));
    if (!stored) return undefined;
    const opened = await this.#events.open(parseIndex(stored));
    // Its own tag is of its own source and id, as opening it has shown.
    if (!opened || !Buffer.from(opened.row.idTag).equals(tag)) {
      throw new NewelError('storage_failed', 'an id leads to a record that is not its own');
    }
    return { ...opened, contentMac: opened.row.contentMac, head: undefined, record: () => opened.record };
  }
}

/** Copies within a group that have other content than the first of them are refused before anything of it is taken. */
function compareWithin(
  group: Group,
  candidates: readonly (Candidate | undefined)[],
  indexes: readonly number[],
): void {
  const firsts = new Map<string, Candidate>();
  for (const i of indexes) {
    const candidate = candidates[i]!;
    const name = Buffer.from(candidate.tag).toString('latin1');
    const first = firsts.get(name);
    if (first) group.check(i, () => assertSame(first, candidate));
    else firsts.set(name, candidate);
  }
}

/** The outcomes of a group as they come about. */
class Group {
  readonly #outcomes: (GroupOutcome | undefined)[];
  readonly isAtomic: boolean;
  #hasFailed = false;

  constructor(length: number, isAtomic: boolean) {
    this.#outcomes = Array.from({ length });
    this.isAtomic = isAtomic;
  }

  /** Whether nothing of it may be stored any more. */
  get isRefused(): boolean {
    return this.isAtomic && this.#hasFailed;
  }

  /** What `work` resolves to; `undefined` where it fails, which is then the outcome of event `i`. */
  async attempt<T>(i: number, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.fail(i, error);
      return undefined;
    }
  }

  check(i: number, assert: () => void): void {
    try {
      assert();
    } catch (error) {
      this.fail(i, error);
    }
  }

  settle(i: number, submitted: () => Submitted): void {
    try {
      this.#outcomes[i] = { submitted: submitted() };
    } catch (error) {
      this.fail(i, error);
    }
  }

  /** Throws what is no refusal but a fault of ours. */
  fail(i: number, error: unknown): void {
    if (!(error instanceof NewelError)) throw error;
    this.#hasFailed = true;
    this.#outcomes[i] = { error };
  }

  errorOf(i: number): NewelError {
    return this.#outcomes[i]?.error ?? new NewelError('queue_full', 'another event of its group was refused');
  }

  outcomes(): readonly GroupOutcome[] {
    return Array.from(this.#outcomes, (outcome) => outcome ?? {});
  }
}
