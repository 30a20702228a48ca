/**
 * Follows many logs, each at its own pace, until told to stop or, of one pass, until all is verified that there is.
 *
 *   log ─ poll ─ what its witnesses have cosigned ─ catch up, until the next poll is due ─┐
 *    ▲                                                                                   │
 *    └──────────────────────────────────── pause ◀───────────────────────────────────────┘
 *
 * Peers are asked beside that, of all logs (`Gossip`). Whatever proves something is kept in the evidence folder.
 */

import { pause } from '../client/pause.ts';
import type { EvidenceBundle } from '../client/evidence-bundle.ts';
import type { Store } from '../storage/store.ts';
import type { Alerts } from './alerts.ts';
import type { EvidenceFolder, KeptEvidence } from './evidence-folder.ts';
import type { FollowedLog } from './followed-log.ts';
import { Follower } from './follower.ts';
import { Gossip, type GossipPeer, type GossipSignal } from './gossip-peers.ts';
import { gossipedLog, type Heads, openHeads } from './heads.ts';
import { ShownWitnesses } from './shown-witnesses.ts';
import { within } from './timed-source.ts';
import {
  type AwaitedHead,
  type MonitoredWitness,
  WitnessHeads,
  type WitnessStanding,
} from './witness-heads.ts';

export interface MonitorOptions {
  readonly logs: readonly FollowedLog[];
  readonly store: Store;
  readonly evidence: EvidenceFolder;
  readonly alerts: Alerts;
  /** Each at a URL of its own. */
  readonly witnesses?: readonly MonitoredWitness[];
  readonly peers?: readonly GossipPeer[];
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly fetch?: typeof globalThis.fetch;
  readonly onEvidence?: (log: FollowedLog, kept: KeptEvidence) => void;
  /** Told once of each log and witness that shows no head of it, and never did. */
  readonly onNoneShown?: (log: FollowedLog, witness: WitnessStanding) => void;
  readonly onProgress?: (log: FollowedLog, at: { readonly done: number; readonly total: number }) => void;
}

/** So much of the interval, more or less, that many monitors do not ask at the same moment. */
const JITTER = 0.1;
/** Of one pass, how often the log is asked again while others know of a larger head, */
const AGAIN_MS = 1000;
/** and for how long, by a clock that is not set: somewhat longer than a log may withhold one before that is told. */
const AWAIT_MS = 11 * 60_000;
/** How long peers wait for the first heads of the logs. */
const GOSSIP_AFTER_MS = 15_000;

interface FollowingParts {
  readonly follower: Follower;
  readonly shown: ShownWitnesses;
}

interface Following {
  readonly follower: Follower;
  readonly witnesses: WitnessHeads;
  step: Step | undefined;
}

/** What is waited for: the log's head, what its witnesses have cosigned, peers, the entries; nothing that is asked for now. */
export type Step = 'head' | 'witnesses' | 'peers' | 'entries';

/** How far a log was followed. */
export interface LogPosition {
  readonly follower: Follower;
  readonly step: Step | undefined;
  /** What the log, or its tiles, have yet to show. */
  readonly awaited: readonly AwaitedHead[];
  /** All witnesses, and which of them have shown a head of it. */
  readonly witnesses: readonly WitnessStanding[];
}

export class Monitor {
  /** What the logs, their witnesses and peers have shown: for whoever asks by gossip too. */
  readonly heads: Heads;
  readonly #options: MonitorOptions;
  readonly #following: readonly Following[];
  readonly #gossip: Gossip;
  /** Ends everything when something of ours fails. */
  readonly #failed = new AbortController();
  #keeping: Promise<void> = Promise.resolve();

  private constructor(options: MonitorOptions, parts: readonly FollowingParts[], heads: Heads) {
    const { alerts, witnesses = [], peers = [], now, intervalMs, fetch, onNoneShown } = options;
    this.#options = options;
    this.heads = heads;
    this.#following = parts.map(({ follower, shown }) => {
      const tellNone = (witness: WitnessStanding): void => onNoneShown?.(follower.log, witness);
      const ofOne = { follower, shown, heads, alerts, witnesses, now, onNoneShown: tellNone };
      return { follower, witnesses: new WitnessHeads(ofOne), step: undefined };
    });
    this.#gossip = new Gossip({
      heads,
      peers,
      intervalMs,
      ...(fetch && { fetch }),
      onSignal: (signal) => this.#hear(signal),
    });
  }

  /**
   * Reads what is remembered of each log. Throws `log_refused` where that is damaged, or signed by keys that are not trusted,
   * `usage` for more logs than heads are kept of, `storage_failed`.
   */
  static async open(options: MonitorOptions): Promise<Monitor> {
    const { store, alerts, now, onProgress, witnesses = [] } = options;
    const convict = (log: FollowedLog, bundle: EvidenceBundle): Promise<void> => keep(options, log, bundle);
    const urls = witnesses.map(({ url }) => url);
    const parts: FollowingParts[] = [];
    for (const log of options.logs) {
      const follower = await Follower.open({ log, store, alerts, now, convict, onProgress });
      parts.push({ follower, shown: await ShownWitnesses.open(store, log.origin, urls) });
    }
    const logs = options.logs.map(({ trust, source, url }) => ({ ...gossipedLog(trust, source), own: url }));
    return new Monitor(options, parts, await openHeads({ store, logs, now }));
  }

  get followers(): readonly Follower[] {
    return this.#following.map(({ follower }) => follower);
  }

  /** How far each log was followed, and what it is waited for. */
  get positions(): readonly LogPosition[] {
    return this.#following.map(({ follower, witnesses, step }) => ({
      follower,
      step,
      awaited: witnesses.awaited,
      witnesses: witnesses.standings,
    }));
  }

  /** Follows until told to stop. Rejects where the database or the evidence folder fails. */
  run(): Promise<void> {
    return this.#during(async (signal) => {
      const polled = this.#following.map((following) => this.#orFail(pollOne(following)));
      // Not before what the logs themselves show is known: a peer's head is to be held against it. A slow one is not
      // waited for.
      const known = Promise.allSettled(polled).then(() => {});
      const gossiping = within(GOSSIP_AFTER_MS, known, () => {}).then(() => {
        if (!signal.aborted) this.#gossip.start();
      });
      try {
        // All of them end before anything is closed; what failed is in `#failed`.
        await Promise.allSettled([
          gossiping,
          ...this.#following.map(async (following, i) => {
            await polled[i];
            await this.#orFail(this.#follow(following, signal));
          }),
        ]);
      } finally {
        await this.#gossip.close();
      }
    });
  }

  /**
   * One pass: all heads, all others, all entries. A head that somebody else was shown by then and the log has yet to
   * serve is waited for; those that come meanwhile are for the next pass, for a busy log has always one. Whether it came
   * to its end: not where it was told to stop before. Rejects as `run`.
   */
  async runOnce(): Promise<boolean> {
    let isWhole = false;
    const untilMs = performance.now() + AWAIT_MS;
    let awaited: ReadonlyMap<Following, readonly AwaitedHead[]> | undefined;
    await this.#during(async (signal) => {
      for (;;) {
        await Promise.all(this.#following.map((following) => pollOne(following)));
        for (const following of this.#following) following.step = 'peers';
        await this.#gossip.exchange();
        await this.#gossip.settled();
        await Promise.all(
          this.#following.map(async (following) => {
            following.step = 'entries';
            await following.witnesses.settle();
            await following.follower.catchUp();
            following.step = undefined;
          }),
        );
        awaited = new Map(this.#following.map((following) => [following, stillAwaited(following, awaited)]));
        isWhole = [...awaited.values()].every(({ length }) => length === 0) || performance.now() > untilMs;
        if (isWhole) return;
        await pause(AGAIN_MS, signal);
      }
    });
    return isWhole;
  }

  /** Keeps what `Heads` proves while `work` is done. What it was told to stop by is no failure. */
  async #during(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#options;
    // What a crash has kept from being written.
    for (const { log } of this.followers) {
      for (const bundle of this.heads.origins.get(log.originHash)?.evidence ?? []) this.#keepOf(bundle);
    }
    const unsubscribe = this.heads.subscribe((heard) => {
      if (heard.event === 'evidence' || heard.event === 'unkept') this.#keepOf(heard.bundle);
    });
    try {
      await work(AbortSignal.any([signal, this.#failed.signal]));
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      unsubscribe();
      await this.#keeping;
    }
    if (!signal.aborted) this.#failed.signal.throwIfAborted();
  }

  #keepOf(bundle: EvidenceBundle): void {
    const log = this.#options.logs.find(({ origin }) => origin === bundle.origin);
    if (!log) return;
    this.#keeping = this.#keeping
      .then(() => keep(this.#options, log, bundle))
      .catch((error: unknown) => this.#failed.abort(error));
  }

  /** From a log that was just polled. */
  async #follow(following: Following, signal: AbortSignal): Promise<never> {
    const { intervalMs } = this.#options;
    for (let startedMs = performance.now(); ; startedMs = performance.now()) {
      const isDone = await following.follower.catchUp(intervalMs);
      const aroundMs = intervalMs * (1 + JITTER * (2 * Math.random() - 1));
      const restMs = aroundMs - (performance.now() - startedMs);
      if (isDone && restMs > 0) await pause(restMs, signal);
      signal.throwIfAborted();
      await pollOne(following);
    }
  }

  /** One that fails stops the others. */
  async #orFail<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#failed.abort(error);
      throw error;
    }
  }

  /** A peer that fails is told as an alert that is about no log, or about all. */
  #hear(signal: GossipSignal): void {
    const { alerts } = this.#options;
    if (signal.event === 'failed') return this.#failed.abort(signal.error);
    const { event, peer } = signal;
    const subject = { origin: undefined, source: peer } as const;
    alerts.settle(
      { ...subject, code: 'unreadable' },
      event === 'peer_fails' ? `peer ${peer}: ${signal.why}` : undefined,
    );
    alerts.settle(
      { ...subject, code: 'peer_false' },
      event === 'peer_false' ? `peer ${peer} has answered what does not hold: ${signal.why}` : undefined,
    );
  }
}

/** What this log has yet to show: in the first round all that there is, then what of it is left. */
function stillAwaited(
  following: Following,
  before: ReadonlyMap<Following, readonly AwaitedHead[]> | undefined,
): readonly AwaitedHead[] {
  const { follower, witnesses } = following;
  // A log that does not answer at all is not waited for.
  if (follower.readMs === undefined) return [];
  const { awaited } = witnesses;
  const first = before?.get(following);
  if (!first) return awaited;
  return awaited.filter((head) => first.some((one) => one.source === head.source && one.size === head.size));
}

async function pollOne(following: Following): Promise<void> {
  following.step = 'head';
  await following.follower.poll();
  following.step = 'witnesses';
  await following.witnesses.poll();
  following.step = undefined;
}

async function keep(
  { evidence, alerts, onEvidence }: MonitorOptions,
  log: FollowedLog,
  bundle: EvidenceBundle,
): Promise<void> {
  const kept = await evidence.keep(bundle, log.trust);
  if (kept === 'full') {
    alerts.raise(
      { origin: log.origin, code: 'evidence_full' },
      'more is proven against a key than is kept; what is kept convicts it',
    );
  } else if (kept !== 'known') onEvidence?.(log, kept);
}
