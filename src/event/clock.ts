/**
 * How far the clock of a source and that of the log are apart, as far as one event shows it. Nothing is rewritten: `time`
 * stays what the source said, and when the log received the event is kept beside it.
 *
 *   skew = received - time      412 s: the event is late, or its source is behind; -412 s: its source is ahead
 */

import { instantOf } from './instant.ts';
import type { Notice } from './notice.ts';
import type { EventMembers } from './schema.ts';

/** Up to here nothing is said, either way. */
export const MAX_SKEW_MS: number = 5 * 60_000;

/**
 * `clock_skew` for an event whose `time` is more than `MAX_SKEW_MS` from when it was received. One that says that it is
 * sent long after (the label `backfill` is true) may be as late as it likes, and not more ahead than any other.
 */
export function clockNoticesOf(event: EventMembers, receivedTimeMs: number): Notice[] {
  const skewMs = clockSkewMs(event.time, receivedTimeMs);
  const mayBeLate = event.labels?.['backfill'] === true;
  if (skewMs < -MAX_SKEW_MS || (skewMs > MAX_SKEW_MS && !mayBeLate)) {
    return [{ code: 'clock_skew', skew_ms: skewMs }];
  }
  return [];
}

/** Received minus `time`, in milliseconds. A time to the second is any time in it: the one that is nearest. */
export function clockSkewMs(time: string, receivedTimeMs: number): number {
  const { earliestMs, latestMs } = instantOf(time);
  const nearestMs = Math.min(Math.max(receivedTimeMs, earliestMs), latestMs);
  return receivedTimeMs - nearestMs;
}
