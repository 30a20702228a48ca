import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import * as formats from '../../src/formats/sd-jwt.ts';
import { digestOf, encodeDisclosure } from '../../src/vault/disclosure.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 20_000 : 500;

test('encodes and digests as the format does, short and long', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom(1, 1, 100), (part, times) => {
      const json = JSON.stringify(['salt', 'name', part.repeat(times)]);
      const encoded = encodeDisclosure(json);
      assert.equal(encoded, Buffer.from(json).toString('base64url'));
      assert.equal(encoded, formats.encodeDisclosure(json));
      assert.equal(digestOf(encoded), createHash('sha256').update(encoded).digest('base64url'));
      assert.equal(digestOf(encoded), formats.digestOf(encoded));
    }),
    { numRuns },
  );
});

test('gives the digest of RFC 9901 §4.2.1', () => {
  const json = '["_26bc4LT-ac6q2KI6cBW5es", "family_name", "Möbius"]';
  assert.equal(digestOf(encodeDisclosure(json)), 'X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0');
});
