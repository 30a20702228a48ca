/**
 * What waits for a round. Nothing here awaits, so on the event loop every call is atomic.
 *
 * A caller reserves room before it reads a body, so that refusing is cheap, and adds the entry later. Entries gather
 * in groups of at most one round; a group has one promise for all of them, and an entry is its place in the group.
 */

import { NewelError } from '../errors.ts';
import type { Batch } from '../storage/store.ts';

/**
 * What the appender writes with its entry, in its own key range (`isCompanionKey`), made when the index is known; called
 * once. Of two puts of one key in a round the later one counts.
 */
export type Companions = (index: number) => Batch;

export interface PoolLimits {
  readonly maxRoundEntries: number;
  readonly maxRoundBytes: number;
  readonly maxQueueEntries: number;
  readonly maxQueueBytes: number;
}

export interface Queued {
  readonly entries: number;
  readonly bytes: number;
}

/** Room over the limits of the queue, for what the log has to say itself: however full it is, that waits for nobody. */
export const OWN_ROOM: Queued = { entries: 64, bytes: 2 ** 20 };
const NO_ROOM = { entries: 0, bytes: 0 };

/** The queue is full: `limit` of `unit`. Try again in a moment. */
export class QueueFullError extends NewelError {
  override name = 'QueueFullError';
  readonly limit: number;
  readonly unit: 'entries' | 'bytes';

  constructor(limit: number, unit: 'entries' | 'bytes') {
    super('queue_full', `the queue holds its ${limit} ${unit}`);
    this.limit = limit;
    this.unit = unit;
  }
}

/** Room in the queue for one entry of at most `bytes`. Given back exactly once: by `add`, or by `release`. */
export interface Reservation {
  readonly bytes: number;
  release(): void;
}

export interface ReserveOptions {
  /** For an entry of the log's own, which may take room over the limits. */
  readonly isOwn?: boolean;
}

export interface PooledEntry {
  readonly entry: Uint8Array;
  readonly companions: Companions | undefined;
  /** Bytes of the companions' rows, at most; they count like those of the entry. */
  readonly companionBytes: number;
  /** What this entry and those that are added after it in the same turn need of one round, for them to be in one. */
  readonly together?: RoundShare | undefined;
}

/** Of a round, at most all of it. */
export interface RoundShare {
  readonly entries: number;
  readonly bytes: number;
}

/** What a group's callers are told: where it begins, and the head that covers it. */
export interface Sequenced<Head> {
  readonly first: number;
  readonly head: Head;
}

export class Group<Head> {
  readonly entries: PooledEntry[] = [];
  bytes = 0;
  readonly done: Promise<Sequenced<Head>>;
  resolve!: (sequenced: Sequenced<Head>) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

export class Pool<Head> {
  readonly #limits: PoolLimits;
  #groups: Group<Head>[] = [];
  #queuedEntries = 0;
  #queuedBytes = 0;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  /** What is reserved or waits; a round under way is no longer counted. */
  get queued(): Queued {
    return { entries: this.#queuedEntries, bytes: this.#queuedBytes };
  }

  get isEmpty(): boolean {
    return this.#groups.length === 0;
  }

  /** Throws `QueueFullError` where there is no room. */
  reserve(bytes: number, { isOwn = false }: ReserveOptions = {}): Reservation {
    const { maxQueueEntries, maxQueueBytes } = this.#limits;
    const over = isOwn ? OWN_ROOM : NO_ROOM;
    if (this.#queuedEntries + 1 > maxQueueEntries + over.entries)
      throw new QueueFullError(maxQueueEntries, 'entries');
    if (this.#queuedBytes + bytes > maxQueueBytes + over.bytes)
      throw new QueueFullError(maxQueueBytes, 'bytes');
    this.#queuedEntries += 1;
    this.#queuedBytes += bytes;
    let held = true;
    return {
      bytes,
      release: () => {
        if (!held) return;
        held = false;
        this.#queuedEntries -= 1;
        this.#queuedBytes -= bytes;
      },
    };
  }

  /** Adds an entry in place of its reservation. Returns its group and its place in it. */
  add(pooled: PooledEntry, reservation: Reservation): { group: Group<Head>; place: number } {
    const bytes = pooled.entry.length + pooled.companionBytes;
    if (bytes > reservation.bytes) throw new RangeError('entry is larger than its reservation');
    reservation.release();
    this.#queuedEntries += 1;
    this.#queuedBytes += bytes;
    const { maxRoundEntries, maxRoundBytes } = this.#limits;
    let group = this.#groups.at(-1);
    const share = pooled.together ?? { entries: 1, bytes };
    const isFull = (of: Group<Head>): boolean =>
      of.entries.length + share.entries > maxRoundEntries || of.bytes + share.bytes > maxRoundBytes;
    if (!group || isFull(group)) {
      group = new Group();
      this.#groups.push(group);
    }
    group.bytes += bytes;
    return { group, place: group.entries.push(pooled) - 1 };
  }

  /** The oldest group, which is closed by that; `undefined` where nothing waits. */
  take(): Group<Head> | undefined {
    const group = this.#groups.shift();
    if (group) {
      this.#queuedEntries -= group.entries.length;
      this.#queuedBytes -= group.bytes;
    }
    return group;
  }

  /** Rejects all that waits. */
  fail(error: unknown): void {
    for (let group = this.take(); group; group = this.take()) group.reject(error);
  }
}
