import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { requestBudget } from '../../src/witness/budget.ts';
import { SLOW } from '../support/slow.ts';

const DAY_MS = 86_400_000;
const numRuns = SLOW ? 2000 : 100;

test('a burst at once, then as many a day as are granted', () => {
  const budget = requestBudget(100);
  for (let i = 0; i < 5; i++) {
    assert.equal(budget.waitMs(0), 0);
    budget.take(0);
  }
  assert.equal(Math.round(budget.waitMs(0)), DAY_MS / 96);
  assert.ok(budget.waitMs(DAY_MS / 96 - 1) > 0);
  assert.equal(budget.waitMs(DAY_MS / 96 + 1), 0);
});

test('no day, whenever it begins, sees more requests than are granted; who asks evenly gets nearly all of them', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 400 }),
    fc.array(fc.integer({ min: 0, max: DAY_MS / 8 }), { minLength: 1, maxLength: 40 }),
    (perDay, pauses) => {
      const budget = requestBudget(perDay);
      const taken: number[] = [];
      let nowMs = 12.5;
      for (let i = 0; nowMs < 3 * DAY_MS; i++) {
        // A caller that takes whatever it can get, and pauses now and then so that the bucket fills.
        const waitMs = budget.waitMs(nowMs);
        if (waitMs === 0) {
          budget.take(nowMs);
          taken.push(nowMs);
        }
        nowMs += i % 5 === 0 ? (pauses[i % pauses.length] ?? 0) : Math.max(waitMs, 0.001);
      }
      for (const [i, fromMs] of taken.entries()) {
        const inDay = taken.slice(i).filter((atMs) => atMs < fromMs + DAY_MS - 0.01).length;
        assert.ok(inDay <= perDay, `${inDay} of ${perDay}`);
      }
    },
  );
  fc.assert(property, { numRuns });
  const budget = requestBudget(96);
  let count = 0;
  for (let nowMs = 0; nowMs < DAY_MS; nowMs += 1000) {
    if (budget.waitMs(nowMs) > 0) continue;
    budget.take(nowMs);
    count++;
  }
  assert.ok(count >= 90, `${count} of 96`);
});

test('one a day is one a day', () => {
  const budget = requestBudget(1);
  budget.take(0);
  assert.equal(budget.waitMs(1), DAY_MS - 1);
  assert.equal(budget.waitMs(DAY_MS), 0);
  for (const perDay of [0, -1, 1.5, Number.NaN]) assert.throws(() => requestBudget(perDay), RangeError);
});
