/**
 * Time that passes only while a test lets it: `setTimeout` and `performance.now()` follow one clock, and all that is due
 * happens in between. For what needs no socket: whoever answers over one is not waited for.
 */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';

export interface PlayedTime {
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>;
  /** Lets time pass until something holds; fails where that takes longer than `withinMs` of it. */
  until(holds: () => boolean, what: string, withinMs?: number): Promise<void>;
  /** Lets time pass until this has ended, and returns what it came to. */
  during<T>(work: Promise<T>): Promise<T>;
}

const STEP_MS = 5;
/** What begins in a step, and reads and writes nothing but memory, has come to rest after so many turns. */
const TURNS = 8;
const MAX_STEPS = 400;
/** Of real time, for what a test waits for. */
const MAX_REAL_MS = 60_000;

/** So many turns of the event loop: a wait that takes no time. */
export async function loopTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await setImmediate();
}

/** Stops the clock until the test is over. */
export function playTime(t: TestContext): PlayedTime {
  const realMs = performance.now.bind(performance);
  let nowMs = realMs();
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  t.mock.method(performance, 'now', () => nowMs);
  const step = async (ms: number): Promise<void> => {
    nowMs += ms;
    t.mock.timers.tick(ms);
    await loopTurns(TURNS);
  };
  return {
    async pass(ms) {
      await loopTurns(TURNS);
      const steps = Math.max(1, Math.min(MAX_STEPS, Math.ceil(ms / STEP_MS)));
      for (let i = 0; i < steps; i++) await step(ms / steps);
    },
    async until(holds, what, withinMs = 10_000) {
      await loopTurns(TURNS);
      for (const endMs = nowMs + withinMs; !holds();) {
        assert.ok(nowMs < endMs, what);
        await step(STEP_MS);
      }
    },
    async during(work) {
      let isOver = false;
      const over = (): void => void (isOver = true);
      work.then(over, over);
      await loopTurns(TURNS);
      for (const endMs = realMs() + MAX_REAL_MS; !isOver;) {
        assert.ok(realMs() < endMs, 'it does not end');
        await step(STEP_MS);
      }
      return work;
    },
  };
}
