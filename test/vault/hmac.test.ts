import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hmac } from '../../src/vault/hmac.ts';

test('is HMAC-SHA-256, of texts short and long, whatever was hashed before', () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.nat({ max: 40_000 }).map((length) => 'é'.repeat(length)),
  );
  fc.assert(
    fc.property(key, text, (key, text) => {
      const expected = createHmac('sha256', key).update(text).digest();
      assert.deepEqual(Buffer.from(hmac(key, text)), expected);
    }),
    { numRuns: 300 },
  );
});

test('a key of another size is refused', () => {
  for (const size of [0, 31, 33, 64]) assert.throws(() => hmac(new Uint8Array(size), ''), RangeError);
});
