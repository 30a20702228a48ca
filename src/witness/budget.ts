/**
 * Requests that a public witness grants a day (`qpd` of the witness network's log lists), as a token bucket. Every request
 * counts, those too that are answered 409 or not at all.
 *
 *   q a day, burst b = q/20, 1 … 8      full at b, one more every day/(q − b + 1)
 *
 * So a day, whenever it begins, sees at most q requests. A process that starts again begins with a full bucket.
 */

const DAY_MS = 86_400_000;
const MAX_BURST = 8;

export class RequestBudget {
  readonly #burst: number;
  readonly #everyMs: number;
  /** In elapsed time: when the bucket is, or was, full. */
  #fullAtMs = Number.NEGATIVE_INFINITY;

  /** Throws `RangeError` unless `requestsPerDay` is a whole number of at least 1. */
  constructor(requestsPerDay: number) {
    if (!Number.isSafeInteger(requestsPerDay) || requestsPerDay < 1)
      throw new RangeError('requestsPerDay expected a whole number of at least 1');
    this.#burst = Math.max(1, Math.min(MAX_BURST, Math.floor(requestsPerDay / 20)));
    this.#everyMs = DAY_MS / (requestsPerDay - this.#burst + 1);
  }

  /** Milliseconds until a request may be sent; 0 if now. */
  waitMs(elapsedMs: number): number {
    return Math.max(0, this.#fullAtMs - (this.#burst - 1) * this.#everyMs - elapsedMs);
  }

  /** Counts a request, which may be sent now. */
  take(elapsedMs: number): void {
    this.#fullAtMs = Math.max(this.#fullAtMs, elapsedMs) + this.#everyMs;
  }
}
