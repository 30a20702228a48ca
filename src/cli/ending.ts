/**
 * How a process that serves comes to its end: once, in order, whoever asks for it first.
 *
 *   starting ── serving() ──▶ serving ── end() ──▶ ending ── all is closed ──▶ `ended`: stopped | failed
 *       └─────────────────────── end() ──────────────▲
 *
 *   fail()    marks the end as failed. Who serves ends with it; who is starting ends once it serves, since what starts
 *             has to return or throw before anything is closed under it
 */

import { errorFields, type Lines } from '../telemetry/lines.ts';

export type End = 'stopped' | 'failed';

/** What is closed, in words for a log line, and how: a call that has nothing to close does nothing. */
export type Closing = readonly [what: string, close: () => unknown];

export class Ending {
  /** Resolves when all is closed; `failed` where `fail` was called or something did not close well. Never rejects. */
  readonly ended: Promise<End>;
  readonly #close: () => Promise<boolean>;
  #resolve: (end: End) => void = () => {};
  #state: 'starting' | 'serving' | 'ending' = 'starting';
  #isFailed = false;

  /** `close` is called once, at the end, and says whether all closed well. */
  constructor(close: () => Promise<boolean>) {
    this.#close = close;
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** All that it was to open is open. */
  serving(): void {
    if (this.#state !== 'starting') return;
    this.#state = 'serving';
    if (this.#isFailed) void this.end();
  }

  fail(): void {
    this.#isFailed = true;
    if (this.#state === 'serving') void this.end();
  }

  /** Begins the end where nobody has yet; the same as `ended`. */
  end(): Promise<End> {
    if (this.#state !== 'ending') {
      this.#state = 'ending';
      void this.#closeAll();
    }
    return this.ended;
  }

  async #closeAll(): Promise<void> {
    const isClean = await this.#close().catch(() => false);
    this.#resolve(isClean && !this.#isFailed ? 'stopped' : 'failed');
  }
}

/**
 * Closes one after the other, each when those before are closed, whatever became of them. Says what did not close well;
 * returns whether all did.
 */
export async function closeInOrder(
  closings: readonly Closing[],
  lines: Pick<Lines, 'say'>,
): Promise<boolean> {
  let isClean = true;
  for (const [what, close] of closings) {
    try {
      await close();
    } catch (error) {
      isClean = false;
      lines.say('error', `${what} did not close well`, errorFields(error));
    }
  }
  return isClean;
}
