import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  entriesPrefix,
  formatEntries,
  MAX_ENTRY_BYTES,
  parseEntries,
} from '../../src/formats/entry-bundle.ts';
import { SLOW } from '../support/slow.ts';
import { fromHex, hasCode, runCases, toHex } from './cases.ts';
import { assertStrict, mutationsOf } from './mutations.ts';

const numRuns = SLOW ? 5_000 : 200;

runCases<{ bundle: string; width: number }>('entry-bundle/parse.json', ({ bundle, width }) => {
  const entries = parseEntries(fromHex(bundle), width);
  assert.equal(toHex(formatEntries(entries)), bundle);
  return entries.map(toHex);
});

runCases<{ bundle: string; width: number }>('entry-bundle/prefix.json', ({ bundle, width }) =>
  toHex(entriesPrefix(fromHex(bundle), width)),
);

test('entries read back, and every prefix is the bundle of the first entries', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256 }), (entries) => {
      const bundle = formatEntries(entries);
      assert.deepEqual(parseEntries(bundle, entries.length).map(toHex), entries.map(toHex));
      const width = Math.ceil(entries.length / 2);
      assert.deepEqual(entriesPrefix(bundle, width), formatEntries(entries.slice(0, width)));
      assert.deepEqual(entriesPrefix(bundle, entries.length), bundle);
      assert.throws(
        () => parseEntries(bundle, entries.length === 256 ? 255 : entries.length + 1),
        hasCode('malformed'),
      );
    }),
    { numRuns },
  );
});

test('entries and prefixes are views of the bundle, not copies', () => {
  const bundle = formatEntries([fromHex('aa'), fromHex('bb')]);
  for (const view of [...parseEntries(bundle, 2), entriesPrefix(bundle, 1)]) {
    assert.equal(view.buffer, bundle.buffer);
  }
});

test('an entry of 65,535 bytes fits and one more does not', () => {
  const longest = new Uint8Array(MAX_ENTRY_BYTES).fill(7);
  const bundle = formatEntries([longest, fromHex('00')]);
  assert.equal(toHex(bundle.subarray(0, 2)), 'ffff');
  assert.deepEqual(parseEntries(bundle, 2), [longest, fromHex('00')]);
  assert.throws(() => formatEntries([new Uint8Array(MAX_ENTRY_BYTES + 1)]), RangeError);
});

test('a bundle has at most 256 entries', () => {
  const entries = Array.from({ length: 257 }, () => fromHex('01'));
  assert.throws(() => formatEntries(entries), RangeError);
  assert.equal(parseEntries(formatEntries(entries.slice(1)), 256).length, 256);
  for (const width of [0, 257, -1, 1.5]) {
    assert.throws(() => parseEntries(fromHex('0000'), width), RangeError);
    assert.throws(() => entriesPrefix(fromHex('0000'), width), RangeError);
  }
});

test('a damaged bundle is refused, or is the one bundle of its entries', () => {
  const bundle = formatEntries(['', '61', 'a3'.repeat(40), '00ff'].map(fromHex));
  const { refused } = assertStrict(mutationsOf(bundle), (bytes) => parseEntries(bytes, 4), formatEntries);
  assert.ok(refused > 100, `${refused} refused`);
});
