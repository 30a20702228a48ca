/** So many of something a second, with a burst: full to begin with, and never owing. */

import { RateLimitedError } from '../errors.ts';

export interface BucketOptions {
  readonly perS: number;
  readonly burst: number;
  /** What is counted, for whoever meets the limit. */
  readonly unit: string;
  /** Milliseconds that never go back. */
  readonly elapsed: () => number;
}

export class TokenBucket {
  readonly #options: BucketOptions;
  #level: number;
  #atMs: number;

  constructor(options: BucketOptions) {
    this.#options = options;
    this.#level = options.burst;
    this.#atMs = options.elapsed();
  }

  /** Takes one. Throws `rate_limited`, taking nothing, with the seconds until there is one again. */
  take(): void {
    if (this.tryTake()) return;
    const { perS, unit } = this.#options;
    throw new RateLimitedError(perS, unit, Math.ceil((1 - this.#level) / perS));
  }

  /** Takes one, if there is one. */
  tryTake(): boolean {
    const { perS, burst, elapsed } = this.#options;
    const nowMs = elapsed();
    this.#level = Math.min(burst, this.#level + (Math.max(0, nowMs - this.#atMs) * perS) / 1000);
    this.#atMs = nowMs;
    if (this.#level < 1) return false;
    this.#level -= 1;
    return true;
  }
}
