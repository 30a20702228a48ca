/** Finding leaves by time: rounds have times that never go back, so one is found by halving. */

import { NewelError } from '../errors.ts';
import { roundKey } from '../storage/keys.ts';
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

/** The sizes of the tree after the newest `rounds` rounds up to `head`, newest first. */
export async function readRoundSizes(store: Store, head: SignedHead, rounds: number): Promise<number[]> {
  const numbers = Array.from({ length: Math.min(rounds, head.round + 1) }, (_, i) => head.round - i);
  const records = await Promise.all(numbers.map((round) => readRound(store, round)));
  return records.map(({ size }) => size);
}

async function readRound(store: Store, round: number): Promise<RoundRecord> {
  const [stored] = await store.getMany([roundKey(round)]);
  try {
    if (stored) return parseRoundRecord(stored);
  } catch (cause) {
    throw new NewelError('storage_failed', `the record of round ${round} is damaged`, { cause });
  }
  throw new NewelError('storage_failed', `the record of round ${round} is missing`);
}
