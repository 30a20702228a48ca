/**
 * Follows one log, from its checkpoint, tiles and entry bundles alone:
 *
 *   poll      the newest head ─ signed? ─ fresh, in time, witnessed? ─ extends the last one? ─ remembered (durable)
 *   catch up  every entry up to that head ─ hashes to its tile? ─ a leaf? ─ remembered (durable), now and then
 *
 * A head that does not extend the last one is never taken over. What it shows is proven where it can be, and is an alert
 * where it cannot.
 */

import { equalBytes } from '../core/bytes.ts';
import { CompactRange } from '../core/range.ts';
import type { EvidenceBundle } from '../client/evidence-bundle.ts';
import type { Store } from '../storage/store.ts';
import type { Alerts } from './alerts.ts';
import { clockError, missingQuorum, staleness } from './checks.ts';
import { Contradictions } from './contradictions.ts';
import { verifyEntries } from './entries.ts';
import { type Flaw, FLAWS, flawOf, openServed, readServed } from './flaw.ts';
import type { FollowedHead } from './followed-head.ts';
import type { FollowedLog } from './followed-log.ts';
import { type FollowedState, NO_LEAVES } from './followed-state.ts';
import { RememberedLog } from './remembered-log.ts';
import { BoundedSource } from './timed-source.ts';

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

export class Follower {
  readonly log: FollowedLog;
  readonly #options: FollowerOptions;
  /** The files of the log, for as long as there is time. */
  readonly #source: BoundedSource;
  readonly #remembered: RememberedLog;
  readonly #contradictions: Contradictions;
  #flaws: { head: Flaw | undefined; entries: Flaw | undefined } = { head: undefined, entries: undefined };
  /** When a checkpoint was last read, by our clock. */
  #readMs: number | undefined;

  private constructor(options: FollowerOptions, source: BoundedSource, remembered: RememberedLog) {
    this.#options = options;
    this.log = options.log;
    this.#source = source;
    this.#remembered = remembered;
    this.#contradictions = new Contradictions(source, options);
    this.#sayLeaves();
  }

  /** Goes on where an earlier process stopped. Throws what `readState` throws. */
  static async open(options: FollowerOptions): Promise<Follower> {
    const { store, log } = options;
    const source = new BoundedSource(log.source);
    return new Follower(options, source, await RememberedLog.open({ store, log, source }));
  }

  /** What is known to be true; `undefined` until a first head was verified. */
  get state(): FollowedState | undefined {
    return this.#remembered.state;
  }

  /** When a true checkpoint was last read; `undefined`: not in this process. */
  get readMs(): number | undefined {
    return this.#readMs;
  }

  /** Reads the newest head and holds it to all that is known. Rejects only where the database fails, or it is told to stop. */
  async poll(): Promise<void> {
    const { alerts, now } = this.#options;
    const { log } = this;
    let served: FollowedHead | undefined;
    this.#flaws.head = await this.#flawOf(async () => {
      await this.#source.within(POLL_MS, async () => {
        const note = await readServed(this.#source, log);
        try {
          served = openServed(note, log);
        } catch (error) {
          if (this.state) await this.#contradictions.convictRefused(this.state.head, note);
          throw error;
        }
        this.#readMs = now();
        await this.#take(served);
      });
    });
    const head = served ?? this.state?.head;
    if (head) {
      const { origin } = log;
      // Another head than the remembered one was not there before now.
      const changedMs = this.state && this.#remembered.isLast(head) ? this.state.changedMs : now();
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
      await this.#source.within(forMs + CATCH_UP_GRACE_MS, async () => {
        isDone = await this.#verifyEntries(untilMs);
      });
    });
    this.#settleFlaws();
    return isDone;
  }

  /** Takes over a head that extends the last one. */
  async #take(head: FollowedHead): Promise<void> {
    const { alerts, now } = this.#options;
    const { log } = this;
    const last = this.state;
    const isShrunk = last !== undefined && head.size < last.head.size;
    alerts.settle(
      { origin: log.origin, code: 'shrunk' },
      isShrunk
        ? `the log serves a head of ${head.size} leaves, and has served one of ${last.head.size}; a cache may be why, or it has lost entries`
        : undefined,
    );
    if (last) {
      const isNewNote = !this.#remembered.isLast(head);
      if (isNewNote) await this.#contradictions.convictRollback(last.head, head);
      if (head.size <= last.head.size) {
        if (!equalBytes(await this.#remembered.rootAt(last, head.size), head.root))
          return await this.#contradictions.convictFork(last.head, head);
        // The same tree, perhaps under newer lines.
        if (!isShrunk && isNewNote) await this.#remembered.remember({ ...last, head, changedMs: now() });
        return;
      }
    }
    const tiles = await this.#remembered.openExtension(head);
    if (!tiles) return await this.#contradictions.convictFork(last!.head, head);
    const { range, leaves } = last ?? { range: new CompactRange(), leaves: NO_LEAVES };
    await this.#remembered.extend({ head, range, leaves, changedMs: now() }, tiles);
  }

  async #verifyEntries(untilMs: number): Promise<boolean> {
    const state = this.state;
    if (!state || state.range.size === state.head.size) return true;
    const { log } = this;
    const { size, root } = state.head;
    const tiles = await this.#remembered.openTiles(state);
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
    const state = this.state!;
    if (range.size === state.range.size) return;
    await this.#remembered.remember({ ...state, range: range.copy(), leaves });
    this.#sayLeaves();
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
    const { malformed = 0, firstMalformed = 0 } = this.state?.leaves ?? {};
    if (malformed === 0) return;
    this.#options.alerts.raise(
      { origin: this.log.origin, code: 'leaf_malformed' },
      `entry ${firstMalformed} is no leaf of a log of events, and may not be the only one`,
    );
  }
}
