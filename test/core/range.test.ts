import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EMPTY_ROOT } from '../../src/core/hash.ts';
import { CompactRange } from '../../src/core/range.ts';
import { nodesOf } from '../../src/core/tree.ts';
import { ReferenceTree, referenceLeafHash } from '../support/reference-tree.ts';
import { SLOW } from '../support/slow.ts';
import { SIZES, tree130 } from '../support/small-trees.ts';

const numRuns = SLOW ? 5_000 : 100;

const leafHash = (index: number): Uint8Array => tree130.node({ level: 0, index });
const resume = (size: number, tree = tree130): CompactRange =>
  new CompactRange(
    size,
    nodesOf({ begin: 0, end: size }).map((node) => tree.node(node)),
  );

test('grows from nothing to 130 with the reference’s root at every size', () => {
  const range = new CompactRange();
  assert.equal(range.size, 0);
  assert.deepEqual(range.root(), EMPTY_ROOT);
  for (let size = 1; size <= SIZES; size++) {
    range.append(leafHash(size - 1));
    assert.equal(range.size, size);
    assert.deepEqual(range.root(), tree130.root(size), `size ${size}`);
  }
});

test('shows every perfect node exactly once, with its hash, leaf first', () => {
  const range = new CompactRange();
  const seen = new Set<string>();
  for (let size = 1; size <= SIZES; size++) {
    let next = 0;
    range.append(leafHash(size - 1), (level, index, hash) => {
      assert.equal(level, next++, 'upwards from the leaf');
      assert.equal((index + 1) * 2 ** level, size, 'completed by this leaf, not before');
      assert.deepEqual(hash, tree130.node({ level, index }));
      const key = `${level}/${index}`;
      assert.ok(!seen.has(key), `node ${key} a second time`);
      seen.add(key);
    });
    let perfect = 0;
    for (let width = 1; width <= size; width *= 2) perfect += Math.floor(size / width);
    assert.equal(seen.size, perfect, `all nodes of size ${size}`);
  }
});

test('resumes at any size, and shows what an uninterrupted one shows', () => {
  for (let from = 0; from <= SIZES; from++) {
    const range = resume(from);
    assert.deepEqual(range.root(), tree130.root(from), `resumed at ${from}`);
    const seen: string[] = [];
    for (let size = from + 1; size <= SIZES; size++) {
      range.append(leafHash(size - 1), (level, index, hash) => {
        assert.deepEqual(hash, tree130.node({ level, index }));
        seen.push(`${level}/${index}`);
      });
      assert.deepEqual(range.root(), tree130.root(size), `from ${from} to ${size}`);
    }
    const expected: string[] = [];
    for (let end = from + 1; end <= SIZES; end++) {
      for (let level = 0; end % 2 ** level === 0; level++) expected.push(`${level}/${end / 2 ** level - 1}`);
    }
    assert.deepEqual(seen, expected, `nodes after ${from}`);
  }
});

test('random entries: the reference’s root', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 300 }), (entries) => {
      const range = new CompactRange();
      for (const entry of entries) range.append(referenceLeafHash(entry));
      assert.deepEqual(range.root(), ReferenceTree.ofEntries(entries).root(entries.length));
    }),
    { numRuns },
  );
});

test('grows across 2^31 and 2^32', () => {
  for (const around of [2 ** 31, 2 ** 32]) {
    const tree = ReferenceTree.sparse([around - 2, around - 1, around, around + 1]);
    const range = resume(around - 2, tree);
    for (let index = around - 2; index < around + 2; index++) {
      const levels: number[] = [];
      range.append(tree.node({ level: 0, index }), (level, at, hash) => {
        assert.deepEqual(hash, tree.node({ level, index: at }));
        levels.push(level);
      });
      assert.deepEqual(range.root(), tree.root(index + 1), `size ${index + 1}`);
      assert.equal(levels.length, index + 1 === around ? Math.log2(around) + 1 : index % 2 === 1 ? 2 : 1);
    }
  }
});

test('grows to 2^53 - 1 leaves and not further', () => {
  const max = Number.MAX_SAFE_INTEGER;
  const tree = ReferenceTree.sparse([max - 1, max - 2]);
  const range = resume(max - 2, tree);
  for (const index of [max - 2, max - 1]) {
    range.append(tree.node({ level: 0, index }));
    assert.deepEqual(range.root(), tree.root(index + 1));
  }
  assert.throws(() => range.append(tree.node({ level: 0, index: 0 })), RangeError);
  assert.equal(range.size, max);
  assert.deepEqual(range.root(), tree.root(max), 'a refused leaf changes nothing');
});

test('refuses a size that is none, and hashes that are not of that size', () => {
  for (const size of [-1, 0.5, NaN, 2 ** 53]) assert.throws(() => new CompactRange(size, []), RangeError);
  const hash = leafHash(0);
  for (const [size, count] of [
    [0, 1],
    [1, 0],
    [7, 2],
    [7, 4],
    [8, 3],
    [2 ** 32, 0],
    [2 ** 32 + 1, 1],
  ] as const) {
    assert.throws(
      () =>
        new CompactRange(
          size,
          Array.from({ length: count }, () => hash),
        ),
      RangeError,
    );
  }
});

test('does not share its list of hashes with whoever made it', () => {
  const hashes = nodesOf({ begin: 0, end: 7 }).map((node) => tree130.node(node));
  const range = new CompactRange(7, hashes);
  hashes.length = 0;
  assert.deepEqual(range.root(), tree130.root(7));
});

test('a copy and its original grow apart', () => {
  for (const size of [0, 1, 6, 7, 8]) {
    const original = resume(size);
    const copy = original.copy();
    copy.append(leafHash(size));
    assert.deepEqual([original.size, copy.size], [size, size + 1]);
    assert.deepEqual(original.root(), tree130.root(size));
    original.append(leafHash(129));
    assert.deepEqual(copy.root(), tree130.root(size + 1));
  }
});

test('appendNode takes a whole subtree where one may begin, and nowhere else', () => {
  const entries = Array.from({ length: 64 }, (_, i) => Uint8Array.of(i));
  const reference = ReferenceTree.ofEntries(entries);
  for (let level = 0; level <= 4; level++) {
    const count = 2 ** level;
    const range = new CompactRange();
    const visited: string[] = [];
    for (let index = 0; (index + 1) * count <= 64; index++) {
      range.appendNode(level, reference.node({ level, index }), (at, n, hash) => {
        assert.deepEqual(hash, new Uint8Array(reference.node({ level: at, index: n })));
        visited.push(`${at}/${n}`);
      });
      assert.deepEqual(range.root(), new Uint8Array(reference.root((index + 1) * count)));
    }
    assert.equal(new Set(visited).size, visited.length);
    assert.equal(visited.length, (2 * 64) / count - 1);
  }
  const odd = new CompactRange();
  odd.append(reference.node({ level: 0, index: 0 }));
  assert.throws(() => odd.appendNode(1, reference.node({ level: 1, index: 1 })), RangeError);
});
