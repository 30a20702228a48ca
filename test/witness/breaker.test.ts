import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Breaker, OPEN_MS, OPENS_AT } from '../../src/witness/breaker.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 5000 : 200;
/** Longest waits after the first failures in a row, before it opens. */
const WAITS_MS = [200, 400, 800, 1600];
/** Below 1, as near as random numbers come. */
const NEARLY_ONE = 1 - 2 ** -53;

/** Lets `count` failures come, each when it may be tried again; returns the waits and when the last one is over. */
function failing(breaker: Breaker, count: number, fromMs = 0): { waitsMs: number[]; untilMs: number } {
  const waitsMs: number[] = [];
  let untilMs = fromMs;
  for (let i = 0; i < count; i++) {
    const waitMs = breaker.fail(untilMs);
    waitsMs.push(waitMs);
    untilMs += waitMs;
  }
  return { waitsMs, untilMs };
}

test('one that has not failed may be asked at any time', () => {
  const breaker = new Breaker(() => assert.fail('nothing is drawn'));
  assert.deepEqual([breaker.failures, breaker.isOpen], [0, false]);
  for (const elapsedMs of [0, 12.5, 1e12]) assert.equal(breaker.waitMs(elapsedMs), 0);
  breaker.succeed();
  assert.deepEqual([breaker.failures, breaker.isOpen, breaker.waitMs(0)], [0, false, 0]);
});

test('each failure doubles the wait, the fifth opens it', () => {
  const breaker = new Breaker(() => NEARLY_ONE);
  assert.equal(OPENS_AT, 5);
  for (const [i, waitMs] of [...WAITS_MS, OPEN_MS].entries()) {
    const atMs = i * 100_000;
    assert.equal(breaker.fail(atMs), waitMs);
    assert.deepEqual([breaker.failures, breaker.isOpen], [i + 1, i + 1 === OPENS_AT]);
    assert.equal(breaker.waitMs(atMs), waitMs);
    assert.equal(breaker.waitMs(atMs + waitMs - 1), 1);
    assert.equal(breaker.waitMs(atMs + waitMs), 0);
    assert.equal(breaker.waitMs(atMs + waitMs + 1), 0, 'never below nothing');
  }
});

test('open: a single trial after the wait; if that fails too it is left alone as long again', () => {
  const breaker = new Breaker(() => NEARLY_ONE);
  let { untilMs } = failing(breaker, OPENS_AT);
  assert.ok(breaker.isOpen);
  for (const failures of [6, 7, 40]) {
    assert.equal(breaker.waitMs(untilMs - 1), 1, 'nobody before');
    assert.equal(breaker.waitMs(untilMs), 0, 'now one');
    const { waitsMs, untilMs: nextMs } = failing(breaker, failures - breaker.failures, untilMs);
    assert.deepEqual(new Set(waitsMs), new Set([OPEN_MS]), 'it does not grow without end');
    assert.deepEqual([breaker.failures, breaker.isOpen], [failures, true]);
    assert.equal(breaker.waitMs(untilMs) > 0, true, 'and nobody beside the trial that failed');
    untilMs = nextMs;
  }
});

test('one answer closes it, and what failed before counts no more', () => {
  for (const before of [1, OPENS_AT - 1, OPENS_AT, OPENS_AT + 3]) {
    const breaker = new Breaker(() => NEARLY_ONE);
    const { untilMs } = failing(breaker, before);
    breaker.succeed();
    assert.deepEqual([breaker.failures, breaker.isOpen], [0, false]);
    assert.equal(breaker.waitMs(untilMs - 1), 0, 'at once, also before the wait is over');
    assert.deepEqual(failing(breaker, OPENS_AT, untilMs).waitsMs, [...WAITS_MS, OPEN_MS], 'from the start');
  }
});

test('chance takes up to half of the wait, whole milliseconds, and adds nothing', () => {
  for (const [random, waitsMs] of [
    [0, [100, 200, 400, 800, 7500]],
    [0.5, [150, 300, 600, 1200, 11_250]],
    [0.001, [101, 201, 401, 801, 7508]],
    [NEARLY_ONE, [...WAITS_MS, OPEN_MS]],
  ] as const) {
    const breaker = new Breaker(() => random);
    assert.deepEqual(failing(breaker, OPENS_AT).waitsMs, waitsMs, `${random}`);
  }
  const property = fc.property(
    fc.array(fc.double({ min: 0, max: NEARLY_ONE, noNaN: true }), { minLength: 1, maxLength: 12 }),
    fc.double({ min: 0, max: 1e9, noNaN: true }),
    (drawn, startMs) => {
      const left = [...drawn];
      const breaker = new Breaker(() => left.shift()!);
      for (const [i, waitMs] of failing(breaker, drawn.length, startMs).waitsMs.entries()) {
        const longestMs = WAITS_MS[i] ?? OPEN_MS;
        assert.ok(Number.isInteger(waitMs) && waitMs >= longestMs / 2 && waitMs <= longestMs);
      }
      assert.equal(left.length, 0, 'drawn once a failure');
    },
  );
  fc.assert(property, { numRuns });
});

test('without a source of chance waits differ from one to another', () => {
  const waitsMs = new Set(
    Array.from({ length: 20 }, () => failing(new Breaker(), OPENS_AT).waitsMs[OPENS_AT - 1]),
  );
  assert.ok(waitsMs.size > 1);
});
