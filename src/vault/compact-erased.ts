/**
 * Clearing what was erased from the database's files: LevelDB keeps what was overwritten or deleted until it merges the
 * tables that have it. Slice by slice with a pause after each, since while it merges one range for us it merges nothing
 * else, and the log has to go on writing.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../storage/store.ts';
import type { ErasureRow } from './erasure-row.ts';
import { rangeOf, recordKey } from './rows.ts';

/** Leaves whose records are cleared at once: about 3 MB. */
const SLICE_LEAVES = 1024;
/** Rows that are spread over their whole range: by key id, by term, by transaction. */
const SPREAD = [0x84, 0x85, 0x86, 0x87, 0x88, 0x8a, 0x8e];
/** A range of keys that are spread is cleared in so many slices. */
const SLICES = 16;

/** Resolves to false where it was told to stop before the end. */
export async function compactErased(
  store: Store,
  erasures: readonly ErasureRow[],
  isStopped: () => boolean,
): Promise<boolean> {
  for (const [from, to] of [...recordSlices(erasures), ...spreadSlices()]) {
    if (isStopped()) return false;
    const startedMs = performance.now();
    await store.compact(from, to);
    await sleep(Math.min(1000, performance.now() - startedMs));
  }
  return true;
}

type Slice = readonly [from: Uint8Array, to: Uint8Array];

/** The runs of slices with those of more leaves. */
export function withSlices(runs: ErasureRow['slices'], leafIndexes: readonly number[]): ErasureRow['slices'] {
  const added = leafIndexes.map((index) => Math.floor(index / SLICE_LEAVES)).map((at) => [at, at] as const);
  const merged: [number, number][] = [];
  for (const [first, last] of [...runs, ...added].sort((a, b) => a[0] - b[0])) {
    const run = merged.at(-1);
    if (run && first <= run[1] + 1) run[1] = Math.max(run[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

function recordSlices(erasures: readonly ErasureRow[]): Slice[] {
  const runs = erasures.flatMap(({ slices }) => [...slices]);
  const slices = new Set(
    runs.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i)),
  );
  return [...slices]
    .sort((a, b) => a - b)
    .map((at) => [recordKey(at * SLICE_LEAVES), recordKey((at + 1) * SLICE_LEAVES)]);
}

function spreadSlices(): Slice[] {
  return SPREAD.flatMap((prefix) =>
    Array.from({ length: SLICES }, (_, i): Slice => {
      const from = Uint8Array.of(prefix, (256 / SLICES) * i);
      const to = i + 1 < SLICES ? Uint8Array.of(prefix, (256 / SLICES) * (i + 1)) : rangeOf(prefix).to;
      return [from, to];
    }),
  );
}
