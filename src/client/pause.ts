/** Time, for whoever waits for somebody else. */

/** Resolves after `ms`. Rejects with the signal's reason, at once, where that is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(reasonOf(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Runs `work` under a signal of its own, aborted when the outer one is, or after `timeoutMs`. */
export async function withTimeout<T>(
  timeoutMs: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  const abort = (): void => own.abort(reasonOf(outer));
  const timer = setTimeout(() => own.abort(new DOMException('no answer in time', 'TimeoutError')), timeoutMs);
  if (outer?.aborted) abort();
  else outer?.addEventListener('abort', abort, { once: true });
  try {
    return await work(own.signal);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', abort);
  }
}

/** A signal of its own, aborted when the outer one is, or when `restart` was the last call and its time is over. */
export interface IdleTimeout {
  readonly signal: AbortSignal;
  restart(timeoutMs: number): void;
  stop(): void;
}

export function withIdleTimeout(outer: AbortSignal | undefined): IdleTimeout {
  const own = new AbortController();
  const abort = (): void => own.abort(reasonOf(outer));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    outer?.removeEventListener('abort', abort);
  };
  return {
    signal: own.signal,
    restart(timeoutMs) {
      stop();
      timer = setTimeout(() => own.abort(new DOMException('no answer in time', 'TimeoutError')), timeoutMs);
      if (outer?.aborted) abort();
      else outer?.addEventListener('abort', abort, { once: true });
    },
    stop,
  };
}

/** Why a signal was aborted, as something that may be thrown. */
function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
