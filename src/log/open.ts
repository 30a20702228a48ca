/**
 * Opening a log: what is stored is proved, then there is one writer of it, and whoever reads.
 *
 *   append ─ Sequencer ─ rounds ─→ revealed ─ Publisher ─→ published ─ Witnessed ─→ slots
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { equalBytes } from '../core/bytes.ts';
import { hashLeaf } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import type { Cosigner } from '../formats/cosignature.ts';
import type { Signer, Verifier } from '../formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { formatPolicy, type Policy } from '../formats/tlog-policy.ts';
import { startKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Guard } from './guard.ts';
import { formatIdentity, type Identity } from './identity.ts';
import { CACHED_TILES, POOL_LIMITS, PUBLISH_INTERVAL_MS, REPUBLISH_INTERVAL_MS } from './limits.ts';
import type { PoolLimits } from './pool.ts';
import { readCheckpointCovering, readKept, readKeptSizes, readWitnessedCovering } from './kept.ts';
import type { Log } from './log.ts';
import { Publisher } from './publish.ts';
import { recover } from './recover.ts';
import type { ProveCompanions } from './prove-rounds.ts';
import { ownRows } from './round.ts';
import { firstLeafSince, readRoundSizes } from './round-times.ts';
import { Sequencer } from './sequencer.ts';
import { harmless, type Listener } from './signals.ts';
import type { SlotPolicy } from './slot-asking.ts';
import { TreeReader } from './tree-reader.ts';
import type { WitnessedSlot } from './slots.ts';
import { type Asking, Witnessed } from './witnessed.ts';

/** A head is published within a few rounds of being picked. */
const RECENT_ROUNDS = 8;

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
