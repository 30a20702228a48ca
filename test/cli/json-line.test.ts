import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatJsonLine } from '../../src/cli/json-line.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 5000 : 300;

test('what a terminal acts on is escaped, and what is shown is not', () => {
  const cases: readonly [text: string, line: string][] = [
    ['plain, “ü”, 日本, 😀', '"plain, “ü”, 日本, 😀"\n'],
    ['\u001b[31m', '"\\u001b[31m"\n'],
    ['\u007f\u0085\u009b31m', '"\\u007f\\u0085\\u009b31m"\n'],
    ['a\u202eb\u2066c\u200bd\ufeff', '"a\\u202eb\\u2066c\\u200bd\\ufeff"\n'],
    ['\u2028\u2029', '"\\u2028\\u2029"\n'],
    ['\u{e0041}', '"\\udb40\\udc41"\n'],
    ['\\\u202e', '"\\\\\\u202e"\n'],
  ];
  for (const [text, line] of cases) assert.equal(formatJsonLine(text), line);
  assert.equal(formatJsonLine({ '\u202e': ['\u009b'] }), '{"\\u202e":["\\u009b"]}\n');
});

test('every value is read back as it was, from one line', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const line = formatJsonLine(value);
      assert.equal(JSON.stringify(JSON.parse(line)), JSON.stringify(value));
      assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
    { numRuns },
  );
});
