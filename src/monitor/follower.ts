/**
 * Follows one log, from its checkpoint, tiles and entry bundles alone:
 *
 *   poll      the newest head ─ signed? ─ fresh, in time, witnessed? ─ extends the last one? ─ remembered (durable)
 *   catch up  every entry up to that head ─ hashes to its tile? ─ a leaf? ─ remembered (durable), now and then
 *
 * A head that does not extend the last one is never taken over. What it shows is proven where it can be, and is an alert
 * where it cannot.
 */

import { NewelError } from '../errors.ts';
import { openTree } from '../client/tree.ts';
import type { EvidenceBundle } from '../client/evidence-bundle.ts';
import { withTimeout } from '../client/pause.ts';
import type { LogSource } from '../client/source.ts';
import type { VerifiedTiles } from '../client/verified-tiles.ts';
import { equalBytes } from '../core/bytes.ts';
import { CompactRange } from '../core/range.ts';
import { hashRanges } from '../core/tree.ts';
import type { Store } from '../storage/store.ts';
import type { Alerts } from './alerts.ts';
import { clockError, missingQuorum, staleness } from './checks.ts';
import { compareHeads, type Comparison, findRollback, type HeadSeen } from './compare.ts';
import { verifyEntries } from './entries.ts';
import { type Flaw, FLAWS, flawOf, openServed, UnprovenError } from './flaw.ts';
import { type FollowedHead, readRefusedHead } from './followed-head.ts';
import type { FollowedLog } from './followed-log.ts';
import { type FollowedState, NO_LEAVES, readState, writeState } from './followed-state.ts';
import { readUntil } from './timed-source.ts';

export interface FollowerOptions {
  readonly log: FollowedLog;
  readonly store: Store;
  readonly alerts: Alerts;
  readonly now: () => number;
  /** Keeps proof. It is durable when this resolves. */
  readonly convict: (log: FollowedLog, bundle: EvidenceBundle) => Promise<void>;
  /** Told as entries are verified; both in entries. */
  readonly onProgress?:
    ((log: FollowedLog, at: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** Progress is remembered at least this often while catching up; after a crash so much is verified again. */
const REMEMBER_EVERY_MS = 1000;
/** For a look at the newest head, all of it: a server that drips is not waited for any longer. */
const POLL_MS = 120_000;
/** So much longer than it is told to may catching up take, for the files that are under way then. */
const CATCH_UP_GRACE_MS = 120_000;
/** What a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Follower {
  readonly log: FollowedLog;
  readonly #options: FollowerOptions;
  /** The files of the log, for as long as there is time. */
  readonly #source: LogSource;
  #until: AbortSignal | undefined;
  #state: FollowedState | undefined;
  /** The tiles of the tree of the head in `#state`, once they were read. */
  #tiles: VerifiedTiles | undefined;
  /** Whether what was remembered of the entries was compared with the log since this process began. */
  #isRangeProven = false;
  #flaws: { head: Flaw | undefined; entries: Flaw | undefined } = { head: undefined, entries: undefined };
  #failure: NewelError | undefined;
  /** When a checkpoint was last read, by our clock. */
  #readMs: number | undefined;

  private constructor(options: FollowerOptions, state: FollowedState | undefined) {
    this.#options = options;
    this.log = options.log;
    const { source } = options.log;
    this.#source = {
      read: (path) => (this.#until ? readUntil(source, path, this.#until) : source.read(path)),
    };
    this.#state = state;
    this.#sayLeaves();
  }

  /** Goes on where an earlier process stopped. Throws what `readState` throws. */
  static async open(options: FollowerOptions): Promise<Follower> {
    return new Follower(options, await readState(options.store, options.log));
  }

  /** What is known to be true; `undefined` until a first head was verified. */
  get state(): FollowedState | undefined {
    return this.#state;
  }

  /** When a true checkpoint was last read; `undefined`: not in this process. */
  get readMs(): number | undefined {
    return this.#readMs;
  }

  /** Whether every entry of the newest head is verified. */
  get isCaughtUp(): boolean {
    return this.#state !== undefined && this.#state.range.size === this.#state.head.size;
  }

  /** Reads the newest head and holds it to all that is known. Rejects only where the database fails, or it is told to stop. */
  async poll(): Promise<void> {
    const { alerts, now } = this.#options;
    const { log } = this;
    let served: FollowedHead | undefined;
    this.#flaws.head = await this.#flawOf(async () => {
      await this.#inTime(POLL_MS, async () => {
        const note = await this.#source.read('checkpoint');
        if (!note) throw new NewelError('unreachable', `${log.url} serves no checkpoint`);
        try {
          served = openServed(note, log);
        } catch (error) {
          await this.#convictRefused(note);
          throw error;
        }
        this.#readMs = now();
        await this.#take(served);
      });
    });
    const head = served ?? this.#state?.head;
    if (head) {
      const { origin } = log;
      // Another head than the remembered one was not there before now.
      const changedMs =
        this.#state && equalBytes(this.#state.head.note, head.note) ? this.#state.changedMs : now();
      alerts.settle({ origin, code: 'stale' }, staleness(head, log, now(), changedMs));
      alerts.settle({ origin, code: 'clock' }, clockError(head, log, now()));
      alerts.settle({ origin, code: 'quorum_missing' }, missingQuorum(head, log));
    }
    this.#settleFlaws();
  }

  /**
   * Verifies entries up to the newest head, for `forMs` at most. Whether it got there, or nowhere: then there is an alert.
   * Rejects only where the database fails, or it is told to stop.
   */
  async catchUp(forMs: number = Number.POSITIVE_INFINITY): Promise<boolean> {
    const untilMs = performance.now() + forMs;
    let isDone = true;
    this.#flaws.entries = await this.#flawOf(async () => {
      await this.#inTime(forMs + CATCH_UP_GRACE_MS, async () => {
        isDone = await this.#verifyEntries(untilMs);
      });
    });
    this.#settleFlaws();
    return isDone;
  }

  async #inTime(ms: number, work: () => Promise<void>): Promise<void> {
    if (ms > MAX_TIMER_MS) return work();
    try {
      await withTimeout(ms, undefined, (signal) => {
        this.#until = signal;
        return work();
      });
    } finally {
      this.#until = undefined;
    }
  }

  /** Keeps what the true lines of a checkpoint prove that is refused: a false line beside them is not to save it. */
  async #convictRefused(note: Uint8Array): Promise<void> {
    const last = this.#state?.head;
    const head = last && readRefusedHead(note, this.log);
    if (!last || !head) return;
    await this.#convictRollback(last, head);
    if (!head.lines.some(({ key }) => key.isLog)) return;
    const compared = await this.#compare(last, head);
    if (compared.kind === 'evidence') await this.#options.convict(this.log, compared.bundle);
  }

  #compare(last: FollowedHead, head: FollowedHead): Promise<Comparison> {
    const source = this.#source;
    return compareHeads(this.#seen(last), this.#seen(head), { a: source, b: source });
  }

  /** Takes over a head that extends the last one. */
  async #take(head: FollowedHead): Promise<void> {
    const { alerts } = this.#options;
    const { log } = this;
    const last = this.#state;
    const isShrunk = last !== undefined && head.size < last.head.size;
    alerts.settle(
      { origin: log.origin, code: 'shrunk' },
      isShrunk
        ? `the log serves a head of ${head.size} leaves, and has served one of ${last.head.size}; a cache may be why, or it has lost entries`
        : undefined,
    );
    if (last) {
      if (!equalBytes(last.head.note, head.note)) await this.#convictRollback(last.head, head);
      if (head.size <= last.head.size) {
        if (!equalBytes(await this.#rootAt(last, head.size), head.root))
          return await this.#contradict(last.head, head);
        if (isShrunk) return;
        // The same tree, perhaps under newer lines.
        if (!equalBytes(last.head.note, head.note))
          await this.#remember({ ...last, head, changedMs: this.#options.now() });
        return;
      }
    }
    const tiles = await openTree(this.#source, head);
    if (last) {
      const root = await rootWithin(tiles, last.head.size, head.size);
      if (!equalBytes(root, last.head.root)) return await this.#contradict(last.head, head);
      await this.#proveRange(last, tiles, head.size);
    }
    const { range, leaves } = last ?? { range: new CompactRange(), leaves: NO_LEAVES };
    await this.#remember({ head, range, leaves, changedMs: this.#options.now() });
    this.#tiles = tiles;
  }

  /** Keeps a proof that a key contradicts itself, if the lines of the two heads are one. */
  async #convictRollback(last: FollowedHead, head: FollowedHead): Promise<void> {
    const bundle = findRollback([this.#seen(last), this.#seen(head)], this.log.trust);
    if (bundle) await this.#options.convict(this.log, bundle);
  }

  /** The newest head and the last one are not of one tree: proves it, or says that it is not proven. */
  async #contradict(last: FollowedHead, head: FollowedHead): Promise<void> {
    const compared = await this.#compare(last, head);
    if (compared.kind === 'evidence') return await this.#options.convict(this.log, compared.bundle);
    const why = compared.kind === 'undecided' ? compared.why : 'the log has served two kinds of tiles';
    throw new UnprovenError(
      `the head of ${head.size} leaves does not fit the one of ${last.size} that was signed before, and it is not proven: ${why}`,
    );
  }

  #seen({ note, size, root }: FollowedHead): HeadSeen {
    return { checkpoint: note, size, root, source: this.log.url, timeMs: this.#options.now() };
  }

  async #rootAt(state: FollowedState, size: number): Promise<Uint8Array> {
    if (size === state.head.size) return state.head.root;
    return rootWithin(await this.#openTiles(state), size, state.head.size);
  }

  async #verifyEntries(untilMs: number): Promise<boolean> {
    const state = this.#state;
    if (!state || state.range.size === state.head.size) return true;
    const { log } = this;
    const { size, root } = state.head;
    const tiles = await this.#openTiles(state);
    // What is remembered stays as it is until it is remembered anew.
    const range = state.range.copy();
    let { leaves } = state;
    let rememberedMs = performance.now();
    try {
      const areEvents = log.trust.kind === 'events';
      for await (leaves of verifyEntries({ source: this.#source, tiles, size, range, leaves, areEvents })) {
        const nowMs = performance.now();
        if (range.size < size && nowMs >= untilMs) return false;
        if (nowMs - rememberedMs >= REMEMBER_EVERY_MS) {
          rememberedMs = nowMs;
          await this.#rememberEntries(range, leaves);
        }
        this.#options.onProgress?.(log, { done: range.size, total: size });
      }
      if (!equalBytes(range.root(), root)) throw new Error('bug: verified entries have another root');
      return true;
    } finally {
      await this.#rememberEntries(range, leaves);
    }
  }

  async #rememberEntries(range: CompactRange, leaves: FollowedState['leaves']): Promise<void> {
    const state = this.#state!;
    if (range.size === state.range.size) return;
    await this.#remember({ ...state, range: range.copy(), leaves });
    this.#sayLeaves();
  }

  async #remember(state: FollowedState): Promise<void> {
    // A write that failed is the last one: what is on the disk is not known.
    if (this.#failure) throw this.#failure;
    try {
      await writeState(this.#options.store, this.log, state);
    } catch (cause) {
      const message = `what is known of ${this.log.origin} could not be written, and whether it is kept is not known`;
      this.#failure = new NewelError('storage_failed', message, { cause });
      throw this.#failure;
    }
    this.#state = state;
  }

  async #openTiles(state: FollowedState): Promise<VerifiedTiles> {
    if (!this.#tiles) {
      const tiles = await openTree(this.#source, state.head);
      await this.#proveRange(state, tiles, state.head.size);
      this.#tiles = tiles;
    }
    return this.#tiles;
  }

  /** What was remembered of the entries is of the tree; a database that has been changed is found out here. */
  async #proveRange({ range }: FollowedState, tiles: VerifiedTiles, size: number): Promise<void> {
    if (this.#isRangeProven) return;
    if (!equalBytes(range.root(), await rootWithin(tiles, range.size, size))) {
      throw new NewelError(
        'log_refused',
        `what was remembered of the entries of ${this.log.origin} is not of its tree: the monitor's database is damaged; ` +
          'follow the log anew in another folder, and keep this one',
      );
    }
    this.#isRangeProven = true;
  }

  /** What keeps `step` from being made, where it is the log. */
  async #flawOf(step: () => Promise<void>): Promise<Flaw | undefined> {
    try {
      await step();
      return undefined;
    } catch (error) {
      return flawOf(error);
    }
  }

  #settleFlaws(): void {
    const { head, entries } = this.#flaws;
    for (const code of FLAWS) {
      const flaw = [head, entries].find((found) => found?.code === code);
      this.#options.alerts.settle({ origin: this.log.origin, code }, flaw?.message);
    }
  }

  /** Entries that are no leaves stay where they are for ever, and so does what is said of them. */
  #sayLeaves(): void {
    const { malformed = 0, firstMalformed = 0 } = this.#state?.leaves ?? {};
    if (malformed === 0) return;
    this.#options.alerts.raise(
      { origin: this.log.origin, code: 'leaf_malformed' },
      `entry ${firstMalformed} is no leaf of a log of events, and may not be the only one`,
    );
  }
}

async function rootWithin(tiles: VerifiedTiles, size: number, of: number): Promise<Uint8Array> {
  const [root] = await hashRanges([{ begin: 0, end: size }], tiles.hashes(of));
  return root!;
}
