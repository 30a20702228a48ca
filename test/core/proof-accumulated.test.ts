/**
 * Every proof of every tree to 130 leaves, folded into one SHA-256: a constant that holds in any language. A line is
 * what is proven and the hashes in hex, each after a space.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  consistencyRanges,
  inclusionRanges,
  proveConsistency,
  proveInclusion,
} from '../../src/core/proof.ts';
import { hashRanges } from '../../src/core/tree.ts';
import { isSubtree, SIZES, tree130 as tree } from '../support/small-trees.ts';

const line = (head: string, proof: readonly Uint8Array[]): string =>
  `${[head, ...proof.map((hash) => Buffer.from(hash).toString('hex'))].join(' ')}\n`;

test('ours: roots, paths and consistency proofs', async () => {
  const fold = createHash('sha256');
  const foldOfReference = createHash('sha256');
  for (let size = 1; size <= SIZES; size++) {
    const roots = await hashRanges([{ begin: 0, end: size }], tree.read);
    fold.update(line(`root ${size}`, roots));
    foldOfReference.update(line(`root ${size}`, [tree.root(size)]));
    for (let index = 0; index < size; index++) {
      fold.update(line(`path ${index} ${size}`, await proveInclusion(index, size, tree.read)));
      foldOfReference.update(line(`path ${index} ${size}`, tree.path(index, size)));
    }
    for (let first = 1; first <= size; first++) {
      fold.update(line(`proof ${first} ${size}`, await proveConsistency(first, size, tree.read)));
      foldOfReference.update(line(`proof ${first} ${size}`, tree.proof(first, size)));
    }
  }
  const pinned = 'b1e11d1902f755af21030ab3810f18a8236a41507a2985f0f8b4a6b6cf02b273';
  assert.equal(foldOfReference.digest('hex'), pinned);
  assert.equal(fold.digest('hex'), pinned);
});

/*
 * The next two are published: draft-ietf-plants-merkle-tree-certs, appendix "Subtree Test Vectors". A subtree
 * [begin, end) is a tree of its own as far as inclusion goes; a consistency proof of [0, end) is RFC 6962's.
 */
test('published: the inclusion proofs of all subtrees', async () => {
  const fold = createHash('sha256');
  for (let end = 0; end <= SIZES; end++) {
    for (let begin = 0; begin <= end; begin++) {
      if (!isSubtree(begin, end)) continue;
      for (let index = begin; index < end; index++) {
        const ranges = inclusionRanges(index - begin, end - begin);
        const shifted = ranges.map((range) => ({ begin: begin + range.begin, end: begin + range.end }));
        fold.update(line(`${index} [${begin}, ${end})`, await hashRanges(shifted, tree.read)));
      }
    }
  }
  assert.equal(fold.digest('hex'), 'ac2a8f989e44d99e399db448050ff5f19757df53cfb716aa81015d3955d8163f');
});

test('published: the consistency proofs of all subtrees', async () => {
  // Where begin > 0 the subtree lies in one half down to where it begins a tree: there it is RFC 6962's again.
  const prove = async (begin: number, end: number, from: number, to: number): Promise<Uint8Array[]> => {
    if (begin === end) return [];
    if (begin === from) {
      const ranges = consistencyRanges(end - from, to - from);
      const shifted = ranges.map((range) => ({ begin: from + range.begin, end: from + range.end }));
      return hashRanges(shifted, tree.read);
    }
    let middle = 1;
    while (middle * 2 < to - from) middle *= 2;
    middle += from;
    return end <= middle
      ? [...(await prove(begin, end, from, middle)), tree.range(middle, to)]
      : [...(await prove(begin, end, middle, to)), tree.range(from, middle)];
  };
  const fold = createHash('sha256');
  for (let size = 0; size <= SIZES; size++) {
    for (let end = 0; end <= size; end++) {
      for (let begin = 0; begin <= end; begin++) {
        if (isSubtree(begin, end))
          fold.update(line(`[${begin}, ${end}) ${size}`, await prove(begin, end, 0, size)));
      }
    }
  }
  assert.equal(fold.digest('hex'), '10fa99b37bf9bf9ffa26b412fbd98bd75363256d0b75d61bc4538b9c9c5a0a74');
});
