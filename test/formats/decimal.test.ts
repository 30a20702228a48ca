import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isDecimal, parseDecimal } from '../../src/formats/decimal.ts';
import { SLOW } from '../support/slow.ts';
import { hasCode, readCases, runCases } from './cases.ts';

const numRuns = SLOW ? 100_000 : 1_000;

runCases<{ text: string }>('decimal/parse.json', ({ text }) => {
  const number = parseDecimal(text, 'size');
  assert.equal(String(number), text);
  return number;
});

test('isDecimal agrees with parseDecimal on every vector', () => {
  for (const { text, wantErr } of readCases<{ text: string }>('decimal/parse.json')) {
    assert.equal(isDecimal(text), wantErr === undefined, JSON.stringify(text));
  }
});

test('a whole number is read exactly below 2^53 and refused from there on', () => {
  const near = (power: number): fc.Arbitrary<bigint> =>
    fc.bigInt({ min: 2n ** BigInt(power) - 2000n, max: 2n ** BigInt(power) + 2000n });
  fc.assert(
    fc.property(fc.oneof(near(31), near(32), near(53), near(63), near(64), fc.bigInt({ min: 0n })), (n) => {
      const text = String(n);
      if (n < 2n ** 53n) assert.equal(BigInt(parseDecimal(text, 'size')), n);
      else assert.throws(() => parseDecimal(text, 'size'), hasCode('malformed'), text);
    }),
    { numRuns },
  );
});

test('any text is refused, or is what the number prints as', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.stringMatching(/^[-+ ]?0{0,2}[0-9]{0,18}(e[0-9])?$/),
  );
  fc.assert(
    fc.property(text, (candidate) => {
      if (isDecimal(candidate)) assert.equal(String(parseDecimal(candidate, 'size')), candidate);
      else assert.throws(() => parseDecimal(candidate, 'size'), hasCode('malformed'));
    }),
    { numRuns },
  );
});

test('names what is wrong and does not repeat it', () => {
  assert.throws(
    () => parseDecimal('1e3', 'tree size'),
    (error: Error) => {
      assert.match(error.message, /^tree size is not/);
      assert.doesNotMatch(error.message, /1e3/);
      return true;
    },
  );
});
