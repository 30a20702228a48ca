/**
 * The round record, one for each commit:
 *
 *   first8 size8 time8 root32 previous32                      88 bytes, big-endian
 *
 * `first` is the size before the round, `size` the one after it (equal where the commit only publishes), `time` in
 * milliseconds since 1970, `previous` the SHA-256 of the record before this one (zero for round 0). So the records
 * form a chain: a commit that the database lost leaves a hole that nothing can close.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { NewelError } from '../errors.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { readUint64, writeUint64 } from '../storage/keys.ts';

/** A durable tree head signed by the log, with the round that made it. */
export interface SignedHead {
  readonly round: number;
  readonly size: number;
  readonly root: Uint8Array;
  readonly timeMs: number;
  /** The signed note. */
  readonly checkpoint: Uint8Array;
}

export interface RoundRecord {
  readonly first: number;
  readonly size: number;
  readonly timeMs: number;
  readonly root: Uint8Array;
  readonly previous: Uint8Array;
}

const RECORD_BYTES = 3 * 8 + 2 * HASH_SIZE;

/** What round 0 has in place of a predecessor. */
export const NO_PREVIOUS: Uint8Array = new Uint8Array(HASH_SIZE);

export function formatRoundRecord(record: RoundRecord): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES);
  writeUint64(bytes, 0, record.first);
  writeUint64(bytes, 8, record.size);
  writeUint64(bytes, 16, record.timeMs);
  bytes.set(record.root, 24);
  bytes.set(record.previous, 24 + HASH_SIZE);
  return bytes;
}

/** Throws `malformed` for another length or numbers that cannot be. */
export function parseRoundRecord(bytes: Uint8Array): RoundRecord {
  if (bytes.length !== RECORD_BYTES) throw new NewelError('malformed', 'round record has a wrong length');
  const record = {
    first: parseNumber(bytes, 0),
    size: parseNumber(bytes, 8),
    timeMs: parseNumber(bytes, 16),
    root: bytes.slice(24, 24 + HASH_SIZE),
    previous: bytes.slice(24 + HASH_SIZE),
  };
  if (record.first > record.size) throw new NewelError('malformed', 'round record shrinks the tree');
  return record;
}

function parseNumber(bytes: Uint8Array, at: number): number {
  try {
    return readUint64(bytes, at);
  } catch (cause) {
    throw new NewelError('malformed', 'round record has a number of 2^53 or more', { cause });
  }
}

export function hashRoundRecord(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}
