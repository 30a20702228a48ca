import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashLeaf } from '../../src/core/hash.ts';
import { verifyConsistency, verifyInclusion } from '../../src/core/proof.ts';
import { parseBase64 } from '../../src/formats/base64.ts';
import { formatHex } from '../../src/formats/hex.ts';
import { ReferenceTree } from '../support/reference-tree.ts';
import { SLOW } from '../support/slow.ts';
import { testEntry } from '../support/test-log.ts';
import { openTestSite } from '../support/test-site.ts';

const SIZE = 600;
const numRuns = SLOW ? 2000 : 60;

interface Inclusion {
  readonly leaf_index: number;
  readonly tree_size: number;
  readonly audit_path: string[];
}

test('every inclusion proof leads to the root of its size', async () => {
  const { app, test: log } = await openTestSite({ entries: SIZE });
  const tree = ReferenceTree.ofEntries(Array.from({ length: SIZE }, (_, i) => testEntry(i)));
  const pairs = fc
    .integer({ min: 1, max: SIZE })
    .chain((size) => fc.tuple(fc.integer({ min: 0, max: size - 1 }), fc.constant(size)));
  const property = fc.asyncProperty(pairs, fc.boolean(), async ([index, size], byHash) => {
    const hash = hashLeaf(testEntry(index));
    const leaf = byHash ? `hash=${formatHex(hash)}` : `leaf_index=${index}`;
    const response = await app.request(`/v1/proofs/inclusion?tree_size=${size}&${leaf}`);
    assert.equal(response.status, 200);
    const proof = (await response.json()) as Inclusion;
    assert.equal(proof.leaf_index, index);
    assert.equal(proof.tree_size, size);
    const path = proof.audit_path.map((text) => parseBase64(text));
    verifyInclusion(index, size, hash, path, tree.root(size));
  });
  await fc.assert(property, { numRuns });
  await log.log.close();
});

test('every consistency proof connects the roots of its sizes', async () => {
  const { app, test: log } = await openTestSite({ entries: SIZE });
  const tree = ReferenceTree.ofEntries(Array.from({ length: SIZE }, (_, i) => testEntry(i)));
  const pairs = fc
    .integer({ min: 1, max: SIZE })
    .chain((second) => fc.tuple(fc.integer({ min: 1, max: second }), fc.constant(second)));
  const property = fc.asyncProperty(pairs, async ([first, second]) => {
    const response = await app.request(`/v1/proofs/consistency?first=${first}&second=${second}`);
    assert.equal(response.status, 200);
    const { consistency } = (await response.json()) as { consistency: string[] };
    const proof = consistency.map((text) => parseBase64(text));
    verifyConsistency(first, second, tree.root(first), tree.root(second), proof);
  });
  await fc.assert(property, { numRuns });
  await log.log.close();
});

test('of equal leaves, a hash names the first', async () => {
  const entry = testEntry(7);
  const { app, test: log } = await openTestSite({ entries: [testEntry(0), entry, entry, entry] });
  const hash = formatHex(hashLeaf(entry));
  for (const size of [2, 3, 4]) {
    const response = await app.request(`/v1/proofs/inclusion?hash=${hash}&tree_size=${size}`);
    assert.equal(((await response.json()) as Inclusion).leaf_index, 1);
  }
  const before = await app.request(`/v1/proofs/inclusion?hash=${hash}&tree_size=1`);
  assert.equal(before.status, 404, 'a smaller tree has it not');
  await log.log.close();
});
