import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, rfc8949EncodeOptions, Tagged } from 'cborg';
import fc from 'fast-check';
import { type CborMap, CborTagged, type CborValue, formatCbor, parseCbor } from '../../src/formats/cbor.ts';
import { SLOW } from '../support/slow.ts';
import { spentCpuMs } from '../support/spent-cpu.ts';
import { fromHex, hasCode, readCases, runCases, toHex } from './cases.ts';
import { allMutationsOf, assertStrict, mutationsOf } from './mutations.ts';

const numRuns = SLOW ? 20_000 : 500;

/** A value as the vectors spell it: bytes, maps and tags are objects with one or two members. */
function spell(value: CborValue): unknown {
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  if (Array.isArray(value)) return value.map(spell);
  if (value instanceof Map) return { map: Array.from(value, ([key, member]) => [key, spell(member)]) };
  if (value instanceof CborTagged) return { tag: value.tag, value: spell(value.value) };
  return value;
}

runCases<{ bytes: string }>('cbor/parse.json', ({ bytes }) => {
  const value = parseCbor(fromHex(bytes));
  assert.equal(toHex(formatCbor(value)), bytes);
  return spell(value);
});

const key = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -300, max: 300 }), fc.string({ maxLength: 5 }));
const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.oneof(
      fc.maxSafeInteger(),
      fc.integer({ min: -300, max: 300 }),
      fc.boolean(),
      fc.constant(null),
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
    ),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 30 }).map((entries): CborMap => new Map(entries)),
    tie('value').map((value) => new CborTagged(value)),
  ),
}));

test('what is written is read back, maps in the one order', () => {
  const sorted = (value: CborValue): unknown => {
    if (value instanceof Map) {
      const entries = Array.from(value, ([name, member]) => [toHex(formatCbor(name)), sorted(member)]);
      return { map: entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)) };
    }
    if (Array.isArray(value)) return value.map(sorted);
    if (value instanceof CborTagged) return { tag: value.tag, value: sorted(value.value) };
    return value;
  };
  const inOrder = (value: CborValue): unknown =>
    value instanceof Map
      ? { map: Array.from(value, ([name, member]) => [toHex(formatCbor(name)), inOrder(member)]) }
      : Array.isArray(value)
        ? value.map(inOrder)
        : value instanceof CborTagged
          ? { tag: value.tag, value: inOrder(value.value) }
          : value;
  fc.assert(
    fc.property(anyValue, (value) => {
      assert.deepEqual(inOrder(parseCbor(formatCbor(value))), sorted(value));
    }),
    { numRuns },
  );
});

function toCborg(value: CborValue): unknown {
  if (value instanceof CborTagged) return new Tagged(value.tag, toCborg(value.value));
  if (value instanceof Map) return new Map(Array.from(value, ([name, member]) => [name, toCborg(member)]));
  return Array.isArray(value) ? value.map(toCborg) : value;
}

function cborgOf(bytes: Uint8Array): unknown {
  return decode(bytes, {
    strict: true,
    useMaps: true,
    rejectDuplicateMapKeys: true,
    allowIndefinite: false,
    allowUndefined: false,
    tags: Tagged.preserve(18),
  });
}

test('cborg writes the same bytes, and reads the same values', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = formatCbor(value);
      assert.equal(toHex(encode(toCborg(value), rfc8949EncodeOptions)), toHex(bytes));
      assert.deepEqual(cborgOf(bytes), toCborg(parseCbor(bytes)));
    }),
    { numRuns },
  );
});

test('any bytes are refused, or are the one encoding of a value; and cborg reads that value', () => {
  const byte = fc.oneof(
    fc.constantFrom(
      0x00,
      0x01,
      0x18,
      0x19,
      0x20,
      0x40,
      0x41,
      0x61,
      0x80,
      0x81,
      0x82,
      0xa0,
      0xa1,
      0xa2,
      0xd2,
      0xf6,
    ),
    fc.integer({ min: 0, max: 255 }),
  );
  let read = 0;
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 12 }), (list) => {
      const bytes = Uint8Array.from(list);
      let value: CborValue;
      try {
        value = parseCbor(bytes);
      } catch (error) {
        assert.ok(hasCode('malformed')(error));
        return;
      }
      assert.equal(toHex(formatCbor(value)), toHex(bytes));
      assert.deepEqual(cborgOf(bytes), toCborg(value));
      read++;
    }),
    { numRuns: numRuns * 20 },
  );
  assert.ok(read > 100, `${read} were read`);
});

test('a damaged encoding is refused, or is the one encoding of another value', () => {
  const bytes = formatCbor(
    new Map<number | string, CborValue>([
      [1, 1],
      [2, -16],
      [3, new Uint8Array(32).fill(7)],
      ['origin', 'log.example/é'],
      [-70000, [true, null, 2 ** 40, new CborTagged([new Uint8Array(0), 'x'])]],
    ]),
  );
  const { refused, accepted } = assertStrict(mutationsOf(bytes), parseCbor, formatCbor);
  assert.ok(refused > 300 && accepted > 300, `${refused} refused, ${accepted} accepted`);
  for (const { bytes: hex, wantErr } of readCases<{ bytes: string }>('cbor/parse.json')) {
    if (wantErr === undefined && hex.length < 80) {
      assertStrict(allMutationsOf(fromHex(hex)), parseCbor, formatCbor);
    }
  }
});

test('what it costs is bounded by the bytes that are there, not by what they announce', () => {
  const ms = spentCpuMs(() => {
    for (const head of [
      '9a7fffffff',
      '9b001fffffffffffff',
      'ba7fffffff',
      '5a7fffffff',
      '7b001fffffffffffff',
      '9affffffff00',
    ]) {
      assert.throws(() => parseCbor(fromHex(head)), hasCode('malformed'), head);
    }
    const many = formatCbor(Array.from({ length: 300_000 }, (_, i) => i));
    assert.equal((parseCbor(many) as number[]).length, 300_000);
    const map = formatCbor(new Map(Array.from({ length: 50_000 }, (_, i): [number, number] => [i, 0])));
    assert.equal((parseCbor(map) as CborMap).size, 50_000);
    assert.throws(() => parseCbor(fromHex('c2'.repeat(200_000))), hasCode('malformed'));
    assert.throws(() => parseCbor(fromHex('81'.repeat(1_000_000))), hasCode('malformed'));
    assert.throws(() => parseCbor(fromHex(`c25a00100000${'ff'.repeat(2 ** 20)}`)), hasCode('malformed'));
  });
  assert.ok(ms < 5_000, `${ms} ms`);
});

test('the depth that is allowed is the caller’s to say', () => {
  assert.deepEqual(parseCbor(fromHex('818100'), { maxDepth: 2 }), [[0]]);
  assert.throws(() => parseCbor(fromHex('818100'), { maxDepth: 1 }), {
    message: 'CBOR is nested deeper than 1',
  });
  assert.equal(parseCbor(fromHex('00'), { maxDepth: 0 }), 0);
});

test('byte strings are copies, and of no other kind than Uint8Array', () => {
  const input = Buffer.from('43010203', 'hex');
  const read = parseCbor(input) as Uint8Array;
  input.fill(0);
  assert.deepEqual(read, Uint8Array.of(1, 2, 3));
});

test('a value that would not be read back is a RangeError', () => {
  let deep: CborValue = 0;
  for (let i = 0; i < 17; i++) deep = [deep];
  const wrong: CborValue[] = [0.5, NaN, Infinity, 2 ** 53, -(2 ** 53), '\ud800', ['a\udc00'], deep];
  wrong.push(new Map([[0.5, 0]]), new Map([['\ud800', 0]]), new CborTagged(0.1));
  for (const value of wrong) assert.throws(() => formatCbor(value), RangeError);
  assert.equal(toHex(formatCbor(-0)), '00');
});

test('names what is wrong and does not repeat it', () => {
  for (const { bytes, wantErr } of readCases<{ bytes: string }>('cbor/parse.json')) {
    if (wantErr === undefined) continue;
    assert.throws(() => parseCbor(fromHex(bytes)), /: (CBOR [a-zA-Z0-9 ,±()^-]+|bytes are not valid UTF-8)$/);
  }
});
