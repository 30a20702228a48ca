/** How often a public route that costs something is answered, whoever asks: a bucket that two seconds fill. */

import { RateLimitedError } from '../errors.ts';

const BURST_S = 2;

export class PublicRate {
  readonly #perSecond: number;
  readonly #unit: string;
  #level: number;
  #atMs: number = performance.now();

  /** `unit` is what is counted, in the plural. */
  constructor(perSecond: number, unit: string) {
    this.#perSecond = perSecond;
    this.#unit = unit;
    this.#level = BURST_S * perSecond;
  }

  /** Throws `rate_limited`. */
  take(): void {
    const nowMs = performance.now();
    const full = BURST_S * this.#perSecond;
    this.#level = Math.min(full, this.#level + ((nowMs - this.#atMs) / 1000) * this.#perSecond);
    this.#atMs = nowMs;
    if (this.#level < 1) {
      const retryAfterS = Math.ceil((1 - this.#level) / this.#perSecond);
      throw new RateLimitedError(this.#perSecond, this.#unit, retryAfterS);
    }
    this.#level -= 1;
  }
}
