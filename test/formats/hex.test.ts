import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatHex, parseHex } from '../../src/formats/hex.ts';
import { SLOW } from '../support/slow.ts';
import { hasCode } from './cases.ts';

const numRuns = SLOW ? 20_000 : 300;

test('writes what Node writes, and reads it back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = formatHex(bytes);
      assert.equal(text, Buffer.from(bytes).toString('hex'));
      assert.deepEqual(parseHex(text), new Uint8Array(bytes));
    }),
    { numRuns },
  );
});

test('refuses upper case, half a byte, and every other character in either place', () => {
  assert.throws(() => parseHex('0'), hasCode('malformed'));
  assert.throws(() => parseHex('000'), hasCode('malformed'));
  for (let code = 0; code < 0x250; code++) {
    const char = String.fromCharCode(code);
    if (/[0-9a-f]/.test(char)) continue;
    assert.throws(() => parseHex(`${char}0`), hasCode('malformed'), `U+${code.toString(16)} first`);
    assert.throws(() => parseHex(`0${char}`), hasCode('malformed'), `U+${code.toString(16)} second`);
  }
});
