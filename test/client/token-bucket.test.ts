import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from '../../src/client/token-bucket.ts';
import { SLOW } from '../support/slow.ts';

test('so many at once, then one every so often, and a rest fills it no further than full', () => {
  const bucket = new TokenBucket({ burst: 3, everyMs: 250 });
  const takes = (nowMs: number): number[] => Array.from({ length: 5 }, () => bucket.take(nowMs));
  assert.deepEqual(takes(1000), [0, 0, 0, 250, 250]);
  assert.deepEqual(takes(1249), [1, 1, 1, 1, 1], 'what is refused takes nothing');
  assert.equal(bucket.waitMs(1250), 0);
  assert.deepEqual(takes(1250), [0, 250, 250, 250, 250]);
  assert.deepEqual(takes(1_000_000), [0, 0, 0, 250, 250]);
});

test('a rate that is set anew keeps what has been taken', () => {
  const bucket = new TokenBucket({ burst: 2, everyMs: 1000 });
  assert.deepEqual([bucket.take(0), bucket.take(0), bucket.take(0)], [0, 0, 1000]);
  bucket.rate = { burst: 20, everyMs: 100 };
  assert.equal(bucket.take(0), 100, 'a larger bucket is not a full one');
  assert.deepEqual([bucket.take(100), bucket.take(100)], [0, 100]);
});

test('takes what a bucket does whose tokens are counted one by one', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 60 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 2000 }),
      steps,
      (burst, everyMs, pauses) => {
        const bucket = new TokenBucket({ burst, everyMs });
        // Counted in parts of a token, one of which falls in each millisecond.
        let parts = burst * everyMs;
        let nowMs = 7;
        for (const pauseMs of pauses) {
          nowMs += pauseMs;
          parts = Math.min(burst * everyMs, parts + pauseMs);
          const waitMs = bucket.take(nowMs);
          assert.equal(waitMs, Math.max(0, everyMs - parts));
          if (waitMs === 0) parts -= everyMs;
        }
      },
    ),
    { numRuns: SLOW ? 5000 : 200 },
  );
});
