import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeUtf8, encodeUtf8, hasControlCharacter, isWellFormed } from '../../src/formats/text.ts';
import { SLOW } from '../support/slow.ts';
import { fromHex, hasCode } from './cases.ts';

const numRuns = SLOW ? 50_000 : 1_000;

test('what encodes decodes to the same text, a byte order mark included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(decodeUtf8(encodeUtf8(text)), text);
    }),
    { numRuns },
  );
  assert.equal(decodeUtf8(encodeUtf8('\ufeffa')), '\ufeffa');
});

test('what decodes encodes to the same bytes, and all else is malformed', () => {
  let decoded = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4 }), (bytes) => {
      let text: string;
      try {
        text = decodeUtf8(bytes);
      } catch (error) {
        assert.ok(hasCode('malformed')(error));
        assert.notDeepEqual(Buffer.from(Buffer.from(bytes).toString('utf8')), Buffer.from(bytes));
        return;
      }
      decoded++;
      assert.deepEqual(Buffer.from(encodeUtf8(text)), Buffer.from(bytes));
    }),
    { numRuns },
  );
  assert.ok(decoded > 0);
});

test('refuses each kind of wrong UTF-8', () => {
  for (const hex of ['ff', '80', 'c0ae', 'c3', 'e280', 'eda080', 'f4908080', 'f8888080', '6180']) {
    assert.throws(() => decodeUtf8(fromHex(hex)), hasCode('malformed'), hex);
  }
});

test('a refusal leaves the decoder as it was', () => {
  assert.throws(() => decodeUtf8(fromHex('e280')), hasCode('malformed'));
  assert.equal(decodeUtf8(fromHex('61')), 'a');
});

test('a lone surrogate is no text', () => {
  for (const text of ['\ud800', 'a\udc00', '\udc00\ud800', '\ud83c']) {
    assert.equal(isWellFormed(text), false);
    assert.throws(() => encodeUtf8(text), hasCode('malformed'));
  }
  assert.equal(isWellFormed('\ud83c\udf33'), true);
});

test('control characters are those below U+0020, but newline', () => {
  for (let code = 0; code < 0x100; code++) {
    const expected = code < 0x20 && code !== 0x0a;
    assert.equal(hasControlCharacter(`a${String.fromCharCode(code)}b`), expected, `U+${code.toString(16)}`);
  }
});
