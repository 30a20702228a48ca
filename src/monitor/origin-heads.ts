/**
 * The heads of one log: the newest one, what each source showed last, and what nobody could decide yet.
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
import { type EvidenceBundle, formatEvidenceBundle, parseEvidenceBundle } from '../client/evidence-bundle.ts';
import { type LinedHead, openHead, readTrueLines } from '../client/head-lines.ts';
import { rollbackAmong } from '../client/rollback-evidence.ts';
import { withTimeout } from '../client/pause.ts';
import type { LogSource } from '../client/source.ts';
import { judgeEvidence, type VerifiedEvidence } from '../client/verify-evidence.ts';
import { NewelError } from '../errors.ts';
import { formatNote } from '../formats/note.ts';
import { encodeUtf8 } from '../formats/text.ts';
import type { Row } from '../storage/store.ts';
import { accusationOf, Accusations } from './accusations.ts';
import { compareHeads, type Comparison, type HeadSeen, rollbackBundle } from './compare.ts';
import type { GossipedLog, HeadsSignal } from './gossiped-log.ts';
import { formatHeadRow, type HeadRows, parseHeadRow, type RowKind, rowKey } from './head-rows.ts';
import { isOneTree, isSameNote, type KeptHead, newestOf, treeOf } from './kept-head.ts';
import { untilAborted } from './timed-source.ts';

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

interface Undecided {
  readonly head: KeptHead;
  /** The class of the stranger who posted it; `undefined` of a source that is configured. */
  readonly poster: string | undefined;
  isTold: boolean;
}

const DEFAULT_GRACE_MS = 60_000;
const MAX_SOURCES = 256;
/** Heads of strangers that wait for a decision, and those of one class among them. */
const MAX_UNDECIDED = 16;
const MAX_UNDECIDED_OF_CLASS = 4;
/** How long the tiles of one comparison may take. */
const COMPARE_MS = 20_000;
/** Comparisons of heads of strangers that read tiles and are under way. */
const MAX_COMPARING = 8;
/** How long one look at what is undecided may take, besides the comparison under way. */
const RETRY_MS = 30_000;
/** Trees that were found to be the beginning of the newest one. */
const MAX_AGREED = 1024;
/** How often a head is compared again because another one came first. */
const MAX_ROUNDS = 16;
const CONSISTENT: Comparison = { kind: 'consistent' };
/** Who posted a head is nobody's business: the next one to ask would read it in the evidence. */
const POSTED = 'posted';

export class OriginHeads {
  log: GossipedLog;
  readonly #parts: OriginParts;
  #newest: KeptHead | undefined;
  /** What our own source showed last, and what came of comparing it with the newest. */
  #own: { readonly head: KeptHead; readonly kind: Comparison['kind'] } | undefined;
  readonly #shown = new Map<string, KeptHead>();
  readonly #undecided = new Map<string, Undecided>();
  readonly #evidence: EvidenceBundle[] = [];
  readonly #accusations = new Accusations();
  readonly #agreed = new Set<string>();
  #comparing = 0;
  #retrying: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(log: GossipedLog, parts: OriginParts) {
    this.log = log;
    this.#parts = parts;
  }

  get newest(): KeptHead | undefined {
    return this.#newest;
  }

  /** Our own head, where it is not known to be of one tree with the newest. */
  get apart(): KeptHead | undefined {
    return this.#own?.kind === 'consistent' ? undefined : this.#own?.head;
  }

  /** What we show to others: the newest head, or our own where it is apart. */
  get ours(): KeptHead | undefined {
    return this.apart ?? this.#newest;
  }

  /** The head that each source showed last, of those that are of one tree with the newest. */
  get shown(): ReadonlyMap<string, KeptHead> {
    return this.#shown;
  }

  get undecided(): readonly KeptHead[] {
    return [...this.#undecided.values()].map(({ head }) => head);
  }

  get evidence(): readonly EvidenceBundle[] {
    return this.#evidence;
  }

  /** Reads what is kept. */
  async load(): Promise<void> {
    const { rows, originHash } = this.#parts;
    const read = async (kind: RowKind, take: (row: Row) => void): Promise<void> => {
      for (const row of await rows.read(kind, originHash)) {
        try {
          take(row);
        } catch (error) {
          if (!(error instanceof NewelError)) throw error;
          this.#parts.onSignal({ event: 'unreadable', origin: this.log.origin, error });
        }
      }
    };
    await read('newest', ({ value }) => (this.#newest = this.#reopen(value)));
    await read('shown', ({ value }) => {
      const head = this.#reopen(value);
      this.#shown.set(head.source, head);
    });
    await read('undecided', ({ value }) => {
      const head = this.#reopen(value);
      const poster = head.source === POSTED ? '' : undefined;
      this.#undecided.set(treeOf(head), { head, poster, isTold: false });
    });
    await read('evidence', ({ value }) => {
      const bundle = parseEvidenceBundle(value);
      this.#accusations.add(this.#judge(bundle));
      this.#evidence.push(bundle);
    });
  }

  /**
   * Takes a head that somebody showed, or that a stranger did: then `poster` is the class that it comes from. Throws what
   * `openHead` throws, unless the true lines of the head are proof, and `malformed` for a head of no leaves with another
   * root than the empty tree.
   */
  async take(note: Uint8Array, source: string, poster?: string): Promise<HeadAnswer> {
    const seen = { source: poster === undefined ? source : POSTED, timeMs: this.#parts.now() };
    let head: KeptHead;
    try {
      head = this.#open(note, seen);
    } catch (error) {
      const proof = await this.#proofIn(note, seen, poster);
      if (!proof) throw error;
      return this.#conflict(proof);
    }
    if (head.size === 0 && !equalBytes(head.root, EMPTY_ROOT)) {
      throw new NewelError('malformed', 'a head of no leaves has another root than the empty tree');
    }
    const beside = (await this.#forkWith(head)) ?? this.#rollbackWith(head);
    const found = await this.#settle(head, poster);
    if (poster === undefined && source === this.log.own) this.#keepOwn(head, found);
    const ofOwn = found.kind === 'evidence' ? found : await this.#compareWithOwn(head, poster);
    const bundle = ofOwn.kind === 'evidence' ? ofOwn.bundle : beside;
    if (bundle) return this.#conflict(bundle);
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
    if (!this.#newest) return;
    const { now, onSignal } = this.#parts;
    const { origin, graceMs = DEFAULT_GRACE_MS } = this.log;
    const untilMs = performance.now() + RETRY_MS;
    const tried: Undecided[] = [];
    for (const undecided of this.#undecided.values()) {
      const { head } = undecided;
      if (performance.now() > untilMs) {
        this.#moveToEnd(tried);
        break;
      }
      tried.push(undecided);
      const found = await this.#settleAgain(head);
      if (found.kind !== 'undecided' || undecided.isTold || now() - head.timeMs < graceMs) continue;
      undecided.isTold = true;
      const { size, source, timeMs: sinceMs } = head;
      onSignal({ event: 'undecided', origin, size, source, sinceMs, why: found.why });
    }
    // An earlier one of our own may have kept it from waiting with the others.
    const own = this.#own;
    if (own?.kind === 'undecided' && !this.#undecided.has(treeOf(own.head)))
      await this.#settleAgain(own.head);
  }

  /** What there was no time for comes first the next time. */
  #moveToEnd(tried: readonly Undecided[]): void {
    for (const one of tried) {
      const tree = treeOf(one.head);
      if (this.#undecided.delete(tree)) this.#undecided.set(tree, one);
    }
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

  async #conflict(bundle: EvidenceBundle): Promise<HeadAnswer> {
    await this.addEvidence(bundle);
    return { kind: 'conflict', evidence: formatEvidenceBundle(bundle) };
  }

  /** Keeps evidence and tells of it, unless it is known. Throws what `judgeEvidence` throws where it does not convict. */
  async addEvidence(bundle: EvidenceBundle): Promise<VerifiedEvidence> {
    const verified = this.#judge(bundle);
    await this.#inTurn(async () => {
      const { rows, originHash, onSignal } = this.#parts;
      const state = this.#accusations.stateOf(verified);
      if (state === 'full') onSignal({ event: 'unkept', bundle, verified });
      if (state !== 'new') return;
      const key = rowKey('evidence', originHash, encodeUtf8(accusationOf(verified)));
      await rows.write({ puts: [{ key, value: encodeUtf8(formatEvidenceBundle(bundle)) }] });
      this.#accusations.add(verified);
      this.#evidence.push(bundle);
      onSignal({ event: 'evidence', bundle, verified });
    });
    return verified;
  }

  #judge(bundle: EvidenceBundle): VerifiedEvidence {
    return judgeEvidence(bundle, this.log.origin, this.log.keys);
  }

  /**
   * Whether an undecided head is of the same size and another root: proof, whichever of the two is of the tree that is
   * followed. That is for the newest head alone to say, or a stranger's head could keep a true one from its place.
   */
  async #forkWith(head: KeptHead): Promise<EvidenceBundle | undefined> {
    const rival = this.undecided.find(({ size, root }) => size === head.size && !equalBytes(root, head.root));
    const found = rival && (await compareHeads(rival, head, { a: NO_TILES, b: NO_TILES }));
    return found?.kind === 'evidence' ? found.bundle : undefined;
  }

  /** What a line of this head contradicts: that kept ones contradict each other is not its fault. */
  #rollbackWith(head: KeptHead): EvidenceBundle | undefined {
    for (const one of [this.#newest, this.apart, ...this.#shown.values()]) {
      if (!one) continue;
      const found = rollbackAmong([one, head]);
      if (found) return rollbackBundle(this.log.origin, found);
    }
    return undefined;
  }

  /**
   * What the true lines of a head prove that is refused, since a line of it is false or none is the log's: whoever adds a
   * false line to a fork is not to save it. Strangers' heads are judged so at a bounded rate, for anybody can make them.
   */
  async #proofIn(
    note: Uint8Array,
    seen: Pick<HeadSeen, 'source' | 'timeMs'>,
    poster: string | undefined,
  ): Promise<EvidenceBundle | undefined> {
    if (poster !== undefined && !this.#parts.mayReadTiles()) return undefined;
    let head: KeptHead;
    try {
      head = keptHead(readTrueLines(note, this.log.origin, this.log.keys), seen);
    } catch (error) {
      if (!(error instanceof NewelError)) throw error;
      return undefined;
    }
    const rollback = this.#rollbackWith(head);
    if (rollback || !head.lines.some(({ key }) => key.isLog)) return rollback;
    const fork = await this.#forkWith(head);
    if (fork) return fork;
    for (const known of [this.#newest, this.apart]) {
      const found = known && (await this.#compareTrees(known, head, poster));
      if (found?.kind === 'evidence') return found.bundle;
    }
    return undefined;
  }

  /** Compares a head until the outcome is about the newest one there is, and keeps what is to be kept of it. */
  async #settle(head: KeptHead, poster: string | undefined): Promise<Comparison> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const against = this.#newest;
      const found = await this.#compare(against, head, poster);
      const isSettled = await this.#inTurn(async () => {
        const isBehind = against !== undefined && head.size <= against.size;
        const isStill = against === undefined ? this.#newest === undefined : isOneTree(this.#newest, against);
        if (found.kind === 'consistent' && !isBehind && !isStill) return false;
        await this.#keep(head, found, poster);
        return true;
      });
      if (isSettled) return found;
    }
    return { kind: 'undecided', why: 'newer heads came faster than they could be compared' };
  }

  async #compare(
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
    if (head.size < against.size && this.#agreed.has(treeOf(head))) return CONSISTENT;
    if (head.source === chain && head.size > against.size && isOneTree(this.#shown.get(chain), against)) {
      return CONSISTENT;
    }
    return this.#compareTrees(against, head, poster);
  }

  /** What our own head says of one that may well be of one tree with the newest. */
  async #compareWithOwn(head: KeptHead, poster: string | undefined): Promise<Comparison> {
    return this.apart ? this.#compareTrees(this.apart, head, poster) : CONSISTENT;
  }

  async #compareTrees(against: KeptHead, head: KeptHead, poster: string | undefined): Promise<Comparison> {
    if (isOneTree(against, head)) return CONSISTENT;
    if (head.size === against.size) return compareHeads(against, head, { a: NO_TILES, b: NO_TILES });
    if (poster === undefined) return this.#compareTiles(against, head);
    if (this.#comparing >= MAX_COMPARING || !this.#parts.mayReadTiles()) {
      return { kind: 'undecided', why: 'more heads are posted than may be compared in a time' };
    }
    this.#comparing += 1;
    try {
      return await this.#compareTiles(against, head);
    } finally {
      this.#comparing -= 1;
    }
  }

  #compareTiles(against: KeptHead, head: KeptHead): Promise<Comparison> {
    const { tiles, tilesOf } = this.log;
    const of = ({ source }: KeptHead): LogSource => tilesOf?.(source) ?? tiles ?? NO_TILES;
    const [a, b] = [of(against), of(head)];
    return withTimeout(COMPARE_MS, undefined, (signal) => {
      const timed = untilAborted(a, signal);
      return compareHeads(against, head, { a: timed, b: a === b ? timed : untilAborted(b, signal) });
    });
  }

  async #keep(head: KeptHead, found: Comparison, poster: string | undefined): Promise<void> {
    const { rows, originHash, onSignal } = this.#parts;
    const tree = treeOf(head);
    const undecidedKey = rowKey('undecided', originHash, encodeUtf8(tree));
    if (found.kind === 'undecided') {
      if (this.#undecided.has(tree) || !this.#hasRoom(head, poster)) return;
      await rows.write({ puts: [{ key: undecidedKey, value: formatHeadRow(head) }] });
      this.#undecided.set(tree, { head, poster, isTold: false });
      return;
    }
    const deletes = this.#undecided.has(tree) ? [undecidedKey] : [];
    if (found.kind === 'evidence') {
      if (deletes.length > 0) await rows.write({ puts: [], deletes });
      this.#undecided.delete(tree);
      return;
    }
    const before = this.#newest;
    const newest = newestOf(before, head);
    const isShown =
      head.source !== POSTED && (this.#shown.has(head.source) || this.#shown.size < MAX_SOURCES);
    const puts: Row[] = [];
    if (newest !== before) puts.push({ key: rowKey('newest', originHash), value: formatHeadRow(newest) });
    if (isShown && !isSameNote(this.#shown.get(head.source), head)) {
      puts.push({ key: rowKey('shown', originHash, encodeUtf8(head.source)), value: formatHeadRow(head) });
    }
    if (puts.length > 0 || deletes.length > 0) await rows.write({ puts, deletes });
    this.#newest = newest;
    if (isShown) this.#shown.set(head.source, head);
    this.#undecided.delete(tree);
    this.#agree(tree);
    if (!before || !isOneTree(before, newest)) {
      onSignal({ event: 'newest', origin: this.log.origin, size: newest.size, source: newest.source });
    }
  }

  /** Whether one more may wait: of a source that is configured the first one, of strangers a few. */
  #hasRoom(head: KeptHead, poster: string | undefined): boolean {
    const waiting = [...this.#undecided.values()];
    if (poster === undefined) return !waiting.some((one) => one.head.source === head.source);
    const posted = waiting.filter((one) => one.poster !== undefined);
    const own = posted.filter((one) => one.poster === poster);
    // Whoever came first keeps the place, or anybody could push a true head out with others that are true.
    return posted.length < MAX_UNDECIDED && own.length < MAX_UNDECIDED_OF_CLASS;
  }

  #agree(tree: string): void {
    this.#agreed.add(tree);
    if (this.#agreed.size > MAX_AGREED) this.#agreed.delete(this.#agreed.values().next().value!);
  }

  #open(note: Uint8Array, seen: Pick<HeadSeen, 'source' | 'timeMs'>): KeptHead {
    return keptHead(openHead(note, this.log.origin, this.log.keys), seen);
  }

  #reopen(row: Uint8Array): KeptHead {
    const { checkpoint, ...seen } = parseHeadRow(row);
    return this.#open(checkpoint, seen);
  }

  /** One after the other: what is kept does not change while something is written. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

const NO_TILES: LogSource = {
  read() {
    return Promise.reject(new NewelError('unreachable', 'nobody is known who has the tiles of this log'));
  },
};

/** The head with the lines that were verified, and no others. */
function keptHead(head: LinedHead, { source, timeMs }: Pick<HeadSeen, 'source' | 'timeMs'>): KeptHead {
  const checkpoint = formatNote({ text: head.text, signatures: head.lines.map(({ line }) => line) });
  return { ...head, checkpoint, source, timeMs };
}
