import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { EMPTY_ROOT } from '../../src/core/hash.ts';
import { foldNodes, hashRanges, nodesOf, type Range, readRoot } from '../../src/core/tree.ts';
import { memoryHashReader, ReferenceTree, referenceLeafHash } from '../support/reference-tree.ts';
import { SLOW } from '../support/slow.ts';
import { countingReader, isSubtree, SIZES, tree130 } from '../support/small-trees.ts';

const numRuns = SLOW ? 20_000 : 500;
const MAX = Number.MAX_SAFE_INTEGER;

/** Subtrees as large as they get: [multiple · 2^k, … + length), length ≤ 2^k. */
const largeRanges: fc.Arbitrary<Range> = fc
  .tuple(fc.integer({ min: 0, max: 52 }), fc.maxSafeNat(), fc.maxSafeNat())
  .map(([exponent, a, b]) => {
    const width = 2 ** exponent;
    const begin = Math.floor(a / width) * width;
    return { begin, end: Math.min(MAX, begin + 1 + (b % width)) };
  })
  .filter(({ begin, end }) => begin < end);

/** The nodes are perfect, lie side by side, cover the range and no more, and no two of them could be one. */
function checkNodes({ begin, end }: Range): void {
  let at = BigInt(begin);
  let above = Infinity;
  for (const { level, index } of nodesOf({ begin, end })) {
    assert.equal(BigInt(index) * 2n ** BigInt(level), at, 'begins where the one before ends');
    assert.ok(level < above, 'each is smaller than the one before');
    above = level;
    at += 2n ** BigInt(level);
  }
  assert.equal(at, BigInt(end));
}

test('nodesOf: every subtree of trees to 130', () => {
  for (let end = 0; end <= SIZES; end++) {
    for (let begin = 0; begin <= end; begin++) if (isSubtree(begin, end)) checkNodes({ begin, end });
  }
});

test('nodesOf: ranges to 2^53, and prefixes around powers of two', () => {
  fc.assert(fc.property(largeRanges, checkNodes), { numRuns });
  for (const exponent of [31, 32, 33, 52, 53]) {
    for (let offset = -3; offset <= 3; offset++) {
      const end = 2 ** exponent + offset;
      if (Number.isSafeInteger(end)) checkNodes({ begin: 0, end });
    }
  }
});

test('nodesOf: the picture of the header', () => {
  assert.deepEqual(nodesOf({ begin: 0, end: 7 }), [
    { level: 2, index: 0 },
    { level: 1, index: 2 },
    { level: 0, index: 6 },
  ]);
});

test('roots of every size to 130 are the reference’s, read in one call', async () => {
  for (let size = 0; size <= SIZES; size++) {
    const { read, calls } = countingReader(tree130.read);
    assert.deepEqual(await readRoot(size, read), tree130.root(size), `size ${size}`);
    assert.equal(calls.length, 1);
  }
});

test('the tree without leaves has the hash of nothing for a root', async () => {
  assert.deepEqual(foldNodes([]), EMPTY_ROOT);
  assert.deepEqual(await readRoot(0, memoryHashReader([])), EMPTY_ROOT);
});

/*
 * Published values: draft-ietf-plants-merkle-tree-certs, appendix "Subtree Test Vectors". They fold every output for
 * sizes to 130 into one SHA-256, with leaf i being the byte i.
 */
test('the hashes of all subtrees to 130 fold to the published value', async () => {
  const ranges: Range[] = [];
  for (let end = 0; end <= SIZES; end++) {
    for (let begin = 0; begin <= end; begin++) if (isSubtree(begin, end)) ranges.push({ begin, end });
  }
  const { read, calls } = countingReader(tree130.read);
  const hashes = await hashRanges(ranges, read);
  assert.equal(calls.length, 1);

  const fold = createHash('sha256');
  const foldOfReference = createHash('sha256');
  ranges.forEach(({ begin, end }, i) => {
    fold.update(`[${begin}, ${end}) ${Buffer.from(hashes[i]!).toString('hex')}\n`);
    foldOfReference.update(`[${begin}, ${end}) ${Buffer.from(tree130.range(begin, end)).toString('hex')}\n`);
  });
  const published = 'b82806ad4265bb151c1119c0f4db437bb4d1a1f887b3a7fba1cd4ebf552e3e81';
  assert.equal(foldOfReference.digest('hex'), published);
  assert.equal(fold.digest('hex'), published);
});

test('roots near 2^31, 2^32 and 2^53', async () => {
  for (const exponent of [31, 32, 53]) {
    for (let offset = -3; offset <= 3; offset++) {
      const size = 2 ** exponent + offset;
      if (!Number.isSafeInteger(size)) continue;
      const tree = ReferenceTree.sparse([0, 2 ** 31, size - 1]);
      assert.deepEqual(await readRoot(size, tree.read), tree.root(size), `size ${size}`);
    }
  }
});

test('a size that is none is refused before anything is read', async () => {
  const { read, calls } = countingReader(tree130.read);
  for (const size of [-1, 0.5, NaN, 2 ** 53]) await assert.rejects(readRoot(size, read), RangeError);
  assert.equal(calls.length, 0);
});

test('a reader that fails, or breaks its promise, is not believed', async () => {
  const failure = new Error('the disk is gone');
  await assert.rejects(
    readRoot(7, () => Promise.reject(failure)),
    failure,
  );
  const leaf = referenceLeafHash(Uint8Array.of(0));
  for (const count of [0, 2, 4]) {
    const read = (): Promise<Uint8Array[]> => Promise.resolve(Array.from({ length: count }, () => leaf));
    await assert.rejects(readRoot(7, read), /^Error: bug: 3 nodes asked for/);
    await assert.rejects(hashRanges([{ begin: 0, end: 7 }], read), /^Error: bug: 3 nodes asked for/);
  }
  await assert.rejects(
    readRoot(3, () => Promise.resolve([leaf, leaf.subarray(1)])),
    RangeError,
  );
});
