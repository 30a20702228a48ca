/** ML-DSA-44 in plain JavaScript and by Node, where it has it: one seed one key, one message one signature, one rule. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { isMldsaNative, nodeMldsa44 } from '../../src/cli/mldsa-node.ts';
import {
  type Mldsa44,
  MLDSA44_PUBLIC_KEY_BYTES,
  MLDSA44_SEED_BYTES,
  MLDSA44_SIGNATURE_BYTES,
} from '../../src/formats/mldsa.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { SLOW } from '../support/slow.ts';

const seed = new Uint8Array(MLDSA44_SEED_BYTES).fill(1);
const publicKey = nobleMldsa44.publicKey(seed);
const message = new TextEncoder().encode('a message');
const signature = nobleMldsa44.sign(seed, message);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const implementations: [name: string, Mldsa44][] = [
  ['plain JavaScript', nobleMldsa44],
  [isMldsaNative ? 'node:crypto' : 'node:crypto, which has none here', nodeMldsa44],
];

for (const [name, mldsa44] of implementations) {
  test(`${name}: signs deterministically, and verifies it`, () => {
    assert.equal(publicKey.length, MLDSA44_PUBLIC_KEY_BYTES);
    assert.equal(signature.length, MLDSA44_SIGNATURE_BYTES);
    assert.deepEqual(mldsa44.publicKey(seed), publicKey);
    assert.deepEqual(mldsa44.sign(seed, message), signature);
    assert.equal(mldsa44.verify(publicKey, message, signature), true);
    assert.equal(mldsa44.verify(publicKey, new Uint8Array(0), mldsa44.sign(seed, new Uint8Array(0))), true);
  });

  test(`${name}: lengths that are wrong are false to verify, and a RangeError to sign`, () => {
    const longer = (bytes: Uint8Array): Uint8Array => new Uint8Array([...bytes, 0]);
    for (const change of [longer, (b: Uint8Array) => b.slice(1), () => new Uint8Array(0)]) {
      assert.equal(mldsa44.verify(change(publicKey), message, signature), false);
      assert.equal(mldsa44.verify(publicKey, message, change(signature)), false);
      assert.throws(() => mldsa44.sign(change(seed), message), RangeError);
      assert.throws(() => mldsa44.publicKey(change(seed)), RangeError);
    }
  });

  test(`${name}: a flipped bit is false, wherever it is`, () => {
    const step = SLOW ? 1 : 97;
    const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
      bytes.with(at, bytes[at]! ^ (1 << (at % 8)));
    for (let at = 0; at < publicKey.length; at += step)
      assert.equal(mldsa44.verify(flipped(publicKey, at), message, signature), false, `key byte ${at}`);
    for (let at = 0; at < signature.length; at += step)
      assert.equal(mldsa44.verify(publicKey, message, flipped(signature, at)), false, `byte ${at}`);
    // The hint, ω + k = 84 bytes at the end, is the part of a signature whose encoding has room for another spelling.
    for (let at = signature.length - 84; at < signature.length; at++)
      assert.equal(mldsa44.verify(publicKey, message, flipped(signature, at)), false, `hint byte ${at}`);
    for (let at = 0; at < message.length; at++)
      assert.equal(mldsa44.verify(publicKey, flipped(message, at), signature), false, `message byte ${at}`);
    assert.equal(mldsa44.verify(publicKey, message, new Uint8Array(MLDSA44_SIGNATURE_BYTES)), false);
    assert.equal(mldsa44.verify(new Uint8Array(MLDSA44_PUBLIC_KEY_BYTES), message, signature), false);
  });
}

test('seeds make the keys and signatures that they made before', () => {
  assert.deepEqual(
    { publicKey: sha256(publicKey), signature: sha256(signature) },
    {
      publicKey: 'bc7f72c940225e3998067ebef1d7cd2cad938de8f70b34c515a81d9efacac204',
      signature: '01d00f20f84a314f492ae16b8cf83e9f5a8dee3242928a9ba278901abe91e738',
    },
  );
});
