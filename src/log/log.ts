/**
 * The log: an append-only tree over bytes, with one writer. What stands above it (events, HTTP) knows this interface
 * and nothing below it.
 *
 *   init ─ createLog ─→ empty ─ openLog ─┬──────────→ accepting ─ close ─→ closed
 *                                        └─ held ─begin─┘  └─ a write fails, or halt ─→ stopped (fatal)
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { equalBytes } from '../core/bytes.ts';
import { EMPTY_ROOT, hashLeaf } from '../core/hash.ts';
import type { Tile } from '../core/tile.ts';
import type { HashReader } from '../core/tree.ts';
import { NewelError } from '../errors.ts';
import { formatCheckpoint } from '../formats/checkpoint.ts';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import type { Cosigner } from '../formats/cosignature.ts';
import { type NoteSignature, type Signer, signNote, type Verifier } from '../formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { formatPolicy, type Policy } from '../formats/tlog-policy.ts';
import { headKey, identityKey, roundKey, type Slot, startKey } from '../storage/keys.ts';
import type { Batch, Store } from '../storage/store.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Guard, GuardedHead } from './guard.ts';
import { formatIdentity, type Identity } from './identity.ts';
import { CACHED_TILES, POOL_LIMITS, PUBLISH_INTERVAL_MS, REPUBLISH_INTERVAL_MS } from './limits.ts';
import type { Companions, PoolLimits, Queued, Reservation, ReserveOptions, RoundShare } from './pool.ts';
import {
  type KeptCheckpoint,
  type Publication,
  readCheckpointCovering,
  readKept,
  readKeptSizes,
  readWitnessedCovering,
} from './kept.ts';
import { publicationOf, publicationRows, Publisher } from './publish.ts';
import { recover } from './recover.ts';
import type { ProveCompanions } from './prove-rounds.ts';
import { ownRows, provedMarkRow } from './round.ts';
import { firstLeafSince, readRoundSizes } from './round-times.ts';
import { formatRoundRecord, NO_PREVIOUS, type SignedHead } from './round-record.ts';
import { type Appended, Sequencer } from './sequencer.ts';
import { harmless, type Listener } from './signals.ts';
import type { SlotPolicy } from './slot-asking.ts';
import { TreeReader } from './tree-reader.ts';
import type { WitnessedSlot } from './slots.ts';
import { type Asking, type Wanting, Witnessed } from './witnessed.ts';

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

/** A head is published within a few rounds of being picked. */
const RECENT_ROUNDS = 8;

export interface CreateOptions {
  readonly store: Store;
  readonly identity: Identity;
  readonly signer: Signer;
  readonly createGuard: (head: GuardedHead) => Promise<void>;
  readonly clock?: Clock;
}

/** Writes round 0 into an empty store: identity, the signed head of the empty tree, its publication; then the guard. */
export async function createLog(options: CreateOptions): Promise<void> {
  const { store, identity, signer, createGuard, clock = systemClock } = options;
  const stored = formatIdentity(identity);
  const timeMs = clock.now();
  const root = EMPTY_ROOT;
  const checkpoint = signNote(formatCheckpoint({ origin: identity.origin, size: 0, root }), [signer]);
  const head: SignedHead = { round: 0, size: 0, root, timeMs, checkpoint };
  const record = formatRoundRecord({ first: 0, size: 0, timeMs, root, previous: NO_PREVIOUS });
  await store.commit({
    puts: [
      { key: identityKey, value: stored },
      { key: headKey, value: checkpoint },
      { key: roundKey(0), value: record },
      provedMarkRow(0),
      ...publicationRows(publicationOf(head, timeMs), 0),
    ],
  });
  await createGuard({ identity: decodeUtf8(stored), sequence: 0, kind: 'signed', size: 0, root, timeMs });
}

export interface OpenOptions {
  readonly store: Store;
  readonly guard: Guard;
  readonly identity: Identity;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly clock?: Clock;
  readonly limits?: PoolLimits;
  readonly cachedTiles?: number;
  readonly publishIntervalMs?: number;
  readonly republishIntervalMs?: number;
  readonly acceptClock?: boolean;
  /** Reads only until `begin()`. */
  readonly isHeld?: boolean;
  /** Makes the second log line of every published checkpoint. */
  readonly cosigner?: Cosigner;
  /** Whose lines the slots want, and how they are asked. */
  readonly slots?: Readonly<Partial<Record<WitnessedSlot, SlotPolicy>>>;
  /** Of the witnesses of all slots. */
  readonly witnessVerifiers?: readonly Verifier[];
  readonly asking?: Asking;
  /** What whoever appends demands of its companions, beside each leaf that is proven at open. */
  readonly proveCompanions?: ProveCompanions;
  readonly onSignal?: Listener;
}

/** Proves the stored log and opens it for reading and writing. Throws `log_refused`, saying what was found. */
export async function openLog(options: OpenOptions): Promise<Log> {
  const { store, guard, identity, signer, verifier } = options;
  const clock = options.clock ?? systemClock;
  const onSignal = harmless(options.onSignal ?? (() => {}));
  const startedMs = performance.now();
  const acceptClock = options.acceptClock ?? false;
  const { proveCompanions, slots = {}, witnessVerifiers = [], isHeld = false } = options;
  const recovered = await recover({
    store,
    guard,
    identity,
    verifier,
    policies: {
      ...(slots.fast && { fast: slots.fast.policy }),
      ...(slots.public && { public: slots.public.policy }),
    },
    witnessVerifiers,
    clock,
    acceptClock,
    proveCompanions,
    onSignal,
  });
  const { head, edge, published, held, stored, provedRounds, acceptedClock } = recovered;

  const limits = options.limits ?? POOL_LIMITS;
  const sequencer = new Sequencer({
    ...recovered,
    store,
    guard,
    signer,
    clock,
    onSignal,
    origin: identity.origin,
    identity: decodeUtf8(formatIdentity(identity)),
    limits,
    isHeld,
  });
  const { origin } = identity;
  const policyId = policyIdOf(slots.fast?.policy);
  const witnessed = new Witnessed({
    policyId,
    origin,
    store,
    clock,
    slots,
    held,
    stored,
    published,
    asking: options.asking,
    ride: (batch) => sequencer.ride(batch),
    onSignal,
  });
  const publisher = new Publisher({
    sequencer,
    store,
    clock,
    origin,
    published,
    onSignal,
    policyId,
    cosigner: options.cosigner,
    onPublish: (publication) => witnessed.offer(publication),
    publishIntervalMs: options.publishIntervalMs ?? PUBLISH_INTERVAL_MS,
    republishIntervalMs: options.republishIntervalMs ?? REPUBLISH_INTERVAL_MS,
  });
  // The proved mark moves with the next commit; without one, each start would prove the same rounds again.
  const begin = async (record?: string): Promise<void> => {
    sequencer.open();
    const puts = [...(acceptedClock ? [acceptedClock] : []), ...witnessed.rowsAtBegin()];
    if (record !== undefined) puts.push({ key: startKey(clock.now()), value: encodeUtf8(record) });
    if (puts.length > 0 || provedRounds > 0) await sequencer.ride({ puts });
    witnessed.began();
    publisher.start();
  };
  sequencer.onStop = () => void witnessed.stop();
  if (!isHeld) await begin();
  const tree = new TreeReader(store, edge, options.cachedTiles ?? CACHED_TILES, onSignal);
  const reading = async <T>(what: string, read: () => Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      onSignal({ event: 'damage_read', what });
      throw new NewelError('storage_failed', `the ${what} cannot be read`, { cause: error });
    }
  };
  const durationMs = performance.now() - startedMs;
  onSignal({ event: 'opened', size: head.size, round: head.round, provedRounds, durationMs });

  return {
    identity,
    limits,
    get revealed() {
      return sequencer.revealed;
    },
    get published() {
      return publisher.published;
    },
    get checkpoint() {
      return witnessed.shown(publisher.published);
    },
    get accepting() {
      return sequencer.accepting;
    },
    get refusal() {
      return sequencer.refusal;
    },
    get queued() {
      return sequencer.queued;
    },
    get failure() {
      return sequencer.failure;
    },
    reserve: (bytes, options) => sequencer.reserve(bytes, options),
    async append({ entry, companions, companionBytes = 0, reservation, together }) {
      if (entry.length > MAX_ENTRY_BYTES) {
        reservation?.release();
        throw new NewelError('too_large', `an entry has at most ${MAX_ENTRY_BYTES} bytes`);
      }
      const room = reservation ?? sequencer.reserve(entry.length + companionBytes);
      return sequencer.append({ entry, companions, companionBytes, together }, room);
    },
    // The publisher's writes still ride while the log closes; whoever stands above is to be done by then.
    async write(batch) {
      sequencer.assertAccepting();
      return sequencer.ride(ownRows(batch));
    },
    peekTile: (tile) => tree.peekTile(tile),
    readTile: (tile) => tree.readTile(tile),
    readBundle: (index, width) => tree.readBundle(index, width),
    readEntries: (first, count) => tree.readEntries(first, count),
    async findStranger(claimed) {
      const nodes = claimed.map(({ index }) => ({ level: 0, index }));
      const hashes = await tree.hashes(sequencer.revealed.size)(nodes);
      return claimed.find(({ entry }, i) => !equalBytes(hashLeaf(entry), hashes[i]!))?.index;
    },
    hashes: (size) => tree.hashes(size),
    findLeaf: (hash, size) => tree.findLeaf(hash, size),
    firstLeafSince: (timeMs) => firstLeafSince(store, sequencer.revealed, timeMs),
    async recentSizes(since, limit) {
      const signed = await readRoundSizes(store, sequencer.revealed, since, limit);
      if (signed.isComplete) return signed;
      const newest = signed.sizes.slice(0, RECENT_ROUNDS);
      const kept = await readKeptSizes(store, since, Math.max(0, Math.floor((limit - newest.length) / 2)));
      return { sizes: [...new Set([...newest, ...kept])], isComplete: false };
    },
    checkpointCovering: (index) => reading('kept checkpoints', () => readCheckpointCovering(store, index)),
    publication: (slot) => (slot === 'none' ? publisher.published : witnessed.publication(slot)),
    keptCheckpoint: (size) => reading('kept checkpoints', () => readKept(store, size)),
    witnessedCovering: (index, serves) =>
      reading('kept checkpoints', () => readWitnessedCovering(store, policyId, index, serves)),
    whenWitnessed: (index, waitMs, signal) => witnessed.whenWitnessed(index, waitMs, signal),
    wantingOf: (index) => witnessed.wantingOf(index),
    async addLines(size, lines) {
      sequencer.assertAccepting();
      return witnessed.add(size, lines);
    },
    endWaits: () => witnessed.endWaits(),
    begin,
    halt: (reason) => sequencer.halt(reason),
    async close() {
      try {
        await sequencer.drain();
        await witnessed.stop();
        await publisher.stop();
        await sequencer.drain();
        sequencer.close();
      } finally {
        try {
          await guard.close();
        } finally {
          await store.close();
        }
      }
    },
  };
}

/** The first 8 bytes of the SHA-256 of what decides whether a policy is met: witnesses, groups and quorum. */
function policyIdOf(policy: Policy | undefined): Uint8Array {
  if (!policy) return new Uint8Array(8);
  const witnesses = policy.witnesses.map(({ name, vkey }) => ({ name, vkey }));
  return sha256(encodeUtf8(formatPolicy({ ...policy, logs: [], witnesses }))).subarray(0, 8);
}
