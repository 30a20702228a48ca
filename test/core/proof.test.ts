import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EMPTY_ROOT, HASH_SIZE } from '../../src/core/hash.ts';
import {
  consistencyRanges,
  inclusionRanges,
  proveConsistency,
  proveInclusion,
  rootFromInclusion,
  verifyConsistency,
  verifyInclusion,
} from '../../src/core/proof.ts';
import { accepts, assertReadOnce, refused, withByte } from '../support/proof-checks.ts';
import { ReferenceTree } from '../support/reference-tree.ts';
import { SLOW } from '../support/slow.ts';
import { countingReader, SIZES, tree130 as tree } from '../support/small-trees.ts';

const leafHash = (index: number): Uint8Array => tree.node({ level: 0, index });

/** `proof` with one hash left out, put in twice, put in from elsewhere, or with two hashes changed over. */
function* rearranged(proof: readonly Uint8Array[], foreign: Uint8Array): Generator<[string, Uint8Array[]]> {
  for (let i = 0; i < proof.length; i++) {
    yield [`without ${i}`, proof.toSpliced(i, 1)];
    yield [`${i} twice`, proof.toSpliced(i, 0, proof[i]!)];
    yield [`first ${i}`, proof.slice(0, i)];
    for (let j = 0; j < i; j++) yield [`${i} and ${j} swapped`, proof.with(i, proof[j]!).with(j, proof[i]!)];
  }
  for (let i = 0; i <= proof.length; i++) yield [`foreign at ${i}`, proof.toSpliced(i, 0, foreign)];
}

/** Which bytes of a hash to change: all in small trees (and with SLOW), then one that moves on, then in every third proof. */
function bytesToChange(size: number, turn: number): number[] {
  if (SLOW || size <= 10) return Array.from({ length: HASH_SIZE }, (_, at) => at);
  return size <= 33 || turn % 3 === 0 ? [turn % HASH_SIZE] : [];
}

/** Whether to rearrange the proofs of a tree: small ones, those around powers of two, all with SLOW. */
function rearrange(size: number): boolean {
  return SLOW || size <= 13 || [16, 17, 31, 32, 33, 64, 65].includes(size);
}

describe('inclusion, every leaf of every tree to 130', () => {
  test('proofs are the reference’s, read in one call without a repeated node, and are accepted', async () => {
    for (let size = 1; size <= SIZES; size++) {
      for (let index = 0; index < size; index++) {
        const { read, calls } = countingReader(tree.read);
        const path = await proveInclusion(index, size, read);
        assert.deepEqual(path, tree.path(index, size), `leaf ${index} of ${size}`);
        assertReadOnce(calls);
        assert.deepEqual(rootFromInclusion(index, size, leafHash(index), path), tree.root(size));
        verifyInclusion(index, size, leafHash(index), path, tree.root(size));
      }
    }
  });

  test('refused with any hash changed, swapped, missing or added', () => {
    let turn = 0;
    for (let size = 1; size <= SIZES; size++) {
      const root = tree.root(size);
      for (let index = 0; index < size; index++) {
        const leaf = leafHash(index);
        const path = tree.path(index, size);
        const what = (change: string) => () => `leaf ${index} of ${size}, ${change}`;
        for (const at of bytesToChange(size, turn++)) {
          refused(() => verifyInclusion(index, size, withByte(leaf, at), path, root), what('leaf hash'));
          refused(() => verifyInclusion(index, size, leaf, path, withByte(root, at)), what('root'));
          path.forEach((hash, i) => {
            const changed = path.with(i, withByte(hash, at));
            refused(() => verifyInclusion(index, size, leaf, changed, root), what(`byte ${at} of hash ${i}`));
          });
        }
        if (!rearrange(size)) continue;
        for (const [change, wrong] of rearranged(path, root)) {
          refused(() => verifyInclusion(index, size, leaf, wrong, root), what(change));
        }
      }
    }
  });

  test('refused for any other leaf of the tree', () => {
    for (let size = 2; size <= 33; size++) {
      const root = tree.root(size);
      for (let index = 0; index < size; index++) {
        const path = tree.path(index, size);
        for (let other = 0; other <= size + 1; other++) {
          if (other === index) continue;
          const what = (): string => `the path of ${index} in ${size} for ${other}`;
          refused(() => verifyInclusion(other, size, leafHash(index), path, root), what);
          refused(() => verifyInclusion(index, size, leafHash(other), path, root), what);
        }
      }
    }
  });

  // RFC 9162 does not bind the size in the path: that is for whoever signs root and size together.
  test('accepted for another size exactly where its path has the same shape', () => {
    const sizes = 14;
    const shapes = new Map<string, string>();
    for (let size = 1; size <= 2 * sizes; size++) {
      for (let index = 0; index < size; index++) shapes.set(`${index}/${size}`, tree.pathShape(index, size));
    }
    let read = 0;
    for (let size = 1; size <= sizes; size++) {
      for (let index = 0; index < size; index++) {
        const path = tree.path(index, size);
        for (let otherSize = 0; otherSize <= 2 * sizes; otherSize++) {
          for (let other = 0; other <= Math.min(otherSize, sizes); other++) {
            const accepted = accepts(() =>
              verifyInclusion(other, otherSize, leafHash(index), path, tree.root(size)),
            );
            const sameShape = shapes.get(`${other}/${otherSize}`) === shapes.get(`${index}/${size}`);
            if (accepted !== sameShape) assert.fail(`path of ${index}/${size} read as ${other}/${otherSize}`);
            if (accepted) read++;
          }
        }
      }
    }
    assert.ok(read > sizes, 'some were accepted');
  });
});

describe('consistency, every pair of trees to 130', () => {
  test('proofs are the reference’s, read in one call without a repeated node, and are accepted', async () => {
    for (let second = 1; second <= SIZES; second++) {
      for (let first = 1; first <= second; first++) {
        const { read, calls } = countingReader(tree.read);
        const proof = await proveConsistency(first, second, read);
        assert.deepEqual(proof, tree.proof(first, second), `${first} → ${second}`);
        assertReadOnce(calls);
        verifyConsistency(first, second, tree.root(first), tree.root(second), proof);
      }
    }
  });

  test('refused with any hash changed, swapped, missing or added', () => {
    let turn = 0;
    for (let second = 1; second <= SIZES; second++) {
      const root2 = tree.root(second);
      for (let first = 1; first <= second; first++) {
        const root1 = tree.root(first);
        const proof = tree.proof(first, second);
        const what = (change: string) => () => `${first} → ${second}, ${change}`;
        for (const at of bytesToChange(second, turn++)) {
          refused(
            () => verifyConsistency(first, second, withByte(root1, at), root2, proof),
            what('first root'),
          );
          refused(
            () => verifyConsistency(first, second, root1, withByte(root2, at), proof),
            what('second root'),
          );
          proof.forEach((hash, i) => {
            const changed = proof.with(i, withByte(hash, at));
            refused(
              () => verifyConsistency(first, second, root1, root2, changed),
              what(`byte ${at} of hash ${i}`),
            );
          });
        }
        if (first < second) {
          refused(() => verifyConsistency(first, second, root2, root1, proof), what('roots swapped'));
          refused(() => verifyConsistency(first, second, root1, root1, proof), what('first root twice'));
          refused(() => verifyConsistency(first, second, root2, root2, proof), what('second root twice'));
        }
        if (!rearrange(second)) continue;
        for (const [change, wrong] of rearranged(proof, root1)) {
          refused(() => verifyConsistency(first, second, root1, root2, wrong), what(change));
        }
      }
    }
  });

  test('accepted for other sizes exactly where their proof has the same shape', () => {
    const sizes = 13;
    let read = 0;
    for (let second = 2; second <= sizes; second++) {
      for (let first = 1; first < second; first++) {
        const proof = tree.proof(first, second);
        const shape = tree.proofShape(first, second);
        for (let otherSecond = 0; otherSecond <= 2 * sizes; otherSecond++) {
          for (let otherFirst = 0; otherFirst <= otherSecond + 1; otherFirst++) {
            const accepted = accepts(() =>
              verifyConsistency(otherFirst, otherSecond, tree.root(first), tree.root(second), proof),
            );
            const isPair = otherFirst > 0 && otherFirst < otherSecond;
            const sameShape = isPair && tree.proofShape(otherFirst, otherSecond) === shape;
            if (accepted !== sameShape)
              assert.fail(`${first} → ${second} read as ${otherFirst} → ${otherSecond}`);
            if (accepted) read++;
          }
        }
      }
    }
    assert.ok(read > sizes, 'some were accepted');
  });

  test('a log that changed any leaf it had is refused', async () => {
    for (let first = 1; first <= 20; first++) {
      for (let changed = 0; changed < first; changed++) {
        const entries = Array.from({ length: 24 }, (_, i) => Uint8Array.of(i === changed ? 0xff : i));
        const fork = ReferenceTree.ofEntries(entries);
        for (let second = first; second <= 24; second++) {
          const proof = await proveConsistency(first, second, fork.read);
          const what = (): string => `leaf ${changed}, ${first} → ${second}`;
          refused(() => verifyConsistency(first, second, tree.root(first), fork.root(second), proof), what);
        }
      }
    }
  });

  test('equal sizes want equal roots and no proof, the empty tree included', () => {
    for (let size = 0; size <= SIZES; size++) {
      const root = tree.root(size);
      verifyConsistency(size, size, root, root.slice(), []);
      refused(
        () => verifyConsistency(size, size, root, withByte(root, 0), []),
        () => `${size}, another root`,
      );
      refused(
        () => verifyConsistency(size, size, root, root, [root]),
        () => `${size}, a hash too many`,
      );
    }
  });

  test('the empty tree proves nothing about a tree with leaves', async () => {
    for (let size = 1; size <= SIZES; size++) {
      const { read, calls } = countingReader(tree.read);
      const proof = await proveConsistency(0, size, read);
      assert.deepEqual(proof, []);
      assertReadOnce(calls);
      const root = tree.root(size);
      refused(
        () => verifyConsistency(0, size, EMPTY_ROOT, root, proof),
        () => `0 → ${size}`,
      );
      refused(
        () => verifyConsistency(0, size, EMPTY_ROOT, root, [root]),
        () => `0 → ${size} with its root`,
      );
      refused(
        () => verifyConsistency(size, 0, root, EMPTY_ROOT, proof),
        () => `${size} → 0`,
      );
    }
  });
});

describe('arguments of the provers', () => {
  test('an index or size that is none is a RangeError, before anything is read', async () => {
    const { read, calls } = countingReader(tree.read);
    for (const [index, size] of [
      [0, 0],
      [1, 1],
      [-1, 5],
      [5, 5],
      [0.5, 5],
      [NaN, 5],
      [0, 2 ** 53],
      [0, -1],
    ] as const) {
      assert.throws(() => inclusionRanges(index, size), RangeError, `${index}, ${size}`);
      assert.throws(() => proveInclusion(index, size, read), RangeError);
    }
    for (const [first, second] of [
      [1, 0],
      [6, 5],
      [-1, 5],
      [0.5, 5],
      [NaN, 5],
      [1, 2 ** 53],
      [0, NaN],
    ] as const) {
      assert.throws(() => consistencyRanges(first, second), RangeError, `${first}, ${second}`);
      assert.throws(() => proveConsistency(first, second, read), RangeError);
    }
    assert.equal(calls.length, 0);
  });
});
