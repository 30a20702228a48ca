import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clockNoticesOf, MAX_SKEW_MS } from '../../src/event/clock.ts';
import { formatTime, MAX_TIME_MS } from '../../src/event/instant.ts';
import type { EventMembers } from '../../src/event/schema.ts';

const RECEIVED_MS = Date.parse('2026-11-20T12:00:00.000Z');

function skewOf(time: string, labels?: EventMembers['labels']): number | undefined {
  const event: EventMembers = {
    schema: 'stepup/1',
    id: 'e-1',
    source: 'urn:example:app',
    type: 'login.succeeded',
    time,
    ...(labels === undefined ? {} : { labels }),
  };
  const copy = structuredClone(event);
  const [notice, ...more] = clockNoticesOf(event, RECEIVED_MS);
  assert.deepEqual(more, []);
  assert.deepEqual(event, copy);
  if (notice === undefined) return undefined;
  assert.ok(notice.code === 'clock_skew');
  return notice.skew_ms;
}

test('up to five minutes nothing is said, either way', () => {
  assert.equal(MAX_SKEW_MS, 300_000);
  for (const time of ['12:00:00.000', '11:55:00.000', '12:05:00.000', '11:55:00', '12:05:00']) {
    assert.equal(skewOf(`2026-11-20T${time}Z`), undefined, time);
  }
});

test('a millisecond more is told, as received minus time', () => {
  assert.equal(skewOf('2026-11-20T11:54:59.999Z'), 300_001);
  assert.equal(skewOf('2026-11-20T12:05:00.001Z'), -300_001);
  assert.equal(skewOf('1970-01-01T00:00:00.000Z'), RECEIVED_MS);
  assert.equal(skewOf('9999-12-31T23:59:59.999Z'), RECEIVED_MS - MAX_TIME_MS);
});

test('a time to the second is the nearest one in it', () => {
  assert.equal(skewOf('2026-11-20T11:54:58Z'), 301_001);
  assert.equal(skewOf('2026-11-20T12:05:01Z'), -301_000);
  assert.equal(skewOf('2026-11-20T11:54:59.9Z'), 300_001);
});

test('an event that is sent long after may be late, and not ahead', () => {
  const backfill = { backfill: true };
  assert.equal(skewOf('2020-01-01T00:00:00Z', backfill), undefined);
  assert.equal(skewOf('2026-11-20T12:05:00.001Z', backfill), -300_001);
  for (const labels of [{ backfill: false }, { backfill: 'true' }, { backfill: 1 }, {}]) {
    assert.equal(skewOf('2026-11-20T11:54:59.999Z', labels), 300_001);
  }
});

test('the skew of a time to the millisecond is the difference, whatever it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_TIME_MS }), (timeMs) => {
      const skewMs = RECEIVED_MS - timeMs;
      assert.equal(skewOf(formatTime(timeMs)), Math.abs(skewMs) > MAX_SKEW_MS ? skewMs : undefined);
    }),
    { numRuns: 500 },
  );
});
