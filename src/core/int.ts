/**
 * Tree sizes and indexes are `number`s below 2^53. JavaScript's shifts and bit operators truncate to 32 bits
 * (`2 ** 32 >> 1` is 0), so a size is never shifted: it is divided, and only its 32-bit halves meet an operator.
 */

const TWO_32 = 2 ** 32;

/** Whether `x` can be a tree size: a whole number, 0 ≤ x < 2^53. */
export function isSize(x: number): boolean {
  return Number.isSafeInteger(x) && x >= 0;
}

/** Throws `RangeError` unless `x` is a whole number, 0 ≤ x < 2^53. */
export function assertSize(x: number, name: string): void {
  if (!isSize(x)) throw new RangeError(`${name} expected a whole number below 2^53, got ${x}`);
}

/** ⌊x / 2⌋ */
export function half(x: number): number {
  return Math.floor(x / 2);
}

/** How many bits `x` needs: 0 → 0, 1 → 1, 255 → 8, 256 → 9. */
export function bitLength(x: number): number {
  const high = Math.floor(x / TWO_32);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(x);
}

/** How many times 2 divides `x`, x > 0: 1 → 0, 8 → 3. */
export function trailingZeros(x: number): number {
  const low = x % TWO_32;
  return low === 0 ? 32 + trailingZeros(x / TWO_32) : 31 - Math.clz32(low & -low);
}

/** The largest power of two that is smaller than `x`, x ≥ 2 (RFC 6962 §2.1 calls it k). */
export function splitPoint(x: number): number {
  return 2 ** (bitLength(x - 1) - 1);
}
