/** A database that has lost an acknowledged round out of its write-ahead log, as a damaged disk or a bad copy does it. */

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseWal, recordOfRound, walPath } from './wal.ts';

export interface DamagedWal {
  /** Of the file, within the folder of the database. */
  readonly name: string;
  /** The damaged file, whole. */
  readonly bytes: Buffer;
}

/**
 * Damages a round in the write-ahead log of a database that is not open. `flip` spoils its checksum, and LevelDB drops
 * what follows in that block too; `cut` takes the batch out, so that all others stay, which needs a log of one block.
 */
export async function loseRound(db: string, round: number, how: 'flip' | 'cut'): Promise<DamagedWal> {
  const path = await walPath(db);
  const whole = await readFile(path);
  const { fragments } = recordOfRound(parseWal(whole), round);
  const [{ from, to }] = fragments as [{ from: number; to: number }];
  let bytes: Buffer;
  if (how === 'flip') {
    bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(to - 1) ^ 1, to - 1);
  } else {
    assert.ok(whole.length < 32_768, 'the write-ahead log has one block');
    bytes = Buffer.concat([whole.subarray(0, from), whole.subarray(to)]);
  }
  await writeFile(path, bytes);
  return { name: basename(path), bytes };
}
