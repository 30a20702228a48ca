/** The time that a cosignature says: never before the last one of its origin, so that no two have times and sizes that run apart. */

import { type Postponement, RETRY_S } from './serving-answer.ts';
import type { CosigningSignal } from './signals.ts';

/** Milliseconds since 1970, and how to let some pass. */
export interface WitnessClock {
  now(): number;
  sleep(ms: number): Promise<void>;
}

export const systemWitnessClock: WitnessClock = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** A clock that is behind by no more is waited for. */
const MAX_WAIT_S = 2;

/** The time to sign at, in seconds, or, told as a signal, that the clock is too far behind `lastS`. */
export async function cosigningTime(
  clock: WitnessClock,
  { origin, lastS }: { readonly origin: string; readonly lastS: number },
  onSignal: (signal: CosigningSignal) => void,
): Promise<number | Postponement> {
  for (let waited = false; ; waited = true) {
    const nowMs = clock.now();
    const nowS = Math.floor(nowMs / 1000);
    if (nowS >= lastS) return nowS;
    const behindS = lastS - nowS;
    if (waited || behindS > MAX_WAIT_S) {
      onSignal({ event: 'clock_behind', origin, behindS });
      return {
        status: 503,
        reason: 'the clock of the witness is behind its last cosignature',
        retryAfterS: RETRY_S,
      };
    }
    await clock.sleep(lastS * 1000 - nowMs);
  }
}
