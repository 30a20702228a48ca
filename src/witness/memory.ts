/** What a witness remembers, for as long as it can be relied on: one read or write that fails ends that, and closing does. */

import { NewelError } from '../errors.ts';
import { STOPPED } from './serving-answer.ts';
import type { Recorded } from './witness-rows.ts';
import type { WitnessState } from './witness-state.ts';

export class Memory {
  readonly #state: WitnessState;
  readonly #onFailure: (error: unknown) => void;
  #isReliable = true;

  /** `onFailure` is told of the first failure. */
  constructor(state: WitnessState, onFailure: (error: unknown) => void) {
    this.#state = state;
    this.#onFailure = onFailure;
  }

  /** Whether a line may leave that rests on it. */
  get isReliable(): boolean {
    return this.#isReliable;
  }

  /** What was cosigned last; `undefined` where there is nothing. Throws `storage_failed`. */
  async read(originHash: Uint8Array): Promise<Recorded | undefined> {
    try {
      return await this.#state.read(originHash);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** On the disk when it resolves. One call at a time for one origin. Throws `storage_failed`: the outcome is unknown. */
  async record(originHash: Uint8Array, record: Pick<Recorded, 'timeS' | 'note'>): Promise<void> {
    try {
      await this.#state.record(originHash, record);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Waits for what is being written. The store stays open. */
  async close(): Promise<void> {
    this.#isReliable = false;
    await this.#state.close();
  }

  #fail(error: unknown): NewelError {
    if (this.#isReliable) {
      this.#isReliable = false;
      this.#onFailure(error);
    }
    return new NewelError('storage_failed', STOPPED.reason, { cause: error });
  }
}
