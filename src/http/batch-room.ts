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
      if (error instanceof NewelError && error.code === 'queue_full') return undefined;
      throw error;
    }
  }

  /** Room, as soon as there is some. Throws `queue_full` when that takes too long, and from then on at once. */
  async take(bytes: number): Promise<Reservation> {
    const endMs = performance.now() + this.#maxWaitMs;
    while (performance.now() < endMs) {
      const taken = this.tryTake(bytes);
      if (taken) return taken;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    try {
      return this.#vault.reserve(bytes);
    } catch (error) {
      if (error instanceof NewelError) this.#refused = error;
      throw error;
    }
  }
}
