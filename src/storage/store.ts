/**
 * What the log asks of a database: an ordered map from byte strings to byte strings, with one durable, atomic write.
 *
 * Keys sort as unsigned bytes. There is one writer. Who wants another database implements these four methods and
 * runs the contract suite (`suite.ts`).
 */

export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What one commit writes: all of it or nothing. Of two puts of one key the later one counts; none is put and deleted. */
export interface Batch {
  readonly puts: readonly Row[];
  readonly deletes?: readonly Uint8Array[];
}

/** Rows with `from` ≤ key < `to`, at most `limit` of them, in the order of their keys, or from the last if `reverse`. */
export interface Scan {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly limit: number;
  readonly reverse?: boolean;
}

export interface Store {
  /**
   * Resolves when all of the batch has reached the disk (fsync), never before. If it rejects, the outcome is
   * unknown: any part of the promise may hold, but the batch is there whole or not at all. The caller must then
   * stop writing; a new Store on the same database says what happened.
   */
  commit(batch: Batch): Promise<void>;

  /** The value of each key, in order; `undefined` where there is none. Values are the caller's to keep, not to change. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;

  scan(range: Scan): Promise<Row[]>;

  /**
   * Resolves when what was deleted or replaced at `from` ≤ key < `to`, before the call, is in none of the database's
   * files any more.
   */
  compact(from: Uint8Array, to: Uint8Array): Promise<void>;

  /** Waits for a commit under way, then lets go of the database. Calls after it reject. */
  close(): Promise<void>;
}
