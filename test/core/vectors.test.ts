/**
 * The proof vectors of transparency-dev/merkle, happy paths and mutations, as third parties made them. Their sizes
 * go up to 2^64 − 1, and some of their hashes have not 32 bytes; we refuse what they refuse.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import { verifyConsistency, verifyInclusion } from '../../src/core/proof.ts';
import { readVectors, type VectorFile } from '../support/vectors.ts';

interface Expectation {
  readonly desc: string;
  readonly wantErr: boolean;
  readonly proof?: readonly string[] | null;
}

interface InclusionVector extends Expectation {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
}

interface ConsistencyVector extends Expectation {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
}

/** Strict standard base64. */
function bytes(text: string): Uint8Array {
  const decoded = Buffer.from(text, 'base64');
  assert.equal(decoded.toString('base64'), text);
  return new Uint8Array(decoded);
}

/**
 * Runs all files and returns how many were to be accepted and how many to be refused. We are stricter in one thing:
 * a hash has 32 bytes, also where none is computed (they compare any two roots of equal trees).
 */
function run<V extends Expectation>(
  files: readonly VectorFile[],
  hashes: (vector: V) => string[],
  verify: (vector: V, ...hashes: Uint8Array[]) => void,
): [number, number] {
  let accepted = 0;
  for (const file of files) {
    const vector = file.json() as V;
    assert.equal(typeof vector.wantErr, 'boolean', file.name);
    const given = hashes(vector).map(bytes);
    const check = (): void => verify(vector, ...given);
    if (vector.wantErr || given.some((hash) => hash.length !== 32)) {
      assert.throws(check, NewelError, `${file.name}: ${vector.desc}`);
    } else {
      assert.doesNotThrow(check, `${file.name}: ${vector.desc}`);
      accepted++;
    }
  }
  return [accepted, files.length - accepted];
}

const inclusion = readVectors('shared', 'merkle/inclusion');
test('inclusion vectors', { skip: inclusion.absent }, () => {
  const [accepted, refused] = run<InclusionVector>(
    inclusion.files(),
    ({ leafHash, root, proof }) => [leafHash, root, ...(proof ?? [])],
    ({ leafIdx, treeSize }, leafHash, root, ...proof) =>
      verifyInclusion(leafIdx, treeSize, leafHash, proof, root),
  );
  assert.ok(accepted >= 6 && refused >= 80, `${accepted} to accept, ${refused} to refuse`);
});

const consistency = readVectors('shared', 'merkle/consistency');
test('consistency vectors', { skip: consistency.absent }, () => {
  const [accepted, refused] = run<ConsistencyVector>(
    consistency.files(),
    ({ root1, root2, proof }) => [root1, root2, ...(proof ?? [])],
    ({ size1, size2 }, root1, root2, ...proof) => verifyConsistency(size1, size2, root1, root2, proof),
  );
  assert.ok(accepted >= 5 && refused >= 79, `${accepted} to accept, ${refused} to refuse`);
});
