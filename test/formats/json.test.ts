import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
  setMember,
} from '../../src/formats/json.ts';
import { SLOW } from '../support/slow.ts';
import { hasCode, readCases, runCases } from './cases.ts';

const numRuns = SLOW ? 50_000 : 1_000;

runCases<{ text: string }>('json/parse.json', ({ text }) => parseJson(text));

test('reads what JSON.stringify writes, and as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
      const text = JSON.stringify(value, null, space);
      assert.deepEqual(parseJson(text), JSON.parse(text));
    }),
    { numRuns },
  );
});

const PIECES = [
  ' ',
  ...String.raw`{ } [ ] : , "a" "\u0061" "\n" "b" 0 -1 1.50 1e2 true null {"a": "b":`.split(' '),
];
const WRONG_PIECES = ['\n', '\0', '\ufeff', ...String.raw`" "\ \ - . e + 01 nul 1e9 [1, {"a":1`.split(' ')];

test('reads nothing that JSON.parse does not, and the same value', () => {
  const piece = fc.constantFrom(...PIECES, ...WRONG_PIECES);
  let read = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      let value: JsonValue;
      try {
        value = parseJson(text);
      } catch (error) {
        assert.ok(hasCode('malformed')(error));
        return;
      }
      assert.deepEqual(value, JSON.parse(text));
      read++;
    }),
    { numRuns: numRuns * 10 },
  );
  assert.ok(read > 100, `${read} texts were read`);
});

test('refuses a valid text for nothing but a name twice, a number or its depth', () => {
  const piece = fc.constantFrom(...PIECES);
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      try {
        JSON.parse(text);
      } catch {
        return;
      }
      try {
        parseJson(text);
      } catch (error) {
        assert.match((error as Error).message, /^JSON has a member name twice in one object, at offset \d+$/);
      }
    }),
    { numRuns: numRuns * 10 },
  );
});

test('a name twice is found among any others, at its place, however it is spelt', () => {
  const escape = (name: string): string =>
    `"${Array.from(name, (char) => Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')).join('')}"`;
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 8 }), { minLength: 1, maxLength: 40 }),
      fc.nat(),
      fc.nat(),
      fc.boolean(),
      fc.boolean(),
      (names, pick, place, escaped, nested) => {
        const spelt = names.map((name) => JSON.stringify(name));
        assert.equal(
          Object.keys(parseJson(`{${spelt.map((name) => `${name}:0`).join()}}`) as JsonObject).length,
          names.length,
        );
        const twice = names[pick % names.length]!;
        spelt.push(escaped ? escape(twice) : JSON.stringify(twice));
        const last = place % names.length;
        // The repetition changes places with another: what is found is whichever of the two comes second.
        [spelt[last], spelt[names.length]] = [spelt[names.length]!, spelt[last]!];
        const members = spelt.map((name) => `${name}:0`);
        const text = nested ? `{"x":[{${members.join()}}]}` : `{${members.join()}}`;
        assert.throws(
          () => parseJson(text),
          /^NewelError: JSON has a member name twice in one object, at offset \d+$/,
        );
      },
    ),
    { numRuns },
  );
});

test('a number is read exactly where the double prints as it, and refused elsewhere', () => {
  const digits = fc.stringMatching(/^(0|[1-9][0-9]{0,19})(\.[0-9]{1,19})?([eE][-+]?[0-9]{1,3})?$/);
  fc.assert(
    fc.property(digits, fc.boolean(), (literal, negative) => {
      const text = negative ? `-${literal}` : literal;
      const number = Number(text);
      if (isFinite(number) && sameDecimal(text, String(number))) assert.equal(parseJson(text), number);
      else assert.throws(() => parseJson(text), hasCode('malformed'), text);
    }),
    { numRuns: numRuns * 5 },
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      assert.equal(parseJson(String(number)), number + 0);
      assert.equal(parseJson(number.toExponential()), number + 0);
    }),
    { numRuns },
  );
});

/** Whether two spellings are of one decimal value, in exact arithmetic. */
function sameDecimal(a: string, b: string): boolean {
  const parts = [a, b].map((text) => {
    const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
    const [whole = '', fraction = ''] = mantissa.split('.');
    return { digits: BigInt(whole + fraction), power: Number(exponent) - fraction.length };
  });
  const lowest = Math.min(...parts.map(({ power }) => power));
  const [x, y] = parts.map(({ digits, power }) => digits * 10n ** BigInt(power - lowest));
  return x === y;
}

test('minus zero is zero', () => {
  assert.deepEqual(parseJson('[-0,-0.0,-0e9]'), [-0, -0, -0]);
  assert.equal(JSON.stringify(parseJson('[-0]')), '[0]');
});

test('a member called __proto__ is a member, and no object gets another prototype', () => {
  for (const text of [
    '{"__proto__":{"polluted":1}}',
    '{"\\u005f_proto__":{"polluted":1}}',
    '{"a":{"__proto__":[]}}',
  ]) {
    const value = parseJson(text) as JsonObject;
    const holder = (value['a'] ?? value) as JsonObject;
    assert.deepEqual(Object.keys(holder), ['__proto__']);
    assert.equal(Object.getPrototypeOf(holder), Object.prototype);
    assert.equal(holder['polluted'], undefined);
    assert.equal(JSON.stringify(value), JSON.stringify(JSON.parse(text)));
  }
  const object: JsonObject = {};
  setMember(object, '__proto__', 1);
  setMember(object, 'a', 2);
  assert.equal(JSON.stringify(object), '{"__proto__":1,"a":2}');
  assert.equal(Object.getPrototypeOf(object), Object.prototype);
});

test('the depth that is allowed is the caller’s to say', () => {
  const nested = (depth: number): string => '[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2);
  assert.doesNotThrow(() => parseJson(nested(6), { maxDepth: 6 }));
  assert.throws(() => parseJson(nested(6), { maxDepth: 5 }), {
    message: 'JSON is nested deeper than 5, at offset 13',
  });
  assert.equal(parseJson('1', { maxDepth: 0 }), 1);
  assert.throws(() => parseJson('[]', { maxDepth: 0 }), hasCode('malformed'));
  assert.throws(() => parseJson('['.repeat(10_000_000)), hasCode('malformed'));
});

test('says where, and repeats nothing of the text', () => {
  const messages: Record<string, string> = {
    '{"secret":1,"secret":2}': 'JSON has a member name twice in one object, at offset 12',
    '[9007199254740993]': 'JSON has a number that a double does not hold as it is written, at offset 1',
    '["secret\\x"]': 'JSON has a string with an invalid escape, at offset 1',
    '["secret\n"]': 'JSON is not well-formed, at offset 8',
    '["secret': 'JSON ends too early, at offset 8',
    '["secret\\': 'JSON ends too early, at offset 9',
    '{"secret"': 'JSON ends too early, at offset 9',
    '{"a":secret}': 'JSON is not well-formed, at offset 5',
    '[1] secret': 'JSON is not well-formed, at offset 4',
    '': 'JSON ends too early, at offset 0',
  };
  for (const [text, message] of Object.entries(messages))
    assert.throws(() => parseJson(text), { message }, text);
  for (const { text, wantErr } of readCases<{ text: string }>('json/parse.json')) {
    if (wantErr !== undefined) assert.throws(() => parseJson(text), /: JSON [ a-zA-Z0-9,-]+, at offset \d+$/);
  }
});

test('time is linear in the length, whatever is in it', () => {
  const inputs: Record<string, (n: number) => string> = {
    'a long string': (n) => `"${'a'.repeat(n)}"`,
    escapes: (n) => `"${'\\u0061'.repeat(n / 6)}"`,
    'backslashes without an end': (n) => `"${'\\\\'.repeat(n / 2)}`,
    'zeros between two digits': (n) => `1${'0'.repeat(n)}1`,
    'zeros after the point': (n) => `0.${'0'.repeat(n)}1`,
    'a fraction of zeros': (n) => `1.${'0'.repeat(n)}`,
    'an exponent': (n) => `1e${'9'.repeat(n)}`,
    'white space': (n) => `[${' '.repeat(n)}]`,
    members: (n) => `{${Array.from({ length: n / 12 }, (_, i) => `"${i}x":${i}`).join()}}`,
    'members with numbers for names': (n) =>
      `{${Array.from({ length: n / 14 }, (_, i) => `"${4e9 - i}":0`).join()}}`,
    elements: (n) => `[${'0,'.repeat(n / 2)}0]`,
    'empty arrays': (n) => `[${'[],'.repeat(n / 3)}[]]`,
  };
  for (const [what, make] of Object.entries(inputs)) {
    const text = make(500_000);
    const begin = performance.now();
    try {
      parseJson(text);
    } catch (error) {
      assert.ok(hasCode('malformed')(error));
    }
    const tookMs = performance.now() - begin;
    assert.ok(tookMs < 2_000, `500 kB of ${what} took ${tookMs.toFixed(0)} ms`);
  }
});

test('an object is told from all other values', () => {
  assert.equal(isJsonObject({}), true);
  for (const other of [null, undefined, [], 'a', 1, true]) assert.equal(isJsonObject(other), false);
});
