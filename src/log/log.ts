/**
 * The log: an append-only tree over bytes, with one writer. What stands above it (events, HTTP) knows this interface
 * and nothing below it.
 *
 *   init ─ createLog ─→ empty ─ openLog ─┬──────────→ accepting ─ close ─→ closed
 *                                        └─ held ─begin─┘  └─ a write fails, or halt ─→ stopped (fatal)
 */

import type { Tile } from '../core/tile.ts';
import type { HashReader } from '../core/tree.ts';
import type { NewelError } from '../errors.ts';
import type { NoteSignature } from '../formats/note.ts';
import type { Slot } from '../storage/keys.ts';
import type { Batch } from '../storage/store.ts';
import type { Identity } from './identity.ts';
import type { KeptCheckpoint, Publication } from './kept.ts';
import type { Companions, PoolLimits, Queued, Reservation, ReserveOptions, RoundShare } from './pool.ts';
import type { SignedHead } from './round-record.ts';
import type { Appended } from './sequencer.ts';
import type { Wanting } from './witnessed.ts';

export type { Appended } from './sequencer.ts';
export type { KeptCheckpoint, Publication } from './kept.ts';
export type { HeadToCosign, SlotPolicy } from './slot-asking.ts';
export type { WitnessedSlot } from './slots.ts';
export type { Asking, Wanting } from './witnessed.ts';
export type { SignedHead } from './round-record.ts';
export {
  type PoolLimits,
  QueueFullError,
  type Reservation,
  type ReserveOptions,
  type RoundShare,
} from './pool.ts';
export type { ProveCompanions } from './prove-rounds.ts';

export interface AppendInput {
  /** The leaf's bytes, at most 65,535. */
  readonly entry: Uint8Array;
  /** Called once, synchronously, when the round knows the index: rows of the caller's own key range, same batch. */
  readonly companions?: Companions;
  /** Bytes of the companions' rows, at most: they take room in queue and round. */
  readonly companionBytes?: number;
  /** Room taken beforehand; without it, room is taken now. */
  readonly reservation?: Reservation;
  /** What it and the entries that are appended after it in the same turn need of a round, for them to be in one. */
  readonly together?: RoundShare | undefined;
}

/** An entry, and the leaf that it is claimed to be. */
export interface PlacedEntry {
  readonly index: number;
  readonly entry: Uint8Array;
}

export interface Log {
  readonly identity: Identity;
  readonly limits: PoolLimits;
  /** The newest durable, signed head. Whoever holds a token may read up to here. */
  readonly revealed: SignedHead;
  /** The newest publication: strangers read up to here. */
  readonly published: Publication;
  /** What `/checkpoint` shows: the publication of the strongest slot that is configured and has one. */
  readonly checkpoint: Publication;
  /** Whether an entry would be taken now, room permitting. */
  readonly accepting: boolean;
  /** Why it would not be; `undefined` where it would. */
  readonly refusal: NewelError | undefined;
  /** What waits for a round, or has room reserved. */
  readonly queued: Queued;

  /** Why it has stopped for good, if it has. */
  readonly failure: NewelError | undefined;

  /** Takes room for an entry, companions included, of at most `bytes`. Throws `queue_full`, or `storage_failed` once the log has stopped. */
  reserve(bytes: number, options?: ReserveOptions): Reservation;
  /**
   * Resolves when a signed, durable head covers the entry. Rejects with `too_large` or `queue_full`, having done
   * nothing, or with `storage_failed`: the outcome is unknown.
   */
  append(input: AppendInput): Promise<Appended>;
  /**
   * Makes rows of the companions' range durable, with the next round or one of its own, and no entry. What is written
   * later is written later; all in one is there or nothing. Rejects with `storage_failed`: the outcome is unknown.
   */
  write(batch: Batch): Promise<void>;

  /** A tile of at most the revealed size if it is in memory. */
  peekTile(tile: Tile): Uint8Array | undefined;
  /** A tile of at most the revealed size: `width` hashes, verified against the tree. */
  readTile(tile: Tile): Promise<Uint8Array>;
  /** The first `width` entries of a bundle, length-prefixed, verified against the tree. */
  readBundle(index: number, width: number): Promise<Uint8Array>;
  /** Entries [first, first + count) of the revealed tree, verified against it. */
  readEntries(first: number, count: number): Promise<Uint8Array[]>;
  /**
   * The first index at which the revealed tree has another entry than the one claimed, as its verified tiles tell;
   * `undefined` where it has them all. It reads no entry.
   */
  findStranger(claimed: readonly PlacedEntry[]): Promise<number | undefined>;
  /** Hashes of the tree of `size` leaves, at most the revealed size. */
  hashes(size: number): HashReader;
  /** The lowest index below `size` of a leaf with this hash. */
  findLeaf(hash: Uint8Array, size: number): Promise<number | undefined>;
  /** The first leaf of the first round at `timeMs` or later; the revealed size where there is none. */
  firstLeafSince(timeMs: number): Promise<number>;
  /**
   * Sizes of at least `since` leaves of which a head was signed: all, newest first, where `limit` is enough, which is
   * `isComplete`; else those of the newest rounds, and of what was published first since then and last, `limit` together.
   */
  recentSizes(
    since: number,
    limit: number,
  ): Promise<{ readonly sizes: readonly number[]; readonly isComplete: boolean }>;
  /** The earliest kept checkpoint that covers leaf `index`; `undefined` while none is published. */
  checkpointCovering(index: number): Promise<KeptCheckpoint | undefined>;

  /** What a slot holds; `undefined` where it is not configured, or was never met. */
  publication(slot: Slot): Publication | undefined;
  /** The kept checkpoint of exactly that size. */
  keptCheckpoint(size: number): Promise<KeptCheckpoint | undefined>;
  /** The earliest kept checkpoint that covers leaf `index`, was witnessed, and `serves`. */
  witnessedCovering(
    index: number,
    serves: (kept: KeptCheckpoint) => boolean,
  ): Promise<KeptCheckpoint | undefined>;
  /** Whether leaf `index` is witnessed, now or within `waitMs`. */
  whenWitnessed(index: number, waitMs: number, signal?: AbortSignal): Promise<boolean>;
  /** Whoever waits for that is told that it is not. */
  endWaits(): void;
  /**
   * How far leaf `index` is from being witnessed, by the best of the checkpoints with it whose lines are remembered;
   * `undefined` where nobody is to witness it.
   */
  wantingOf(index: number): Wanting | undefined;
  /** Adds lines that were verified to the kept checkpoint of that size; `false` where there is none. */
  addLines(size: number, lines: readonly NoteSignature[]): Promise<boolean>;

  /** Writes from now on, where it was held back; `record` is kept for ever, with the time. */
  begin(record?: string): Promise<void>;
  /** Stops writing for good, for a reason that is not ours: what a witness knows, say. Everybody who waits is told it. */
  halt(reason: NewelError): void;
  /** Finishes the rounds under way, publishes the last head, closes store and guard. */
  close(): Promise<void>;
}
