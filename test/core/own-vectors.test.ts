/** Our vectors of roots and proofs: `spec/vectors/merkle`. */

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
