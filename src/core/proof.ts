/**
 * Inclusion and consistency proofs: made as RFC 6962 §2.1.1 and §2.1.2 define them, checked by the algorithms of
 * RFC 9162 §2.1.3.2 and §2.1.4.2. Making one costs a single read of many nodes; checking one costs nothing but hashes.
 */

import { isBytes } from '@noble/hashes/utils.js';
import { NewelError, RootMismatchError } from '../errors.ts';
import { equalBytes } from './bytes.ts';
import { HASH_SIZE, hashNode } from './hash.ts';
import { assertSize, half, isSize, splitPoint } from './int.ts';
import { type HashReader, hashRanges, type Range } from './tree.ts';

const NOT_SIZES = 'indexes and sizes are whole numbers below 2^53';

/** The ranges of PATH(index, D[size]), from the leaf's sibling up to the root's child. */
export function inclusionRanges(index: number, size: number): Range[] {
  assertSize(size, 'size');
  if (!isSize(index) || index >= size)
    throw new RangeError(`index expected below the size ${size}, got ${index}`);
  const ranges: Range[] = [];
  let begin = 0;
  let end = size;
  while (end - begin > 1) {
    const middle = begin + splitPoint(end - begin);
    if (index < middle) {
      ranges.push({ begin: middle, end });
      end = middle;
    } else {
      ranges.push({ begin, end: middle });
      begin = middle;
    }
  }
  return ranges.reverse();
}

/** The ranges of PROOF(first, D[second]); none where the trees are equal or the first is empty. */
export function consistencyRanges(first: number, second: number): Range[] {
  assertSize(second, 'second');
  if (!isSize(first) || first > second)
    throw new RangeError(`first expected at most ${second}, got ${first}`);
  if (first === 0 || first === second) return [];
  const ranges: Range[] = [];
  let begin = 0;
  let end = second;
  while (end !== first) {
    const middle = begin + splitPoint(end - begin);
    if (first <= middle) {
      ranges.push({ begin: middle, end });
      end = middle;
    } else {
      ranges.push({ begin, end: middle });
      begin = middle;
    }
  }
  // The verifier knows the root of the first tree; it is left out where the first tree is a subtree of the second.
  if (begin > 0) ranges.push({ begin, end });
  return ranges.reverse();
}

/** The audit path of leaf `index` in the tree of `size` leaves. */
export function proveInclusion(index: number, size: number, read: HashReader): Promise<Uint8Array[]> {
  return hashRanges(inclusionRanges(index, size), read);
}

/** The proof that the tree of `second` leaves extends the tree of `first` leaves. */
export function proveConsistency(first: number, second: number, read: HashReader): Promise<Uint8Array[]> {
  return hashRanges(consistencyRanges(first, second), read);
}

/**
 * The root that the audit path of a leaf leads to (RFC 9162 §2.1.3.2, steps 1 to 4).
 * Throws `proof_invalid` if the path has not the length that index and size demand.
 */
export function rootFromInclusion(
  index: number,
  size: number,
  leafHash: Uint8Array,
  path: readonly Uint8Array[],
): Uint8Array {
  if (!isSize(size) || !isSize(index)) throw new NewelError('proof_invalid', NOT_SIZES);
  if (index >= size) throw new NewelError('proof_invalid', `leaf ${index} is not in a tree of size ${size}`);
  assertHashes([leafHash]);
  assertHashes(path);
  let fn = index;
  let sn = size - 1;
  let root = leafHash;
  for (const sibling of path) {
    if (sn === 0) throw new NewelError('proof_invalid', 'inclusion proof is longer than the tree is high');
    if (fn % 2 === 1 || fn === sn) {
      root = hashNode(sibling, root);
      while (fn % 2 === 0 && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      root = hashNode(root, sibling);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw new NewelError('proof_invalid', 'inclusion proof ends below the root');
  return root;
}

/** Throws unless `path` proves that the tree (`size`, `root`) has a leaf of hash `leafHash` at `index`. */
export function verifyInclusion(
  index: number,
  size: number,
  leafHash: Uint8Array,
  path: readonly Uint8Array[],
  root: Uint8Array,
): void {
  assertHashes([root]);
  const computed = rootFromInclusion(index, size, leafHash, path);
  if (!equalBytes(computed, root)) {
    throw new RootMismatchError(`leaf ${index} is not proven by the root of size ${size}`, root, computed);
  }
}

/**
 * Throws unless `proof` shows that the tree (`second`, `secondRoot`) begins with the tree (`first`, `firstRoot`).
 * Equal sizes want an empty proof and equal roots; a first size of 0 proves nothing and is refused.
 */
export function verifyConsistency(
  first: number,
  second: number,
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
  proof: readonly Uint8Array[],
): void {
  if (!isSize(first) || !isSize(second)) throw new NewelError('proof_invalid', NOT_SIZES);
  if (first > second) {
    throw new NewelError('proof_invalid', `a tree of size ${second} cannot extend one of size ${first}`);
  }
  assertHashes([firstRoot, secondRoot]);
  assertHashes(proof);
  if (first === second) {
    if (proof.length > 0)
      throw new NewelError('proof_invalid', 'equal sizes want an empty consistency proof');
    if (!equalBytes(firstRoot, secondRoot)) {
      throw new RootMismatchError(`two roots of size ${first} differ`, firstRoot, secondRoot);
    }
    return;
  }
  if (first === 0) throw new NewelError('proof_invalid', 'consistency with the empty tree proves nothing');
  if (proof.length === 0) throw new NewelError('proof_invalid', 'consistency proof is empty');

  let fn = first - 1;
  let sn = second - 1;
  while (fn % 2 === 1) {
    fn = half(fn);
    sn = half(sn);
  }
  // Where `first` is a power of two the walk starts at its root, which the proof leaves out.
  const [start, ...rest] = fn === 0 ? [firstRoot, ...proof] : proof;
  let fr = start!;
  let sr = start!;
  for (const hash of rest) {
    if (sn === 0) throw new NewelError('proof_invalid', 'consistency proof is longer than the tree is high');
    if (fn % 2 === 1 || fn === sn) {
      fr = hashNode(hash, fr);
      sr = hashNode(hash, sr);
      while (fn % 2 === 0 && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      sr = hashNode(sr, hash);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw new NewelError('proof_invalid', 'consistency proof ends below the root');
  if (!equalBytes(fr, firstRoot)) {
    throw new RootMismatchError(`the proof leads to another root of size ${first}`, firstRoot, fr);
  }
  if (!equalBytes(sr, secondRoot)) {
    throw new RootMismatchError(`the proof leads to another root of size ${second}`, secondRoot, sr);
  }
}

/** Throws `proof_invalid` unless these are hashes. Types do not hold at run time: a proof may come from anyone’s JSON. */
export function assertHashes(hashes: readonly Uint8Array[]): void {
  if (!Array.isArray(hashes)) throw new NewelError('proof_invalid', 'a proof is a list of hashes');
  for (const hash of hashes) {
    if (!isBytes(hash) || hash.length !== HASH_SIZE) {
      throw new NewelError('proof_invalid', `a hash of the proof has not ${HASH_SIZE} bytes`);
    }
  }
}
