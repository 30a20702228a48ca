import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NewelError } from '../../src/errors.ts';
import { parseJson } from '../../src/formats/json.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { JsonItems } from '../../src/http/json-items.ts';
import { SLOW } from '../support/slow.ts';

const NUM_RUNS = SLOW ? 20_000 : 600;
const MAX = 4096;

interface Found {
  readonly items: string[];
  /** Why it ended early. */
  readonly code: string | undefined;
}

function itemsOf(body: Uint8Array | string, cut = Infinity, maxBytes = MAX): Found {
  const bytes = typeof body === 'string' ? encodeUtf8(body) : body;
  const splitter = new JsonItems(maxBytes);
  const items: string[] = [];
  try {
    for (let at = 0; at < bytes.length; at += cut) {
      for (const { body: item } of splitter.push(bytes.subarray(at, at + cut))) items.push(decodeUtf8(item!));
    }
    assert.deepEqual([...splitter.end()], []);
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return { items, code: error.code };
  }
  return { items, code: undefined };
}

test('the elements of an array, each as it stands', () => {
  for (const [text, items] of [
    ['[]', []],
    [' [ ] \n', []],
    ['[{}]', ['{}']],
    ['[{"a":"],["}, {"b":[1,{"c":"\\"}"}]} ]', ['{"a":"],["}', '{"b":[1,{"c":"\\"}"}]} ']],
    ['[1,"x",null,[],[[2]]]', ['1', '"x"', 'null', '[]', '[[2]]']],
    ['\r\n[\t"\\\\",\n"é"]', ['"\\\\"', '"é"']],
  ] as const) {
    for (const cut of [Infinity, 1, 2, 3]) {
      assert.deepEqual(itemsOf(text, cut), { items, code: undefined }, text);
    }
  }
});

test('what is not an array is refused where it is wrong', () => {
  for (const [text, items] of [
    ['', []],
    ['{}', []],
    ['x', []],
    ['[', []],
    ['[{}', []],
    ['[{},]', ['{}']],
    ['[,{}]', []],
    ['[{},,{}]', ['{}']],
    ['[{} {}]', []],
    ['[{}{}]', []],
    ['[{}],', ['{}']],
    ['[{}]]', ['{}']],
    ['[{}] {}', ['{}']],
    ['[{}][{}]', ['{}']],
    ['[{"a":1],{"b":2}]', []],
    ['[{"a":[1}]', []],
    ['[}]', []],
    ['[{}},{}]', []],
    ['[[1]', []],
    ['["a]', []],
    ['["a\n"]', []],
    ['[{"a":1,"a":2},{}]', []],
    ['[{},9007199254740993]', ['{}']],
    ['[tru]', []],
    ['[1 2]', []],
    ['[{}//x\n]', []],
    ['\ufeff[]', []],
  ] as const) {
    for (const cut of [Infinity, 1, 3]) {
      assert.deepEqual(itemsOf(text, cut), { items, code: 'malformed' }, text);
    }
  }
  assert.deepEqual(itemsOf(Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d)), { items: [], code: 'malformed' });
});

test('an element that is too long ends it, however it is written, and is not held', () => {
  const long = `"${'x'.repeat(MAX)}"`;
  for (const text of [`[1,${long},2]`, `[1,${long}`, `[1,${' '.repeat(10)}{"a":${long}},2]`]) {
    assert.deepEqual(itemsOf(text, 7), { items: ['1'], code: 'too_large' });
  }
  const longest = `"${'x'.repeat(MAX - 2)}"`;
  assert.deepEqual(itemsOf(`[${longest}]`), { items: [longest], code: undefined });
});

test('it takes exactly what is an array, and hands out what is in it', () => {
  const value = fc.jsonValue({ depthSize: 'small' });
  const array = fc.array(value, { maxLength: 6 });
  const text = fc
    .tuple(array, fc.constantFrom(undefined, 1, '\t'))
    .map(([items, space]) => JSON.stringify(items, undefined, space));
  const spoilt = fc
    .tuple(text, fc.nat(), fc.constantFrom('', '[', ']', '{', '}', ',', '"', '\\', ' ', '0', ':', ',,'))
    .map(([whole, place, put]) => {
      const at = place % (whole.length + 1);
      return put === ''
        ? whole.slice(0, at) + whole.slice(at + 1)
        : whole.slice(0, at) + put + whole.slice(at);
    });
  const property = fc.property(fc.oneof(text, spoilt), fc.integer({ min: 1, max: 7 }), (body, cut) => {
    let wanted: unknown;
    try {
      wanted = parseJson(body);
    } catch {
      wanted = undefined;
    }
    const { items, code } = itemsOf(body, cut);
    if (!Array.isArray(wanted)) return assert.equal(code, 'malformed', body);
    assert.equal(code, undefined, body);
    assert.deepEqual(
      items.map((item) => parseJson(item)),
      wanted,
    );
  });
  fc.assert(property, { numRuns: NUM_RUNS });
});
