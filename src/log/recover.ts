/**
 * Open = prove. A database that opens has proven nothing: LevelDB drops acknowledged batches out of the middle of a
 * damaged write-ahead log and says so to nobody. So before the log may write, or show anything, this proves:
 *
 *   1  identity      this is the log that the configuration means
 *   2  head          our signature and origin on the stored head; the last round record agrees with it
 *   3  proved mark   the tree at the mark, from its right-edge tiles, has the root of that round's record
 *   4  every round after the mark: numbers contiguous, records chained, every entry there and hashed into the tree, the
 *      root of each round the one in its record, every full tile and the right edge byte for byte what is stored
 *   5  guard         knows this round, or the one before it
 *   6  publication   our signature, and the root that the tree has at its size
 *   7  clock         is not behind the last head
 *
 * Rounds are re-played through the sequencer's own `Edge`, which is then the edge that the sequencer goes on with.
 * Anything else than agreement is a refusal that names the round and says what to do. `proveStored` writes nothing;
 * `recover` writes the guard, where a crash left it one round behind.
 */

import { equalBytes } from '../core/bytes.ts';
import { HASH_SIZE, hashLeaf } from '../core/hash.ts';
import { TILE_WIDTH, tileHashReader, type TileReader } from '../core/tile.ts';
import { readRoot } from '../core/tree.ts';
import { NewelError } from '../errors.ts';
import { type Checkpoint, openCheckpoint } from '../formats/checkpoint.ts';
import { parseEntries } from '../formats/entry-bundle.ts';
import type { Verifier } from '../formats/note.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { acceptedClockKey, entriesKey, headKey, identityKey, numberOfKey } from '../storage/keys.ts';
import { provedMarkKey, readUint64, roundKey, tileKey, writeUint64 } from '../storage/keys.ts';
import type { Row, Store } from '../storage/store.ts';
import type { Clock } from './clock.ts';
import { Edge, type EdgeTile } from './edge.ts';
import type { Guard, GuardedHead } from './guard.ts';
import { checkIdentity, formatIdentity, type Identity } from './identity.ts';
import { CLOCK_WAIT_MS } from './limits.ts';
import { type Publication, readSlot } from './publish.ts';
import { hashRoundRecord, parseRoundRecord, type RoundRecord, type SignedHead } from './round-record.ts';
import { runStarts } from './round.ts';
import type { Listener } from './signals.ts';

export interface StoredParts {
  readonly store: Store;
  readonly guard: Guard;
  readonly identity: Identity;
  readonly verifier: Verifier;
}

export interface RecoverParts extends StoredParts {
  readonly clock: Clock;
  /** Opens although the clock is behind the last head. */
  readonly acceptClock: boolean;
  readonly onSignal: Listener;
}

export interface Proven {
  readonly head: SignedHead;
  readonly recordHash: Uint8Array;
  readonly edge: Edge;
  readonly published: Publication;
  /** How many rounds were re-played. */
  readonly provedRounds: number;
  readonly guarded: GuardedHead;
  /** Whether the last round had entries, or only published. */
  readonly lastKind: GuardedHead['kind'];
}

export interface Recovered extends Proven {
  /** To be made durable with the first commit: that the clock was accepted. */
  readonly acceptedClock: Row | undefined;
}

/** Rounds that are read and proven at a time. */
const ROUNDS_AT_ONCE = 512;

interface StoredRound extends RoundRecord {
  readonly round: number;
  readonly hash: Uint8Array;
}

/** Proves the stored log and gets it ready to be written. Throws `log_refused`, saying what was found and what to do. */
export async function recover(parts: RecoverParts): Promise<Recovered> {
  const proven = await proveStored(parts);
  const acceptedClock = await checkClock(parts, proven.head.timeMs);
  await catchUpGuard(parts, proven);
  return { ...proven, acceptedClock };
}

/** Proves the stored log, writing nothing. Throws `log_refused`, saying what was found and what to do. */
export async function proveStored(parts: StoredParts): Promise<Proven> {
  try {
    return await prove(parts);
  } catch (error) {
    if (error instanceof NewelError && error.code === 'log_refused') throw error;
    throw new NewelError(
      'log_refused',
      `the database cannot be read through, so it cannot be proven: a file of it is damaged. ${WHAT_TO_DO}`,
      { cause: error },
    );
  }
}

async function prove({ store, guard, identity, verifier }: StoredParts): Promise<Proven> {
  const [storedIdentity, note, mark] = await store.getMany([identityKey, headKey, provedMarkKey]);
  if (!storedIdentity) throw damaged(0, 'the identity is missing');
  checkIdentity(storedIdentity, identity);
  if (!note || !mark) throw damaged(0, note ? 'the proved mark is missing' : 'the signed head is missing');
  const head = openStored(note, 'signed head', verifier, identity.origin);

  const last = await readLastRound(store);
  const guarded = await checkGuard(guard, decodeUtf8(formatIdentity(identity)), last, store);
  if (last.size !== head.size || !equalBytes(last.root, head.root)) {
    throw damaged(
      last.round,
      `its record has size ${last.size}, the signed head ${head.size}, or another root`,
    );
  }
  const { edge, provedRounds } = await proveRounds(store, readUint64(mark, 0), last);
  const published = await provePublication(store, verifier, identity.origin, last);

  const { round, size, root, timeMs } = last;
  return {
    head: { round, size, root, timeMs, checkpoint: note },
    recordHash: last.hash,
    lastKind: last.first === last.size ? 'published' : 'signed',
    edge,
    published,
    provedRounds,
    guarded,
  };
}

function openStored(note: Uint8Array, what: string, verifier: Verifier, origin: string): Checkpoint {
  try {
    return openCheckpoint(note, [verifier], origin);
  } catch (error) {
    throw new NewelError(
      'log_refused',
      `the ${what} in the database does not verify under the key of this log: it is damaged, or this is another log's ` +
        `key. ${WHAT_TO_DO}`,
      { cause: error },
    );
  }
}

/** What the slot `none` holds: ours, no larger than the signed head, and a head of this very tree. */
async function provePublication(
  store: Store,
  verifier: Verifier,
  origin: string,
  last: StoredRound,
): Promise<Publication> {
  const kept = await readSlot(store, 'none');
  if (!kept) throw damaged(last.round, 'the published checkpoint is missing');
  const { size, root } = openStored(kept.checkpoint, 'published checkpoint', verifier, origin);
  if (size > last.size)
    throw damaged(last.round, `size ${size} is published, but only ${last.size} are signed`);
  const treeRoot = await readRoot(size, tileHashReader(size, storedTiles(store, last.round)));
  if (!equalBytes(treeRoot, root))
    throw damaged(last.round, `the published root of size ${size} is not the tree's`);
  // No signature covers this time; it is never later than the round that carried it.
  return { size, root, timeMs: Math.min(kept.timeMs, last.timeMs), checkpoint: kept.checkpoint };
}

async function readLastRound(store: Store): Promise<StoredRound> {
  const range = { from: roundKey(0), to: roundKey(Number.MAX_SAFE_INTEGER), limit: 1, reverse: true };
  const [row] = await store.scan(range);
  if (!row) throw damaged(0, 'there is no round record');
  return parseStoredRound(row);
}

function parseStoredRound({ key, value }: Row): StoredRound {
  const round = numberOfKey(key);
  try {
    return { round, hash: hashRoundRecord(value), ...parseRoundRecord(value) };
  } catch (error) {
    throw damaged(round, 'its record is damaged', error);
  }
}

/** Re-plays every round from the mark to the last one. */
async function proveRounds(
  store: Store,
  mark: number,
  last: StoredRound,
): Promise<{ edge: Edge; provedRounds: number }> {
  const [marked] = await store.scan({ from: roundKey(mark), to: roundKey(mark + 1), limit: 1 });
  if (!marked) throw damaged(mark, 'its record is missing');
  let previous = parseStoredRound(marked);
  const edge = await loadEdge(store, previous);
  for (let next = mark + 1; next <= last.round; next += ROUNDS_AT_ONCE) {
    const end = Math.min(next + ROUNDS_AT_ONCE, last.round + 1);
    const rows = await store.scan({ from: roundKey(next), to: roundKey(end), limit: ROUNDS_AT_ONCE });
    const rounds = chainRounds(previous, rows, end);
    await proveEntries(store, edge, rounds);
    previous = rounds.at(-1)!;
  }
  await compareTiles(store, edgeOf(edge, last.size), last.round);
  return { edge, provedRounds: last.round - mark };
}

async function loadEdge(store: Store, marked: StoredRound): Promise<Edge> {
  const edge = await Edge.load(marked.size, storedTiles(store, marked.round));
  if (!equalBytes(edge.root(), marked.root))
    throw damaged(marked.round, 'its right-edge tiles have another root');
  return edge;
}

/** Tiles as they are stored; what they hash to is for the caller to compare. */
function storedTiles(store: Store, round: number): TileReader {
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
async function proveEntries(store: Store, edge: Edge, rounds: readonly StoredRound[]): Promise<void> {
  const from = rounds[0]!.first;
  const to = rounds.at(-1)!.size;
  const runs = runReader(store, from, to);
  const full: { tile: EdgeTile; round: number }[] = [];
  for (const round of rounds) {
    for (const start of runStarts(round.first, round.size)) {
      const end = Math.min(round.size, (Math.floor(start / TILE_WIDTH) + 1) * TILE_WIDTH);
      const row = await runs(start);
      if (!row) throw damaged(round.round, `its entries from leaf ${start} are missing`);
      for (const entry of parseRun(row.value, end - start, round.round)) edge.append(hashLeaf(entry));
    }
    if (!equalBytes(edge.root(), round.root)) throw damaged(round.round, 'its entries have another root');
    for (const tile of edge.takeChanged())
      if (tile.width === TILE_WIDTH) full.push({ tile, round: round.round });
  }
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

/** The guard knows the last round or, where a crash came between the two writes, the one before it. */
async function checkGuard(
  guard: Guard,
  identity: string,
  last: StoredRound,
  store: Store,
): Promise<GuardedHead> {
  const guarded = await guard.read();
  if (guarded.identity !== identity) {
    throw new NewelError('log_refused', `the guard is of another log: ${guarded.identity}, not ${identity}`);
  }
  if (guarded.sequence > last.round) {
    throw new NewelError(
      'log_refused',
      `the guard knows of round ${guarded.sequence} (size ${guarded.size}), the database ends at round ${last.round} ` +
        `(size ${last.size}): it is an older copy, or it has lost round ${last.round + 1}. Signing on from here would ` +
        'fork the log. Bring back the newest database; never the guard',
    );
  }
  if (guarded.sequence < last.round - 1) {
    throw new NewelError(
      'log_refused',
      `the guard ends at round ${guarded.sequence}, the database at ${last.round}: the guard was restored or replaced`,
    );
  }
  const [row] = await store.scan({
    from: roundKey(guarded.sequence),
    to: roundKey(guarded.sequence + 1),
    limit: 1,
  });
  if (!row) throw damaged(guarded.sequence, 'its record is missing, but the guard knows it');
  const round = parseStoredRound(row);
  if (!agrees(guarded, round)) {
    throw new NewelError(
      'log_refused',
      `guard and database differ at round ${guarded.sequence}: size ${guarded.size} and ${round.size}, or other roots. ` +
        'Two copies of this log have been running',
    );
  }
  return guarded;
}

function agrees(guarded: GuardedHead, round: StoredRound): boolean {
  return (
    guarded.size === round.size && guarded.timeMs === round.timeMs && equalBytes(guarded.root, round.root)
  );
}

async function catchUpGuard(
  { guard, identity, onSignal }: RecoverParts,
  { head, guarded, lastKind: kind }: Proven,
): Promise<void> {
  const { round: sequence, size, root, timeMs } = head;
  if (guarded.sequence === sequence) return;
  await guard.write({ identity: decodeUtf8(formatIdentity(identity)), sequence, kind, size, root, timeMs });
  onSignal({ event: 'guard_caught_up', round: sequence });
}

/**
 * Acceptance is recorded, with the time of the last head that it was for: while heads still have that time, because
 * theirs never goes back, the same acceptance holds at the next start.
 */
async function checkClock(
  { store, clock, acceptClock, onSignal }: RecoverParts,
  lastMs: number,
): Promise<Row | undefined> {
  const behindMs = lastMs - clock.now();
  if (behindMs <= 0) return undefined;
  if (behindMs < CLOCK_WAIT_MS) {
    await clock.sleep(behindMs);
    onSignal({ event: 'clock_waited', waitedMs: behindMs });
    return undefined;
  }
  const [row] = await store.getMany([acceptedClockKey]);
  const isAccepted = row?.length === 8 && readUint64(row, 0) === lastMs;
  if (!acceptClock && !isAccepted) {
    throw new NewelError(
      'log_refused',
      `the clock is ${Math.round(behindMs / 1000)} s behind the last signed head; set it right, or accept it with ` +
        '--accept-clock if the head was signed under a wrong one',
    );
  }
  onSignal({ event: 'clock_accepted', behindMs });
  if (isAccepted) return undefined;
  const value = new Uint8Array(8);
  writeUint64(value, 0, lastMs);
  return { key: acceptedClockKey, value };
}

const WHAT_TO_DO = 'Do not repair it; keep it, and bring back a whole copy of the newest state';

function damaged(round: number, what: string, cause?: unknown): NewelError {
  return new NewelError(
    'log_refused',
    `round ${round} is damaged: ${what}. The database has lost or changed what was acknowledged. ${WHAT_TO_DO}`,
    { cause },
  );
}
