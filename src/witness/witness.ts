/**
 * A witness (C2SP tlog-witness): remembers of each log the checkpoint that it cosigned last, and cosigns only one that
 * extends it. A line leaves after what it says is on the disk, never before.
 *
 *   add-checkpoint   `add-checkpoint.ts`        sign-subtree   `sign-subtree.ts`
 *
 * A commit that fails is fatal: whether it was written is unknown, nothing is answered but 503, and the next opening
 * finds out.
 */

import { NewelError } from '../errors.ts';
import { type Cosigner, type CosignatureArithmetic, cosignatureVerifier } from '../formats/cosignature.ts';
import { parseHex } from '../formats/hex.ts';
import { KEY_TYPE } from '../formats/vkey.ts';
import type { Store } from '../storage/store.ts';
import { addCheckpoint } from './add-checkpoint.ts';
import { systemWitnessClock, type WitnessClock } from './cosigning-clock.ts';
import { harmless } from './harmless.ts';
import { checkKeys } from './key-check.ts';
import type { KnownLogs } from './known-logs.ts';
import { LogBudgets } from './log-budgets.ts';
import { Memory } from './memory.ts';
import { OriginTurns } from './origin-turns.ts';
import { type AddCheckpointAnswer, type SignSubtreeAnswer, STOPPED } from './serving-answer.ts';
import { signSubtree } from './sign-subtree.ts';
import type { CosigningSignal } from './signals.ts';
import { type KeepFork, ToldForks } from './told-forks.ts';
import type { WitnessIdentity } from './witness-rows.ts';
import { openWitnessState } from './witness-state.ts';

export { MAX_WITNESS_BODY_BYTES } from './add-checkpoint-body.ts';
export type { WitnessClock } from './cosigning-clock.ts';
export type { AddCheckpointAnswer, SignSubtreeAnswer } from './serving-answer.ts';
export type { Fork, KeepFork } from './told-forks.ts';
export type { WitnessIdentity } from './witness-rows.ts';
export { createWitnessState } from './witness-state.ts';

/** The checkpoint of a log that was cosigned last. */
export interface LatestCheckpoint {
  readonly size: number;
  /** The timestamp of our lines, in seconds. */
  readonly timeS: number;
  /** A signed note with the log's lines that verified, and ours. */
  readonly note: Uint8Array;
}

/** What a witness does for whoever asks. */
export interface Witness {
  /** The body of `add-checkpoint`. Never rejects for what is in it. */
  addCheckpoint(body: Uint8Array): Promise<AddCheckpointAnswer>;
  /** The body of `sign-subtree`; only of a witness with a key of type 0x06. */
  readonly signSubtree?: (body: Uint8Array) => Promise<SignSubtreeAnswer>;
  /**
   * The checkpoint cosigned last of the log whose origin has this SHA-256, in 64 lower-case hex digits. `undefined` where
   * there is none. Throws `malformed` for what is no hash, and `storage_failed`.
   */
  latest(originHash: string): Promise<LatestCheckpoint | undefined>;
  /** Whether it can cosign: no write has failed, and it is not closed. */
  readonly ready: boolean;
  /** Lets what is under way end, and answers 503 from then on. The store stays open. */
  close(): Promise<void>;
}

export interface WitnessOptions {
  /** Which witness it is: as the state was made. */
  readonly identity: WitnessIdentity;
  /** Of which it is the only writer of the keys 0x20 to 0x2f. */
  readonly store: Store;
  /** Each with a key of the witness's name; every one of them cosigns. */
  readonly cosigners: readonly Cosigner[];
  readonly logs: KnownLogs;
  readonly arithmetic?: CosignatureArithmetic;
  readonly clock?: WitnessClock;
  /** Milliseconds that never go back. */
  readonly elapsed?: () => number;
  /** Told of what happens. What it throws becomes a warning of the process. */
  readonly onSignal?: (signal: CosigningSignal) => void;
  /** Keeps what convicts a log that shows two trees of one size; its request is answered when that is done. */
  readonly keepFork?: KeepFork;
}

/**
 * Opens the witness of a database that `createWitnessState` has prepared. Throws `log_refused` where its memory is not
 * whole or is another witness's, or where a key does not verify what it signs.
 */
export async function openWitness(options: WitnessOptions): Promise<Witness> {
  const startMs = performance.now();
  const { store, identity, cosigners, logs, arithmetic = {}, clock = systemWitnessClock, elapsed } = options;
  const verifiers = cosigners.map(({ vkey }) => cosignatureVerifier(vkey, arithmetic));
  await checkKeys(identity.name, cosigners, verifiers);
  const state = await openWitnessState(store, identity);
  const onSignal = harmless(options.onSignal ?? (() => {}));
  const memory = new Memory(state, (error) => onSignal({ event: 'fatal', error }));
  const budgets = new LogBudgets(elapsed);
  const forks = new ToldForks(onSignal, options.keepFork ?? (() => Promise.resolve()));
  const cosigning = { memory, cosigners, logs, clock, budgets, turns: new OriginTurns(), forks, onSignal };
  const ofSubtrees = cosigners.filter(({ vkey }) => vkey.type === KEY_TYPE.mldsa44);
  const signing = { memory, cosigners: ofSubtrees, verifiers, logs, budgets };
  const { origins, commits } = state;
  onSignal({ event: 'opened', origins, commits, durationMs: performance.now() - startMs });
  return {
    get ready() {
      return memory.isReliable;
    },
    addCheckpoint: (body) => addCheckpoint(cosigning, body),
    ...(ofSubtrees.length > 0 && { signSubtree: (body: Uint8Array) => signSubtree(signing, body) }),
    async latest(originHash) {
      const hash = parseHex(originHash, 'origin hash');
      if (!memory.isReliable) throw new NewelError('storage_failed', STOPPED.reason);
      return memory.read(hash);
    },
    close: () => memory.close(),
  };
}
