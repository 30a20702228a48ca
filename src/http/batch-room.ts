/**
 * Room in the queue for the events of a batch. Where the queue is full the batch waits, since rounds make room; if for
 * long there is none, its event is refused, and so is every one after it: nothing of a batch overtakes what came before.
 */

import { NewelError } from '../errors.ts';
import type { Reservation } from '../log/log.ts';
import type { Vault } from '../vault/vault.ts';

/** How often a full queue is looked at. */
const LOOK_EVERY_MS = 10;

export class BatchRoom {
  readonly #vault: Pick<Vault, 'reserve'>;
  readonly #maxWaitMs: number;
  #refused: NewelError | undefined;

  constructor(vault: Pick<Vault, 'reserve'>, maxWaitMs: number) {
    this.#vault = vault;
    this.#maxWaitMs = maxWaitMs;
  }

  /** Room that there is now; `undefined` where the queue is full. Throws where no event is taken any more. */
  tryTake(bytes: number): Reservation | undefined {
    if (this.#refused) throw this.#refused;
    try {
      return this.#vault.reserve(bytes);
    } catch (error) {
      if (isFull(error)) return undefined;
      throw error;
    }
  }

  /** Room, as soon as there is some. Throws `queue_full` when that takes too long, and from then on at once. */
  async take(bytes: number): Promise<Reservation> {
    const [taken] = await this.takeAll([bytes]);
    return taken!;
  }

  /**
   * Room for all of these, as soon as there is; nothing is held of it meanwhile, so that batches that wait for one another
   * do not keep each other out. Throws as `take` does.
   */
  async takeAll(bytesOfEach: readonly number[]): Promise<Reservation[]> {
    const endMs = performance.now() + this.#maxWaitMs;
    for (;;) {
      if (this.#refused) throw this.#refused;
      try {
        return this.#reserveAll(bytesOfEach);
      } catch (error) {
        if (!isFull(error)) throw error;
        if (performance.now() >= endMs) {
          this.#refused = error;
          throw error;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  /** Throws as `reserve` does, and then holds nothing. */
  #reserveAll(bytesOfEach: readonly number[]): Reservation[] {
    const taken: Reservation[] = [];
    try {
      for (const bytes of bytesOfEach) taken.push(this.#vault.reserve(bytes));
      return taken;
    } catch (error) {
      for (const reservation of taken) reservation.release();
      throw error;
    }
  }
}

function isFull(error: unknown): error is NewelError {
  return error instanceof NewelError && error.code === 'queue_full';
}
