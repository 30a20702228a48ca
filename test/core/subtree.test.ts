import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NewelError } from '../../src/errors.ts';
import { consistencyRanges, verifyConsistency } from '../../src/core/proof.ts';
import {
  isSubtree,
  proveSubtreeConsistency,
  proveSubtreeInclusion,
  subtreeConsistencyRanges,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../../src/core/subtree.ts';
import type { Range } from '../../src/core/tree.ts';
import { accepts, assertReadOnce, refused, withByte } from '../support/proof-checks.ts';
import { ReferenceTree } from '../support/reference-tree.ts';
import { SLOW } from '../support/slow.ts';
import { countingReader, tree130 as tree } from '../support/small-trees.ts';
import { readVectors, type VectorFile } from '../support/vectors.ts';

const SIZES = SLOW ? 70 : 34;
const leafHash = (index: number): Uint8Array => tree.node({ level: 0, index });

/** Every subtree of the tree of `size` leaves, by the definition: a power of two that holds it divides its start. */
function* subtrees(size: number): Generator<[start: number, end: number]> {
  for (let start = 0; start < size; start++) {
    for (let end = start + 1; end <= size; end++) {
      let power = 1;
      while (power < end - start) power *= 2;
      if (start % power === 0) yield [start, end];
    }
  }
}

/** SUBTREE_SUBPROOF(start, end, D[begin:finish], b) of the draft's §4.4.1 as it reads. */
function subproof(start: number, end: number, begin: number, finish: number, b: boolean): Range[] {
  if (start === begin && end === finish) return b ? [] : [{ begin, end: finish }];
  let k = 1;
  while (2 * k < finish - begin) k *= 2;
  const middle = begin + k;
  if (end <= middle) return [...subproof(start, end, begin, middle, b), { begin: middle, end: finish }];
  if (start >= middle) return [...subproof(start, end, middle, finish, b), { begin, end: middle }];
  return [...subproof(middle, end, middle, finish, false), { begin, end: middle }];
}

test('a subtree is what the definition says', () => {
  for (let size = 1; size <= 40; size++) {
    const valid = new Set([...subtrees(size)].map(String));
    for (let start = 0; start <= size; start++) {
      for (let end = 0; end <= size; end++)
        assert.equal(isSubtree(start, end), valid.has(String([start, end])), `[${start}, ${end})`);
    }
  }
  assert.ok(isSubtree(0, 2 ** 53 - 1) && isSubtree(2 ** 52, 2 ** 52 + 2 ** 51 + 1));
  assert.ok(isSubtree(2 ** 53 - 2, 2 ** 53 - 1));
  for (const [start, end] of [
    [0, 2 ** 53],
    [-1, 0],
    [-2, -1],
    [0.5, 1],
    [0, NaN],
    [2 ** 51, 2 ** 52 + 1],
    [2 ** 52 + 2 ** 31, 2 ** 52 + 2 ** 32 + 1],
  ])
    assert.equal(isSubtree(start!, end!), false, `[${start}, ${end})`);
});

describe('consistency, every subtree of every small tree', () => {
  test('proofs are those of the definition, read in one call, and are accepted', async () => {
    for (let size = 1; size <= SIZES; size++) {
      for (const [start, end] of subtrees(size)) {
        const ranges = subproof(start, end, 0, size, true);
        assert.deepEqual(subtreeConsistencyRanges(start, end, size), ranges, `[${start}, ${end}) of ${size}`);
        const { read, calls } = countingReader(tree.read);
        const proof = await proveSubtreeConsistency(start, end, size, read);
        assert.deepEqual(
          proof,
          ranges.map((range) => tree.range(range.begin, range.end)),
        );
        assertReadOnce(calls);
        verifySubtreeConsistency(start, end, size, tree.range(start, end), tree.root(size), proof);
        if (start !== 0) continue;
        assert.deepEqual(ranges, consistencyRanges(end, size));
        if (end < size) verifyConsistency(end, size, tree.root(end), tree.root(size), proof);
      }
    }
  });

  test('refused with a hash changed, missing, added or swapped', async () => {
    let turn = 0;
    for (let size = 1; size <= 20; size++) {
      const root = tree.root(size);
      for (const [start, end] of subtrees(size)) {
        const hash = tree.range(start, end);
        const proof = await proveSubtreeConsistency(start, end, size, tree.read);
        const check = (subtree: Uint8Array, of: Uint8Array, by: readonly Uint8Array[], what: string): void =>
          refused(
            () => verifySubtreeConsistency(start, end, size, subtree, of, by),
            () => `[${start}, ${end}) of ${size}: ${what}`,
          );
        const at = turn++ % 32;
        check(withByte(hash, at), root, proof, 'the subtree’s root');
        check(hash, withByte(root, at), proof, 'the root');
        check(hash, root, [...proof, root], 'one more');
        check(hash, root, [root, ...proof], 'one before');
        check(hash.slice(1), root, proof, 'a short root');
        for (const [i, one] of proof.entries()) {
          check(hash, root, proof.with(i, withByte(one, at)), `hash ${i} changed`);
          check(hash, root, proof.with(i, one.slice(1)), `hash ${i} short`);
          check(hash, root, proof.toSpliced(i, 1), `without ${i}`);
          check(hash, root, proof.toSpliced(i, 0, one), `${i} twice`);
          for (let j = 0; j < i; j++)
            check(hash, root, proof.with(i, proof[j]!).with(j, one), `${i} and ${j} swapped`);
        }
      }
    }
  });

  test('a proof is one of no other range', async () => {
    const size = 13;
    const root = tree.root(size);
    for (const [start, end] of subtrees(size)) {
      const proof = await proveSubtreeConsistency(start, end, size, tree.read);
      const hash = tree.range(start, end);
      for (let other = 0; other <= size; other++) {
        for (let until = 0; until <= size + 1; until++) {
          if (other === start && until === end) continue;
          const isAccepted = accepts(() => verifySubtreeConsistency(other, until, size, hash, root, proof));
          assert.ok(!isAccepted, `[${start}, ${end}) passes for [${other}, ${until})`);
        }
      }
    }
  });
});

test('every leaf of every subtree of small trees is proven in it, and in no other place', async () => {
  for (const [start, end] of subtrees(21)) {
    const root = tree.range(start, end);
    for (let index = start; index < end; index++) {
      const { read, calls } = countingReader(tree.read);
      const path = await proveSubtreeInclusion(index, start, end, read);
      assertReadOnce(calls);
      const alone = ReferenceTree.ofLeafHashes(
        Array.from({ length: end - start }, (_, i) => leafHash(start + i)),
      );
      assert.deepEqual(path, alone.path(index - start, end - start));
      verifySubtreeInclusion(index, start, end, leafHash(index), path, root);
      for (const other of [start - 1, index - 1, index + 1, end]) {
        refused(
          () => verifySubtreeInclusion(other, start, end, leafHash(index), path, root),
          () => `leaf ${index} of [${start}, ${end}) as ${other}`,
        );
      }
    }
  }
});

test('subtrees of trees of any size', async () => {
  const marked = [0, 1, 5, 2 ** 31, 2 ** 32 + 1, 2 ** 40, 2 ** 52, 2 ** 53 - 2];
  const large = ReferenceTree.sparse(marked);
  const shape = fc
    .tuple(fc.integer({ min: 0, max: 50 }), fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat())
    .map(([level, where, length, more]): [number, number, number] => {
      const power = 2 ** level;
      const start = Math.floor((where % 2 ** 52) / power) * power;
      const end = start + 1 + (length % power);
      return [start, end, Math.min(2 ** 53 - 1, end + (more % 2 ** (level + 2)))];
    });
  await fc.assert(
    fc.asyncProperty(shape, async ([start, end, size]) => {
      const proof = await proveSubtreeConsistency(start, end, size, large.read);
      const [hash, root] = [large.range(start, end), large.root(size)];
      verifySubtreeConsistency(start, end, size, hash, root, proof);
      refused(
        () => verifySubtreeConsistency(start, end, size, withByte(hash, 0), root, proof),
        () => `[${start}, ${end}) of ${size}`,
      );
      const path = await proveSubtreeInclusion(end - 1, start, end, large.read);
      verifySubtreeInclusion(end - 1, start, end, large.node({ level: 0, index: end - 1 }), path, hash);
    }),
    { numRuns: SLOW ? 2000 : 60 },
  );
});

test('wrong arguments are a RangeError to prove, and proof_invalid to verify', async () => {
  const hash = leafHash(0);
  for (const [start, end, size] of [
    [1, 3, 8],
    [0, 0, 8],
    [4, 3, 8],
    [0, 9, 8],
    [-1, 0, 8],
    [0, 1, 2 ** 53],
    [0, 1, 1.5],
  ] as const) {
    assert.throws(() => subtreeConsistencyRanges(start, end, size), RangeError);
    assert.throws(() => verifySubtreeConsistency(start, end, size, hash, hash, []), {
      code: 'proof_invalid',
    });
  }
  assert.throws(() => proveSubtreeInclusion(0, 1, 3, tree.read), RangeError);
  assert.throws(() => proveSubtreeInclusion(4, 0, 4, tree.read), RangeError);
  assert.throws(() => proveSubtreeInclusion(3, 4, 8, tree.read), RangeError);
  const strange = null as unknown as Uint8Array[];
  assert.throws(() => verifySubtreeConsistency(0, 1, 1, hash, hash, strange), { code: 'proof_invalid' });
});

interface Vector {
  readonly desc: string;
  readonly wantErr: boolean;
  readonly start: number;
  readonly end: number;
  readonly proof?: readonly string[] | null;
}

/** Runs the files: how many were to be accepted and how many to be refused. */
function run<V extends Vector>(
  files: readonly VectorFile[],
  verify: (vector: V, proof: Uint8Array[]) => void,
): [accepted: number, refused: number] {
  let accepted = 0;
  for (const file of files) {
    const vector = file.json() as V;
    assert.equal(typeof vector.wantErr, 'boolean', file.name);
    const check = (): void => verify(vector, (vector.proof ?? []).map(bytes));
    if (vector.wantErr) assert.throws(check, NewelError, `${file.name}: ${vector.desc}`);
    else {
      assert.doesNotThrow(check, `${file.name}: ${vector.desc}`);
      accepted++;
    }
  }
  return [accepted, files.length - accepted];
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

const consistency = readVectors('shared', 'merkle/subtreeconsistency');
test('subtree consistency vectors', { skip: consistency.absent }, () => {
  const [accepted, refusals] = run<Vector & { size: number; root1: string; root2: string }>(
    consistency.files(),
    ({ start, end, size, root1, root2 }, proof) =>
      verifySubtreeConsistency(start, end, size, bytes(root1), bytes(root2), proof),
  );
  assert.ok(accepted >= 5 && refusals >= 80, `${accepted} to accept, ${refusals} to refuse`);
});

const inclusion = readVectors('shared', 'merkle/subtreeinclusion');
test('subtree inclusion vectors', { skip: inclusion.absent }, () => {
  const [accepted, refusals] = run<Vector & { leafIdx: number; root: string; leafHash: string }>(
    inclusion.files(),
    ({ leafIdx, start, end, root, leafHash: hash }, proof) =>
      verifySubtreeInclusion(leafIdx, start, end, bytes(hash), proof, bytes(root)),
  );
  assert.ok(accepted >= 10 && refusals >= 100, `${accepted} to accept, ${refusals} to refuse`);
});
