/** How a command ends, as scripts see it. */

import { NewelError } from '../errors.ts';

export const EXIT = {
  ok: 0,
  /** Something that was claimed is false, or what was asked for was refused. */
  refused: 1,
  /** The command line, an environment variable or a setting is wrong. */
  usage: 2,
  /** A file or a log that cannot be read or reached; nothing is known about it. */
  unreadable: 3,
} as const;

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof NewelError)) return EXIT.refused;
  if (error.code === 'usage') return EXIT.usage;
  if (error.code === 'unreachable' || error.code === 'malformed' || error.code === 'too_large')
    return EXIT.unreadable;
  return EXIT.refused;
}
