import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatBase64Url, parseBase64Url } from '../../src/formats/base64url.ts';
import { SLOW } from '../support/slow.ts';
import { hasCode, runCases, toHex } from './cases.ts';

const numRuns = SLOW ? 20_000 : 500;

runCases<{ text: string }>('base64url/parse.json', ({ text }) => {
  const bytes = parseBase64Url(text, 'text');
  assert.equal(formatBase64Url(bytes), text);
  return toHex(bytes);
});

test('writes what Node writes, and reads it back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = formatBase64Url(bytes);
      assert.equal(text, Buffer.from(bytes).toString('base64url'));
      assert.deepEqual(parseBase64Url(text, 'text'), new Uint8Array(bytes));
    }),
    { numRuns },
  );
});

test('writes long texts too, and one never shows in the next', () => {
  for (const length of [6143, 6144, 6145, 6146, 3, 100_000, 1, 0]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 197) ^ (i >> 8));
    assert.equal(formatBase64Url(bytes), Buffer.from(bytes).toString('base64url'), `${length} bytes`);
  }
});

test('reads a text of two to four characters only if it is the one spelling of its bytes, for all endings', () => {
  const alphabet = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
  let accepted = 0;
  for (const second of alphabet) {
    for (const rest of ['', ...alphabet, ...alphabet.map((char) => `m${char}`)]) {
      const text = `Z${second}${rest}`;
      if (Buffer.from(text, 'base64url').toString('base64url') === text) {
        assert.equal(formatBase64Url(parseBase64Url(text, 'text')), text);
        accepted++;
      } else {
        assert.throws(() => parseBase64Url(text, 'text'), hasCode('malformed'), text);
      }
    }
  }
  // Two characters hold one byte and four unused bits, three two bytes and two unused bits, four have none.
  assert.equal(accepted, 64 / 16 + (64 * 64) / 4 + 64 * 64);
});

test('refuses every single character that is not in the alphabet', () => {
  for (let code = 0; code < 0x250; code++) {
    const char = String.fromCharCode(code);
    if (/[A-Za-z0-9_-]/.test(char)) continue;
    for (const text of [
      `${char}AAA`,
      `A${char}AA`,
      `AA${char}A`,
      `AAA${char}`,
      `${char}A`,
      `A${char}`,
      `AA${char}`,
    ]) {
      assert.throws(() => parseBase64Url(text, 'text'), hasCode('malformed'), `U+${code.toString(16)}`);
    }
  }
});

test('names what is wrong and does not repeat it', () => {
  assert.throws(() => parseBase64Url('secret!!', 'salt'), {
    message: 'salt is not canonical unpadded base64url',
  });
});
