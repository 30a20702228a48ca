/** How a command ends, as scripts see it. */

import { type ErrorCode, NewelError } from '../errors.ts';

export const EXIT = {
  ok: 0,
  /** Something that was claimed is false, or what was asked for was refused. */
  refused: 1,
  /** The command line, an environment variable or a setting is wrong. */
  usage: 2,
  /** A file or a log that cannot be read or reached, or a log that takes nothing now; nothing is known about it. */
  unreadable: 3,
  /** All that was claimed is true, and less was reached than was asked for. */
  below: 4,
} as const;

/** From the gravest: what several files end with is the first of these that one of them ended with. */
const GRAVEST_FIRST: readonly number[] = [EXIT.refused, EXIT.usage, EXIT.unreadable, EXIT.below];

/** The exit code of several things that ended with these. */
export function worstOf(codes: readonly number[]): number {
  return GRAVEST_FIRST.find((code) => codes.includes(code)) ?? EXIT.ok;
}

/** Nothing could be read or reached; or the log takes nothing now, or no more of this caller, and may be asked again. */
const UNREADABLE: ReadonlySet<ErrorCode> = new Set([
  'unreachable',
  'malformed',
  'too_large',
  'not_ready',
  'queue_full',
  'rate_limited',
]);

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof NewelError)) return EXIT.refused;
  if (error.code === 'usage') return EXIT.usage;
  if (UNREADABLE.has(error.code)) return EXIT.unreadable;
  if (error.code === 'level_not_met') return EXIT.below;
  return EXIT.refused;
}
