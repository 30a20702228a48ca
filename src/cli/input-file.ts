/** Files that the user names: read with a bound, and what cannot be read is said by its name. */

import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { NewelError } from '../errors.ts';
import type { Terminal } from './terminal.ts';

/** Stands for what is piped in. */
export const STANDARD_INPUT = '-';

/** A file that the user named cannot be read, or is too long: the message names it. */
export class InputError extends NewelError {
  override name = 'InputError';
  /** An absolute path, or `-`. */
  readonly path: string;

  constructor(code: 'unreachable' | 'too_large', path: string, flaw: string, options?: ErrorOptions) {
    super(code, `${path === STANDARD_INPUT ? 'standard input' : path} ${flaw}`, options);
    this.path = path;
  }
}

/** The bytes of a file, or of what is piped in, as they come. Throws `unreachable` (`InputError`) where it cannot be read. */
export async function* openInput(
  terminal: Terminal,
  file: string,
  what: string,
): AsyncGenerator<Uint8Array, void> {
  const path = inputPath(terminal, file);
  const chunks = path === STANDARD_INPUT ? terminal.input : createReadStream(path);
  try {
    yield* chunks;
  } catch (cause) {
    // What the reader of the chunks throws does not come by here.
    const flaw = `cannot be read: give a file that is ${what}`;
    throw new InputError('unreachable', path, flaw, { cause });
  }
}

/** All bytes of a file. Throws `InputError`: `unreachable` where it cannot be read, `too_large` over `maxBytes`. */
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
      const flaw = `is longer than ${maxBytes} bytes: give a file that is ${what}`;
      throw new InputError('too_large', inputPath(terminal, file), flaw);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The absolute path of a file that the user named; `-` is what is piped in. */
export function inputPath({ cwd }: Terminal, file: string): string {
  return file === STANDARD_INPUT ? file : resolve(cwd, file);
}
