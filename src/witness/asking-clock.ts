/** Time, as a parameter: the process's clock in service, a hand-set one in tests. */

export interface AskingClock {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Milliseconds since some moment, never set back: for durations. */
  elapsed(): number;
  /** Calls back once after `delayMs`, without keeping the process alive; returns how to call it off. */
  after(delayMs: number, call: () => void): () => void;
}

export const systemAskingClock: AskingClock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, Math.min(delayMs, MAX_TIMER_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A timer of more would go off at once. Who waits looks at the time again. */
const MAX_TIMER_MS = 2 ** 31 - 1;
