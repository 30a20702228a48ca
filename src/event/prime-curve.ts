/**
 * The NIST curves over prime fields, as far as a public key is to be checked (SP 800-186 §3.2.1, SEC 1 §3.2.2):
 *
 *   y² = x³ − 3x + b (mod p)
 *
 * Their cofactor is 1, so every point of the curve but the one at infinity, which has no coordinates, is a public key.
 */

import { formatHex } from '../formats/hex.ts';

export type PrimeCurve = 'P-256' | 'P-384' | 'P-521';

const CURVES: Readonly<Record<PrimeCurve, { readonly p: bigint; readonly b: bigint }>> = {
  'P-256': {
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8_aa3a93e7_b3ebbd55_769886bc_651d06b0_cc53b0f6_3bce3c3e_27d2604bn,
  },
  'P-384': {
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7_e23ee7e4_988e056b_e3f82d19_181d9c6e_fe814112_0314088f_5013875a_c656398d_8a2ed19d_2a85c8ed_d3ec2aefn,
  },
  'P-521': {
    p: 2n ** 521n - 1n,
    b: 0x51_953eb961_8e1c9a1f_929a21a0_b68540ee_a2da725b_99b315f3_b8b48991_8ef109e1_56193951_ec7e937b_1652c0bd_3bb1bf07_3573df88_3d2c34f1_ef451fd4_6b503f00n,
  },
};

/** Whether two big-endian coordinates, both below p, are those of a point of the curve. */
export function isOnCurve(curve: PrimeCurve, xBytes: Uint8Array, yBytes: Uint8Array): boolean {
  const { p, b } = CURVES[curve];
  const x = integerOf(xBytes);
  const y = integerOf(yBytes);
  return x < p && y < p && (y * y - (x * x * x - 3n * x + b)) % p === 0n;
}

function integerOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${formatHex(bytes)}`);
}
