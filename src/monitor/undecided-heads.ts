/**
 * Heads that wait until somebody can decide about them: of a configured source one, of strangers a few. Whoever came first
 * keeps the place, or anybody could push a true head out with others that are true.
 */

import { type KeptHead, treeOf } from './kept-head.ts';
import { UNKNOWN_POSTER } from './posters.ts';

/** Heads of strangers that wait for a decision, and those of one network among them, where it is known. */
const MAX_UNDECIDED = 16;
const MAX_UNDECIDED_OF_NETWORK = 4;

export interface Undecided {
  /** With all lines that heads of this tree had. */
  head: KeptHead;
  /** The network of the stranger who posted it, `UNKNOWN_POSTER` where that is not known; `undefined` of a configured source. */
  readonly poster: string | undefined;
  /** Whether it was told that nobody can decide about it. */
  isTold: boolean;
}

export class UndecidedHeads {
  readonly #byTree = new Map<string, Undecided>();

  /** In the order that they are tried in. */
  get heads(): readonly KeptHead[] {
    return [...this.#byTree.values()].map(({ head }) => head);
  }

  /** The head of this tree that waits. */
  get(head: KeptHead): KeptHead | undefined {
    return this.#byTree.get(treeOf(head))?.head;
  }

  /** Whether a head of this tree waits. */
  has(head: KeptHead): boolean {
    return this.#byTree.has(treeOf(head));
  }

  /** Whether one more of this source, or of this network of strangers, may wait. */
  hasRoom(head: KeptHead, poster: string | undefined): boolean {
    const waiting = [...this.#byTree.values()];
    if (poster === undefined) return !waiting.some((one) => one.head.source === head.source);
    const posted = waiting.filter((one) => one.poster !== undefined);
    if (posted.length >= MAX_UNDECIDED) return false;
    if (poster === UNKNOWN_POSTER) return true;
    return posted.filter((one) => one.poster === poster).length < MAX_UNDECIDED_OF_NETWORK;
  }

  add(head: KeptHead, poster: string | undefined): void {
    this.#byTree.set(treeOf(head), { head, poster, isTold: false });
  }

  /** Puts a head in the place of the one of the same tree that waits. */
  replace(head: KeptHead): void {
    const waiting = this.#byTree.get(treeOf(head));
    if (waiting) waiting.head = head;
  }

  delete(head: KeptHead): void {
    this.#byTree.delete(treeOf(head));
  }

  /** One after the other, for as long as there is time. What there was no time for comes first the next time. */
  *eachWithin(ms: number): Generator<Undecided> {
    const untilMs = performance.now() + ms;
    const tried: Undecided[] = [];
    for (const undecided of this.#byTree.values()) {
      if (performance.now() > untilMs) return this.#moveToEnd(tried);
      tried.push(undecided);
      yield undecided;
    }
  }

  #moveToEnd(tried: readonly Undecided[]): void {
    for (const one of tried) {
      const tree = treeOf(one.head);
      if (this.#byTree.delete(tree)) this.#byTree.set(tree, one);
    }
  }
}
