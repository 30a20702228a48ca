/**
 * How much a log may have its witness sign: token buckets for each kind of signature, filled evenly over the day.
 *
 *                                                  listed with `qpd`   without
 *   growth    a larger tree                        qpd a day           as many as the log makes
 *   repeat    the same tree with a new timestamp   qpd a day           10 a second
 *   subtree   a subtree of a cosigned tree         qpd a day           10 a second
 *
 * Whoever has a public checkpoint can ask for the last two, so each kind has a bucket of its own: nobody uses up what the
 * log itself needs. The bucket of growth holds what an hour brings, and 10 at least; the others hold 10, since all
 * signatures of a kind are made one after the other, for growth too.
 * Only what is signed and written is charged: a refusal costs the asker's budget nothing.
 */

import { type BucketRate, TokenBucket } from '../client/token-bucket.ts';
import type { ListedLog } from './log-list.ts';

export type Work = 'growth' | 'repeat' | 'subtree';

const DAY_MS = 86_400_000;
const HOURS = 24;
const BURST = 10;
/** Of what strangers can ask for where the list grants the log no `qpd`: 10 a second. */
const WITHOUT_QPD_PER_DAY = 864_000;

export class LogBudgets {
  readonly #elapsed: () => number;
  /** By kind of work and origin: three at most for each log that was ever listed. */
  readonly #buckets = new Map<string, TokenBucket>();

  /** `elapsed` counts milliseconds that never go back. */
  constructor(elapsed: () => number = () => performance.now()) {
    this.#elapsed = elapsed;
  }

  /** Takes one of what the log may have. Returns 0, or, taking nothing, the seconds after which it would pass. */
  charge({ origin, perDay }: ListedLog, work: Work): number {
    if (perDay === undefined && work === 'growth') return 0;
    const rate = rateOf(perDay ?? WITHOUT_QPD_PER_DAY, work);
    const name = `${work} ${origin}`;
    const bucket = this.#buckets.get(name) ?? new TokenBucket(rate);
    // The list may have changed since.
    bucket.rate = rate;
    this.#buckets.set(name, bucket);
    return Math.ceil(bucket.take(this.#elapsed()) / 1000);
  }
}

function rateOf(perDay: number, work: Work): BucketRate {
  const burst = work === 'growth' ? Math.max(BURST, perDay / HOURS) : BURST;
  return { burst, everyMs: DAY_MS / perDay };
}
