/**
 * Exchanging heads with peers: our head of each log is posted to every peer when there is a new one, and at an
 * interval; what a peer answers is taken like any other head. One call, and both know what both have seen.
 *
 *   200   its head                           409   evidence, verified here before it is kept
 *   202   the same, or nothing               404   it does not follow this log
 *
 * A peer that does not answer, or says that it is too much, is left alone for pauses that grow.
 */

import { pause } from '../client/pause.ts';
import { NewelError } from '../errors.ts';
import { askPeer, type PeerAnswer, PeerFailure, type PeerRequest } from './ask-peer.ts';
import { type Heads, MAX_POSTED_BYTES } from './heads.ts';
import { type KeptHead, noteWithin, treeOf } from './kept-head.ts';
import { within } from './timed-source.ts';

export interface GossipPeer {
  /** What its heads are said to be from; by custom its URL. */
  readonly name: string;
  /** `/v1/heads` is below it. */
  readonly url: string;
}

export interface GossipOptions {
  readonly heads: Heads;
  readonly peers: readonly GossipPeer[];
  /** How often everything is exchanged although nothing is new; 60 s by default. */
  readonly intervalMs?: number;
  /** Between two rounds with one peer, however often there are new heads; 1 s by default, and more for many logs. */
  readonly gapMs?: number;
  /** How often what is undecided is tried again; 10 s by default. */
  readonly retryMs?: number;
  /** For one answer, all of it; 10 s by default. */
  readonly timeoutMs?: number;
  readonly fetch?: typeof globalThis.fetch;
  readonly onSignal?: (signal: GossipSignal) => void;
}

/** What becomes of a peer; each is told when it begins. */
export type GossipSignal =
  | { readonly event: 'peer_answers'; readonly peer: string }
  | { readonly event: 'peer_fails'; readonly peer: string; readonly why: string }
  /** What it answered is not true, or is by no key that is known here. */
  | { readonly event: 'peer_false'; readonly peer: string; readonly why: string; readonly error: unknown }
  | { readonly event: 'failed'; readonly error: unknown };

const INTERVAL_MS = 60_000;
const GAP_MS = 1000;
/** What each log adds to the gap: ten heads a second to one peer, well below what it takes of one sender. */
const GAP_PER_LOG_MS = 100;
const RETRY_MS = 10_000;
const TIMEOUT_MS = 10_000;
const MIN_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 600_000;
const MAX_DOUBLINGS = 10;
/** How long what becomes of an answer is waited for, before the next log is exchanged. */
const DECIDE_MS = 2000;

/** How a peer is doing. */
interface PeerState {
  readonly peer: GossipPeer;
  /** Trees that it was seen to have too, by the hash of their origin. */
  readonly agreed: Map<string, string>;
  /** What is still being made of its last answers, by the hash of their origin. */
  readonly comparing: Map<string, Promise<void>>;
  failures: number;
  /** What it asked for itself, by `Retry-After`. */
  retryAfterMs: number;
  /** What was told of it last. */
  told: GossipSignal['event'];
  wake: (() => void) | undefined;
}

export class Gossip {
  readonly #heads: Heads;
  readonly #options: GossipOptions;
  readonly #peers: readonly PeerState[];
  readonly #ending = new AbortController();
  #loops: readonly Promise<void>[] = [];

  constructor(options: GossipOptions) {
    this.#heads = options.heads;
    this.#options = options;
    this.#peers = options.peers.map((peer) => ({
      peer,
      agreed: new Map(),
      comparing: new Map(),
      failures: 0,
      retryAfterMs: 0,
      told: 'peer_answers',
      wake: undefined,
    }));
  }

  /** Exchanges from now on, until `close`. */
  start(): void {
    const unsubscribe = this.#heads.subscribe(({ event }) => {
      if (event === 'newest' || event === 'apart') for (const { wake } of this.#peers) wake?.();
    });
    this.#ending.signal.addEventListener('abort', unsubscribe, { once: true });
    this.#loops = [this.#retryLoop(), ...this.#peers.map((state) => this.#peerLoop(state))];
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#loops);
    await Promise.allSettled(this.#peers.flatMap(({ comparing }) => [...comparing.values()]));
  }

  /** Resolves when all that peers have answered so far is decided, as far as it can be. Rejects with `storage_failed`. */
  async settled(): Promise<void> {
    await Promise.all(this.#peers.flatMap(({ comparing }) => [...comparing.values()]));
  }

  /**
   * One round: what is undecided, then everything with every peer. What takes long to compare goes on afterwards (`settled`).
   * A peer that fails is signalled.
   */
  async exchange(): Promise<void> {
    await this.#heads.retry();
    await Promise.all(this.#peers.map((state) => this.#round(state, false)));
  }

  async #retryLoop(): Promise<void> {
    const { retryMs = RETRY_MS } = this.#options;
    await this.#loop(async () => {
      await this.#heads.retry();
      await this.#sleep(retryMs);
    });
  }

  async #peerLoop(state: PeerState): Promise<void> {
    const { intervalMs = INTERVAL_MS, gapMs = GAP_MS } = this.#options;
    let isNewOnly = false;
    await this.#loop(async () => {
      await this.#round(state, isNewOnly);
      if (state.failures > 0) {
        const doubled = MIN_BACKOFF_MS * 2 ** Math.min(state.failures - 1, MAX_DOUBLINGS);
        const backoffMs = Math.min(MAX_BACKOFF_MS, doubled * (0.5 + Math.random()));
        await this.#sleep(Math.max(backoffMs, Math.min(MAX_BACKOFF_MS, state.retryAfterMs)));
        isNewOnly = false;
        return;
      }
      await this.#sleep(Math.max(gapMs, this.#heads.origins.size * GAP_PER_LOG_MS));
      isNewOnly = this.#hasNew(state) || (await this.#wokenWithin(state, intervalMs));
    });
  }

  async #loop(body: () => Promise<void>): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        await body();
      } catch (error) {
        if (signal.aborted) return;
        this.#tell({ event: 'failed', error });
        await this.#sleep(MAX_BACKOFF_MS).catch(() => {});
      }
    }
  }

  #sleep(ms: number): Promise<void> {
    return pause(ms, this.#ending.signal);
  }

  /** Whether a new head came within `ms`. */
  async #wokenWithin(state: PeerState, ms: number): Promise<boolean> {
    const woken = new AbortController();
    const end = (): void => woken.abort();
    this.#ending.signal.addEventListener('abort', end, { once: true });
    state.wake = end;
    try {
      await pause(ms, woken.signal);
      return false;
    } catch {
      this.#ending.signal.throwIfAborted();
      return true;
    } finally {
      state.wake = undefined;
      this.#ending.signal.removeEventListener('abort', end);
    }
  }

  #hasNew(state: PeerState): boolean {
    return [...this.#heads.origins].some(
      ([hash, { ours }]) => ours && state.agreed.get(hash) !== treeOf(ours),
    );
  }

  /** Exchanges every log, or those of which there is a new head, one after the other. */
  async #round(state: PeerState, isNewOnly: boolean): Promise<void> {
    const { peer } = state;
    try {
      for (const [hash, { ours }] of this.#heads.origins) {
        if (state.comparing.has(hash)) continue;
        if (isNewOnly && (!ours || state.agreed.get(hash) === treeOf(ours))) continue;
        await this.#exchangeOne(state, hash, ours);
      }
      state.failures = 0;
      if (state.told === 'peer_fails') this.#tellOf(state, { event: 'peer_answers', peer: peer.name });
    } catch (error) {
      this.#ending.signal.throwIfAborted();
      if (!(error instanceof PeerFailure)) throw error;
      state.failures += 1;
      state.retryAfterMs = error.retryAfterMs;
      this.#tellOf(state, { event: 'peer_fails', peer: peer.name, why: error.message });
    }
  }

  async #exchangeOne(state: PeerState, hash: string, ours: KeptHead | undefined): Promise<void> {
    const { peer } = state;
    const followed = this.#heads.origins.get(hash);
    const isFollowed = (): boolean => this.#heads.origins.get(hash) === followed;
    const url = `${peer.url.replace(/\/+$/, '')}/v1/heads`;
    const { status, body } = ours
      ? await this.#ask(url, { method: 'POST', body: noteWithin(ours, MAX_POSTED_BYTES) })
      : await this.#ask(`${url}/${hash}`, { method: 'GET' });
    // It was shown this tree, whatever it makes of it: at the next interval it is asked again.
    if (ours) state.agreed.set(hash, treeOf(ours));
    const taken = this.#take(state, { status, body, isFollowed }).finally(() => state.comparing.delete(hash));
    state.comparing.set(hash, taken);
    await within(DECIDE_MS, taken, () => undefined);
  }

  /** Takes what a peer answers. Rejects with `storage_failed`, and for what is no error of the peer's. */
  async #take(
    state: PeerState,
    { status, body, isFollowed }: PeerAnswer & { readonly isFollowed: () => boolean },
  ): Promise<void> {
    const { peer } = state;
    try {
      if (status === 409) await this.#heads.takeEvidence(body);
      else if ((status === 200 || status === 202) && body.length > 0) await this.#heads.take(body, peer.name);
      else if (status !== 202 && status !== 404) throw new NewelError('forbidden', `it answers ${status}`);
    } catch (error) {
      if (!(error instanceof NewelError) || error.code === 'storage_failed') throw error;
      // Since it was asked about, the log is followed no more, or by other keys.
      if (error.code === 'not_found' && !isFollowed()) return;
      this.#tellOf(state, { event: 'peer_false', peer: peer.name, why: error.message, error });
      return;
    }
    if (state.told === 'peer_false') this.#tellOf(state, { event: 'peer_answers', peer: peer.name });
  }

  #ask(url: string, request: PeerRequest): Promise<PeerAnswer> {
    const { fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS } = this.#options;
    return askPeer(url, request, { fetch, timeoutMs, signal: this.#ending.signal });
  }

  #tellOf(state: PeerState, signal: GossipSignal): void {
    if (state.told === signal.event) return;
    state.told = signal.event;
    this.#tell(signal);
  }

  #tell(signal: GossipSignal): void {
    this.#options.onSignal?.(signal);
  }
}
