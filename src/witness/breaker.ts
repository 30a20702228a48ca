/**
 * How long a witness that fails is left alone: twice as long each time, by chance somewhat less so that not all come back
 * together; and once it has failed often, for a long while, after which a single request tries it.
 *
 *   failures   1      2      3      4      5 and more
 *   wait       200    400    800    1600   15,000 ms       times ½ … 1, by chance
 *              closed                      open, then one trial: closed again, or open
 */

/** Failures in a row at which it opens. */
export const OPENS_AT = 5;
export const OPEN_MS = 15_000;
const FIRST_WAIT_MS = 200;

export class Breaker {
  readonly #random: () => number;
  #failures = 0;
  /** In elapsed time: no request before. */
  #untilMs = Number.NEGATIVE_INFINITY;

  /** `random`: from 0 up to 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** In a row, until now. */
  get failures(): number {
    return this.#failures;
  }

  get isOpen(): boolean {
    return this.#failures >= OPENS_AT;
  }

  /** Milliseconds until a request may be sent; 0 if now. */
  waitMs(elapsedMs: number): number {
    return Math.max(0, this.#untilMs - elapsedMs);
  }

  /** Notes a failure; returns for how long no request is to be sent. */
  fail(elapsedMs: number): number {
    this.#failures++;
    const longestMs = this.isOpen ? OPEN_MS : FIRST_WAIT_MS * 2 ** (this.#failures - 1);
    const waitMs = Math.ceil(longestMs * (0.5 + this.#random() / 2));
    this.#untilMs = elapsedMs + waitMs;
    return waitMs;
  }

  succeed(): void {
    this.#failures = 0;
    this.#untilMs = Number.NEGATIVE_INFINITY;
  }
}
