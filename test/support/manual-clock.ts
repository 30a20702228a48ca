/** A clock that stands still until it is told to go on; timers go off inside `advance`, in the order they are due. */

import type { Clock } from '../../src/log/clock.ts';

interface Timer {
  /** In elapsed time. */
  readonly dueMs: number;
  readonly call: () => void;
}

export class ManualClock implements Clock {
  #nowMs: number;
  #elapsedMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  elapsed(): number {
    return this.#elapsedMs;
  }

  /** Sets the time of day, and nothing else: a clock that is put forward or back. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Lets time pass. A timer that is set meanwhile goes off too if it is due. */
  advance(durationMs: number): void {
    const untilMs = this.#elapsedMs + durationMs;
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#timers.delete(timer);
      this.#pass(Math.max(0, timer.dueMs - this.#elapsedMs));
      timer.call();
    }
    this.#pass(untilMs - this.#elapsedMs);
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(durationMs, resolve);
    });
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { dueMs: this.#elapsedMs + delayMs, call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  #pass(durationMs: number): void {
    this.#nowMs += durationMs;
    this.#elapsedMs += durationMs;
  }

  #next(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }
}
