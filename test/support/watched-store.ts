/**
 * A Store whose reads and clearings a test looks at, and may hold back.
 *
 *   const store = new WatchedStore(new MemoryStore());
 *   const held = store.holdScan(0x86);       the next scan of these keys: what it read gets old until it is let go
 *   await held.reached;
 *   held.release();
 */

import type { Batch, Row, Scan, Store } from '../../src/storage/store.ts';

export interface HeldScan {
  /** Resolves when there is such a scan and it has read. */
  readonly reached: Promise<void>;
  release(): void;
}

export class WatchedStore implements Store {
  readonly #inner: Store;
  /** Called with each, once it is read and before it is answered. */
  onScan: (range: Scan, rows: readonly Row[]) => Promise<void> | void = () => {};
  onGet: (keys: readonly Uint8Array[]) => Promise<void> | void = () => {};
  /** Called before each clearing, which fails where this does. */
  onCompact: () => Promise<void> | void = () => {};

  constructor(inner: Store) {
    this.#inner = inner;
  }

  /** Holds back the next scan of keys that begin with that byte. */
  holdScan(prefix: number): HeldScan {
    let reach: () => void;
    let release: () => void;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    let isHeld = false;
    this.onScan = async ({ from }) => {
      if (isHeld || from[0] !== prefix) return;
      isHeld = true;
      reach();
      await released;
    };
    return { reached, release: () => release() };
  }

  commit(batch: Batch): Promise<void> {
    return this.#inner.commit(batch);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const values = await this.#inner.getMany(keys);
    await this.onGet(keys);
    return values;
  }

  async scan(range: Scan): Promise<Row[]> {
    const rows = await this.#inner.scan(range);
    await this.onScan(range, rows);
    return rows;
  }

  async compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    await this.onCompact();
    return this.#inner.compact(from, to);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
