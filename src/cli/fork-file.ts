/** Two heads of a log that cannot both be true, kept in a file before anything else happens. */

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { InconsistentHeadsError, KnownHead } from '../client/consistency.ts';
import { FORK, formatEvidenceBundle } from '../client/evidence-bundle.ts';
import type { Call } from './command.ts';
import { printable } from './terminal.ts';

export interface ForkEvidence {
  /** The file, as it is named from this folder; `undefined` where nothing is proven, or it could not be written. */
  readonly path: string | undefined;
  /** A sentence that says where it is, or why there is none. */
  readonly words: string;
}

/** Writes the evidence bundle to `--out`, or to this folder, where the two heads are proof. */
export async function writeForkEvidence(
  call: Call,
  origin: string,
  { older, newer, begins }: InconsistentHeadsError,
): Promise<ForkEvidence> {
  const heads = notesOf(older, newer);
  if (!heads || (older.size !== newer.size && !begins)) {
    const words = 'What the log shows does not convict it: ask again, and keep what you have.';
    return { path: undefined, words };
  }
  const path = join(call.text('out') ?? '.', `fork-${randomBytes(4).toString('hex')}.evidence.json`);
  const text = formatEvidenceBundle({ evidence: FORK, origin, heads, ...begins, seen: [] });
  try {
    await writeFile(resolve(call.terminal.cwd, path), text, { flag: 'wx' });
  } catch (error) {
    const why = error instanceof Error ? ` (${error.message})` : '';
    const words = `The two heads convict the log, and could not be kept${why}: ask again, with a folder that can be written to as --out.`;
    return { path: undefined, words };
  }
  const words = `Both heads are kept in ${printable(path)}: newel verify says what they show; give it to others`;
  return { path, words };
}

function notesOf(older: KnownHead, newer: KnownHead): [Uint8Array, Uint8Array] | undefined {
  return older.note && newer.note && older.size <= newer.size ? [older.note, newer.note] : undefined;
}
