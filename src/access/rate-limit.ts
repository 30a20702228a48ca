/**
 * How much one caller may send: a token bucket each.
 *
 *   rate r, full at 2 r      what two seconds bring, so that who sends evenly never meets it, and a burst may be double
 *
 * A charge passes if the bucket has what is charged, or is full: a batch larger than any bucket passes when the caller
 * has rested, and what it takes too much is owed, so that over time the rate holds whatever the size of batches.
 * Counted in thousandths and whole milliseconds, hence exactly.
 */

import { RateLimitedError } from '../errors.ts';
import type { Principal, RateUnit } from './principal.ts';

export interface RateLimitOptions {
  /** Of callers that have no rate of their own, a second: 1 to `MAX_RATE`. */
  readonly rate: number;
  /** Milliseconds that never go back. */
  readonly elapsed?: () => number;
}

/** Twenty thousand a second: several times what one process takes, so that it ends floods and nothing else. */
export const DEFAULT_RATE = 20_000;
export const MAX_RATE = 1_000_000;
/** The burst, in seconds of the rate. */
const BURST_S = 2;
/** Buckets that are kept. Who was forgotten has a full one again: those that have been still longest. */
const MAX_BUCKETS = 65_536;
const THOUSANDTHS = 1000;

interface Bucket {
  /** Thousandths of an event or request; negative where something is owed. */
  level: number;
  atMs: number;
}

export class RateLimits {
  readonly #rate: number;
  readonly #elapsed: () => number;
  /** By the caller's name; the one used last is last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor({ rate, elapsed = () => performance.now() }: RateLimitOptions) {
    if (!isRate(rate)) throw new RangeError(`rate expected: a whole number from 1 to ${MAX_RATE}`);
    this.#rate = rate;
    this.#elapsed = elapsed;
  }

  /**
   * Takes `count` from what the caller may send. Throws `rate_limited`, taking nothing, with the seconds after which the
   * same would pass if nothing else were sent.
   */
  charge({ name, rate = this.#rate }: Principal, count: number, unit: RateUnit = 'events'): void {
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError('count expected: a whole number');
    const perS = rate * THOUSANDTHS;
    const full = BURST_S * perS;
    const nowMs = Math.floor(this.#elapsed());
    const bucket = this.#buckets.get(name) ?? { level: full, atMs: nowMs };
    const level = Math.min(full, bucket.level + Math.max(0, nowMs - bucket.atMs) * rate);
    const needed = Math.min(full, count * THOUSANDTHS);
    const passes = level >= needed;
    bucket.level = passes ? level - count * THOUSANDTHS : level;
    bucket.atMs = nowMs;
    this.#keep(name, bucket);
    if (!passes) throw new RateLimitedError(rate, unit, Math.ceil((needed - level) / perS));
  }

  #keep(name: string, bucket: Bucket): void {
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size > MAX_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value!);
  }
}

/** Whether a value may be a caller's rate. */
export function isRate(rate: unknown): rate is number {
  return Number.isSafeInteger(rate) && (rate as number) >= 1 && (rate as number) <= MAX_RATE;
}
