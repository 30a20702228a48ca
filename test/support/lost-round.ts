/** A database that has lost an acknowledged round out of its write-ahead log, as a damaged disk or a bad copy does it. */

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { formatWal, parseWal, recordOfRound, type WalRecord, walPath } from './wal.ts';

export interface DamagedWal {
  /** Of the file, within the folder of the database. */
  readonly name: string;
  /** The damaged file, whole. */
  readonly bytes: Buffer;
}

/**
 * Damages a round in the write-ahead log of a database that is not open. `flip` spoils its checksum, and LevelDB drops
 * what follows in that block too; `cut` takes the batch out, so that all others stay.
 */
export async function loseRound(db: string, round: number, how: 'flip' | 'cut'): Promise<DamagedWal> {
  const path = await walPath(db);
  const whole = await readFile(path);
  const records = parseWal(whole);
  const damaged = recordOfRound(records, round);
  let bytes: Buffer;
  if (how === 'flip') {
    const { to } = damaged.fragments[0]!;
    bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(to - 1) ^ 1, to - 1);
  } else {
    const batches = (kept: readonly WalRecord[]): Uint8Array[] => kept.map(({ data }) => data);
    assert.deepEqual(formatWal(batches(records)), whole);
    bytes = formatWal(batches(records.filter((record) => record !== damaged)));
  }
  await writeFile(path, bytes);
  return { name: basename(path), bytes };
}
