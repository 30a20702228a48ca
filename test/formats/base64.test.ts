import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatBase64, parseBase64 } from '../../src/formats/base64.ts';
import { SLOW } from '../support/slow.ts';
import { hasCode, runCases, toHex } from './cases.ts';

const numRuns = SLOW ? 20_000 : 500;

runCases<{ text: string }>('base64/parse.json', ({ text }) => {
  const bytes = parseBase64(text);
  assert.equal(formatBase64(bytes), text);
  return toHex(bytes);
});

test('writes what Node writes, and reads it back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = formatBase64(bytes);
      assert.equal(text, Buffer.from(bytes).toString('base64'));
      assert.deepEqual(parseBase64(text), new Uint8Array(bytes));
    }),
    { numRuns },
  );
});

test('reads a text of four characters only if it is the one spelling of its bytes, for all 65^2 endings', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=';
  let accepted = 0;
  for (const third of alphabet) {
    for (const last of alphabet) {
      const text = `Zm${third}${last}`;
      if (Buffer.from(text, 'base64').toString('base64') === text) {
        assert.equal(formatBase64(parseBase64(text)), text);
        accepted++;
      } else {
        assert.throws(() => parseBase64(text), hasCode('malformed'), text);
      }
    }
  }
  // "m" leaves no room for one byte (its unused bits are not zero): 64 · 64 whole groups and 16 of two bytes.
  assert.equal(accepted, 64 * 64 + 16);
});

test('refuses every single character that is not in the alphabet', () => {
  for (let code = 0; code < 0x250; code++) {
    const char = String.fromCharCode(code);
    if (/[A-Za-z0-9+/]/.test(char)) continue;
    for (const text of [`${char}AAA`, `A${char}AA`, `AA${char}A`, `${char}A==`, `A${char}==`, `AA${char}=`]) {
      if (text === 'AA==') continue;
      assert.throws(() => parseBase64(text), hasCode('malformed'), `U+${code.toString(16)}`);
    }
  }
});

test('names what is wrong and does not repeat it', () => {
  assert.throws(() => parseBase64('secret!!', 'root hash'), {
    message: 'root hash is not canonical padded base64',
  });
});
