/**
 * A token bucket: so many at once, and one more every so often. Full to begin with, and never owing.
 *
 *   burst b, one more every t      n are taken at once: full again after n · t; one may be taken while b − 1 or fewer lack
 */

export interface BucketRate {
  /** How many it holds, 1 at least. */
  readonly burst: number;
  readonly everyMs: number;
}

export class TokenBucket {
  /** May be set anew: what has been taken stays taken. */
  rate: BucketRate;
  /** In the caller's time: when the bucket is, or was, full. */
  #fullAtMs: number = Number.NEGATIVE_INFINITY;

  constructor(rate: BucketRate) {
    this.rate = rate;
  }

  /** Milliseconds until one may be taken; 0 if now. `nowMs` never goes back. */
  waitMs(nowMs: number): number {
    const { burst, everyMs } = this.rate;
    return Math.max(0, this.#fullAtMs - (burst - 1) * everyMs - nowMs);
  }

  /** Takes one. Returns 0, or, taking nothing, what `waitMs` does. */
  take(nowMs: number): number {
    const waitMs = this.waitMs(nowMs);
    if (waitMs === 0) this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + this.rate.everyMs;
    return waitMs;
  }
}
