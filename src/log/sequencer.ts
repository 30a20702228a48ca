/**
 * The one writer. It turns groups of entries into rounds, one after the other, and nothing else in the process writes
 * to the store while it runs.
 *
 *   take a group ─ make the round ─ commit (fsync) ─ guard (fdatasync) ─ reveal ─ answer
 *                  └ synchronous ┘
 *
 * Why this order: a head is signed before it is durable, but nobody can see it until the commit and then the guard
 * are on disk; then one assignment moves `revealed`, by which every reader is bounded; only then are callers told. A
 * crash before the commit loses what nobody was promised. A crash between commit and guard leaves the guard one round
 * behind, which recovery expects. Whatever fails in between has an unknown outcome, so it is fatal: the sequencer
 * stops for good, and opening the log again finds out.
 */

import { NewelError } from '../errors.ts';
import type { Signer } from '../formats/note.ts';
import type { Batch, Store } from '../storage/store.ts';
import type { Clock } from './clock.ts';
import type { Edge } from './edge.ts';
import type { Guard } from './guard.ts';
import type { PooledEntry, PoolLimits, Queued, Reservation, ReserveOptions } from './pool.ts';
import { type Group, Pool } from './pool.ts';
import { ProvedMark } from './proved-mark.ts';
import { makeRound, type Round } from './round.ts';
import type { SignedHead } from './round-record.ts';
import type { Listener } from './signals.ts';

export interface SequencerParts {
  readonly store: Store;
  readonly guard: Guard;
  readonly edge: Edge;
  readonly head: SignedHead;
  readonly recordHash: Uint8Array;
  readonly origin: string;
  /** As `formatIdentity` has it, for the guard. */
  readonly identity: string;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly limits: PoolLimits;
  /** Nothing is written until `open()`. */
  readonly isHeld: boolean;
  readonly onSignal: Listener;
}

export interface Appended {
  readonly index: number;
  readonly head: SignedHead;
}

interface Rider {
  readonly batch: Batch;
  /** The time that the batch is of: the round is not of an earlier one. */
  readonly timeMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Sequencer {
  readonly #parts: SequencerParts;
  readonly #pool: Pool<SignedHead>;
  #riders: Rider[] = [];
  #revealed: SignedHead;
  #recordHash: Uint8Array;
  #failure: NewelError | undefined;
  /** The same for all that come too late: it is no failure of each. */
  readonly #shutDown = new NewelError('storage_failed', 'the log is shutting down');
  #state: 'held' | 'open' | 'closing' | 'closed';
  #running: Promise<void> | undefined;
  readonly #mark: ProvedMark;
  /** Told of each head after it is revealed. */
  onReveal: (head: SignedHead) => void = () => {};
  /** Told once it has stopped for good. */
  onStop: () => void = () => {};

  constructor(parts: SequencerParts) {
    this.#parts = parts;
    this.#pool = new Pool(parts.limits);
    this.#revealed = parts.head;
    this.#recordHash = parts.recordHash;
    this.#state = parts.isHeld ? 'held' : 'open';
    // Recovery has proved every round up to the one it found, so the mark moves there with the first commit.
    this.#mark = new ProvedMark(parts.head.round);
  }

  /** The newest durable, guarded head. Moved by one assignment; the bound of every reader. */
  get revealed(): SignedHead {
    return this.#revealed;
  }

  get failure(): NewelError | undefined {
    return this.#failure;
  }

  get accepting(): boolean {
    return this.#failure === undefined && this.#state === 'open';
  }

  /** What waits for a round. */
  get queued(): Queued {
    return this.#pool.queued;
  }

  /** Writes from now on. */
  open(): void {
    if (this.#state === 'held') this.#state = 'open';
  }

  /** Why no entry is taken; `undefined` where they are. */
  get refusal(): NewelError | undefined {
    return this.accepting ? undefined : this.#refusal();
  }

  /** Throws `storage_failed` where it has stopped, or is about to, and `not_ready` where it does not write yet. */
  assertAccepting(): void {
    const { refusal } = this;
    if (refusal) throw refusal;
  }

  /** Stops for good, for a reason that is not ours: what is being written is not revealed. */
  halt(reason: NewelError): void {
    if (this.#failure) return;
    const what = 'the log has stopped: a witness knows what cannot be true together with it';
    this.#stop(new NewelError('storage_failed', what, { cause: reason }), reason);
  }

  /** Throws `QueueFullError`, or `storage_failed` where the sequencer has stopped. */
  reserve(bytes: number, options?: ReserveOptions): Reservation {
    this.assertAccepting();
    return this.#pool.reserve(bytes, options);
  }

  /** Resolves when a signed, durable, guarded head covers the entry. */
  async append(pooled: PooledEntry, reservation: Reservation): Promise<Appended> {
    if (!this.accepting) {
      reservation.release();
      throw this.#refusal();
    }
    const { group, place } = this.#pool.add(pooled, reservation);
    this.#wake();
    const { first, head } = await group.done;
    return { index: first + place, head };
  }

  /** Makes a batch durable with the next round, or with a round of its own if none is due. */
  ride(batch: Batch, timeMs = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure || this.#state === 'held' || this.#state === 'closed') return reject(this.#refusal());
      this.#riders.push({ batch, timeMs, resolve, reject });
      this.#wake();
    });
  }

  /** Takes no more entries; resolves when all that was taken is in the log. Riders may still ride. */
  async drain(): Promise<void> {
    this.#state = 'closing';
    while (this.#running) await this.#running;
  }

  /** Nobody rides any more. */
  close(): void {
    this.#state = 'closed';
  }

  #wake(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Requests that arrived in the same turn of the event loop join the first round.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (!this.#failure && (!this.#pool.isEmpty || this.#riders.length > 0)) await this.#round();
    } finally {
      // In the same turn as the last look at the pool: whoever comes after it wakes a new run.
      this.#running = undefined;
    }
  }

  async #round(): Promise<void> {
    const { store, guard, clock, onSignal, identity } = this.#parts;
    const group = this.#pool.take();
    const riders = this.#riders;
    this.#riders = [];
    const entries = group?.entries ?? [];
    const first = this.#revealed.size;
    let round: Round;
    let committedMs: number;
    const startedMs = performance.now();
    try {
      round = makeRound({
        ...this.#parts,
        last: this.#revealed,
        lastRecordHash: this.#recordHash,
        entries,
        riders: riders.map((rider) => rider.batch),
        nowMs: Math.max(clock.now(), ...riders.map(({ timeMs }) => timeMs)),
        provedMark: this.#mark.due(),
      });
      await store.commit(round.batch);
      committedMs = performance.now();
      const kind = group ? 'signed' : 'published';
      const { round: sequence, size, root, timeMs } = round.head;
      await guard.write({ identity, sequence, kind, size, root, timeMs });
    } catch (error) {
      this.#fail(error, group, riders);
      return;
    }
    // Halted meanwhile: the head is on disk, and nobody is shown it.
    if (this.#failure) return refuse(this.#failure, group, riders);
    this.#recordHash = round.recordHash;
    this.#mark.committed(round.head.round, round.bytes);
    this.#revealed = round.head;
    group?.resolve({ first, head: round.head });
    for (const rider of riders) rider.resolve();
    onSignal({
      event: 'round',
      round: round.head.round,
      entries: entries.length,
      bytes: round.bytes,
      size: round.head.size,
      commitMs: committedMs - startedMs,
      guardMs: performance.now() - committedMs,
    });
    this.onReveal(round.head);
  }

  #fail(error: unknown, group: Group<SignedHead> | undefined, riders: readonly Rider[]): void {
    const failure = new NewelError(
      'storage_failed',
      'a write failed and its outcome is unknown; the log has stopped and will find out when it is opened again',
      { cause: error },
    );
    refuse(failure, group, riders);
    if (!this.#failure) this.#stop(failure, error);
  }

  /** Everybody who waits is told before the signal goes out, which may end the process. */
  #stop(failure: NewelError, error: unknown): void {
    this.#failure = failure;
    this.#pool.fail(failure);
    refuse(failure, undefined, this.#riders);
    this.#riders = [];
    this.onStop();
    this.#parts.onSignal({ event: 'fatal', error });
  }

  #refusal(): NewelError {
    if (this.#failure) return this.#failure;
    return this.#state === 'held' ? notReady() : this.#shutDown;
  }
}

function refuse(failure: NewelError, group: Group<SignedHead> | undefined, riders: readonly Rider[]): void {
  group?.reject(failure);
  for (const rider of riders) rider.reject(failure);
}

function notReady(): NewelError {
  return new NewelError(
    'not_ready',
    'the log reads only: its witnesses have not agreed yet that it may go on',
  );
}
