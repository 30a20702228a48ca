/**
 * Lists of leaves, the newest first: of a term, or of a data key. Where an event has to be in several, the rarest of them
 * is read, and the others are asked for each leaf that it has.
 */

import type { Store } from '../storage/store.ts';
import { indexOfKey } from './rows.ts';

/** Rows that are read at first; each time twice as many, up to the last. */
const FIRST_ROWS = 64;
const MAX_ROWS = 1024;

/** The key of a leaf in a list. */
export type PostingKey = (index: number) => Uint8Array;

/** How many rows may be read for one page; a page that used them up ends short. */
export class ScanBudget {
  #rows: number;

  constructor(rows: number) {
    this.#rows = rows;
  }

  get isSpent(): boolean {
    return this.#rows <= 0;
  }

  spend(rows: number): void {
    this.#rows -= rows;
  }
}

/** Where to look, both ends included. */
export interface LeafRange {
  readonly lowest: number;
  readonly highest: number;
}

/**
 * The leaves that are in all lists, downwards; with none, all of the range. Ends early where the budget is spent: then
 * the last that it yields is `{ next }`, the leaf to go on at.
 */
export async function* meet(
  store: Store,
  lists: readonly PostingKey[],
  range: LeafRange,
  budget: ScanBudget,
): AsyncGenerator<{ readonly index: number } | { readonly next: number }> {
  const { lowest, highest } = range;
  if (lists.length === 0) {
    for (let index = highest; index >= lowest; index--) yield { index };
    return;
  }
  const rarest = lists.length === 1 ? lists[0]! : await rarestOf(store, lists, range, budget);
  const others = lists.filter((list) => list !== rarest);
  let limit = FIRST_ROWS;
  for (let below = highest; ;) {
    const indexes = await readDown(store, rarest, { lowest, highest: below }, limit);
    const found = await store.getMany(indexes.flatMap((index) => others.map((keyOf) => keyOf(index))));
    budget.spend(1 + indexes.length * lists.length);
    for (const [i, index] of indexes.entries()) {
      const asked = found.slice(i * others.length, (i + 1) * others.length);
      if (!asked.includes(undefined)) yield { index };
    }
    if (indexes.length < limit) return;
    below = indexes.at(-1)! - 1;
    if (budget.isSpent) {
      yield { next: below };
      return;
    }
    limit = Math.min(2 * limit, MAX_ROWS);
  }
}

/** The list that has the fewest leaves where the reading begins: its first rows reach the furthest down, or are all. */
async function rarestOf(
  store: Store,
  lists: readonly PostingKey[],
  range: LeafRange,
  budget: ScanBudget,
): Promise<PostingKey> {
  const reaches = await Promise.all(
    lists.map(async (keyOf) => {
      const indexes = await readDown(store, keyOf, range, FIRST_ROWS);
      budget.spend(1 + indexes.length);
      return { keyOf, lowest: indexes.length < FIRST_ROWS ? indexes.length - FIRST_ROWS : indexes.at(-1)! };
    }),
  );
  return reaches.reduce((rarest, one) => (one.lowest < rarest.lowest ? one : rarest)).keyOf;
}

async function readDown(
  store: Store,
  keyOf: PostingKey,
  { lowest, highest }: LeafRange,
  limit: number,
): Promise<readonly number[]> {
  if (highest < lowest) return [];
  const range = { from: keyOf(lowest), to: keyOf(highest + 1), limit, reverse: true };
  return (await store.scan(range)).map(({ key }) => indexOfKey(key));
}
