/**
 * The hierarchy of keys. What is below opens only with what is above:
 *
 *   master key                    a file, the environment or a command; never in the database
 *    ├─ index key                 of the tags by which ids, subjects and terms are found, and of states
 *    └─ epoch key                 one a week, in a file of its own; the one before is destroyed
 *        └─ data key              one a subject, or one a source where an event has no subject; its id is random
 *            └─ seed              one an event
 */

import { NewelError } from '../errors.ts';
import type { Batch, Row, Store } from '../storage/store.ts';
import { EpochKeys, type OwnedKey } from './epoch-keys.ts';
import type { Epoch } from './epochs.ts';
import { HeldRows, type Hold } from './held.ts';
import { hmac } from './hmac.ts';
import { openIndexKey } from './index-key.ts';
import { randomBytes } from './random.ts';
import {
  dataKeyKey,
  formatIndex,
  KEY_ID_BYTES,
  keyCountKey,
  keyEventKey,
  ownerKey,
  parseDataKeyRow,
  parseIndex,
} from './rows.ts';
import { KEY_BYTES } from './seal.ts';

/** Data keys that are kept open in memory, those used last. */
const MAX_OPEN_KEYS = 16_384;

const NOTHING = new Uint8Array(0);

/** Whose data key: a person's, or that of a source where the event is about nobody. */
export type KeyOwner = { readonly subject: string } | { readonly source: string };

/** A data key in memory. Until an event that carries its rows is durable, each event under it has to carry them. */
export interface DataKey extends OwnedKey {
  /** Events under it, those that have their place and are not durable yet among them. */
  count: number;
  unstored: readonly Row[];
}

export class Keyring {
  readonly #store: Store;
  readonly #indexKey: Uint8Array;
  readonly #epochs: EpochKeys;
  readonly #open = new HeldRows<DataKey>(MAX_OPEN_KEYS);
  /** Told of each event that is taken from under a key. */
  readonly #watchers = new Set<(keyId: Uint8Array, index: number) => void>();

  private constructor(store: Store, indexKey: Uint8Array, epochs: EpochKeys) {
    this.#store = store;
    this.#indexKey = indexKey;
    this.#epochs = epochs;
  }

  /** Throws `log_refused` where the master key or the epochs are others, or the vault's row is missing. */
  static async open(store: Store, master: Uint8Array, epochs: readonly Epoch[]): Promise<Keyring> {
    const indexKey = await openIndexKey(store, master);
    const epochKeys = new EpochKeys(epochs);
    await epochKeys.prove(store);
    return new Keyring(store, indexKey, epochKeys);
  }

  /** What tags and states are made with; for `terms.ts` and `states.ts`. */
  get indexKey(): Uint8Array {
    return this.#indexKey;
  }

  get epoch(): Epoch {
    return this.#epochs.current;
  }

  /** The oldest epoch whose key is still there. */
  get oldestEpoch(): Epoch {
    return this.#epochs.oldest;
  }

  /** The epoch of that number; `undefined` once its key is gone. */
  epochOf(number: number): Epoch | undefined {
    return this.#epochs.of(number);
  }

  /** The tag of a submitter's own name of an event. */
  idTag(source: string, id: string): Uint8Array {
    return this.#tag('id', source, id);
  }

  ownerTag(owner: KeyOwner): Uint8Array {
    return 'subject' in owner ? this.#tag('subject', owner.subject) : this.#tag('source', owner.source);
  }

  /** The data key of an owner, held. Made where there is none. */
  hold(owner: KeyOwner): Promise<Hold<DataKey>> {
    const tag = this.ownerTag(owner);
    return this.#open.hold(nameOf(tag), () => this.#loadOrMake(tag));
  }

  /** Whose the stored data keys are; `undefined` for one that is gone. */
  async ownerTagsOf(ids: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    const stored = await this.#store.getMany(ids.map(dataKeyKey));
    return stored.map((row) => row && parseDataKeyRow(row).ownerTag);
  }

  /** The data key with that id, held; `undefined` where its owner has another one by now: this one is being erased. */
  async holdOf(ownerTag: Uint8Array, id: Uint8Array): Promise<Hold<DataKey> | undefined> {
    const held = await this.#open.hold(nameOf(ownerTag), () => this.#loadOrMake(ownerTag));
    if (Buffer.from(held.value.id).equals(id)) return held;
    held.release();
    return undefined;
  }

  /** The id of an owner's data key, as it is stored. */
  findKeyId(owner: KeyOwner): Promise<Uint8Array | undefined> {
    return this.keyIdOf(this.ownerTag(owner));
  }

  async keyIdOf(ownerTag: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.#store.getMany([ownerKey(ownerTag)]))[0];
  }

  /** How many events a stored data key has. Throws `storage_failed` where it does not say. */
  async countOf(id: Uint8Array): Promise<number> {
    const [count] = await this.#store.getMany([keyCountKey(id)]);
    if (!count) throw new NewelError('storage_failed', 'the count of a data key is missing');
    return parseIndex(count);
  }

  /** Has the data key of that owner alone while `work` runs; who asks for it meanwhile gets the one that is there after it. */
  alone<R>(ownerTag: Uint8Array, work: () => Promise<R>): Promise<R> {
    return this.#open.alone([nameOf(ownerTag)], () => this.#loadOrMake(ownerTag), work);
  }

  /** Puts an event at a leaf under the key; in the turn in which the round is made. */
  addEvent(dataKey: DataKey, index: number): readonly Row[] {
    dataKey.count += 1;
    return [
      { key: keyEventKey(dataKey.id, index), value: NOTHING },
      { key: keyCountKey(dataKey.id), value: formatIndex(dataKey.count) },
      ...dataKey.unstored,
    ];
  }

  /**
   * Takes an event from under a key; in the turn in which the round is made. One whose owner has another by now has no
   * count any more, and is not held.
   */
  removeEvent(keyId: Uint8Array, index: number, dataKey: DataKey | undefined): Required<Batch> {
    for (const told of this.#watchers) told(keyId, index);
    const puts: Row[] = [];
    if (dataKey) {
      dataKey.count -= 1;
      puts.push({ key: keyCountKey(keyId), value: formatIndex(dataKey.count) });
    }
    return { puts, deletes: [keyEventKey(keyId, index)] };
  }

  /** Is told of each event that is taken from under a key, before that shows in the store. Returns what ends it. */
  watchRemovals(told: (keyId: Uint8Array, index: number) => void): () => void {
    this.#watchers.add(told);
    return () => this.#watchers.delete(told);
  }

  /** The data keys with those ids. Throws `storage_failed` where one is gone, or sealed under an epoch that is. */
  async openDataKeys(ids: readonly (Uint8Array | undefined)[]): Promise<readonly (Uint8Array | undefined)[]> {
    const named = new Map(ids.flatMap((id) => (id ? [[nameOf(id), id]] : [])));
    const wanted = [...named.values()];
    const stored = await this.#store.getMany(wanted.map(dataKeyKey));
    const keys = new Map(
      wanted.map((id, i) => {
        const row = stored[i];
        if (!row) throw new NewelError('storage_failed', 'a data key is missing');
        return [nameOf(id), this.#epochs.open(id, row).key];
      }),
    );
    return ids.map((id) => id && keys.get(nameOf(id)));
  }

  /** From now on data keys are sealed under a new epoch; those of the old ones still open. */
  async beginEpoch(epoch: Epoch): Promise<void> {
    this.#epochs.begin(epoch);
    // What is on its way to the store was sealed under the last one.
    for (const dataKey of await this.#open.loaded()) {
      if (dataKey.unstored.length > 0) dataKey.unstored = this.#rowsOf(dataKey);
    }
  }

  /** A stored data key, sealed under the current epoch; `undefined` where it is already. */
  resealed(id: Uint8Array, stored: Uint8Array): Row | undefined {
    return this.#epochs.resealed(id, stored);
  }

  /** The keys of earlier epochs are of no more use, and are forgotten. */
  endEarlierEpochs(): void {
    this.#epochs.endEarlier();
  }

  async #loadOrMake(ownerTag: Uint8Array): Promise<DataKey> {
    const [id] = await this.#store.getMany([ownerKey(ownerTag)]);
    if (id) return this.#load(id, ownerTag);
    const made = { id: randomBytes(KEY_ID_BYTES), ownerTag, key: randomBytes(KEY_BYTES) };
    return { ...made, count: 0, unstored: this.#rowsOf(made) };
  }

  async #load(id: Uint8Array, ownerTag: Uint8Array): Promise<DataKey> {
    const [stored, count] = await this.#store.getMany([dataKeyKey(id), keyCountKey(id)]);
    if (!stored || !count) throw new NewelError('storage_failed', 'a data key is missing');
    if (!Buffer.from(parseDataKeyRow(stored).ownerTag).equals(ownerTag)) {
      throw new NewelError('storage_failed', 'a data key is not of its owner');
    }
    return { ...this.#epochs.open(id, stored), count: parseIndex(count), unstored: [] };
  }

  #rowsOf(dataKey: OwnedKey): readonly Row[] {
    return [{ key: ownerKey(dataKey.ownerTag), value: dataKey.id }, this.#epochs.row(dataKey)];
  }

  #tag(...parts: readonly string[]): Uint8Array {
    return hmac(this.#indexKey, JSON.stringify(parts));
  }
}

function nameOf(tag: Uint8Array): string {
  return Buffer.from(tag).toString('latin1');
}
