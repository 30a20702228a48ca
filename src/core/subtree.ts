/**
 * Subtrees (draft-ietf-plants-merkle-tree-certs §4, as "sign-subtree" of C2SP tlog-witness uses them): runs of leaves that
 * have the same root of their own in every tree that holds them, and the two proofs about them.
 *
 *   tree of 8 leaves    0 1 2 3 4 5 6 7
 *   subtree [4, 7)              ─────        begins at a multiple of 4, the power of two that its three leaves need
 *
 *   inclusion      the subtree has a leaf: as in a tree that is the subtree alone
 *   consistency    a tree has the subtree: for [0, m) the very proof of RFC 6962 §2.1.2
 */

import { NewelError, RootMismatchError } from '../errors.ts';
import { equalBytes } from './bytes.ts';
import { hashNode } from './hash.ts';
import { bitLength, half, isSize, splitPoint } from './int.ts';
import { assertHashes, inclusionRanges, verifyInclusion } from './proof.ts';
import { type HashReader, hashRanges, type Range } from './tree.ts';

/** Whether [start, end) is a subtree (§4.1): not empty, and `start` a multiple of a power of two that is ≥ end − start. */
export function isSubtree(start: number, end: number): boolean {
  return isSize(start) && isSize(end) && start < end && start % 2 ** bitLength(end - start - 1) === 0;
}

/** The ranges of SUBTREE_PROOF(start, end, D[size]) (§4.4.1). Throws `RangeError` for what is no subtree of that tree. */
export function subtreeConsistencyRanges(start: number, end: number, size: number): Range[] {
  assertSubtree(start, end);
  if (!isSize(size) || end > size) throw new RangeError(`end expected at most ${size}, got ${end}`);
  const ranges: Range[] = [];
  let from = start;
  let begin = 0;
  let finish = size;
  while (begin !== from || finish !== end) {
    const middle = begin + splitPoint(finish - begin);
    if (end <= middle) {
      ranges.push({ begin: middle, end: finish });
      finish = middle;
    } else {
      ranges.push({ begin, end: middle });
      begin = middle;
      // Of a subtree that lies on both sides the left one is in the proof, and the walk goes on in the right one.
      if (from < middle) from = middle;
    }
  }
  // The verifier knows the root of the whole subtree, not of what is left of it here.
  if (from !== start) ranges.push({ begin, end: finish });
  return ranges.reverse();
}

/** The proof that the tree of `size` leaves has the subtree [start, end), with one call of `read`. */
export function proveSubtreeConsistency(
  start: number,
  end: number,
  size: number,
  read: HashReader,
): Promise<Uint8Array[]> {
  return hashRanges(subtreeConsistencyRanges(start, end, size), read);
}

/**
 * Throws unless `proof` shows that the tree (`size`, `root`) has the subtree [start, end) of the root `subtreeRoot`
 * (§4.4.3): `proof_invalid`, also for what is no subtree of that tree, or `root_mismatch`.
 */
export function verifySubtreeConsistency(
  start: number,
  end: number,
  size: number,
  subtreeRoot: Uint8Array,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): void {
  if (!isSubtree(start, end) || !isSize(size) || end > size) {
    throw new NewelError('proof_invalid', 'the range of leaves is no subtree of the tree');
  }
  assertHashes([subtreeRoot, root]);
  assertHashes(proof);
  // The first and the last leaf of the subtree and the last of the tree, at the level of what is hashed.
  let fn = start;
  let sn = end - 1;
  let tn = size - 1;
  const rise = (): void => {
    fn = half(fn);
    sn = half(sn);
    tn = half(tn);
  };
  const isAtEdge = sn === tn;
  while (fn !== sn && (isAtEdge || sn % 2 === 1)) rise();
  // Where the walk starts at the root of the subtree, the proof leaves that out.
  const [first, ...rest] = fn === sn ? [subtreeRoot, ...proof] : proof;
  if (first === undefined) throw new NewelError('proof_invalid', 'subtree consistency proof is empty');
  let fr = first;
  let sr = first;
  for (const hash of rest) {
    if (tn === 0)
      throw new NewelError('proof_invalid', 'subtree consistency proof is longer than the tree is high');
    if (sn % 2 === 1 || sn === tn) {
      if (fn < sn) fr = hashNode(hash, fr);
      sr = hashNode(hash, sr);
      while (sn % 2 === 0) rise();
    } else {
      sr = hashNode(sr, hash);
    }
    rise();
  }
  if (tn !== 0) throw new NewelError('proof_invalid', 'subtree consistency proof ends below the root');
  if (!equalBytes(fr, subtreeRoot)) {
    throw new RootMismatchError(`the proof leads to another root of [${start}, ${end})`, subtreeRoot, fr);
  }
  if (!equalBytes(sr, root)) {
    throw new RootMismatchError(`the proof leads to another root of size ${size}`, root, sr);
  }
}

/** The audit path of leaf `index` in the subtree [start, end) (§4.3). Throws `RangeError` where that has no such leaf. */
export function proveSubtreeInclusion(
  index: number,
  start: number,
  end: number,
  read: HashReader,
): Promise<Uint8Array[]> {
  assertSubtree(start, end);
  const ranges = inclusionRanges(index - start, end - start);
  return hashRanges(
    ranges.map((range) => ({ begin: start + range.begin, end: start + range.end })),
    read,
  );
}

/** Throws as `verifyInclusion` unless `path` proves that the subtree [start, end) of that root has the leaf at `index`. */
export function verifySubtreeInclusion(
  index: number,
  start: number,
  end: number,
  leafHash: Uint8Array,
  path: readonly Uint8Array[],
  subtreeRoot: Uint8Array,
): void {
  if (!isSubtree(start, end) || !isSize(index) || index < start)
    throw new NewelError('proof_invalid', 'the range of leaves is no subtree with that leaf');
  verifyInclusion(index - start, end - start, leafHash, path, subtreeRoot);
}

function assertSubtree(start: number, end: number): void {
  if (!isSubtree(start, end)) throw new RangeError(`subtree expected, got [${start}, ${end})`);
}
