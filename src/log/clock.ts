/** Time, as a parameter: the process's clock in service, a hand-set one in tests. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Milliseconds since some moment, never set back: for durations. */
  elapsed(): number;
  sleep(durationMs: number): Promise<void>;
  /** Calls back once after `delayMs`, without keeping the process alive; returns how to call it off. */
  after(delayMs: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
