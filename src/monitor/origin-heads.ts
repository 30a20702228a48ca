/**
 * What becomes of the heads of one log that somebody shows:
 *
 *   consistent with the newest    kept; larger: it is the newest from now on; the same tree: their lines are joined
 *   provably not                  evidence, and the newest stays what it is
 *   undecided                     kept beside it, tried again, never in its place
 *
 * The newest one may be somebody else's, of before our own log was heard. Where our own head is not known to be of one
 * tree with it, our own is what we show, and what heads are held against too: whoever sees the other tree can decide.
 *
 * Comparing reads tiles over the network, so that other heads may come meanwhile: what was compared with a head that is
 * not the newest any more is compared again before it takes its place.
 */

import { equalBytes } from '../core/bytes.ts';
import { EMPTY_ROOT } from '../core/hash.ts';
import { type EvidenceBundle, FORK, formatEvidenceBundle } from '../client/evidence-bundle.ts';
import type { VerifiedEvidence } from '../client/verify-evidence.ts';
import { NewelError } from '../errors.ts';
import { type Comparison, CONSISTENT, rollbacksWith } from './compare.ts';
import type { GossipedLog, HeadsSignal } from './gossiped-log.ts';
import type { HeadRows } from './head-rows.ts';
import { isOneTree, type KeptHead, openKeptHead, POSTED, readTrueHead, type Seen } from './kept-head.ts';
import { KnownHeads } from './known-heads.ts';
import { OriginEvidence } from './origin-evidence.ts';
import { TreeComparer } from './tree-comparer.ts';

/** What became of a head. */
export type HeadAnswer =
  /** It is of the tree that is followed. `ours` is the head that we show of it. */
  | { readonly kind: 'consistent'; readonly ours: Uint8Array }
  /** It is the log's, and whether it is of that tree cannot be said yet. */
  | { readonly kind: 'undecided'; readonly ours: Uint8Array | undefined; readonly why: string }
  /** It cannot be true beside one that is known, or a line of it beside one that is. The text of the bundle. */
  | { readonly kind: 'conflict'; readonly evidence: string };

export interface OriginParts {
  readonly rows: HeadRows;
  readonly originHash: Uint8Array;
  readonly now: () => number;
  /** Whether a head that a stranger posts may be compared now; that it is is counted. */
  readonly mayReadTiles: () => boolean;
  readonly onSignal: (signal: HeadsSignal) => void;
}

const DEFAULT_GRACE_MS = 60_000;
/** How long one look at what is undecided may take, besides the comparison under way. */
const RETRY_MS = 30_000;
/** How often a head is compared again because another one came first. */
const MAX_ROUNDS = 16;

export class OriginHeads {
  log: GossipedLog;
  readonly #parts: OriginParts;
  readonly #known: KnownHeads;
  readonly #evidence: OriginEvidence;
  readonly #comparer: TreeComparer;
  /** What our own source showed last, and what came of comparing it with the newest. */
  #own: { readonly head: KeptHead; readonly kind: Comparison['kind'] } | undefined;
  #retrying: Promise<void> | undefined;

  constructor(log: GossipedLog, parts: OriginParts) {
    this.log = log;
    this.#parts = parts;
    const { rows, originHash, onSignal, mayReadTiles } = parts;
    const current = (): GossipedLog => this.log;
    this.#known = new KnownHeads({ rows, originHash, onSignal, log: current });
    this.#evidence = new OriginEvidence({ rows, originHash, onSignal, log: current });
    this.#comparer = new TreeComparer(current, mayReadTiles);
  }

  get newest(): KeptHead | undefined {
    return this.#known.newest;
  }

  /** Our own head, where it is not known to be of one tree with the newest. */
  get apart(): KeptHead | undefined {
    return this.#own?.kind === 'consistent' ? undefined : this.#own?.head;
  }

  /** What we show to others: the newest head, or our own where it is apart. */
  get ours(): KeptHead | undefined {
    return this.apart ?? this.newest;
  }

  /** The head that each source showed last, of those that are of one tree with the newest. */
  get shown(): ReadonlyMap<string, KeptHead> {
    return this.#known.shown;
  }

  get undecided(): readonly KeptHead[] {
    return this.#known.undecided.heads;
  }

  get evidence(): readonly EvidenceBundle[] {
    return this.#evidence.bundles;
  }

  /** Reads what is kept. */
  async load(): Promise<void> {
    await this.#known.load();
    await this.#evidence.load();
  }

  /** Keeps no more heads: what is under way throws `not_found`. Resolves when nothing more of them is written. */
  end(): Promise<void> {
    return this.#known.end();
  }

  /**
   * Takes a head that somebody showed, or that a stranger did: then `poster` is the network that it comes from. Throws what
   * `openHead` throws, unless the true lines of the head are proof, `malformed` for a head of no leaves with another root
   * than the empty tree, and `not_found` once it has ended.
   */
  async take(note: Uint8Array, source: string, poster?: string): Promise<HeadAnswer> {
    const seen = { source: poster === undefined ? source : POSTED, timeMs: this.#parts.now() };
    let head: KeptHead;
    try {
      head = openKeptHead(note, this.log, seen);
    } catch (error) {
      const conflict = await this.#conflict(await this.#proofsIn(note, seen, poster));
      if (!conflict) throw error;
      return conflict;
    }
    if (head.size === 0 && !equalBytes(head.root, EMPTY_ROOT)) {
      throw new NewelError('malformed', 'a head of no leaves has another root than the empty tree');
    }
    const proofs = [...this.#rollbacksWith(head), ...(await this.#forkWith(head))];
    const found = await this.#settle(head, poster);
    if (poster === undefined && source === this.log.own) this.#keepOwn(head, found);
    const ofOwn = await this.#compareWithOwn(head, poster);
    if (found.kind === 'evidence') proofs.push(found.bundle);
    if (ofOwn.kind === 'evidence') proofs.push(ofOwn.bundle);
    const conflict = await this.#conflict(proofs);
    if (conflict) return conflict;
    const outcome = found.kind === 'undecided' ? found : ofOwn;
    if (outcome.kind === 'undecided') {
      return { kind: 'undecided', ours: this.ours?.checkpoint, why: outcome.why };
    }
    return { kind: 'consistent', ours: this.ours!.checkpoint };
  }

  /** Tries again what is undecided. What has been so for longer than the grace is told, once. */
  retry(): Promise<void> {
    this.#retrying ??= this.#retryAll().finally(() => (this.#retrying = undefined));
    return this.#retrying;
  }

  async #retryAll(): Promise<void> {
    // Without a newest one there is nothing to decide by.
    if (!this.newest) return;
    const { now, onSignal } = this.#parts;
    const { origin, graceMs = DEFAULT_GRACE_MS } = this.log;
    for (const undecided of this.#known.undecided.eachWithin(RETRY_MS)) {
      const { head } = undecided;
      const found = await this.#settleAgain(head);
      if (found.kind !== 'undecided' || undecided.isTold || now() - head.timeMs < graceMs) continue;
      undecided.isTold = true;
      const { size, source, timeMs: sinceMs } = head;
      onSignal({ event: 'undecided', origin, size, source, sinceMs, why: found.why });
    }
    // An earlier one of our own may have kept it from waiting with the others.
    const own = this.#own;
    if (own?.kind === 'undecided' && !this.#known.undecided.has(own.head)) await this.#settleAgain(own.head);
  }

  /** Keeps evidence and tells of it, unless it is known. Throws what `judgeEvidence` throws where it does not convict. */
  addEvidence(bundle: EvidenceBundle): Promise<VerifiedEvidence> {
    return this.#evidence.add(bundle);
  }

  async #settleAgain(head: KeptHead): Promise<Comparison> {
    const found = await this.#settle(head, undefined);
    if (found.kind === 'evidence') await this.addEvidence(found.bundle);
    if (this.#own && isOneTree(this.#own.head, head)) this.#own = { ...this.#own, kind: found.kind };
    return found;
  }

  #keepOwn(head: KeptHead, { kind }: Comparison): void {
    this.#own = { head, kind };
    if (kind === 'consistent') return;
    this.#parts.onSignal({ event: 'apart', origin: this.log.origin, size: head.size });
  }

  /** Keeps all that was proven, and answers with the gravest of it. */
  async #conflict(bundles: readonly EvidenceBundle[]): Promise<HeadAnswer | undefined> {
    for (const bundle of bundles) await this.addEvidence(bundle);
    const gravest = bundles.find(({ evidence }) => evidence === FORK) ?? bundles[0];
    return gravest && { kind: 'conflict', evidence: formatEvidenceBundle(gravest) };
  }

  /**
   * Whether an undecided head is of the same size and another root: proof, whichever of the two is of the tree that is
   * followed. That is for the newest head alone to say, or a stranger's head could keep a true one from its place.
   */
  async #forkWith(head: KeptHead): Promise<EvidenceBundle[]> {
    const rival = this.undecided.find(({ size, root }) => size === head.size && !equalBytes(root, head.root));
    const found = rival && (await this.#comparer.compare(rival, head, false));
    return found?.kind === 'evidence' ? [found.bundle] : [];
  }

  /** What lines of this head contradict, of all that is kept: an undecided head was signed as well. */
  #rollbacksWith(head: KeptHead): EvidenceBundle[] {
    const known = [this.newest, this.apart, ...this.shown.values(), ...this.undecided];
    const there = known.filter((one) => one !== undefined);
    return rollbacksWith(this.log.origin, there, head);
  }

  /**
   * What the true lines of a head prove that is refused, since a line of it is false or none is the log's: whoever adds a
   * false line to a fork is not to save it. Strangers' heads are judged so at a bounded rate, for anybody can make them.
   */
  async #proofsIn(note: Uint8Array, seen: Seen, poster: string | undefined): Promise<EvidenceBundle[]> {
    if (poster !== undefined && !this.#parts.mayReadTiles()) return [];
    const head = readTrueHead(note, this.log, seen);
    if (!head) return [];
    const proofs = this.#rollbacksWith(head);
    if (!head.lines.some(({ key }) => key.isLog)) return proofs;
    proofs.push(...(await this.#forkWith(head)));
    for (const known of new Set([this.newest, this.apart])) {
      const found = known && (await this.#comparer.compare(known, head, poster !== undefined));
      if (found?.kind === 'evidence') proofs.push(found.bundle);
    }
    return proofs;
  }

  /** Compares a head until the outcome is about the newest one there is, and keeps what is to be kept of it. */
  async #settle(head: KeptHead, poster: string | undefined): Promise<Comparison> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const against = this.newest;
      const found = await this.#compareWith(against, head, poster);
      if (await this.#known.settle(head, found, { against, poster })) return found;
    }
    return { kind: 'undecided', why: 'newer heads came faster than they could be compared' };
  }

  async #compareWith(
    against: KeptHead | undefined,
    head: KeptHead,
    poster: string | undefined,
  ): Promise<Comparison> {
    const { chain } = this.log;
    if (!against && poster !== undefined) {
      // What is followed begins at a source that is configured.
      return { kind: 'undecided', why: 'no head of this log is known here yet' };
    }
    if (!against) return CONSISTENT;
    if (head.size < against.size && this.#known.hasAgreed(head)) return CONSISTENT;
    if (head.source === chain && head.size > against.size && isOneTree(this.shown.get(chain), against)) {
      return CONSISTENT;
    }
    return this.#comparer.compare(against, head, poster !== undefined);
  }

  /** What our own head says of one that may well be of one tree with the newest. */
  async #compareWithOwn(head: KeptHead, poster: string | undefined): Promise<Comparison> {
    return this.apart ? this.#comparer.compare(this.apart, head, poster !== undefined) : CONSISTENT;
  }
}
