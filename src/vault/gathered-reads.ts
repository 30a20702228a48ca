/**
 * Reads of single keys, gathered: what is asked for in one turn of the event loop goes to the store as one call. A call
 * costs far more than a key, and every event looks for an earlier copy of itself.
 */

import type { Store } from '../storage/store.ts';

interface Asked {
  readonly key: Uint8Array;
  readonly resolve: (value: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class GatheredReads {
  readonly #store: Store;
  #asked: Asked[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** The value of a key, as the store has it after this turn. */
  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#asked.length === 0) setImmediate(() => void this.#read());
      this.#asked.push({ key, resolve, reject });
    });
  }

  async #read(): Promise<void> {
    const asked = this.#asked;
    this.#asked = [];
    try {
      const values = await this.#store.getMany(asked.map(({ key }) => key));
      asked.forEach(({ resolve }, i) => resolve(values[i]));
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
