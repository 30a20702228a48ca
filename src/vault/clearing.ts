/**
 * When what was erased is cleared from the files: one clearing for all erasures that are erased by then, and again where it
 * failed.
 *
 *   add ─ wait for more ─ wait for reads that began before ─ clear ─ `done`
 *              └──────────────── a minute ────────────────────┘ failed
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import { compactErased } from './compact-erased.ts';
import type { ErasureRows } from './erasure-row.ts';

export interface ClearingParts {
  readonly log: Pick<Log, 'write'>;
  readonly store: Store;
  readonly erasures: ErasureRows;
  readonly now: () => number;
  /** Does it when nothing else of erasures runs. */
  readonly inTurn: (work: () => Promise<void>) => void;
  /** How long to wait for more before the files are cleared. */
  readonly compactDelayMs: number;
  /** How long to wait after a clearing that failed. */
  readonly clearAgainMs?: number | undefined;
  readonly onFailure: (error: unknown) => void;
}

/** How long a read of the database may take. */
const LONGEST_READ_MS = 2000;
const CLEAR_AGAIN_MS = 60_000;

export class Clearing {
  readonly #parts: ClearingParts;
  /** Erasures whose files are not cleared yet. */
  readonly #waiting = new Set<string>();
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ClearingParts) {
    this.#parts = parts;
  }

  /** Of erasures that are `compacting`, durably. */
  add(erasureIds: readonly string[], delayMs: number = this.#parts.compactDelayMs): void {
    for (const erasureId of erasureIds) this.#waiting.add(erasureId);
    if (this.#waiting.size > 0) this.#later(delayMs);
  }

  /** What is under way comes to the end of its step; the rest is left to the next start. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #later(delayMs: number): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#parts.inTurn(() => this.#clear());
    }, delayMs);
    this.#timer.unref();
  }

  async #clear(): Promise<void> {
    const {
      erasures,
      log,
      store,
      now,
      compactDelayMs,
      clearAgainMs = CLEAR_AGAIN_MS,
      onFailure,
    } = this.#parts;
    const erasureIds = [...this.#waiting];
    if (erasureIds.length === 0) return;
    try {
      const compacting = await erasures.findAll(erasureIds);
      // A read that began before the last of them still keeps what it replaced from being cleared; reads are short.
      await sleep(Math.min(LONGEST_READ_MS, compactDelayMs));
      const isDone = await compactErased(store, compacting, () => this.#isClosed);
      if (!isDone) return;
      const doneTimeMs = now();
      const puts = compacting.map((erasure) => erasures.row({ ...erasure, state: 'done', doneTimeMs }));
      await log.write({ puts });
      for (const erasureId of erasureIds) this.#waiting.delete(erasureId);
    } catch (error) {
      onFailure(error);
      this.#later(clearAgainMs);
    }
  }
}
