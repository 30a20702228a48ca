import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertSize, bitLength, half, isSize, splitPoint, trailingZeros } from '../../src/core/int.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 100_000 : 2_000;
const MAX = Number.MAX_SAFE_INTEGER;

/** Any size, and those where 32-bit arithmetic and doubles go wrong. */
const sizes = fc.oneof(
  fc.nat(1024),
  fc.maxSafeNat(),
  fc.tuple(fc.integer({ min: 0, max: 52 }), fc.integer({ min: -3, max: 3 })).map(([exponent, offset]) => {
    return Math.max(0, 2 ** exponent + offset);
  }),
  fc.nat(64).map((offset) => MAX - offset),
);

/** The same questions, answered by the digits of a bigint. */
const binary = (x: number): string => (x === 0 ? '' : BigInt(x).toString(2));

function checkAgainstDigits(x: number): void {
  assert.equal(BigInt(half(x)), BigInt(x) / 2n, `half(${x})`);
  assert.equal(bitLength(x), binary(x).length, `bitLength(${x})`);
  if (x > 0) assert.equal(trailingZeros(x), /0*$/.exec(binary(x))![0].length, `trailingZeros(${x})`);
  if (x > 1) {
    const k = BigInt(splitPoint(x));
    assert.match(k.toString(2), /^10*$/, `splitPoint(${x}) is a power of two`);
    assert.ok(k < BigInt(x) && BigInt(x) <= 2n * k, `k < ${x} ≤ 2k`);
  }
}

test('agrees with bigint on every number to 4096', () => {
  for (let x = 0; x <= 4096; x++) checkAgainstDigits(x);
});

test('agrees with bigint around every power of two to 2^53', () => {
  for (let exponent = 0; exponent <= 53; exponent++) {
    for (let offset = -4; offset <= 4; offset++) {
      const x = 2 ** exponent + offset;
      if (Number.isSafeInteger(x) && x >= 0) checkAgainstDigits(x);
    }
  }
});

test('agrees with bigint on any size', () => {
  fc.assert(fc.property(sizes, checkAgainstDigits), { numRuns });
});

test('the documented examples', () => {
  assert.deepEqual([0, 1, 255, 256].map(bitLength), [0, 1, 8, 9]);
  assert.deepEqual([1, 8, 2 ** 31, 2 ** 32, 2 ** 52].map(trailingZeros), [0, 3, 31, 32, 52]);
  assert.deepEqual([2, 3, 4, 5, 2 ** 32, 2 ** 32 + 1, MAX].map(splitPoint), [
    1,
    2,
    2,
    4,
    2 ** 31,
    2 ** 32,
    2 ** 52,
  ]);
});

test('a size is a whole number from 0 to 2^53 - 1', () => {
  for (const x of [0, 1, 2 ** 31, 2 ** 32, MAX]) {
    assert.equal(isSize(x), true, String(x));
    assert.doesNotThrow(() => assertSize(x, 'size'));
  }
  for (const x of [-1, 0.5, MAX + 1, 2 ** 64, NaN, Infinity, -Infinity, '1', 1n, null, undefined, [1]]) {
    assert.equal(isSize(x as number), false, String(x));
    assert.throws(() => assertSize(x as number, 'size'), { name: 'RangeError', message: /^size expected/ });
  }
});
