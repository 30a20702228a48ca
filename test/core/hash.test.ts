import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, equalBytes } from '../../src/core/bytes.ts';
import { EMPTY_ROOT, HASH_SIZE, hashBytes, hashLeaf, hashNode } from '../../src/core/hash.ts';

const sha256 = (...parts: Uint8Array[]): Uint8Array =>
  new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());

const bytes = fc.uint8Array({ maxLength: 300 });
const hash = fc.uint8Array({ minLength: HASH_SIZE, maxLength: HASH_SIZE });

test('the known hashes of nothing', () => {
  // FIPS 180-4: SHA-256 of the empty string; RFC 6962: the leaf hash of an empty entry.
  assert.equal(
    Buffer.from(EMPTY_ROOT).toString('hex'),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
  assert.equal(
    Buffer.from(hashLeaf(new Uint8Array(0))).toString('hex'),
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  );
});

test('agrees with node:crypto, and keeps leaves and nodes apart', () => {
  fc.assert(
    fc.property(bytes, hash, hash, (entry, left, right) => {
      assert.deepEqual(hashBytes(entry), sha256(entry));
      assert.deepEqual(hashLeaf(entry), sha256(Uint8Array.of(0), entry));
      assert.deepEqual(hashNode(left, right), sha256(Uint8Array.of(1), left, right));
      assert.notDeepEqual(hashLeaf(concatBytes(left, right)), hashNode(left, right));
    }),
  );
});

test('returns a fresh array each time', () => {
  const left = hashLeaf(Uint8Array.of(1));
  const right = hashLeaf(Uint8Array.of(2));
  const first = hashNode(left, right);
  const kept = first.slice();
  hashNode(right, left);
  assert.deepEqual(first, kept);
});

test('a child that is no hash is refused, never padded', () => {
  const good = new Uint8Array(HASH_SIZE);
  for (const length of [0, 1, HASH_SIZE - 1, HASH_SIZE + 1, 2 * HASH_SIZE]) {
    assert.throws(() => hashNode(new Uint8Array(length), good), RangeError);
    assert.throws(() => hashNode(good, new Uint8Array(length)), RangeError);
  }
});

test('equalBytes and concatBytes', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0);
      assert.equal(equalBytes(a, a.slice()), true);
      assert.deepEqual(concatBytes(a, b), new Uint8Array(Buffer.concat([a, b])));
    }),
  );
  assert.equal(concatBytes().length, 0);
  for (let i = 0; i < HASH_SIZE; i++) {
    const changed = new Uint8Array(HASH_SIZE);
    changed[i] = 1;
    assert.equal(equalBytes(changed, new Uint8Array(HASH_SIZE)), false);
  }
});
