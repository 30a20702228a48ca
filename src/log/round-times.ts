/** What the round records tell: which leaf came when, as rounds have times that never go back; which sizes there were. */

import { NewelError } from '../errors.ts';
import { numberOfKey, roundKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { parseRoundRecord, type RoundRecord, type SignedHead } from './round-record.ts';

/**
 * The first leaf of the first round at `timeMs` or later, up to `head`; its size where there is none.
 * Throws `storage_failed` where a round cannot be read.
 */
export async function firstLeafSince(store: Store, head: SignedHead, timeMs: number): Promise<number> {
  if (head.timeMs < timeMs) return head.size;
  let low = 0;
  let high = head.round;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await readRound(store, middle)).timeMs < timeMs) low = middle + 1;
    else high = middle;
  }
  return (await readRound(store, low)).first;
}

const ROUNDS_AT_ONCE = 256;
/** Rounds that are looked at: one that only publishes has the size of the one before it. */
const MAX_ROUNDS = 4096;

/**
 * The sizes of at least `since` leaves that the tree had after a round, up to `head`, newest first and each once: all heads
 * that were ever signed, unless there are more than `limit`. Throws `storage_failed` where a round cannot be read.
 */
export async function readRoundSizes(
  store: Store,
  head: SignedHead,
  since: number,
  limit: number,
): Promise<{ sizes: number[]; isComplete: boolean }> {
  const sizes: number[] = [];
  for (let round = head.round; head.round - round < MAX_ROUNDS;) {
    const range = { from: roundKey(0), to: roundKey(round + 1), limit: ROUNDS_AT_ONCE, reverse: true };
    const rows = await store.scan(range);
    if (rows.length === 0) throw missing(round);
    for (const { key, value } of rows) {
      if (numberOfKey(key) !== round) throw missing(round);
      const { size } = parseStored(round, value);
      if (size < since) return { sizes, isComplete: true };
      if (sizes.at(-1) !== size) {
        if (sizes.length === limit) return { sizes, isComplete: false };
        sizes.push(size);
      }
      if (size === since || round === 0) return { sizes, isComplete: true };
      round -= 1;
    }
  }
  return { sizes, isComplete: false };
}

async function readRound(store: Store, round: number): Promise<RoundRecord> {
  const [stored] = await store.getMany([roundKey(round)]);
  if (!stored) throw missing(round);
  return parseStored(round, stored);
}

function parseStored(round: number, stored: Uint8Array): RoundRecord {
  try {
    return parseRoundRecord(stored);
  } catch (cause) {
    throw new NewelError('storage_failed', `the record of round ${round} is damaged`, { cause });
  }
}

function missing(round: number): NewelError {
  return new NewelError('storage_failed', `the record of round ${round} is missing`);
}
