/** How far a submission is, for whoever looks: a line on stderr that is renewed, and none where nobody looks. */

import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { STANDARD_INPUT } from './input-file.ts';
import { formatDuration, formatRate, grouped } from './progress.ts';
import type { Terminal } from './terminal.ts';

const RENEW_EVERY_MS = 200;
const CLEAR = '\r\u001b[K';

export class SubmitMeter {
  readonly #err: Terminal['err'];
  readonly #totalBytes: number | undefined;
  readonly #now: () => number;
  readonly #startedMs: number;
  #readBytes = 0;
  #shownMs: number;
  #isShown = false;

  constructor(
    { err }: Terminal,
    totalBytes: number | undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#err = err;
    this.#totalBytes = totalBytes;
    this.#now = now;
    this.#startedMs = now();
    this.#shownMs = this.#startedMs;
  }

  /** The same chunks, counted. */
  async *count(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of chunks) {
      this.#readBytes += chunk.length;
      yield chunk;
    }
  }

  /** So many events are done. What was read runs ahead of them by less than a group. */
  update(events: number): void {
    const nowMs = this.#now();
    if (!this.#err.isTerminal || nowMs - this.#shownMs < RENEW_EVERY_MS) return;
    this.#shownMs = nowMs;
    this.#isShown = true;
    const elapsedMs = nowMs - this.#startedMs;
    const left = this.#totalBytes === undefined ? undefined : this.#totalBytes - this.#readBytes;
    const toGo =
      left === undefined || left <= 0
        ? ''
        : `, ${formatDuration((left / this.#readBytes) * (elapsedMs / 1000))} to go`;
    this.#err.write(
      `\r${grouped(events)} events logged, ${formatRate(events, elapsedMs)} a second${toGo}\u001b[K`,
    );
  }

  /** Takes the line away, so that another can be written. */
  clear(): void {
    if (this.#isShown) this.#err.write(CLEAR);
    this.#isShown = false;
  }
}

/** How long the file is, where it is one. */
export async function bytesOf({ cwd }: Terminal, file: string): Promise<number | undefined> {
  if (file === STANDARD_INPUT) return undefined;
  try {
    const found = await stat(resolve(cwd, file));
    return found.isFile() ? found.size : undefined;
  } catch {
    // Whoever opens it says why it cannot be read.
    return undefined;
  }
}
