/** A Store whose commits can be made to fail, before anything was written or after all of it was, and its reads too. */

import type { Batch, Row, Scan, Store } from '../../src/storage/store.ts';

export const FAULTS = ['not persisted', 'persisted'] as const;
export type Fault = (typeof FAULTS)[number];

export class FaultyStore implements Store {
  readonly #inner: Store;
  #fault: Fault | undefined;
  #afterCommits = 0;
  /** Commits that were asked for. */
  commits = 0;
  /** Which scans fail. */
  failScan: (range: Scan) => boolean = () => false;

  constructor(inner: Store) {
    this.#inner = inner;
  }

  /** The commit after `afterCommits` more fails, once. */
  failNext(fault: Fault, afterCommits = 0): void {
    this.#fault = fault;
    this.#afterCommits = afterCommits;
  }

  async commit(batch: Batch): Promise<void> {
    this.commits += 1;
    const fault = this.#fault !== undefined && this.#afterCommits-- === 0 ? this.#fault : undefined;
    if (!fault) return this.#inner.commit(batch);
    this.#fault = undefined;
    if (fault === 'persisted') await this.#inner.commit(batch);
    throw new Error(`injected fault: ${fault}`);
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#inner.getMany(keys);
  }

  scan(range: Scan): Promise<Row[]> {
    if (this.failScan(range)) return Promise.reject(new Error('injected fault: unreadable'));
    return this.#inner.scan(range);
  }

  compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    return this.#inner.compact(from, to);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
