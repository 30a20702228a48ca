/** The in-memory twin of the LevelDB store, for tests and demonstrations: same contract, durable as long as the process. */

import type { Batch, Row, Scan, Store } from './store.ts';

export class MemoryStore implements Store {
  /** Sorted by key. */
  readonly #rows: Row[] = [];
  #closed = false;

  async commit({ puts, deletes = [] }: Batch): Promise<void> {
    this.#assertOpen();
    for (const key of deletes) {
      const at = this.#find(key);
      if (this.#has(at, key)) this.#rows.splice(at, 1);
    }
    for (const { key, value } of puts) {
      const at = this.#find(key);
      const row = { key: key.slice(), value: value.slice() };
      this.#rows.splice(at, this.#has(at, key) ? 1 : 0, row);
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.#assertOpen();
    return keys.map((key) => {
      const at = this.#find(key);
      return this.#has(at, key) ? this.#rows[at]!.value : undefined;
    });
  }

  async scan({ from, to, limit, reverse = false }: Scan): Promise<Row[]> {
    this.#assertOpen();
    const begin = this.#find(from);
    const end = Math.max(begin, this.#find(to));
    if (!reverse) return this.#rows.slice(begin, Math.min(end, begin + limit));
    return this.#rows.slice(Math.max(begin, end - limit), end).reverse();
  }

  async compact(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** The first row whose key is not below `key`. */
  #find(key: Uint8Array): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#rows[middle]!.key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #has(at: number, key: Uint8Array): boolean {
    const row = this.#rows[at];
    return row !== undefined && compareKeys(row.key, key) === 0;
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error('the store is closed');
  }
}

function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
