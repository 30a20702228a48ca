import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { nodeSha256 } from '../../src/cli/sha256-node.ts';
import { hashLeaf, hashNode, setSha256 } from '../../src/core/hash.ts';

after(() => setSha256(nobleSha256));

test("Node's SHA-256 is noble's, for every length around its blocks and for the largest entry", () => {
  for (const length of [...Array.from({ length: 200 }, (_, i) => i), 4094, 4095, 4096, 4097, 65_535]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) % 256);
    setSha256(nobleSha256);
    const expected = [hashLeaf(bytes), hashNode(hashLeaf(bytes), nobleSha256(bytes))];
    setSha256(nodeSha256);
    assert.deepEqual([hashLeaf(bytes), hashNode(hashLeaf(bytes), nodeSha256(bytes))], expected);
  }
});

test('a digest stays what it was when others are computed', () => {
  setSha256(nodeSha256);
  const first = hashLeaf(Uint8Array.of(1));
  const copy = first.slice();
  for (let i = 0; i < 1000; i++) hashNode(hashLeaf(Uint8Array.of(i & 255)), first);
  assert.deepEqual(first, copy);
});
