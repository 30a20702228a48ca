/** What the vault does by itself, at its times: no thing twice at once, and none waits for another. */

import { NewelError } from '../errors.ts';
import { ROTATION_MS } from './describe-erasure.ts';
import { EPOCH_MS } from './epochs.ts';

export interface UpkeepParts {
  /** Says who read what. */
  readonly sayAccesses: () => Promise<void>;
  /** Says what is missing of sources. */
  readonly sayGaps: () => Promise<void>;
  /** Goes on to the next epoch. */
  readonly rotate: () => Promise<void>;
  /** Whether a rotation was begun and not ended: a write of it failed. */
  readonly isRotating: () => boolean;
  /** When the current epoch began. */
  readonly epochBeganMs: () => number;
  /** When the oldest epoch began whose key is still there. */
  readonly oldestEpochBeganMs: () => number;
  readonly epochMs?: number | undefined;
  readonly now: () => number;
  readonly onFailure: (error: unknown) => void;
}

/** Accesses are said within a minute of the first. */
const ACCESSES_MS = 50_000;
const GAPS_MS = 15_000;
const EPOCH_CHECK_MS = 60_000;
/** How far ahead of the clock an epoch may have begun. */
const CLOCK_MS = 3_600_000;

export class Upkeep {
  readonly #parts: UpkeepParts;
  readonly #timers: NodeJS.Timeout[];
  readonly #running = new Map<string, Promise<void>>();

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
    this.#timers = [
      setInterval(() => this.#run('accesses', parts.sayAccesses), ACCESSES_MS),
      setInterval(() => this.#run('gaps', parts.sayGaps), GAPS_MS),
      setInterval(() => this.#run('epoch', () => this.rotateIfDue()), EPOCH_CHECK_MS),
    ];
    for (const timer of this.#timers) timer.unref();
    this.#run('epoch', () => this.rotateIfDue());
  }

  async rotateIfDue(): Promise<void> {
    const { epochBeganMs, isRotating, epochMs = EPOCH_MS, now, rotate } = this.#parts;
    const ageMs = now() - epochBeganMs();
    // One that was begun under a wrong clock, ahead of this one, would not end for long.
    if (!isRotating() && ageMs < epochMs && ageMs >= -CLOCK_MS) return;
    try {
      await rotate();
    } catch (cause) {
      throw this.#notRotated(cause);
    }
  }

  #notRotated(cause: unknown): NewelError {
    const { oldestEpochBeganMs, epochMs = EPOCH_MS, now } = this.#parts;
    const dueMs = oldestEpochBeganMs() + epochMs;
    const failed = 'the rotation of the epochs failed, and is tried again in a minute';
    if (now() <= dueMs + ROTATION_MS) return new NewelError('storage_failed', failed, { cause });
    return new NewelError(
      'storage_failed',
      `${failed}: the key that was to be destroyed by ${new Date(dueMs).toISOString()} is overdue, and old copies of the ` +
        'database open with it what was erased; see that the folder keys/ can be written',
      { cause },
    );
  }

  /** Ends it, and says what was gathered. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#running.values());
    await this.#parts.sayAccesses();
  }

  #run(name: string, task: () => Promise<void>): void {
    const before = this.#running.get(name) ?? Promise.resolve();
    this.#running.set(name, before.then(task).catch(this.#parts.onFailure));
  }
}
