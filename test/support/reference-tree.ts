/**
 * A Merkle tree that is slow and obviously right: RFC 6962 §2.1 written down as it reads, to judge `src/core` by.
 *
 * It shares no code with what it judges. It hashes with `node:crypto`, counts in `bigint` (so no size is too large),
 * finds k by doubling, and recurses wherever the RFC recurses. Only the hashes of ranges are remembered.
 *
 *   MTH({}) = SHA-256()   MTH({d}) = SHA-256(0x00 ‖ d)   MTH(D[n]) = SHA-256(0x01 ‖ MTH(D[0:k]) ‖ MTH(D[k:n]))
 */

import { createHash } from 'node:crypto';
import type { HashReader, Node } from '../../src/core/tree.ts';

/** One hash of a proof: right or left of what is known so far, or the seed that a consistency proof starts from. */
interface Step {
  readonly side: 'R' | 'L' | 'S';
  readonly hash: Uint8Array;
}

export class ReferenceTree {
  readonly #leafHashAt: (index: bigint) => Uint8Array;
  readonly #sameLeaves: (begin: bigint, end: bigint) => boolean;
  readonly #known = new Map<string, Uint8Array>();

  /** `sameLeaves` says that all leaves of a range are equal, so that its hash depends on its length only. */
  private constructor(
    leafHashAt: (index: bigint) => Uint8Array,
    sameLeaves: (begin: bigint, end: bigint) => boolean,
  ) {
    this.#leafHashAt = leafHashAt;
    this.#sameLeaves = sameLeaves;
  }

  /** The tree over `entries`. */
  static ofEntries(entries: readonly Uint8Array[]): ReferenceTree {
    return ReferenceTree.ofLeafHashes(entries.map(referenceLeafHash));
  }

  /** The tree over leaves given by their hashes. */
  static ofLeafHashes(leafHashes: readonly Uint8Array[]): ReferenceTree {
    const leafHashAt = (index: bigint): Uint8Array => {
      const hash = leafHashes[Number(index)];
      if (hash === undefined) throw new Error(`the reference tree has no leaf ${index}`);
      return hash;
    };
    return new ReferenceTree(leafHashAt, () => false);
  }

  /** A tree of any size at all: the entry of leaf i is the digits of i where i is in `marked`, "filler" elsewhere. */
  static sparse(marked: readonly number[]): ReferenceTree {
    const marks = marked.map(BigInt);
    return new ReferenceTree(
      (index) => referenceLeafHash(Buffer.from(marks.includes(index) ? String(index) : 'filler')),
      (begin, end) => !marks.some((mark) => begin <= mark && mark < end),
    );
  }

  /** MTH(D[begin:end]) */
  #mth(begin: bigint, end: bigint): Uint8Array {
    const n = end - begin;
    if (n === 0n) return sha256();
    if (n === 1n) return this.#leafHashAt(begin);
    const key = this.#sameLeaves(begin, end) ? `${n}` : `${begin}:${end}`;
    let hash = this.#known.get(key);
    if (hash === undefined) {
      const k = largestPowerOfTwoBelow(n);
      hash = sha256(Uint8Array.of(1), this.#mth(begin, begin + k), this.#mth(begin + k, end));
      this.#known.set(key, hash);
    }
    return hash;
  }

  /** PATH(m, D[begin:end]), m counted from `begin`. */
  #path(m: bigint, begin: bigint, end: bigint): Step[] {
    const n = end - begin;
    if (n === 1n) return [];
    const k = largestPowerOfTwoBelow(n);
    return m < k
      ? [...this.#path(m, begin, begin + k), { side: 'R', hash: this.#mth(begin + k, end) }]
      : [...this.#path(m - k, begin + k, end), { side: 'L', hash: this.#mth(begin, begin + k) }];
  }

  /** SUBPROOF(m, D[begin:end], b), m counted from `begin`. */
  #subproof(m: bigint, begin: bigint, end: bigint, b: boolean): Step[] {
    const n = end - begin;
    if (m === n) return b ? [] : [{ side: 'S', hash: this.#mth(begin, end) }];
    const k = largestPowerOfTwoBelow(n);
    return m <= k
      ? [...this.#subproof(m, begin, begin + k, b), { side: 'R', hash: this.#mth(begin + k, end) }]
      : [...this.#subproof(m - k, begin + k, end, false), { side: 'L', hash: this.#mth(begin, begin + k) }];
  }

  /** The root of the first `size` leaves. */
  root(size: number): Uint8Array {
    return this.#mth(0n, BigInt(size));
  }

  /** The hash of leaves [begin, end). */
  range(begin: number, end: number): Uint8Array {
    return this.#mth(BigInt(begin), BigInt(end));
  }

  /** The hash of a perfect node. */
  node({ level, index }: Node): Uint8Array {
    const width = 2n ** BigInt(level);
    return this.#mth(BigInt(index) * width, (BigInt(index) + 1n) * width);
  }

  /** PATH(index, D[size]) */
  path(index: number, size: number): Uint8Array[] {
    return this.#path(BigInt(index), 0n, BigInt(size)).map((step) => step.hash);
  }

  /** PROOF(first, D[second]), 0 < first ≤ second */
  proof(first: number, second: number): Uint8Array[] {
    return this.#subproof(BigInt(first), 0n, BigInt(second), true).map((step) => step.hash);
  }

  /**
   * On which side each hash of `path(index, size)` stands. A path binds no more of index and size than this: it can
   * be read as one of another index or size exactly where their shapes are equal.
   */
  pathShape(index: number, size: number): string {
    return this.#path(BigInt(index), 0n, BigInt(size)).reduce((shape, { side }) => shape + side, '');
  }

  /** The same for `proof(first, second)`. */
  proofShape(first: number, second: number): string {
    return this.#subproof(BigInt(first), 0n, BigInt(second), true).reduce(
      (shape, { side }) => shape + side,
      '',
    );
  }

  /** Reads the nodes of this tree. Keeps no size: it answers for every node whose leaves it has. */
  get read(): HashReader {
    return (nodes) => Promise.resolve(nodes.map((node) => this.node(node)));
  }
}

/** SHA-256(0x00 ‖ entry) */
export function referenceLeafHash(entry: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0), entry);
}

/** A hash reader over the leaf hashes of a tree; it rejects where a node covers leaves that are not there. */
export function memoryHashReader(leafHashes: readonly Uint8Array[]): HashReader {
  const tree = ReferenceTree.ofLeafHashes(leafHashes);
  return async (nodes) => nodes.map((node) => tree.node(node));
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** k of RFC 6962 §2.1: k < n ≤ 2k */
function largestPowerOfTwoBelow(n: bigint): bigint {
  let k = 1n;
  while (k * 2n < n) k *= 2n;
  return k;
}
