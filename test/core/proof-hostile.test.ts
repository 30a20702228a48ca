/** What a verifier is given comes from strangers: whatever it is, the answer is a refusal of ours and nothing else. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NewelError, RootMismatchError } from '../../src/errors.ts';
import { rootFromInclusion, verifyConsistency, verifyInclusion } from '../../src/core/proof.ts';
import { SLOW } from '../support/slow.ts';
import { tree130 as tree } from '../support/small-trees.ts';

const numRuns = SLOW ? 50_000 : 1_000;

type AnyFunction = (...args: unknown[]) => unknown;

const path = tree.path(5, 11);
const leaf = tree.node({ level: 0, index: 5 });
const proof = tree.proof(5, 11);

/** Each exported verifier with arguments that it accepts. */
const verifiers: [AnyFunction, unknown[]][] = [
  [rootFromInclusion as AnyFunction, [5, 11, leaf, path]],
  [verifyInclusion as AnyFunction, [5, 11, leaf, path, tree.root(11)]],
  [verifyConsistency as AnyFunction, [5, 11, tree.root(5), tree.root(11), proof]],
];

function refuses(verify: AnyFunction, args: unknown[], what: string): void {
  assert.throws(
    () => verify(...args),
    (error) =>
      error instanceof NewelError && (error.code === 'proof_invalid' || error.code === 'root_mismatch'),
    `${verify.name}, ${what}`,
  );
}

const noNumber = { toString: 1, valueOf: 1 };
const junk: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a boolean', true],
  ['a string of 32', 'a'.repeat(32)],
  ['a number as a string', '5'],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-1', -1],
  ['half', 0.5],
  ['2^53', 2 ** 53],
  ['2^64', 2 ** 64],
  ['a bigint', 5n],
  ['a symbol', Symbol('5')],
  ['an object', {}],
  ['an object without a prototype', Object.create(null)],
  ['an object that is no primitive', noNumber],
  ['an array-like of 32', { length: 32 }],
  ['an array of 32 numbers', Array.from({ length: 32 }, () => 0)],
  ['a sparse array', Object.assign([], { 2: leaf })],
  ['a list with null', [null]],
  ['a list with a string', ['a'.repeat(32)]],
  ['a list with a list', [[leaf]]],
  ['a list with an empty hash', [new Uint8Array(0)]],
  ['a function', () => leaf],
  ['an ArrayBuffer', new ArrayBuffer(32)],
  ['no bytes', new Uint8Array(0)],
  ['31 bytes', new Uint8Array(31)],
  ['33 bytes', new Uint8Array(33)],
  ['16-bit numbers', new Uint16Array(32)],
  ['a DataView', new DataView(new ArrayBuffer(32))],
];

test('the arguments that the tests below spoil are accepted', () => {
  for (const [verify, args] of verifiers) assert.doesNotThrow(() => verify(...args));
});

test('any argument replaced by junk, in any place', () => {
  for (const [verify, args] of verifiers) {
    for (let i = 0; i < args.length; i++) {
      for (const [what, value] of junk) refuses(verify, args.with(i, value), `argument ${i} is ${what}`);
    }
    for (const [what, value] of junk)
      refuses(
        verify,
        args.map(() => value),
        `all are ${what}`,
      );
    for (let count = 0; count < args.length; count++)
      refuses(verify, args.slice(0, count), `${count} arguments`);
  }
});

test('any hash of a proof replaced by junk', () => {
  for (const [verify, args] of verifiers) {
    const at = args.findIndex(Array.isArray);
    const hashes = args[at] as unknown[];
    for (let i = 0; i < hashes.length; i++) {
      for (const [what, value] of junk)
        refuses(verify, args.with(at, hashes.with(i, value)), `hash ${i} is ${what}`);
    }
    const sparse: unknown[] = [];
    hashes.forEach((hash, i) => {
      if (i !== 1) sparse[i] = hash;
    });
    refuses(verify, args.with(at, sparse), 'a hole');
  }
});

test('trees of one leaf, where no hash is computed', () => {
  const root = tree.root(1);
  for (const [what, value] of junk) {
    refuses(verifyInclusion as AnyFunction, [0, 1, value, [], value], what);
    refuses(verifyConsistency as AnyFunction, [1, 1, value, value, []], what);
    refuses(verifyInclusion as AnyFunction, [0, 1, root, value, root], what);
    refuses(verifyConsistency as AnyFunction, [1, 1, root, root, value], what);
  }
});

test('a proof of a million hashes', () => {
  const long = Array.from({ length: 1_000_000 }, () => leaf);
  for (const [verify, args] of verifiers)
    refuses(verify, args.with(args.findIndex(Array.isArray), long), 'long');
  refuses(verifyConsistency as AnyFunction, [4, 8, tree.root(4), tree.root(8), long], 'long');
});

test('whatever fast-check thinks of', () => {
  const hash = fc.uint8Array({ minLength: 30, maxLength: 33 });
  const size = fc.oneof(fc.nat(20), fc.maxSafeInteger(), fc.double());
  const anything = fc.anything({
    withBigInt: true,
    withNullPrototype: true,
    withTypedArray: true,
    withSparseArray: true,
  });
  const argument = fc.oneof(size, hash, fc.array(hash, { maxLength: 60 }), anything);
  fc.assert(
    fc.property(fc.array(argument, { maxLength: 6 }), (args) => {
      for (const [verify] of verifiers) if (verify !== rootFromInclusion) refuses(verify, args, 'random');
    }),
    { numRuns },
  );
});

test('random hashes of the right size are a mismatch with both roots, or the wrong length', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.nat(),
      fc.array(hash, { maxLength: 12 }),
      hash,
      hash,
      (...all) => {
        const [size, n, hashes, one, other] = all;
        fc.pre(!Buffer.from(one).equals(other));
        const index = n % size;
        for (const verify of [
          () => verifyInclusion(index, size, one, hashes, other),
          () => verifyConsistency(index + 1, size, one, other, hashes),
        ]) {
          assert.throws(verify, (error) => {
            if (!(error instanceof RootMismatchError))
              return error instanceof NewelError && error.code === 'proof_invalid';
            assert.ok(error.expected === one || error.expected === other, 'the root that was claimed');
            assert.equal(error.computed.length, 32);
            return true;
          });
        }
      },
    ),
    { numRuns },
  );
});
