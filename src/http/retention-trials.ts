/**
 * Which retentions were tried out. What is erased by age goes by the thousand, so it is counted first: a retention is
 * done only within a day after the same one was a dry run. Kept in this process: after a start it is tried out again.
 */

import { NewelError } from '../errors.ts';

/** How long a trial counts. */
export const TRIAL_MS: number = 24 * 3_600_000;
/** Trials that are kept; the oldest goes first. */
const MAX_TRIALS = 256;

export type KeptMs = Readonly<Record<string, number>>;

export class RetentionTrials {
  /** When each was tried out, the oldest first. */
  readonly #triedMs = new Map<string, number>();
  readonly #now: () => number;

  /** `now` is milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(keptMs: KeptMs): void {
    const name = nameOf(keptMs);
    this.#triedMs.delete(name);
    this.#triedMs.set(name, this.#now());
    for (const oldest of this.#triedMs.keys()) {
      if (this.#triedMs.size <= MAX_TRIALS) break;
      this.#triedMs.delete(oldest);
    }
  }

  /** Throws `malformed` for a retention that was not tried out in time. */
  assertTried(keptMs: KeptMs): void {
    const triedMs = this.#triedMs.get(nameOf(keptMs));
    if (triedMs !== undefined && this.#now() - triedMs < TRIAL_MS) return;
    throw new NewelError(
      'malformed',
      'dry run first: this retention was not sent with dry_run in the last 24 hours',
    );
  }
}

function nameOf(keptMs: KeptMs): string {
  return JSON.stringify(Object.entries(keptMs).sort(([a], [b]) => (a < b ? -1 : 1)));
}
