import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf, encodeDisclosure } from '../../src/formats/sd-jwt.ts';
import { nodeDisclosureDigest } from '../../src/vault/disclosure-digest.ts';

const numRuns = process.env['SLOW'] ? 20_000 : 500;

function expected(json: string): string {
  return createHash('sha256').update(Buffer.from(json).toString('base64url')).digest('base64url');
}

test('is the digest of the encoded disclosure', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom(1, 1, 100), (part, times) => {
      const text = part.repeat(times);
      const json = JSON.stringify(['salt', 'name', text]);
      assert.equal(nodeDisclosureDigest(json), expected(json));
      assert.equal(nodeDisclosureDigest(json), digestOf(encodeDisclosure(json)));
    }),
    { numRuns },
  );
});

test('gives the digest of RFC 9901 §4.2.1', () => {
  const json = '["_26bc4LT-ac6q2KI6cBW5es", "family_name", "Möbius"]';
  assert.equal(nodeDisclosureDigest(json), 'X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0');
});
