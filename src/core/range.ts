/**
 * The compact range: what a writer must remember of a tree to make it grow. One hash for each bit set in the size,
 * largest subtree first; at most 53 hashes.
 */

import { assertSize, half } from './int.ts';
import { hashNode } from './hash.ts';
import { foldNodes, nodesOf } from './tree.ts';

/** Told of every perfect node that an appended leaf completes, the leaf itself first. */
export type NodeVisitor = (level: number, index: number, hash: Uint8Array) => void;

export class CompactRange {
  #size: number;
  readonly #hashes: Uint8Array[];

  /** Takes over a tree of `size` leaves, given the hashes of `nodesOf({ begin: 0, end: size })`. */
  constructor(size = 0, hashes: readonly Uint8Array[] = []) {
    assertSize(size, 'size');
    const want = nodesOf({ begin: 0, end: size }).length;
    if (hashes.length !== want)
      throw new RangeError(`hashes expected ${want} for size ${size}, got ${hashes.length}`);
    this.#size = size;
    this.#hashes = [...hashes];
  }

  get size(): number {
    return this.#size;
  }

  /** What the constructor takes with `size` to go on from here. */
  get hashes(): readonly Uint8Array[] {
    return [...this.#hashes];
  }

  /** An independent range of the same tree. */
  copy(): CompactRange {
    return new CompactRange(this.#size, this.#hashes);
  }

  /** Appends a leaf by its hash. */
  append(leafHash: Uint8Array, visit?: NodeVisitor): void {
    this.appendNode(0, leafHash, visit);
  }

  /** Appends the 2^level leaves of a perfect subtree by its root. Throws `RangeError` unless it begins where one may. */
  appendNode(level: number, hash: Uint8Array, visit?: NodeVisitor): void {
    const count = 2 ** level;
    assertSize(this.#size + count, 'size');
    if (this.#size % count !== 0)
      throw new RangeError(`no node of level ${level} begins at leaf ${this.#size}`);
    let node = hash;
    let index = this.#size / count;
    visit?.(level, index, node);
    for (let above = level + 1; index % 2 === 1; above++) {
      node = hashNode(this.#hashes.pop()!, node);
      index = half(index);
      visit?.(above, index, node);
    }
    this.#hashes.push(node);
    this.#size += count;
  }

  /** The root of the tree so far. */
  root(): Uint8Array {
    return foldNodes(this.#hashes);
  }
}
