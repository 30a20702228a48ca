/**
 * Proving rounds: from a round whose tree is trusted (the proved mark) to the last one, every record, every entry, every
 * tile. They are re-played through the sequencer's own `Edge`, which is then the edge that the sequencer goes on with.
 */

import { equalBytes } from '../core/bytes.ts';
import { HASH_SIZE, hashLeaf } from '../core/hash.ts';
import { TILE_WIDTH, type TileReader } from '../core/tile.ts';
import { NewelError } from '../errors.ts';
import { parseEntries } from '../formats/entry-bundle.ts';
import { entriesKey, numberOfKey, roundKey, tileKey } from '../storage/keys.ts';
import type { Row, Store } from '../storage/store.ts';
import { Edge, type EdgeTile } from './edge.ts';
import { runStarts } from './round.ts';
import { hashRoundRecord, parseRoundRecord, type RoundRecord } from './round-record.ts';

/** Rounds that are read and proven at a time. */
const ROUNDS_AT_ONCE = 512;
/** Leaves beside which is looked at a time. */
const COMPANIONS_AT_ONCE = 1024;

export interface StoredRound extends RoundRecord {
  readonly round: number;
  readonly hash: Uint8Array;
}

/** Demands of what is kept beside the leaves from `first` on, whose entries are given. Throws `log_refused`. */
export type ProveCompanions = (first: number, entries: readonly Uint8Array[]) => Promise<void>;

/** Re-plays every round from the mark to the last one. */
export async function proveRounds(
  store: Store,
  mark: number,
  last: StoredRound,
  proveCompanions: ProveCompanions | undefined,
): Promise<{ edge: Edge; provedRounds: number }> {
  const [marked] = await store.scan({ from: roundKey(mark), to: roundKey(mark + 1), limit: 1 });
  if (!marked) throw damaged(mark, 'its record is missing');
  let previous = parseStoredRound(marked);
  const edge = await loadEdge(store, previous);
  for (let next = mark + 1; next <= last.round; next += ROUNDS_AT_ONCE) {
    const end = Math.min(next + ROUNDS_AT_ONCE, last.round + 1);
    const rows = await store.scan({ from: roundKey(next), to: roundKey(end), limit: ROUNDS_AT_ONCE });
    const rounds = chainRounds(previous, rows, end);
    await proveEntries(store, edge, rounds, proveCompanions);
    previous = rounds.at(-1)!;
  }
  await compareTiles(store, edgeOf(edge, last.size), last.round);
  return { edge, provedRounds: last.round - mark };
}

export function parseStoredRound({ key, value }: Row): StoredRound {
  const round = numberOfKey(key);
  try {
    return { round, hash: hashRoundRecord(value), ...parseRoundRecord(value) };
  } catch (error) {
    throw damaged(round, 'its record is damaged', error);
  }
}

async function loadEdge(store: Store, marked: StoredRound): Promise<Edge> {
  const edge = await Edge.load(marked.size, storedTiles(store, marked.round));
  if (!equalBytes(edge.root(), marked.root))
    throw damaged(marked.round, 'its right-edge tiles have another root');
  return edge;
}

/** Tiles as they are stored; what they hash to is for the caller to compare. */
export function storedTiles(store: Store, round: number): TileReader {
  return async (tiles) => {
    const stored = await store.getMany(tiles.map(({ level, index }) => tileKey(level, index)));
    return stored.map((data, i) => {
      const { level, index, width } = tiles[i]!;
      if (!data || data.length < width * HASH_SIZE) {
        throw damaged(round, `tile ${level}/${index} is missing or too narrow`);
      }
      return data;
    });
  };
}

/** The records of the rounds after `previous`, up to `end`: contiguous, chained, growing. */
function chainRounds(previous: StoredRound, rows: readonly Row[], end: number): StoredRound[] {
  const rounds: StoredRound[] = [];
  let before = previous;
  for (const row of rows) {
    const round = parseStoredRound(row);
    if (round.round !== before.round + 1) throw damaged(before.round + 1, 'its record is missing');
    if (!equalBytes(round.previous, before.hash))
      throw damaged(round.round, 'it does not follow the round before it');
    if (round.first !== before.size)
      throw damaged(round.round, `it begins at ${round.first}, not at ${before.size}`);
    rounds.push(round);
    before = round;
  }
  if (before.round !== end - 1) throw damaged(before.round + 1, 'its record is missing');
  return rounds;
}

/** Hashes the stored entries of the rounds into the edge and compares root by root, full tile by full tile. */
async function proveEntries(
  store: Store,
  edge: Edge,
  rounds: readonly StoredRound[],
  proveCompanions: ProveCompanions | undefined,
): Promise<void> {
  const from = rounds[0]!.first;
  const to = rounds.at(-1)!.size;
  const runs = runReader(store, from, to);
  const full: { tile: EdgeTile; round: number }[] = [];
  let entries: Uint8Array[] = [];
  const proveBeside = async (): Promise<void> => {
    if (entries.length > 0) await proveCompanions?.(edge.size - entries.length, entries);
    entries = [];
  };
  for (const round of rounds) {
    for (const start of runStarts(round.first, round.size)) {
      const end = Math.min(round.size, (Math.floor(start / TILE_WIDTH) + 1) * TILE_WIDTH);
      const row = await runs(start);
      if (!row) throw damaged(round.round, `its entries from leaf ${start} are missing`);
      for (const entry of parseRun(row.value, end - start, round.round)) {
        edge.append(hashLeaf(entry));
        if (proveCompanions) entries.push(entry);
      }
      if (entries.length >= COMPANIONS_AT_ONCE) await proveBeside();
    }
    if (!equalBytes(edge.root(), round.root)) throw damaged(round.round, 'its entries have another root');
    for (const tile of edge.takeChanged())
      if (tile.width === TILE_WIDTH) full.push({ tile, round: round.round });
  }
  await proveBeside();
  if (full.length === 0) return;
  const stored = await store.getMany(full.map(({ tile }) => tileKey(tile.level, tile.index)));
  full.forEach(({ tile, round }, i) => {
    const data = stored[i];
    if (!data || !equalBytes(data, tile.data))
      throw damaged(round, `tile ${tile.level}/${tile.index} is another`);
  });
}

function parseRun(value: Uint8Array, count: number, round: number): Uint8Array[] {
  try {
    return parseEntries(value, count);
  } catch (error) {
    throw damaged(round, 'its entries are damaged', error);
  }
}

/** Reads runs of entries in order, many at a time; a run that is not there comes back as `undefined`. */
function runReader(store: Store, from: number, to: number): (start: number) => Promise<Row | undefined> {
  let page: Row[] = [];
  let at = 0;
  let next = from;
  return async (start) => {
    if (at === page.length && next < to) {
      page = await store.scan({ from: entriesKey(next), to: entriesKey(to), limit: ROUNDS_AT_ONCE });
      at = 0;
      next = page.length > 0 ? numberOfKey(page.at(-1)!.key) + 1 : to;
    }
    const row = page[at];
    if (!row || numberOfKey(row.key) !== start) return undefined;
    at += 1;
    return row;
  };
}

/** The rightmost tiles of a tree, as they must be stored: those that are not empty. */
function edgeOf(edge: Edge, size: number): EdgeTile[] {
  const tiles: EdgeTile[] = [];
  for (let level = 0; size >= TILE_WIDTH ** level; level++) {
    const tile = edge.tile(level, Math.floor(size / TILE_WIDTH ** (level + 1)));
    if (tile && tile.width > 0) tiles.push(tile);
  }
  return tiles;
}

async function compareTiles(store: Store, tiles: readonly EdgeTile[], round: number): Promise<void> {
  const stored = await store.getMany(tiles.map(({ level, index }) => tileKey(level, index)));
  tiles.forEach((tile, i) => {
    const data = stored[i];
    if (!data || !equalBytes(data, tile.data.subarray(0, tile.width * HASH_SIZE))) {
      throw damaged(round, `the stored edge tile ${tile.level}/${tile.index} is another`);
    }
  });
}

export const WHAT_TO_DO = 'Do not repair it; keep it, and bring back a whole copy of the newest state';

export function damaged(round: number, what: string, cause?: unknown): NewelError {
  return new NewelError(
    'log_refused',
    `round ${round} is damaged: ${what}. The database has lost or changed what was acknowledged. ${WHAT_TO_DO}`,
    { cause },
  );
}
