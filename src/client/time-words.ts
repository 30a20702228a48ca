/** Times as people read them. */

/** The last second that a `Date` can hold. */
const MAX_DATE_S = 8_640_000_000_000;

/** `2026-11-20 12:00:08 UTC`, of seconds since 1970: of any that are not negative, however far off. */
export function formatUtc(seconds: number): string {
  if (seconds > MAX_DATE_S) return `second ${seconds} after 1970`;
  return `${new Date(seconds * 1000).toISOString().slice(0, -5).replace('T', ' ')} UTC`;
}

/** RFC 3339, of seconds since 1970; `null` of a time that no calendar has. */
export function formatInstantS(seconds: number): string | null {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

/** How long, in its largest unit that has at least two of it: `12 minutes`, `26 hours`. */
export function formatSpan(seconds: number): string {
  const [name, unitS] = UNITS.find(([, one]) => seconds >= 2 * one) ?? (['second', 1] as const);
  const count = Math.floor(seconds / unitS);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
