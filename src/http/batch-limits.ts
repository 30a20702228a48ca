/**
 * How much a batch may be, and how much of batches the process holds at a time. The first two are told in `/v1/log`.
 *
 * What one batch holds is bounded by its groups (one that gathers, one that the log has), and by what of the answer is
 * made and not taken yet; the other bounds are on how many there are.
 */

import { NewelError } from '../errors.ts';
import { PACE, type PaceLimits } from './pace.ts';

export interface BatchLimits {
  readonly maxEvents: number;
  /** Of the body. */
  readonly maxBytes: number;
  /** Batches at once, in the process and of one principal. */
  readonly maxAtOnce: number;
  readonly maxAtOnceOfOne: number;
  /** A group goes to the log when it has so many events or bytes … */
  readonly groupEvents: number;
  readonly groupBytes: number;
  /** … or when nothing more has come for so long. */
  readonly idleMs: number;
  /** Bytes of the answer that are made and not taken; then nothing more is read. A small answer always fits. */
  readonly maxHeldBytes: number;
  /** How long a full queue is waited for while nothing moves. */
  readonly maxRoomWaitMs: number;
  /** In both directions. */
  readonly pace: PaceLimits;
}

const KiB = 1024;
const MiB = KiB * KiB;

export const BATCH_LIMITS: BatchLimits = {
  maxEvents: 10_000,
  maxBytes: 16 * MiB,
  maxAtOnce: 8,
  maxAtOnceOfOne: 4,
  groupEvents: 512,
  groupBytes: 2 * MiB,
  idleMs: 100,
  maxHeldBytes: 8 * MiB,
  maxRoomWaitMs: 10_000,
  pace: PACE,
};

/** The batch is larger than any may be: `limit` of `unit`. */
export class BatchTooLargeError extends NewelError {
  override name = 'BatchTooLargeError';
  readonly limit: number;
  readonly unit: 'events' | 'bytes';

  constructor(limit: number, unit: 'events' | 'bytes', what = 'a batch') {
    super('too_large', `${what} has at most ${limit} ${unit}`);
    this.limit = limit;
    this.unit = unit;
  }
}

/** As many batches as there may be are under way. Try again in a moment. */
export class BatchesFullError extends NewelError {
  override name = 'BatchesFullError';
  readonly limit: number;
  readonly unit = 'batches';

  constructor(limit: number, ofOne: boolean) {
    super(
      'queue_full',
      `${limit} batches${ofOne ? ' of this caller' : ''} are under way, and no more are taken`,
    );
    this.limit = limit;
  }
}

/** The batches under way, by whose they are. */
export class BatchSlots {
  readonly #limits: Pick<BatchLimits, 'maxAtOnce' | 'maxAtOnceOfOne'>;
  readonly #held = new Map<string, number>();
  #count = 0;

  constructor(limits: Pick<BatchLimits, 'maxAtOnce' | 'maxAtOnceOfOne'>) {
    this.#limits = limits;
  }

  /** Counts a batch of the principal `name`; returns how to end that, of effect once. Throws `BatchesFullError`. */
  take(name: string): () => void {
    const { maxAtOnce, maxAtOnceOfOne } = this.#limits;
    const held = this.#held.get(name) ?? 0;
    if (held >= maxAtOnceOfOne) throw new BatchesFullError(maxAtOnceOfOne, true);
    if (this.#count >= maxAtOnce) throw new BatchesFullError(maxAtOnce, false);
    this.#held.set(name, held + 1);
    this.#count++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#count--;
      const left = (this.#held.get(name) ?? 1) - 1;
      if (left === 0) this.#held.delete(name);
      else this.#held.set(name, left);
    };
  }
}
