/**
 * LevelDB's write-ahead log, taken apart, so that tests can damage the record of a chosen round.
 *
 *   blocks of 32,768 bytes; in them fragments   crc4 length2 type1 data    (little-endian; type 1 full, 2 first, 3 middle, 4 last)
 *   fragments of one batch, joined              sequence8 count4 operations
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { roundKey } from '../../src/storage/keys.ts';

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;

/** One batch in the log: where its fragments lie in the file, headers included. */
export interface WalRecord {
  readonly fragments: readonly { readonly from: number; readonly to: number }[];
  readonly data: Uint8Array;
}

export async function walPath(folder: string): Promise<string> {
  const logs = (await readdir(folder)).filter((name) => /^\d+\.log$/.test(name));
  if (logs.length !== 1) throw new Error(`one write-ahead log expected, found ${logs.length}`);
  return join(folder, logs[0]!);
}

export function parseWal(bytes: Buffer): WalRecord[] {
  const records: WalRecord[] = [];
  let fragments: { from: number; to: number }[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (left < HEADER_BYTES) {
      at += left;
      continue;
    }
    const length = bytes.readUInt16LE(at + 4);
    const type = bytes[at + 6]!;
    if (type === 0) break;
    fragments.push({ from: at, to: at + HEADER_BYTES + length });
    at += HEADER_BYTES + length;
    if (type === 1 || type === 4) {
      const data = Buffer.concat(fragments.map(({ from, to }) => bytes.subarray(from + HEADER_BYTES, to)));
      records.push({ fragments, data });
      fragments = [];
    }
  }
  return records;
}

/** The record that holds the batch of a round. */
export function recordOfRound(records: readonly WalRecord[], round: number): WalRecord {
  const found = records.filter(({ data }) => Buffer.from(data).includes(roundKey(round)));
  if (found.length !== 1) throw new Error(`one record of round ${round} expected, found ${found.length}`);
  return found[0]!;
}
