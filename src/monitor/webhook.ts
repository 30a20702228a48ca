/**
 * Tells somebody by HTTP: one POST of JSON for each thing found, in order, tried again while it fails, and never in the way
 * of following. What waits is bounded: where too much does, the oldest goes, and the next message says how many went.
 */

import { pause, withTimeout } from '../client/pause.ts';

export interface WebhookOptions {
  readonly url: string;
  readonly fetch?: typeof globalThis.fetch;
  readonly timeoutMs?: number;
  readonly attempts?: number;
  /** The first pause; each is twice the one before. */
  readonly pauseMs?: number;
  /** Told of each message that was given up, and why: without the URL, which may be a secret. */
  readonly onGivenUp?: (why: string) => void;
}

const TIMEOUT_MS = 10_000;
const ATTEMPTS = 8;
const PAUSE_MS = 1000;
const MAX_PAUSE_MS = 60_000;
const MAX_WAITING = 256;

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #waiting: object[] = [];
  readonly #stop = new AbortController();
  #dropped = 0;
  #sending: Promise<void> | undefined;
  #delivered = 0;
  #failed = 0;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  /** Messages that were taken with a 2xx. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Messages that were given up, or had no room. */
  get failed(): number {
    return this.#failed;
  }

  /** Sends it when its turn comes. Returns at once, and never throws. */
  send(message: object): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting.shift();
      this.#dropped += 1;
      this.#failed += 1;
    }
    this.#waiting.push(message);
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  /** Lets go after what waits is sent, or after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(new Error('the webhook is closed')), graceMs);
    await this.#sending;
    clearTimeout(timer);
  }

  async #sendAll(): Promise<void> {
    for (let message = this.#waiting.shift(); message; message = this.#waiting.shift()) {
      const dropped = this.#dropped;
      const why = await this.#deliver(dropped > 0 ? { ...message, dropped } : message);
      if (why === undefined) {
        this.#delivered += 1;
        this.#dropped -= dropped;
      } else {
        this.#failed += 1;
        this.#options.onGivenUp?.(why);
      }
    }
  }

  /** Why it was given up; `undefined`: it was taken. */
  async #deliver(message: object): Promise<string | undefined> {
    const { url, fetch = globalThis.fetch, attempts = ATTEMPTS } = this.#options;
    const { timeoutMs = TIMEOUT_MS, pauseMs = PAUSE_MS } = this.#options;
    const { signal } = this.#stop;
    const init = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(message),
    };
    for (let attempt = 1; ; attempt++) {
      let why: string;
      try {
        signal.throwIfAborted();
        const status = await withTimeout(timeoutMs, signal, async (bounded) => {
          const response = await fetch(url, { ...init, signal: bounded, redirect: 'error' });
          await response.body?.cancel();
          return response.status;
        });
        if (status >= 200 && status < 300) return undefined;
        why = `it answers ${status}`;
        if (status < 500 && status !== 408 && status !== 429) return why;
      } catch {
        why = 'it does not answer';
      }
      if (signal.aborted || attempt >= attempts) return why;
      try {
        await pause(Math.min(MAX_PAUSE_MS, pauseMs * 2 ** (attempt - 1)), signal);
      } catch {
        return why;
      }
    }
  }
}
