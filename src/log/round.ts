/**
 * A round: from entries to the one batch that makes them part of the log. No `await` in here, so nothing interleaves:
 *
 *   assign indexes → hash leaves → right edge → new root → sign head → batch
 *
 * The edge has moved when this returns. If the batch is not committed after that, the edge is ahead of the store and
 * the process must stop; so must it if anything in here throws.
 */

import { hashLeaf, HASH_SIZE } from '../core/hash.ts';
import { TILE_WIDTH } from '../core/tile.ts';
import { formatCheckpoint } from '../formats/checkpoint.ts';
import { formatEntries } from '../formats/entry-bundle.ts';
import { type Signer, signNote } from '../formats/note.ts';
import {
  entriesKey,
  headKey,
  isCompanionKey,
  leafKey,
  provedMarkKey,
  roundKey,
  tileKey,
  writeUint64,
} from '../storage/keys.ts';
import type { Batch, Row } from '../storage/store.ts';
import type { Edge } from './edge.ts';
import type { PooledEntry } from './pool.ts';
import { formatRoundRecord, hashRoundRecord, type SignedHead } from './round-record.ts';

export interface RoundInput {
  readonly edge: Edge;
  readonly last: SignedHead;
  /** SHA-256 of the last round record. */
  readonly lastRecordHash: Uint8Array;
  readonly entries: readonly PooledEntry[];
  /** What others want durable in the same batch: the publisher's writes. */
  readonly riders: readonly Batch[];
  readonly nowMs: number;
  readonly origin: string;
  readonly signer: Signer;
  /** Where the proved mark moves to, if it does. */
  readonly provedMark: number | undefined;
}

export interface Round {
  readonly head: SignedHead;
  readonly recordHash: Uint8Array;
  readonly batch: Batch;
  /** Of keys and values; what LevelDB's write buffer will hold of it. */
  readonly bytes: number;
}

const NOTHING = new Uint8Array(0);

export function makeRound(input: RoundInput): Round {
  const { edge, last, entries, riders } = input;
  const first = edge.size;
  const puts: Row[] = [];
  const deletes: Uint8Array[] = [];
  const add = (batch: Batch): void => {
    puts.push(...batch.puts);
    deletes.push(...(batch.deletes ?? []));
  };
  entries.forEach(({ entry, companions }, place) => {
    const hash = hashLeaf(entry);
    edge.append(hash);
    puts.push({ key: leafKey(hash, first + place), value: NOTHING });
    if (companions) add(ownRows(companions(first + place)));
  });
  puts.push(...entryRuns(first, entries));
  for (const tile of edge.takeChanged()) {
    puts.push({
      key: tileKey(tile.level, tile.index),
      value: tile.data.subarray(0, tile.width * HASH_SIZE),
    });
  }

  // The clock may have been set back a little while we run; the times of heads never go back.
  const timeMs = Math.max(input.nowMs, last.timeMs);
  const round = last.round + 1;
  const root = entries.length > 0 ? edge.root() : last.root;
  const size = edge.size;
  const checkpoint =
    entries.length > 0
      ? signNote(formatCheckpoint({ origin: input.origin, size, root }), [input.signer])
      : last.checkpoint;
  if (entries.length > 0) puts.push({ key: headKey, value: checkpoint });
  const record = formatRoundRecord({ first, size, timeMs, root, previous: input.lastRecordHash });
  puts.push({ key: roundKey(round), value: record });
  if (input.provedMark !== undefined) puts.push(provedMarkRow(input.provedMark));
  riders.forEach(add);
  return {
    head: { round, size, root, timeMs, checkpoint },
    recordHash: hashRoundRecord(record),
    batch: { puts, deletes },
    bytes: puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
  };
}

export function provedMarkRow(round: number): Row {
  const value = new Uint8Array(8);
  writeUint64(value, 0, round);
  return { key: provedMarkKey, value };
}

/** Where the runs of leaves [first, size) begin: at `first`, and at every bundle in between. */
export function* runStarts(first: number, size: number): Generator<number> {
  for (let at = first; at < size; at = (Math.floor(at / TILE_WIDTH) + 1) * TILE_WIDTH) yield at;
}

/**
 * Entries are stored as runs: what one round adds to one bundle. No value is ever written twice, whatever the size of
 * the bundle; a bundle is its runs, one after the other.
 */
function* entryRuns(first: number, entries: readonly PooledEntry[]): Generator<Row> {
  const size = first + entries.length;
  for (const at of runStarts(first, size)) {
    const end = Math.min(size, (Math.floor(at / TILE_WIDTH) + 1) * TILE_WIDTH);
    const run = entries.slice(at - first, end - first).map(({ entry }) => entry);
    yield { key: entriesKey(at), value: formatEntries(run) };
  }
}

/** The batch, whose keys are all in the range of companions. */
export function ownRows(batch: Batch): Batch {
  const keys = [...batch.puts.map(({ key }) => key), ...(batch.deletes ?? [])];
  if (!keys.every(isCompanionKey)) throw new Error("bug: a companion's key is not in its range");
  return batch;
}
