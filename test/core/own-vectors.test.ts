/** Our vectors of roots and proofs, of trees and of subtrees: `spec/vectors/merkle`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashLeaf } from '../../src/core/hash.ts';
import {
  proveConsistency,
  proveInclusion,
  verifyConsistency,
  verifyInclusion,
} from '../../src/core/proof.ts';
import { CompactRange } from '../../src/core/range.ts';
import {
  proveSubtreeConsistency,
  proveSubtreeInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../../src/core/subtree.ts';
import { formatHex, parseHex } from '../../src/formats/hex.ts';
import { memoryHashReader } from '../support/reference-tree.ts';
import { readVectors } from '../support/vectors.ts';

interface Case<Want> {
  readonly desc: string;
  readonly entries: readonly string[];
  readonly want: Want;
}

function cases<T>(name: string): T[] {
  return readVectors('spec', `merkle/${name}`).files()[0]!.json() as T[];
}

function hashes(entries: readonly string[]): Uint8Array[] {
  return entries.map((entry) => hashLeaf(parseHex(entry)));
}

function rootOf(entries: readonly string[]): Uint8Array {
  const range = new CompactRange();
  for (const hash of hashes(entries)) range.append(hash);
  return range.root();
}

for (const { desc, entries, want } of cases<Case<string>>('roots.json')) {
  test(`'merkle/roots.json': ${desc}`, () => {
    assert.equal(formatHex(rootOf(entries)), want);
  });
}

for (const { desc, entries, index, want } of cases<Case<string[]> & { index: number }>('inclusion.json')) {
  test(`'merkle/inclusion.json': ${desc}`, async () => {
    const leaves = hashes(entries);
    const path = await proveInclusion(index, entries.length, memoryHashReader(leaves));
    assert.deepEqual(path.map(formatHex), want);
    verifyInclusion(
      index,
      entries.length,
      leaves[index]!,
      want.map((hash) => parseHex(hash)),
      rootOf(entries),
    );
  });
}

for (const { desc, entries, first, want } of cases<Case<string[]> & { first: number }>('consistency.json')) {
  test(`'merkle/consistency.json': ${desc}`, async () => {
    const proof = await proveConsistency(first, entries.length, memoryHashReader(hashes(entries)));
    assert.deepEqual(proof.map(formatHex), want);
    if (first === 0) return;
    const roots = [rootOf(entries.slice(0, first)), rootOf(entries)] as const;
    verifyConsistency(
      first,
      entries.length,
      ...roots,
      want.map((hash) => parseHex(hash)),
    );
  });
}

interface SubtreeCase extends Case<string[]> {
  readonly start: number;
  readonly end: number;
}

for (const { desc, entries, start, end, want } of cases<SubtreeCase>('subtree-consistency.json')) {
  test(`'merkle/subtree-consistency.json': ${desc}`, async () => {
    const proof = await proveSubtreeConsistency(
      start,
      end,
      entries.length,
      memoryHashReader(hashes(entries)),
    );
    assert.deepEqual(proof.map(formatHex), want);
    const roots = [rootOf(entries.slice(start, end)), rootOf(entries)] as const;
    verifySubtreeConsistency(
      start,
      end,
      entries.length,
      ...roots,
      want.map((hash) => parseHex(hash)),
    );
  });
}

for (const one of cases<SubtreeCase & { index: number }>('subtree-inclusion.json')) {
  const { desc, entries, start, end, index, want } = one;
  test(`'merkle/subtree-inclusion.json': ${desc}`, async () => {
    const leaves = hashes(entries);
    const path = await proveSubtreeInclusion(index, start, end, memoryHashReader(leaves));
    assert.deepEqual(path.map(formatHex), want);
    verifySubtreeInclusion(
      index,
      start,
      end,
      leaves[index]!,
      want.map((hash) => parseHex(hash)),
      rootOf(entries.slice(start, end)),
    );
  });
}

interface VerifyCase {
  readonly desc: string;
  readonly start: number;
  readonly end: number;
  readonly subtreeRoot: string;
  readonly proof: readonly string[];
  /** Of consistency with a tree. */
  readonly size?: number;
  readonly root?: string;
  /** Of inclusion of a leaf. */
  readonly index?: number;
  readonly leafHash?: string;
  readonly want?: true;
  readonly wantErr?: string;
}

for (const one of cases<VerifyCase>('subtree-verify.json')) {
  test(`'merkle/subtree-verify.json': ${one.desc}`, () => {
    const { start, end, size, root, index, leafHash, want, wantErr } = one;
    const subtreeRoot = parseHex(one.subtreeRoot);
    const proof = one.proof.map((hash) => parseHex(hash));
    assert.notEqual(want === true, wantErr !== undefined, 'either want or wantErr');
    assert.notEqual(size === undefined, index === undefined, 'either of a tree or of a leaf');
    const verify = (): void =>
      size === undefined
        ? verifySubtreeInclusion(index!, start, end, parseHex(leafHash!), proof, subtreeRoot)
        : verifySubtreeConsistency(start, end, size, subtreeRoot, parseHex(root!), proof);
    if (wantErr === undefined) verify();
    else assert.throws(verify, { name: /Error$/, code: wantErr });
  });
}
