import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { isOnCurve, type PrimeCurve } from '../../src/event/prime-curve.ts';
import { parseHex } from '../../src/formats/hex.ts';

/** The base points (SP 800-186 §3.2.1), and the primes. */
const CURVES: readonly { curve: PrimeCurve; x: string; y: string; p: bigint }[] = [
  {
    curve: 'P-256',
    x: '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
    y: '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
    p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
  },
  {
    curve: 'P-384',
    x: 'aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7',
    y: '3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f',
    p: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
  },
  {
    curve: 'P-521',
    x: '00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66',
    y: '011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650',
    p: (1n << 521n) - 1n,
  },
];

for (const { curve, x, y, p } of CURVES) {
  const bytes = x.length / 2;
  const encode = (value: bigint): Uint8Array => parseHex(value.toString(16).padStart(2 * bytes, '0'));
  const [gx, gy] = [BigInt(`0x${x}`), BigInt(`0x${y}`)];

  test(`${curve}: its base point and the inverse of that are on it, their neighbours are not`, () => {
    assert.ok(isOnCurve(curve, encode(gx), encode(gy)));
    assert.ok(isOnCurve(curve, encode(gx), encode(p - gy)));
    for (const [otherX, otherY] of [
      [gx + 1n, gy],
      [gx, gy + 1n],
      [gy, gx],
      [0n, 0n],
      [gx, 0n],
    ] as const) {
      assert.equal(isOnCurve(curve, encode(otherX), encode(otherY)), false);
    }
  });

  test(`${curve}: a coordinate that is not below p is none`, () => {
    const room = 1n << BigInt(8 * bytes);
    // Where the bytes leave room for it, a number that is the same modulo p.
    const same = gy + p < room ? gy + p : p;
    assert.equal(isOnCurve(curve, encode(gx), encode(same)), false);
    assert.equal(isOnCurve(curve, encode(room - 1n), encode(gy)), false);
    assert.equal(isOnCurve(curve, encode(p), encode(p)), false);
  });

  test(`${curve}: keys that the platform makes are on it, and with one bit changed are not`, () => {
    for (let i = 0; i < 8; i++) {
      const jwk = generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({ format: 'jwk' });
      const [ownX, ownY] = [Buffer.from(jwk.x!, 'base64url'), Buffer.from(jwk.y!, 'base64url')];
      assert.ok(isOnCurve(curve, ownX, ownY));
      ownY[bytes - 1]! ^= 1;
      assert.equal(isOnCurve(curve, ownX, ownY), false);
    }
  });
}
