import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertOrigin, isKeyName } from '../../src/formats/key-name.ts';
import { hasCode, runCases } from './cases.ts';

runCases<{ name: string }>('key-name/names.json', ({ name }) => isKeyName(name));

runCases<{ origin: string }>('key-name/origins.json', ({ origin }) => {
  assertOrigin(origin);
  assert.ok(isKeyName(origin), 'an origin names a key');
  return true;
});

test('the spaces of a key name are those of Go’s unicode.IsSpace, over all of Unicode', () => {
  const spaces = new Set([0x20, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]);
  for (let code = 0x09; code <= 0x0d; code++) spaces.add(code);
  for (let code = 0x2000; code <= 0x200a; code++) spaces.add(code);
  for (let code = 0; code <= 0x10ffff; code++) {
    const surrogate = code >= 0xd800 && code <= 0xdfff;
    const refused = code < 0x20 || code === 0x2b || surrogate || spaces.has(code);
    if (isKeyName(String.fromCodePoint(code)) === refused) assert.fail(`U+${code.toString(16)}`);
  }
});

test('a lone surrogate is neither name nor origin', () => {
  assert.equal(isKeyName('a\ud800'), false);
  assert.throws(() => assertOrigin('a\ud800'), hasCode('malformed'));
});

test('says what is wrong with an origin', () => {
  const flaws: [origin: string, message: RegExp][] = [
    ['', /empty/],
    ['a'.repeat(256), /longer than 255 bytes/],
    ['a\tb', /control character/],
    ['a b', /space/],
    ['a+b', /plus/],
    ['https://log.example', /scheme/],
    ['/a', /begins with a slash/],
    ['a/', /ends with a slash/],
  ];
  for (const [origin, message] of flaws) assert.throws(() => assertOrigin(origin), message, origin);
});
