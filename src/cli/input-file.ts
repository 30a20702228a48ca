/** Files that the user names: read with a bound, and what cannot be read is said by its name. */

import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { NewelError } from '../errors.ts';
import type { Terminal } from './terminal.ts';

/** Stands for what is piped in. */
export const STANDARD_INPUT = '-';

/** The bytes of a file, or of what is piped in, as they come. Throws `unreachable` where it cannot be read. */
export async function* openInput(
  terminal: Terminal,
  file: string,
  what: string,
): AsyncGenerator<Uint8Array, void> {
  const path = resolve(terminal.cwd, file);
  const chunks = file === STANDARD_INPUT ? terminal.input : createReadStream(path);
  try {
    yield* chunks;
  } catch (cause) {
    // What the reader of the chunks throws does not come by here.
    const name = file === STANDARD_INPUT ? 'standard input' : path;
    throw new NewelError('unreachable', `${name} cannot be read: give a file that is ${what}`, { cause });
  }
}

/** All bytes of a file. Throws `unreachable` where it cannot be read, `too_large` over `maxBytes`. */
export async function readInput(
  terminal: Terminal,
  file: string,
  what: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of openInput(terminal, file, what)) {
    length += chunk.length;
    if (length > maxBytes) {
      const path = resolve(terminal.cwd, file);
      throw new NewelError(
        'too_large',
        `${path} is longer than ${maxBytes} bytes: give a file that is ${what}`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
