/**
 * Requests that a public witness grants a day (`qpd` of the witness network's log lists), as a token bucket. Every request
 * counts, those too that are answered 409 or not at all.
 *
 *   q a day, burst b = q/20, 1 … 8      full at b, one more every day/(q − b + 1)
 *
 * So a day, whenever it begins, sees at most q requests. A process that starts again begins with a full bucket.
 */

import { TokenBucket } from '../client/token-bucket.ts';

const DAY_MS = 86_400_000;
const MAX_BURST = 8;

/** Throws `RangeError` unless `requestsPerDay` is a whole number of at least 1. */
export function requestBudget(requestsPerDay: number): TokenBucket {
  if (!Number.isSafeInteger(requestsPerDay) || requestsPerDay < 1)
    throw new RangeError('requestsPerDay expected a whole number of at least 1');
  const burst = Math.max(1, Math.min(MAX_BURST, Math.floor(requestsPerDay / 20)));
  return new TokenBucket({ burst, everyMs: DAY_MS / (requestsPerDay - burst + 1) });
}
