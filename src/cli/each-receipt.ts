/** One after the other: what cannot be read, or goes wrong, does not keep the other files from being looked at. */

import { NewelError } from '../errors.ts';
import type { Call } from './command.ts';
import { exitCodeOf, worstOf } from './exit-code.ts';
import { failureOf, sayFailure } from './failure.ts';
import { InputError, inputPath } from './input-file.ts';
import { formatJsonLine } from './json-line.ts';

/**
 * Runs `check` for every file, which resolves to an exit code, and resolves to the gravest of them. A failure is said
 * with the file's name: on stderr, and with `--json` as the file's line of data.
 */
export async function checkEach(
  { terminal, json }: Call,
  files: readonly string[],
  check: (file: string) => Promise<number>,
): Promise<number> {
  const codes: number[] = [];
  for (const file of files) {
    try {
      codes.push(await check(file));
    } catch (error) {
      if (!(error instanceof NewelError) || error.code === 'usage') throw error;
      const isNamed = error instanceof InputError && error.path === inputPath(terminal, file);
      const about = isNamed ? {} : { where: file };
      if (json) terminal.out.write(formatJsonLine({ file, ok: false, error: failureOf(error, about) }));
      else sayFailure(terminal, json, error, about);
      codes.push(exitCodeOf(error));
    }
  }
  return worstOf(codes);
}
