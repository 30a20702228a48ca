/**
 * LevelDB's write-ahead log, taken apart, so that tests can damage the record of a chosen round.
 *
 *   blocks of 32,768 bytes; in them fragments   crc4 length2 type1 data    (little-endian; type 1 full, 2 first, 3 middle, 4 last)
 *   fragments of one batch, joined              sequence8 count4 operations
 *
 * crc4 is the CRC-32C of type1 and data, turned right by 15 bits, plus 0xa282ead8.
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { roundKey } from '../../src/storage/keys.ts';

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4] as const;

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
    if (type === FULL || type === LAST) {
      const data = Buffer.concat(fragments.map(({ from, to }) => bytes.subarray(from + HEADER_BYTES, to)));
      records.push({ fragments, data });
      fragments = [];
    }
  }
  return records;
}

/** A write-ahead log of these batches. */
export function formatWal(batches: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  let left = BLOCK_BYTES;
  const put = (part: Uint8Array): void => {
    parts.push(part);
    left = left === part.length ? BLOCK_BYTES : left - part.length;
  };
  for (const batch of batches) {
    let isFirst = true;
    for (let from = 0; from < batch.length; isFirst = false) {
      if (left < HEADER_BYTES) put(new Uint8Array(left));
      const data = batch.subarray(from, from + left - HEADER_BYTES);
      from += data.length;
      const isLast = from === batch.length;
      put(formatFragment(isFirst ? (isLast ? FULL : FIRST) : isLast ? LAST : MIDDLE, data));
    }
  }
  return Buffer.concat(parts);
}

function formatFragment(type: number, data: Uint8Array): Buffer {
  const fragment = Buffer.concat([new Uint8Array(HEADER_BYTES), data]);
  fragment.writeUInt16LE(data.length, 4);
  fragment[6] = type;
  const crc = crc32c(fragment.subarray(6));
  fragment.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return fragment;
}

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

/** The record that holds the batch of a round. */
export function recordOfRound(records: readonly WalRecord[], round: number): WalRecord {
  const found = records.filter(({ data }) => Buffer.from(data).includes(roundKey(round)));
  if (found.length !== 1) throw new Error(`one record of round ${round} expected, found ${found.length}`);
  return found[0]!;
}
