/**
 * Counting the events under a data key, some at a time, while others come and go: so all but the last of them are counted
 * before the key is taken from its owner, and whoever submits waits for those alone.
 *
 *   … counted … │ not counted yet │ not revealed yet
 *               └ what is taken away on either side is not counted, or no longer
 */

import { NewelError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import { scanIndexes } from './erasure-scope.ts';
import type { Keyring } from './keyring.ts';
import { keyEventKey, parseRecordRow, recordKey } from './rows.ts';

export interface CountParts {
  readonly store: Store;
  readonly log: Pick<Log, 'revealed'>;
  readonly keyring: Pick<Keyring, 'watchRemovals'>;
}

/** Records that are looked at at once. */
export const COUNTED_AT_ONCE = 500;

export class EventCount {
  readonly keyId: Uint8Array;
  readonly #parts: CountParts;
  /** Leaves that were taken away since it began: the store may still show one, or have shown it. */
  readonly #removed = new Set<number>();
  readonly #unwatch: () => void;
  /** All below it are counted. */
  #next = 0;
  #found = 0;

  constructor(parts: CountParts, keyId: Uint8Array) {
    this.#parts = parts;
    this.keyId = keyId;
    this.#unwatch = parts.keyring.watchRemovals((of, index) => {
      if (!Buffer.from(of).equals(keyId)) return;
      this.#removed.add(index);
      if (index < this.#next) this.#found -= 1;
    });
  }

  /** How many events the key leads to, of those that are counted. */
  get found(): number {
    return this.#found;
  }

  /**
   * Counts what was revealed since, and returns how many leaves it has looked at. Throws `storage_failed` where one of them
   * is not under the key.
   */
  async goOn(): Promise<number> {
    const { store, log } = this.#parts;
    const range = { from: this.#next, below: log.revealed.size };
    let looked = 0;
    for await (const indexes of scanIndexes(
      store,
      (index) => keyEventKey(this.keyId, index),
      range,
      COUNTED_AT_ONCE,
    )) {
      const stored = await store.getMany(indexes.map(recordKey));
      // From here to the next page nothing awaits.
      for (const [i, index] of indexes.entries()) {
        if (this.#removed.has(index)) continue;
        this.#assertUnderKey(stored[i], index);
        this.#found += 1;
      }
      this.#next = indexes.at(-1)! + 1;
      looked += indexes.length;
    }
    this.#next = Math.max(this.#next, range.below);
    return looked;
  }

  /** Is told of nothing any more. */
  end(): void {
    this.#unwatch();
  }

  #assertUnderKey(stored: Uint8Array | undefined, index: number): void {
    const row = stored && parseRecordRow(stored);
    if (row && 'keyId' in row && Buffer.from(row.keyId).equals(this.keyId)) return;
    throw new NewelError(
      'storage_failed',
      `a data key leads to leaf ${index}, which is not under it: nothing was erased; check the log with newel fsck --data`,
    );
  }
}
