/** Two heads of a log that cannot both be true, kept in a file before anything else happens. */

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { InconsistentHeadsError, KnownHead } from '../client/consistency.ts';
import { FORK, formatEvidenceBundle } from '../client/evidence-bundle.ts';
import type { Call } from './command.ts';
import { printable } from './terminal.ts';

/** Writes the evidence bundle to `--out`, or to this folder, and says so in a sentence, or why there is none. */
export async function writeForkEvidence(
  call: Call,
  origin: string,
  { older, newer, begins }: InconsistentHeadsError,
): Promise<string> {
  const heads = notesOf(older, newer);
  if (!heads || (older.size !== newer.size && !begins)) {
    return 'What the log shows does not convict it: ask again, and keep both receipts.';
  }
  const path = join(call.text('out') ?? '.', `fork-${randomBytes(4).toString('hex')}.evidence.json`);
  const text = formatEvidenceBundle({ evidence: FORK, origin, heads, ...begins, seen: [] });
  await writeFile(resolve(call.terminal.cwd, path), text, { flag: 'wx' });
  return `Both heads are kept in ${printable(path)}: newel verify says what they show; give it to others`;
}

function notesOf(older: KnownHead, newer: KnownHead): [Uint8Array, Uint8Array] | undefined {
  return older.note && newer.note && older.size <= newer.size ? [older.note, newer.note] : undefined;
}
