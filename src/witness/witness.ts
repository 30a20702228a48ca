/**
 * A witness (C2SP tlog-witness): remembers of each log the checkpoint that it cosigned last, and cosigns only one that
 * extends it. A line leaves after what it says is on the disk, never before.
 *
 *   add-checkpoint   form 400, 413 ─ origin 404 ─ signatures 403 ─┐ one at a time for each origin
 *                                                                 └ successor 400, 409, 422 ─ clock 503 ─ budget 429 ─
 *                                                                   cosign ─ commit ─ 200
 *   sign-subtree     form 400, 413 ─ proof 422 ─ origin 404 ─ own cosignature 403 ─ budget 429 ─ sign ─ 200
 *
 * A commit that fails is fatal: whether it was written is unknown, nothing is answered but 503, and the next opening
 * finds out.
 */

import { equalBytes } from '../core/bytes.ts';
import { isSubtree, verifySubtreeConsistency } from '../core/subtree.ts';
import { NewelError } from '../errors.ts';
import { type Checkpoint, parseCheckpointWithExtensions } from '../formats/checkpoint.ts';
import { type Cosigner, type CosignatureArithmetic, cosignatureVerifier } from '../formats/cosignature.ts';
import { parseHex } from '../formats/hex.ts';
import {
  formatNote,
  formatSignatureLines,
  type NoteSignature,
  openNote,
  parseNote,
  type Verifier,
} from '../formats/note.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { KEY_TYPE } from '../formats/vkey.ts';
import type { Store } from '../storage/store.ts';
import { parseAddCheckpoint } from './add-checkpoint-body.ts';
import {
  type AddCheckpointAnswer,
  type Postponement,
  refusalOf,
  type SignSubtreeAnswer,
} from './serving-answer.ts';
import { LogBudgets } from './log-budgets.ts';
import { checkSuccessor } from './consistency-check.ts';
import { checkKeys } from './key-check.ts';
import type { KnownLog, KnownLogs } from './known-logs.ts';
import { OriginTurns } from './origin-turns.ts';
import { parseSignSubtree } from './sign-subtree-body.ts';
import type { CosigningSignal } from './signals.ts';
import { hashOrigin, type Recorded, type WitnessIdentity } from './witness-rows.ts';
import { openWitnessState, type WitnessState } from './witness-state.ts';

export { MAX_WITNESS_BODY_BYTES } from './add-checkpoint-body.ts';
export type { AddCheckpointAnswer, SignSubtreeAnswer } from './serving-answer.ts';
export type { WitnessIdentity } from './witness-rows.ts';
export { createWitnessState } from './witness-state.ts';

/** What a witness does for whoever asks. */
export interface Witness {
  /** The body of `add-checkpoint`. Never rejects for what is in it. */
  addCheckpoint(body: Uint8Array): Promise<AddCheckpointAnswer>;
  /** The body of `sign-subtree`; only of a witness with a key of type 0x06. */
  readonly signSubtree?: (body: Uint8Array) => Promise<SignSubtreeAnswer>;
  /**
   * The checkpoint cosigned last of the log whose origin has this SHA-256, in 64 lower-case hex digits: a signed note with
   * the log's lines that verified and ours. `undefined` where there is none. Throws `malformed` for what is no hash, and
   * `storage_failed`.
   */
  latest(originHash: string): Promise<Uint8Array | undefined>;
  /** Whether it can cosign: no write has failed, and it is not closed. */
  readonly ready: boolean;
  /** Lets what is under way end, and answers 503 from then on. The store stays open. */
  close(): Promise<void>;
}

/** Milliseconds since 1970, and how to let some pass. */
export interface WitnessClock {
  now(): number;
  sleep(ms: number): Promise<void>;
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
}

const systemClock: WitnessClock = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** A clock that is behind by no more is waited for. */
const MAX_CLOCK_WAIT_S = 2;
/** When to ask again where nobody knows better. */
const RETRY_S = 10;
/** Bytes of text that a checkpoint may have, with extension lines. */
const MAX_TEXT_BYTES = 16 * 1024;
/**
 * Opens the witness of a database that `createWitnessState` has prepared. Throws `log_refused` where its memory is not
 * whole or is another witness's, or where a key does not verify what it signs.
 */
export async function openWitness(options: WitnessOptions): Promise<Witness> {
  const startMs = performance.now();
  const { store, identity, cosigners, arithmetic = {}, onSignal = () => {} } = options;
  const verifiers = cosigners.map(({ vkey }) => cosignatureVerifier(vkey, arithmetic));
  await checkKeys(identity.name, cosigners, verifiers);
  const state = await openWitnessState(store, identity);
  const witness = new StoredWitness(options, state, verifiers);
  const { origins, commits } = state;
  onSignal({ event: 'opened', origins, commits, durationMs: performance.now() - startMs });
  return witness;
}

/** A request that has been read as far as its log allows. */
interface Opened {
  readonly checkpoint: Checkpoint;
  readonly text: string;
  /** The lines of the log that hold. */
  readonly lines: readonly NoteSignature[];
}

class StoredWitness implements Witness {
  readonly signSubtree?: (body: Uint8Array) => Promise<SignSubtreeAnswer>;
  readonly #state: WitnessState;
  readonly #cosigners: readonly Cosigner[];
  /** Of our own keys. */
  readonly #verifiers: readonly Verifier[];
  readonly #logs: KnownLogs;
  readonly #clock: WitnessClock;
  readonly #budgets: LogBudgets;
  readonly #turns = new OriginTurns();
  readonly #onSignal: (signal: CosigningSignal) => void;
  /** Sizes at which a fork was told of, so that who repeats it is no flood. */
  readonly #forks = new Map<string, number>();
  #open = true;

  constructor(options: WitnessOptions, state: WitnessState, verifiers: readonly Verifier[]) {
    const { cosigners, logs, clock = systemClock, elapsed, onSignal = () => {} } = options;
    this.#state = state;
    this.#cosigners = cosigners;
    this.#verifiers = verifiers;
    this.#logs = logs;
    this.#clock = clock;
    this.#budgets = new LogBudgets(elapsed);
    this.#onSignal = harmless(onSignal);
    const subtreeCosigners = cosigners.filter(({ vkey }) => vkey.type === KEY_TYPE.mldsa44);
    if (subtreeCosigners.length > 0) {
      this.signSubtree = (body) => this.#signSubtree(body, subtreeCosigners);
    }
  }

  get ready(): boolean {
    return this.#open;
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#state.close();
  }

  async latest(originHash: string): Promise<Uint8Array | undefined> {
    const hash = parseHex(originHash, 'origin hash');
    if (!this.#open) throw new NewelError('storage_failed', STOPPED.reason);
    return (await this.#read(hash))?.note;
  }

  async addCheckpoint(body: Uint8Array): Promise<AddCheckpointAnswer> {
    if (!this.#open) return STOPPED;
    try {
      const { checkpoint: note, ...claim } = parseAddCheckpoint(body);
      const { text, checkpoint } = readCheckpoint(note);
      const log = this.#logs.find(checkpoint.origin);
      if (!log) return UNKNOWN_ORIGIN;
      const opened = { checkpoint, text, lines: openNote(note, log.verifiers).verified };
      return await this.#turns.take(checkpoint.origin, () => this.#advance(log, claim, opened));
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** From here on nobody else decides about this origin. */
  async #advance(
    log: KnownLog,
    claim: { readonly oldSize: number; readonly proof: readonly Uint8Array[] },
    { checkpoint, text, lines }: Opened,
  ): Promise<AddCheckpointAnswer> {
    if (!this.#open) return STOPPED;
    const { origin, size } = checkpoint;
    const originHash = hashOrigin(origin);
    try {
      const last = await this.#read(originHash);
      if (last) this.#tellFork(last, { checkpoint, text, lines }, log);
      const refused = checkSuccessor(claim, checkpoint, last);
      if (refused) return refused;
      const timeS = await this.#timeFor(origin, last?.timeS ?? 1);
      if (typeof timeS !== 'number') return timeS;
      const waitS = this.#budgets.charge(log, last?.size === size ? 'repeat' : 'growth');
      if (waitS > 0) return overBudget(waitS);
      const ours = await Promise.all(this.#cosigners.map((cosigner) => cosigner.cosign(text, timeS)));
      const note = formatNote({ text, signatures: [...lines, ...ours] });
      await this.#record(originHash, { timeS, note });
      this.#onSignal({ event: 'cosigned', origin, size });
      return { status: 200, lines: formatSignatureLines(ours) };
    } catch (error) {
      if (error instanceof NewelError && error.code === 'storage_failed') return STOPPED;
      throw error;
    }
  }

  async #signSubtree(body: Uint8Array, cosigners: readonly Cosigner[]): Promise<SignSubtreeAnswer> {
    if (!this.#open) return STOPPED;
    try {
      const { start, end, hash, proof, checkpoint: note } = parseSignSubtree(body);
      const { origin, size, root } = readCheckpoint(note).checkpoint;
      if (!isSubtree(start, end)) return { status: 400, reason: 'the range is not that of a subtree' };
      if (end > size) return { status: 400, reason: 'the range ends behind the tree of the checkpoint' };
      verifySubtreeConsistency(start, end, size, hash, root, proof);
      const log = this.#logs.find(origin);
      if (!log) return UNKNOWN_ORIGIN;
      openNote(note, this.#verifiers);
      const waitS = this.#budgets.charge(log, 'subtree');
      if (waitS > 0) return overBudget(waitS);
      const statement = { timestampS: 0, origin, start, end, hash };
      const lines = await Promise.all(cosigners.map((cosigner) => cosigner.cosignSubtree!(statement)));
      return { status: 200, lines: formatSignatureLines(lines) };
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** The time to sign at: never before `lastS`, so that no two lines of one origin have times and sizes that run apart. */
  async #timeFor(origin: string, lastS: number): Promise<number | Postponement> {
    for (let waited = false; ; waited = true) {
      const nowMs = this.#clock.now();
      const nowS = Math.floor(nowMs / 1000);
      if (nowS >= lastS) return nowS;
      const behindS = lastS - nowS;
      if (waited || behindS > MAX_CLOCK_WAIT_S) {
        this.#onSignal({ event: 'clock_behind', origin, behindS });
        return {
          status: 503,
          reason: 'the clock of the witness is behind its last cosignature',
          retryAfterS: RETRY_S,
        };
      }
      await this.#clock.sleep(lastS * 1000 - nowMs);
    }
  }

  async #read(originHash: Uint8Array): Promise<Recorded | undefined> {
    try {
      return await this.#state.read(originHash);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  async #record(originHash: Uint8Array, record: Pick<Recorded, 'timeS' | 'note'>): Promise<void> {
    try {
      await this.#state.record(originHash, record);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** The memory cannot be relied on any more: no line leaves from now on. */
  #fail(error: unknown): NewelError {
    if (this.#open) {
      this.#open = false;
      this.#onSignal({ event: 'fatal', error });
    }
    return new NewelError('storage_failed', STOPPED.reason, { cause: error });
  }

  #tellFork(last: Recorded, { checkpoint, text, lines }: Opened, { origin, verifiers }: KnownLog): void {
    const { size } = checkpoint;
    if (size !== last.size || equalBytes(checkpoint.root, last.root)) return;
    if (this.#forks.get(origin) === size) return;
    this.#forks.set(origin, size);
    const heads = [logLinesOf(last.note, verifiers), formatNote({ text, signatures: lines })] as const;
    this.#onSignal({ event: 'fork', origin, size, heads });
  }
}

function readCheckpoint(note: Uint8Array): { text: string; checkpoint: Checkpoint } {
  const { text } = parseNote(note);
  if (encodeUtf8(text).length > MAX_TEXT_BYTES)
    throw new NewelError('too_large', `the text of the checkpoint is longer than ${MAX_TEXT_BYTES} bytes`);
  const { origin, size, root } = parseCheckpointWithExtensions(text);
  return { text, checkpoint: { origin, size, root } };
}

/** The note without our lines; all of it where the list has none of the log's keys any more that signed it. */
function logLinesOf(note: Uint8Array, verifiers: readonly Verifier[]): Uint8Array {
  const { text, signatures } = parseNote(note);
  const isLogs = ({ name, keyId }: NoteSignature): boolean =>
    verifiers.some((verifier) => verifier.name === name && verifier.keyId === keyId);
  const lines = signatures.filter(isLogs);
  return lines.length > 0 ? formatNote({ text, signatures: lines }) : note;
}

const STOPPED: Postponement = {
  status: 503,
  reason: 'the witness does not sign: it is shutting down, or a write of it has failed',
  retryAfterS: RETRY_S,
};

const UNKNOWN_ORIGIN = { status: 404, reason: 'this witness does not know the origin' } as const;

function overBudget(retryAfterS: number): Postponement {
  return { status: 429, reason: 'this log has used up the cosignatures that it may ask for', retryAfterS };
}

function harmless(listener: (signal: CosigningSignal) => void): (signal: CosigningSignal) => void {
  return (signal) => {
    try {
      listener(signal);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
