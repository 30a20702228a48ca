/**
 * Proofs of trees near 2^31, 2^32 and 2^53 leaves, where 32-bit operators and doubles go wrong. The trees are real: all
 * leaves are equal but for a few, so that the reference can hash them.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  consistencyRanges,
  inclusionRanges,
  proveConsistency,
  proveInclusion,
  verifyConsistency,
  verifyInclusion,
} from '../../src/core/proof.ts';
import { assertReadOnce, refused, withByte } from '../support/proof-checks.ts';
import { ReferenceTree } from '../support/reference-tree.ts';
import { SLOW } from '../support/slow.ts';
import { countingReader } from '../support/small-trees.ts';

const numRuns = SLOW ? 5_000 : 80;
const MAX = Number.MAX_SAFE_INTEGER;

const around = [31, 32, 53]
  .flatMap((exponent) => [-3, -2, -1, 0, 1, 2].map((offset) => 2 ** exponent + offset))
  .filter(Number.isSafeInteger);

/** Proves both things about a tree with its own marked leaves, compares with the reference, verifies, and breaks. */
async function check(index: number, first: number, size: number): Promise<void> {
  const big = ReferenceTree.sparse([0, index, first - 1, size - 1]);
  const [root1, root] = [big.root(first), big.root(size)];
  const leaf = big.node({ level: 0, index });
  const what = (): string => `leaf ${index}, ${first} → ${size}`;

  const inclusion = countingReader(big.read);
  const path = await proveInclusion(index, size, inclusion.read);
  assert.deepEqual(path, big.path(index, size), what());
  assertReadOnce(inclusion.calls);
  verifyInclusion(index, size, leaf, path, root);
  refused(
    () =>
      verifyInclusion(
        index,
        size,
        leaf,
        path,
        root1.map((byte) => byte ^ 1),
      ),
    what,
  );
  refused(() => verifyInclusion(index, size, withByte(leaf, 7), path, root), what);
  refused(() => verifyInclusion(index, size, leaf, path.slice(1), root), what);
  refused(() => verifyInclusion(index, size, leaf, [...path, root], root), what);
  for (const other of [index - 1, index + 1, index - 2 ** 31, index - 2 ** 32, index + 2 ** 32, size]) {
    refused(() => verifyInclusion(other, size, leaf, path, root), what);
  }

  const consistency = countingReader(big.read);
  const proof = await proveConsistency(first, size, consistency.read);
  assert.deepEqual(proof, big.proof(first, size), what());
  assertReadOnce(consistency.calls);
  verifyConsistency(first, size, root1, root, proof);
  refused(() => verifyConsistency(first, size, withByte(root1, 7), root, proof), what);
  refused(() => verifyConsistency(first, size, root1, withByte(root, 7), proof), what);
  refused(() => verifyConsistency(first, size, root1, root, [...proof, root]), what);
  for (let i = size % 5; i < proof.length; i += SLOW ? 1 : 7) {
    const changed = proof.with(i, withByte(proof[i]!, 7));
    refused(() => verifyConsistency(first, size, root1, root, changed), what);
    refused(() => verifyConsistency(first, size, root1, root, proof.toSpliced(i, 1)), what);
  }
}

test('the borders themselves, against each other', async () => {
  for (const size of around) {
    for (const first of [1, 3, 2 ** 20, ...around]) {
      if (first <= size) await check(first - 1, first, size);
    }
  }
});

test('any leaf and any pair', async () => {
  const size = fc.oneof(fc.constantFrom(...around), fc.integer({ min: 2, max: MAX }));
  await fc.assert(
    fc.asyncProperty(size, fc.maxSafeNat(), fc.maxSafeNat(), (second, a, b) =>
      check(a % second, 1 + (b % second), second),
    ),
    { numRuns },
  );
});

test('proofs stay as short as the tree is high', () => {
  for (const size of around) {
    const height = BigInt(size - 1).toString(2).length;
    for (const index of [0, 1, size >> 1, Math.floor(size / 3), size - 2, size - 1].map(Math.abs)) {
      assert.ok(inclusionRanges(index, size).length <= height);
      assert.ok(consistencyRanges(index + 1, size).length <= height + 1);
    }
    assert.equal(inclusionRanges(0, size).length, height);
  }
});
