/** The keys of the epochs that are there, and the data keys as they are stored: sealed under one of them. */

import { NewelError } from '../errors.ts';
import type { Row, Store } from '../storage/store.ts';
import type { Epoch } from './epochs.ts';
import { dataKeyKey, formatDataKeyRow, KEY_ID_BYTES, parseDataKeyRow, rangeOf } from './rows.ts';
import { openKey, sealKey } from './seal.ts';

/** Data keys that are looked at when the vault is opened. */
const PROVEN_KEYS = 256;

const DATA_CONTEXT = Buffer.from('newel/data-key/v1');

/** A data key, and whose it is. */
export interface OwnedKey {
  readonly id: Uint8Array;
  readonly ownerTag: Uint8Array;
  readonly key: Uint8Array;
}

export class EpochKeys {
  /** By number, the oldest first. */
  #epochs: ReadonlyMap<number, Epoch>;
  #current: Epoch;

  constructor(epochs: readonly Epoch[]) {
    this.#epochs = new Map(epochs.map((epoch) => [epoch.number, epoch]));
    this.#current = epochs.at(-1)!;
  }

  /** The one that data keys are sealed under now. */
  get current(): Epoch {
    return this.#current;
  }

  get oldest(): Epoch {
    const [oldest = this.#current] = this.#epochs.values();
    return oldest;
  }

  /** The epoch of that number; `undefined` once its key is gone. */
  of(number: number): Epoch | undefined {
    return this.#epochs.get(number);
  }

  /** From now on data keys are sealed under a new epoch; those of the old ones still open. */
  begin(epoch: Epoch): void {
    this.#epochs = new Map([...this.#epochs, [epoch.number, epoch]]);
    this.#current = epoch;
  }

  /** The keys of earlier epochs are of no more use, and are forgotten. */
  endEarlier(): void {
    this.#epochs = new Map([[this.#current.number, this.#current]]);
  }

  /** The row of a data key, sealed under the current epoch. */
  row({ id, ownerTag, key }: OwnedKey): Row {
    const { number: epoch, key: epochKey } = this.#current;
    const sealedKey = sealKey(epochKey, key, dataContext(id, ownerTag));
    return { key: dataKeyKey(id), value: formatDataKeyRow({ ownerTag, epoch, sealedKey }) };
  }

  /** A stored data key. Throws `storage_failed` where it is damaged, or sealed under an epoch that is over. */
  open(id: Uint8Array, stored: Uint8Array): OwnedKey {
    const { ownerTag, epoch, sealedKey } = parseDataKeyRow(stored);
    const epochKey = this.#epochs.get(epoch)?.key;
    if (!epochKey) throw new NewelError('storage_failed', 'a data key is sealed under an epoch that is over');
    return { id, ownerTag, key: openKey(epochKey, sealedKey, dataContext(id, ownerTag)) };
  }

  /** A stored data key, sealed under the current epoch; `undefined` where it is already. */
  resealed(id: Uint8Array, stored: Uint8Array): Row | undefined {
    if (parseDataKeyRow(stored).epoch === this.#current.number) return undefined;
    return this.row(this.open(id, stored));
  }

  /**
   * Throws `log_refused` where they are not those of the database: an older copy of the epochs would seal under a key that
   * was destroyed, and open nothing that was sealed since.
   */
  async prove(store: Store): Promise<void> {
    const rows = await store.scan({ ...rangeOf(0x85), limit: PROVEN_KEYS });
    const found = new Set(rows.map((row) => this.#isSealedWithUs(row)));
    if (!found.has('later') && (rows.length === 0 || found.has('yes'))) return;
    throw new NewelError(
      'log_refused',
      'keys/epochs does not open what this database was sealed under: it is an older copy, or that of another log. Bring back the newest copy of that file',
    );
  }

  #isSealedWithUs({ key, value }: Row): 'yes' | 'later' | 'no' {
    try {
      if (parseDataKeyRow(value).epoch > this.#current.number) return 'later';
      this.open(key.subarray(-KEY_ID_BYTES), value);
      return 'yes';
    } catch (error) {
      if (error instanceof NewelError) return 'no';
      throw error;
    }
  }
}

function dataContext(id: Uint8Array, ownerTag: Uint8Array): Uint8Array {
  return Buffer.concat([DATA_CONTEXT, id, ownerTag]);
}
