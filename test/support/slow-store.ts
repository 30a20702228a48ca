/** A Store that is slow: what it read is as old as that when it is used, as it may be with any database. */

import type { Batch, Row, Scan, Store } from '../../src/storage/store.ts';

export class SlowStore implements Store {
  readonly #inner: Store;
  /** Turns of the event loop that the answer to a read, or a commit, may take; none by default. */
  maxTurns = 0;
  maxCommitTurns = 0;
  #calls = 0;

  constructor(inner: Store) {
    this.#inner = inner;
  }

  async commit(batch: Batch): Promise<void> {
    await this.#wait(this.maxCommitTurns);
    return this.#inner.commit(batch);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const values = await this.#inner.getMany(keys);
    await this.#wait(this.maxTurns);
    return values;
  }

  async scan(range: Scan): Promise<Row[]> {
    const rows = await this.#inner.scan(range);
    await this.#wait(this.maxTurns);
    return rows;
  }

  compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    return this.#inner.compact(from, to);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** A different number of turns each time, and the same ones in each run. */
  async #wait(maxTurns: number): Promise<void> {
    const turns = (Math.imul(++this.#calls, 2654435761) >>> 8) % (maxTurns + 1);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}
