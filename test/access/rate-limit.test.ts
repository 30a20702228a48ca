import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Principal } from '../../src/access/principal.ts';
import { RateLimits } from '../../src/access/rate-limit.ts';
import { RateLimitedError } from '../../src/errors.ts';
import { SLOW } from '../support/slow.ts';

const APP: Principal = { name: 'app', role: 'submit', sources: ['s'] };

class Bucket {
  nowMs = 12.75;
  readonly limits: RateLimits;

  constructor(rate: number) {
    this.limits = new RateLimits({ rate, elapsed: () => this.nowMs });
  }

  /** Whether the charge passes; if not, after how many seconds it would. */
  take(count: number, principal = APP): number {
    try {
      this.limits.charge(principal, count);
      return 0;
    } catch (error) {
      assert.ok(error instanceof RateLimitedError);
      return error.retryAfterS;
    }
  }
}

test('two seconds of the rate at once, then the rate', () => {
  const bucket = new Bucket(5);
  for (let i = 0; i < 10; i++) assert.equal(bucket.take(1), 0);
  assert.equal(bucket.take(1), 1);
  bucket.nowMs += 199;
  assert.equal(bucket.take(1), 1);
  bucket.nowMs += 1;
  assert.equal(bucket.take(1), 0);
  assert.equal(bucket.take(1), 1);
  bucket.nowMs += 3_600_000;
  for (let i = 0; i < 10; i++) assert.equal(bucket.take(1), 0);
  assert.equal(bucket.take(1), 1, 'rest is not saved up');
});

test('what is refused says the limit, its unit, and takes nothing', () => {
  const { limits } = new Bucket(3);
  limits.charge(APP, 6);
  const expected = { code: 'rate_limited', limit: 3, retryAfterS: 2 };
  assert.throws(() => limits.charge(APP, 4), { ...expected, unit: 'events' });
  assert.throws(() => limits.charge(APP, 4, 'requests'), { ...expected, unit: 'requests' });
});

test('a group larger than the bucket passes when it is full, and is paid for', () => {
  const bucket = new Bucket(10);
  assert.equal(bucket.take(1), 0);
  assert.equal(bucket.take(500), 1, 'not quite full');
  bucket.nowMs += 100;
  assert.equal(bucket.take(500), 0);
  assert.equal(bucket.take(1), 49, '480 are owed, and one is wanted');
  bucket.nowMs += 48_099;
  assert.equal(bucket.take(1), 1);
  bucket.nowMs += 1;
  assert.equal(bucket.take(1), 0);
});

test('callers have a bucket each, of their own rate where they have one', () => {
  const bucket = new Bucket(1);
  const fast: Principal = { ...APP, name: 'fast', rate: 100 };
  assert.equal(bucket.take(2), 0);
  assert.equal(bucket.take(1), 1);
  assert.equal(bucket.take(200, fast), 0);
  assert.equal(bucket.take(1, fast), 1);
  assert.equal(bucket.take(2, { ...APP, name: 'other' }), 0);
  // A rate that was changed counts from now on.
  assert.equal(bucket.take(1, { ...fast, rate: 1 }), 1);
});

test('over any time, no more passes than the burst, the rate and one group; and whoever waits as told, passes', () => {
  const steps = fc.array(fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 40 })), { maxLength: 60 });
  const property = fc.property(fc.integer({ min: 1, max: 30 }), steps, (rate, charges) => {
    const bucket = new Bucket(rate);
    const startMs = bucket.nowMs;
    let taken = 0;
    for (const [waitMs, count] of charges) {
      bucket.nowMs += waitMs;
      const retryAfterS = bucket.take(count);
      if (retryAfterS > 0) {
        bucket.nowMs += retryAfterS * 1000;
        assert.equal(bucket.take(count), 0, 'after Retry-After it passes');
      }
      taken += count;
      assert.ok(taken - 40 <= rate * (2 + (bucket.nowMs - startMs) / 1000));
    }
  });
  fc.assert(property, { numRuns: SLOW ? 2000 : 100 });
});

test('a clock that does not go on gives nothing, and one that goes back takes nothing', () => {
  const bucket = new Bucket(1);
  assert.equal(bucket.take(2), 0);
  bucket.nowMs -= 10;
  assert.equal(bucket.take(1), 1);
  bucket.nowMs += 1000;
  assert.equal(bucket.take(1), 0);
});

test('buckets are bounded: who was still longest is forgotten first', () => {
  const bucket = new Bucket(1);
  const caller = (i: number): Principal => ({ ...APP, name: `oidc:${i}` });
  for (const name of ['idle', 'busy']) bucket.take(2, { ...APP, name });
  for (let i = 0; i < 65_534; i++) bucket.take(1, caller(i));
  assert.equal(bucket.take(1, { ...APP, name: 'busy' }), 1);
  bucket.take(1, caller(65_534));
  assert.equal(bucket.take(1, { ...APP, name: 'busy' }), 1, 'is kept');
  assert.equal(bucket.take(1, { ...APP, name: 'idle' }), 0, 'is forgotten');
});

test('rates and counts are whole numbers', () => {
  for (const rate of [0, -1, 1.5, Number.NaN, 1_000_001]) {
    assert.throws(() => new RateLimits({ rate }), RangeError, String(rate));
  }
  const { limits } = new Bucket(1);
  for (const count of [-1, 0.5, Number.NaN]) assert.throws(() => limits.charge(APP, count), RangeError);
  limits.charge(APP, 0);
});
