/**
 * How much a log may have its witness sign: token buckets for each kind of signature, filled evenly over the day.
 *
 *   growth    a larger tree                        `qpd` of the list; without it as many as the log makes
 *   repeat    the same tree with a new timestamp   as many again, in a bucket of their own, since whoever has a public
 *   subtree   a subtree of a cosigned tree         checkpoint can ask for them: nobody uses up what the log itself needs
 *
 * Where the list grants no number, 10 a second of the last two. A bucket holds what an hour brings, and 10 at least.
 * Only what is signed and written is charged: a refusal costs the asker's budget nothing.
 */

import type { ListedLog } from './log-list.ts';

export type Work = 'growth' | 'repeat' | 'subtree';

const DAY_MS = 86_400_000;
const HOURS = 24;
const MIN_BURST = 10;
/** Of what strangers can ask for, a day: 10 a second. */
const UNLISTED_PER_DAY = 864_000;

interface Bucket {
  level: number;
  atMs: number;
}

export class LogBudgets {
  readonly #elapsed: () => number;
  /** By kind of work and origin: three at most for each log that was ever listed. */
  readonly #buckets = new Map<string, Bucket>();

  /** `elapsed` counts milliseconds that never go back. */
  constructor(elapsed: () => number = () => performance.now()) {
    this.#elapsed = elapsed;
  }

  /** Takes one of what the log may have. Returns 0, or, taking nothing, the seconds after which it would pass. */
  charge({ origin, perDay }: ListedLog, work: Work): number {
    if (perDay === undefined && work === 'growth') return 0;
    const rate = perDay ?? UNLISTED_PER_DAY;
    const full = Math.max(MIN_BURST, rate / HOURS);
    const name = `${work} ${origin}`;
    const nowMs = this.#elapsed();
    const bucket = this.#buckets.get(name) ?? { level: full, atMs: nowMs };
    const level = Math.min(full, bucket.level + (Math.max(0, nowMs - bucket.atMs) * rate) / DAY_MS);
    const passes = level >= 1;
    this.#buckets.set(name, { level: passes ? level - 1 : level, atMs: nowMs });
    return passes ? 0 : Math.ceil(((1 - level) * DAY_MS) / rate / 1000);
  }
}
