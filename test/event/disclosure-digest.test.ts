import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOfDisclosure } from '../../src/event/disclosure-digest.ts';
import { digestOf, encodeDisclosure } from '../../src/formats/sd-jwt.ts';

const numRuns = process.env['SLOW'] ? 20_000 : 500;

function expected(json: string): string {
  return createHash('sha256').update(Buffer.from(json).toString('base64url')).digest('base64url');
}

test('is the digest of the encoded disclosure', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const json = JSON.stringify(['salt', 'name', text]);
      assert.equal(digestOfDisclosure(json), expected(json));
      assert.equal(digestOfDisclosure(json), digestOf(encodeDisclosure(json)));
    }),
    { numRuns },
  );
});

test('at every length, around the size of its buffers too, whatever stood in them before', () => {
  const lengths = [...Array.from({ length: 200 }, (_, i) => i), 4094, 4095, 4096, 4097, 4098, 9000];
  for (const length of lengths) {
    for (const character of ['a', 'é', '字']) {
      const json = character.repeat(length);
      digestOfDisclosure('\u07ff'.repeat(length + 5));
      assert.equal(digestOfDisclosure(json), expected(json), `${length} of ${character}`);
    }
  }
});

test('gives the digest of RFC 9901 §4.2.1', () => {
  const json = '["_26bc4LT-ac6q2KI6cBW5es", "family_name", "Möbius"]';
  assert.equal(digestOfDisclosure(json), 'X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0');
});
