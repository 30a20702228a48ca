import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatTime,
  instantOf,
  MAX_TIME_MS,
  MAX_TIME_S,
  timeMsOf,
  timeUnitOf,
} from '../../src/event/instant.ts';
import { TEXT_FORMS } from '../../src/event/text-form.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 20_000 : 500;
const timesMs = fc.integer({ min: 0, max: MAX_TIME_MS });

test('a time is as long as the digits that it lacks', () => {
  const ms = Date.UTC(2026, 10, 20, 12, 0, 8);
  for (const [time, earliest, latest] of [
    ['2026-11-20T12:00:08Z', 0, 999],
    ['2026-11-20T12:00:08.1Z', 100, 199],
    ['2026-11-20T12:00:08.12Z', 120, 129],
    ['2026-11-20T12:00:08.123Z', 123, 123],
    ['2026-11-20T12:00:08.000Z', 0, 0],
    ['2026-11-20T12:00:08.007Z', 7, 7],
  ] as const) {
    assert.deepEqual(instantOf(time), { earliestMs: ms + earliest, latestMs: ms + latest }, time);
  }
  assert.deepEqual(instantOf('1970-01-01T00:00:00Z'), { earliestMs: 0, latestMs: 999 });
  assert.deepEqual(instantOf('9999-12-31T23:59:59Z').latestMs, MAX_TIME_MS);
});

test('what is written is read as it was, and is a time of the schema', () => {
  const form = new RegExp(TEXT_FORMS.time.pattern, 'u');
  fc.assert(
    fc.property(timesMs, (timeMs) => {
      const text = formatTime(timeMs);
      assert.match(text, form);
      assert.deepEqual(instantOf(text), { earliestMs: timeMs, latestMs: timeMs });
      const second = instantOf(`${text.slice(0, 19)}Z`);
      assert.equal(second.earliestMs, Math.floor(timeMs / 1000) * 1000);
    }),
    { numRuns },
  );
});

test('seconds and milliseconds are told apart by how large they are', () => {
  assert.equal(MAX_TIME_S, 1e11);
  for (const seconds of [0, 1, 1_698_753_600, 1e11]) {
    assert.equal(timeUnitOf(seconds), 's');
    assert.equal(timeMsOf(seconds), 1000 * seconds);
  }
  for (const ms of [1e11 + 1, 1_698_753_600_123, MAX_TIME_MS]) {
    assert.equal(timeUnitOf(ms), 'ms');
    assert.equal(timeMsOf(ms), ms);
  }
  for (const other of [-1, 0.5, 1_698_753_600.5, MAX_TIME_MS + 1, 1_698_753_600_123_456, Infinity, NaN]) {
    assert.equal(timeUnitOf(other), undefined, String(other));
  }
});
