/**
 * Times as events have them, and what their numbers say.
 *
 *   2026-11-20T12:00:08.123Z    one millisecond
 *   2026-11-20T12:00:08Z        any of the thousand that begin with it: whoever wrote it cut the rest off
 *   1795176008, 1795176008123   seconds and milliseconds since 1970, told apart by how large they are
 */

/** When something happened, as well as its text says: from `earliestMs` to `latestMs`, milliseconds since 1970. */
export interface Instant {
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** 9999-12-31T23:59:59.999Z, the last time that an event can have. */
export const MAX_TIME_MS = 253_402_300_799_999;
/** A number up to here is of seconds (the year 5138), one above of milliseconds (from March 1973 on). */
export const MAX_TIME_S = 100_000_000_000;

/** What a text of the form `time` says (text-form.ts). */
export function instantOf(time: string): Instant {
  const number = (from: number, to: number): number => Number(time.slice(from, to));
  const secondMs = Date.UTC(
    number(0, 4),
    number(5, 7) - 1,
    number(8, 10),
    number(11, 13),
    number(14, 16),
    number(17, 19),
  );
  // From the point to the Z: none, one, two or three digits.
  const digits = time.slice(20, -1);
  const unitMs = 10 ** (3 - digits.length);
  const earliestMs = secondMs + Number(digits) * unitMs;
  return { earliestMs, latestMs: earliestMs + unitMs - 1 };
}

/** RFC 3339 to the millisecond. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

export type TimeUnit = 's' | 'ms';

/** The unit of a number that can be a time since 1970; `undefined` for one that can not. */
export function timeUnitOf(value: number): TimeUnit | undefined {
  if (!Number.isSafeInteger(value) || value < 0 || value > MAX_TIME_MS) return undefined;
  return value <= MAX_TIME_S ? 's' : 'ms';
}

/** The milliseconds since 1970 of a number that has a unit. */
export function timeMsOf(value: number): number {
  return timeUnitOf(value) === 's' ? 1000 * value : value;
}
