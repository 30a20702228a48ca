/**
 * A batch on its way: events are taken as the body arrives, go to the log in groups, and are answered group by group.
 *
 *   read ─ split ─ room in the queue ─ gather ─┬─ 512 events, or 2 MiB, or nothing more for a moment
 *                                              └→ charge ─ log ─ answer
 *
 * While one group is at the log the next one is prepared and another gathers; then nothing more is read. So it is too
 * where the answer is not taken. A group has its place in the log when the one before is in it, so that the leaves are in
 * the order of the body. All that was read is finished, whether or not the client waits for it.
 */

import type { Principal } from '../access/principal.ts';
import { NewelError } from '../errors.ts';
import type { Reservation } from '../log/log.ts';
import type { Vault } from '../vault/vault.ts';
import type { BatchAnswer } from './batch-answer.ts';
import type { BatchItems, Fate, Outcome } from './batch-items.ts';
import { type BatchLimits, BatchTooLargeError } from './batch-limits.ts';
import { BatchRoom } from './batch-room.ts';
import type { BodyChunks } from './body-chunks.ts';
import type { Element, Splitter } from './splitter.ts';

/** What comes in, and on whose account. */
export interface BatchInput {
  readonly vault: Vault;
  readonly limits: BatchLimits;
  readonly principal: Principal;
  /** Takes so many events from what the principal may send. Throws `rate_limited`. */
  readonly charge: (events: number) => void;
  readonly chunks: BodyChunks;
  readonly splitter: Splitter;
}

export interface BatchRunParts extends BatchInput {
  readonly items: BatchItems;
  readonly answer: BatchAnswer;
}

/** Events that go to the log together, in their order; what is refused already has its place between them. */
class Group {
  readonly slots: { readonly n: number; readonly error?: unknown }[] = [];
  readonly bodies: Uint8Array[] = [];
  readonly reservations: Reservation[] = [];
  bytes = 0;
}

export class BatchRun {
  readonly #parts: BatchRunParts;
  readonly #room: BatchRoom;
  #group = new Group();
  /** Events so far, and what stands in the place of one. */
  #count = 0;
  /** The group before, until it is answered, and the one before that. Neither rejects. */
  #before: Promise<void> = Promise.resolve();
  #beforeThat: Promise<void> = Promise.resolve();
  /** The group before, until it is in the log. Never rejects. */
  #logged: Promise<unknown> = Promise.resolve();
  /** Why what comes after a group that was refused as a whole is refused too. */
  #refused: unknown;
  readonly #begun: Promise<void>;
  #begin!: () => void;

  constructor(parts: BatchRunParts) {
    this.#parts = parts;
    this.#room = new BatchRoom(parts.vault, parts.limits.maxRoomWaitMs);
    this.#begun = new Promise((resolve) => (this.#begin = resolve));
  }

  /**
   * Resolves when the first event is read; the answer then comes by itself, until `ended`. Throws what is wrong before
   * that.
   */
  async start(): Promise<{ readonly ended: Promise<void> }> {
    const ended = this.#run();
    await Promise.race([this.#begun, ended]);
    return { ended };
  }

  /** Rejects only where no event was read. */
  async #run(): Promise<void> {
    const { answer, chunks, items } = this.#parts;
    let failure: unknown;
    try {
      await this.#readAll();
    } catch (error) {
      if (this.#count === 0) throw error;
      failure = error;
    } finally {
      chunks.release();
    }
    if (this.#count === 0) throw new NewelError('malformed', 'there is no event in the body');
    await this.#flush();
    await this.#before;
    if (failure !== undefined) await answer.add([items.problem(this.#count, failure)]);
    answer.end();
  }

  async #readAll(): Promise<void> {
    const { splitter } = this.#parts;
    for (let chunk = await this.#next(); chunk; chunk = await this.#next()) {
      for (const element of splitter.push(chunk)) await this.#take(element);
    }
    for (const element of splitter.end()) await this.#take(element);
  }

  /** The next bytes. What is gathered does not wait for them long, once it could go. */
  async #next(): Promise<Uint8Array | undefined> {
    const next = this.#parts.chunks.next();
    if (this.#group.slots.length === 0) return next;
    let isHere = false;
    const here = next.then(
      () => (isHere = true),
      () => (isHere = true),
    );
    await Promise.race([here, this.#before]);
    if (!isHere) await this.#wait(here);
    if (isHere) return next;
    const [chunk] = await Promise.all([next, this.#flush()]);
    return chunk;
  }

  /** Waits for what comes, but not long. */
  async #wait(here: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const idle = new Promise<void>((resolve) => (timer = setTimeout(resolve, this.#parts.limits.idleMs)));
    await Promise.race([here, idle]).finally(() => clearTimeout(timer));
    // The time may have gone by while this process was busy, and nobody has looked at the socket since.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  async #take({ body, error }: Element): Promise<void> {
    const { maxEvents, groupEvents, groupBytes } = this.#parts.limits;
    if (this.#count >= maxEvents) throw new BatchTooLargeError(maxEvents, 'events');
    const n = this.#count++;
    if (n === 0) this.#begin();
    const bytes = body?.length ?? 0;
    if (this.#group.slots.length >= groupEvents || this.#group.bytes + bytes > groupBytes)
      await this.#flush();
    if (!body || this.#refused !== undefined) {
      this.#group.slots.push({ n, error: error ?? this.#refused });
      return;
    }
    try {
      const reservation = this.#room.tryTake(bytes) ?? (await this.#waitForRoom(bytes));
      this.#group.slots.push({ n });
      this.#group.bodies.push(body);
      this.#group.reservations.push(reservation);
      this.#group.bytes += bytes;
    } catch (refused) {
      this.#group.slots.push({ n, error: refused });
    }
  }

  /** What is gathered holds room itself, and goes first. */
  async #waitForRoom(bytes: number): Promise<Reservation> {
    await this.#flush();
    return this.#room.take(bytes);
  }

  /** Hands what is gathered to the log, once all groups but the last are answered. */
  async #flush(): Promise<void> {
    const group = this.#group;
    if (group.slots.length === 0) return;
    this.#group = new Group();
    await this.#beforeThat;
    const submitting = this.#submit(group, this.#logged);
    this.#logged = submitting;
    this.#beforeThat = this.#before;
    this.#before = this.#answer(group, submitting, this.#before);
  }

  async #answer(group: Group, submitting: Promise<readonly Fate[]>, before: Promise<void>): Promise<void> {
    const { items, answer } = this.#parts;
    const sent = await submitting;
    await before;
    if (answer.isGone) return;
    let at = 0;
    const outcomes = group.slots.map(({ n, error }): Outcome =>
      error === undefined ? { n, ...sent[at++]! } : { n, error },
    );
    for await (const texts of items.format(outcomes)) await answer.add(texts);
  }

  /** What became of the events of the group, in their order. */
  async #submit({ bodies, reservations }: Group, after: Promise<unknown>): Promise<readonly Fate[]> {
    const { vault, principal } = this.#parts;
    if (bodies.length === 0) return [];
    this.#refused ??= this.#charge(bodies.length);
    const error = this.#refused;
    if (error !== undefined) {
      for (const reservation of reservations) reservation.release();
      return bodies.map(() => ({ error }));
    }
    const { name: submitter, sources } = principal;
    try {
      return await vault.submitGroup({ bodies, reservations, submitter, sources, isAtomic: false, after });
    } catch (failure) {
      return bodies.map(() => ({ error: failure }));
    }
  }

  /** Why the events may not be sent, if they may not. */
  #charge(events: number): unknown {
    try {
      this.#parts.charge(events);
      return undefined;
    } catch (error) {
      return error;
    }
  }
}
