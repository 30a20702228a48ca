/** Reading until a time: what a server drips for longer ends, and whoever waits for it goes on. */

import { withTimeout } from '../client/pause.ts';
import type { LogSource } from '../client/source.ts';
import { NewelError } from '../errors.ts';

/** What a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Reads a file. Rejects with `unreachable` as soon as the signal is aborted, whether the source hears of that or not;
 * else as the source does.
 */
export function readUntil(
  source: LogSource,
  path: string,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const late = (): void =>
      reject(
        new NewelError(
          'unreachable',
          `${path} has not come in the time that there is for it: whoever serves it does not answer, or too slowly`,
        ),
      );
    if (signal.aborted) return late();
    signal.addEventListener('abort', late, { once: true });
    source
      .read(path, signal)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', late));
  });
}

/** The source, until the signal is aborted. */
export function untilAborted(source: LogSource, signal: AbortSignal): LogSource {
  return { read: (path) => readUntil(source, path, signal) };
}

/** A source that is read until the time for what is being done is over. */
export class BoundedSource implements LogSource {
  readonly #source: LogSource;
  #until: AbortSignal | undefined;

  constructor(source: LogSource) {
    this.#source = source;
  }

  read(path: string): Promise<Uint8Array | undefined> {
    return this.#until ? readUntil(this.#source, path, this.#until) : this.#source.read(path);
  }

  /** Does one thing after another, each for so long. What a timer cannot wait is no bound. */
  async within(ms: number, work: () => Promise<void>): Promise<void> {
    if (ms > MAX_TIMER_MS) return work();
    try {
      await withTimeout(ms, undefined, (signal) => {
        this.#until = signal;
        return work();
      });
    } finally {
      this.#until = undefined;
    }
  }
}

/** One file, for `timeoutMs` with all that is tried again. Rejects as `readUntil`. */
export function readWithin(
  timeoutMs: number,
  source: LogSource,
  path: string,
): Promise<Uint8Array | undefined> {
  return withTimeout(timeoutMs, undefined, (signal) => readUntil(source, path, signal));
}

/** What `work` comes to, or what `late` says where that takes longer than `ms`: then the work goes on by itself. */
export async function within<T>(ms: number, work: Promise<T>, late: () => T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late()), ms);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
