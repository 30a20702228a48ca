import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GrowingBytes } from '../../src/core/growing-bytes.ts';
import { SLOW } from '../support/slow.ts';

test('what was added comes back, however it was cut, and no more than twice of it is held', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 40 });
  fc.assert(
    fc.property(pieces, fc.integer({ min: 0, max: 2000 }), (parts, maxBytes) => {
      const growing = new GrowingBytes(maxBytes);
      for (const part of parts) {
        const promised = growing.heldBytesWith(part.length);
        growing.add(part);
        assert.equal(growing.heldBytes, promised);
        assert.ok(growing.heldBytes >= growing.length && growing.heldBytes <= 2 * growing.length);
        assert.ok(growing.heldBytes <= Math.max(maxBytes, growing.length));
      }
      const whole = Buffer.concat(parts);
      assert.equal(growing.length, whole.length);
      const taken = growing.take();
      assert.deepEqual(Buffer.from(taken), whole);
      assert.equal(taken.buffer.byteLength, whole.length);
      assert.deepEqual([growing.length, growing.heldBytes], [0, 0]);
    }),
    { numRuns: SLOW ? 5000 : 200 },
  );
});

test('a piece is copied, and what was taken is not written to again', () => {
  const growing = new GrowingBytes(8);
  const piece = Uint8Array.of(1, 2);
  growing.add(piece);
  piece.fill(9);
  const first = growing.take();
  growing.add(Uint8Array.of(3));
  assert.deepEqual([[...first], [...growing.take()]], [[1, 2], [3]]);
});

test('200,000 pieces of a byte are one array', () => {
  const growing = new GrowingBytes(200_000);
  for (let i = 0; i < 200_000; i++) growing.add(Uint8Array.of(i & 0xff));
  const bytes = growing.take();
  assert.equal(bytes.length, 200_000);
  assert.ok(bytes.every((byte, i) => byte === (i & 0xff)));
});
