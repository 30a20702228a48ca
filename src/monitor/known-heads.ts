/**
 * The heads of one log that are kept, on the disk before in memory:
 *
 *   newest       the largest that is known to be of one tree with the others
 *   shown        of those, what each source showed last
 *   undecided    of which nobody could say yet whether they are of that tree
 *
 * It is told what a head was found to be, and decides what stays.
 */

import { NewelError } from '../errors.ts';
import { parseCheckpointWithExtensions } from '../formats/checkpoint.ts';
import { parseNote } from '../formats/note.ts';
import { encodeUtf8 } from '../formats/text.ts';
import type { Row } from '../storage/store.ts';
import type { Comparison } from './compare.ts';
import type { GossipedLog, HeadsSignal } from './gossiped-log.ts';
import { formatHeadRow, type HeadRows, parseHeadRow, type RowKind, rowKey } from './head-rows.ts';
import { isOneTree, isSameNote, type KeptHead, newestOf, openKeptHead, POSTED, treeOf } from './kept-head.ts';
import { UNKNOWN_POSTER } from './posters.ts';
import { UndecidedHeads } from './undecided-heads.ts';

export interface KnownHeadsParts {
  readonly rows: HeadRows;
  readonly originHash: Uint8Array;
  /** Whose keys the lines are by: asked for anew each time. */
  readonly log: () => GossipedLog;
  readonly onSignal: (signal: HeadsSignal) => void;
}

const MAX_SOURCES = 256;
/** Trees that were found to be the beginning of the newest one. */
const MAX_AGREED = 1024;

export class KnownHeads {
  readonly undecided: UndecidedHeads = new UndecidedHeads();
  readonly #parts: KnownHeadsParts;
  readonly #shown = new Map<string, KeptHead>();
  readonly #agreed = new Set<string>();
  #newest: KeptHead | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #isEnded = false;

  constructor(parts: KnownHeadsParts) {
    this.#parts = parts;
  }

  get newest(): KeptHead | undefined {
    return this.#newest;
  }

  /** The head that each source showed last, of those that are of one tree with the newest. */
  get shown(): ReadonlyMap<string, KeptHead> {
    return this.#shown;
  }

  /** Whether the tree of a head was found to be the beginning of the newest one, of those that are remembered. */
  hasAgreed(head: KeptHead): boolean {
    return this.#agreed.has(treeOf(head));
  }

  /**
   * Reads what is kept. A head that does not verify any more is told and passed over; it waits with those of which nobody
   * could say yet, for when its key is listed again: what is compared meanwhile is not compared with it.
   */
  async load(): Promise<void> {
    const unread: Row[] = [];
    await this.#load('newest', (head) => (this.#newest = head), unread);
    await this.#load('shown', (head) => this.#shown.set(head.source, head), unread);
    await this.#load('undecided', (head) =>
      this.undecided.add(head, head.source === POSTED ? UNKNOWN_POSTER : undefined),
    );
    await this.#putAside(unread);
    // All of these are of one tree, with the newest too: where that does not verify, the largest of the others is.
    if (!this.#newest) this.#newest = [...this.#shown.values()].toSorted((a, b) => b.size - a.size)[0];
    for (const head of this.#shown.values()) this.#agree(head);
  }

  /** Keeps nothing more. Resolves when nothing more is written. */
  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#turn;
  }

  async #load(kind: RowKind, keep: (head: KeptHead) => void, unread: Row[] = []): Promise<void> {
    const { rows, originHash, log, onSignal } = this.#parts;
    const take = (value: Uint8Array): void => {
      const { checkpoint, ...seen } = parseHeadRow(value);
      keep(openKeptHead(checkpoint, log(), seen));
    };
    await rows.readEach(kind, originHash, take, (error, row) => {
      onSignal({ event: 'unreadable', origin: log().origin, error });
      unread.push(row);
    });
  }

  /** A row that is damaged stays as it is. */
  async #putAside(unread: readonly Row[]): Promise<void> {
    const batch: { puts: Row[]; deletes: Uint8Array[] } = { puts: [], deletes: [] };
    for (const { key, value } of unread) {
      const tree = treeOfRow(value);
      if (tree === undefined) continue;
      batch.puts.push({ key: this.#waitingKey(tree), value });
      batch.deletes.push(key);
    }
    if (batch.puts.length > 0) await this.#parts.rows.write(batch);
  }

  /**
   * Keeps what is to be kept of a head that was compared with `against`, the newest one then. Whether that settles it: not
   * where it would take the place of another newest head than that, with which it has to be compared first. Durable when
   * it resolves. Throws `not_found` once it has ended.
   */
  settle(
    head: KeptHead,
    found: Comparison,
    { against, poster }: { readonly against: KeptHead | undefined; readonly poster: string | undefined },
  ): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#isEnded)
        throw new NewelError('not_found', 'the log of this origin is not followed here any more');
      const isBehind = against !== undefined && head.size <= against.size;
      const isStill = against === undefined ? this.#newest === undefined : isOneTree(this.#newest, against);
      if (found.kind === 'consistent' && !isBehind && !isStill) return false;
      if (found.kind === 'undecided') await this.#wait(head, poster);
      else if (found.kind === 'evidence') await this.#drop(head);
      else await this.#keep(head);
      return true;
    });
  }

  async #wait(head: KeptHead, poster: string | undefined): Promise<void> {
    const waiting = this.undecided.get(head);
    if (!waiting && !this.undecided.hasRoom(head, poster)) return;
    // Their lines are joined: what a witness has signed may contradict what it signs later.
    const joined = newestOf(waiting, head);
    if (joined === waiting) return;
    await this.#parts.rows.write({
      puts: [{ key: this.#waitingKey(treeOf(head)), value: formatHeadRow(joined) }],
    });
    if (waiting) this.undecided.replace(joined);
    else this.undecided.add(joined, poster);
  }

  async #drop(head: KeptHead): Promise<void> {
    if (!this.undecided.has(head)) return;
    await this.#parts.rows.write({ puts: [], deletes: [this.#waitingKey(treeOf(head))] });
    this.undecided.delete(head);
  }

  async #keep(head: KeptHead): Promise<void> {
    const { rows, originHash, log, onSignal } = this.#parts;
    const { source } = head;
    const before = this.#newest;
    const newest = newestOf(newestOf(before, head), this.undecided.get(head) ?? head);
    const isShown = source !== POSTED && (this.#shown.has(source) || this.#shown.size < MAX_SOURCES);
    const puts: Row[] = [];
    if (newest !== before) puts.push({ key: rowKey('newest', originHash), value: formatHeadRow(newest) });
    if (isShown && !isSameNote(this.#shown.get(source), head)) {
      puts.push({ key: rowKey('shown', originHash, encodeUtf8(source)), value: formatHeadRow(head) });
    }
    const deletes = this.undecided.has(head) ? [this.#waitingKey(treeOf(head))] : [];
    if (puts.length > 0 || deletes.length > 0) await rows.write({ puts, deletes });
    this.#newest = newest;
    if (isShown) this.#shown.set(source, head);
    this.undecided.delete(head);
    this.#agree(head);
    if (!before || !isOneTree(before, newest)) {
      onSignal({ event: 'newest', origin: log().origin, size: newest.size, source: newest.source });
    }
  }

  #waitingKey(tree: string): Uint8Array {
    return rowKey('undecided', this.#parts.originHash, encodeUtf8(tree));
  }

  #agree(head: KeptHead): void {
    this.#agreed.add(treeOf(head));
    if (this.#agreed.size > MAX_AGREED) this.#agreed.delete(this.#agreed.values().next().value!);
  }

  /** One after the other: what is kept does not change while something is written. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

/** As `treeOf`, of a head that does not verify; `undefined` of a row that is damaged. */
function treeOfRow(value: Uint8Array): string | undefined {
  try {
    return treeOf(parseCheckpointWithExtensions(parseNote(parseHeadRow(value).checkpoint).text));
  } catch (error) {
    if (error instanceof NewelError) return undefined;
    throw error;
  }
}
