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
import type { Epoch } from './epochs.ts';
import { HeldRows, type Hold } from './held.ts';
import { hmac } from './hmac.ts';
import { randomBytes } from './random.ts';
import {
  arrayOf,
  bytesOf,
  damagedRecord,
  dataKeyKey,
  decodeOwn,
  encodeOwn,
  EVENT_ID_BYTES,
  formatDataKeyRow,
  formatIndex,
  KEY_ID_BYTES,
  keyCountKey,
  keyEventKey,
  ownerKey,
  parseDataKeyRow,
  parseIndex,
  rangeOf,
  SEALED_KEY_BYTES,
  vaultKey,
} from './rows.ts';
import { KEY_BYTES, openKey, sealKey } from './seal.ts';

/** Version of the row that holds the index key. */
const VAULT_VERSION = 1;
/** Data keys that are kept open in memory, those used last. */
const MAX_OPEN_KEYS = 16_384;
/** Data keys that are looked at when the vault is opened. */
const PROVEN_KEYS = 256;

const INDEX_CONTEXT = Buffer.from('newel/index-key/v1');
const DATA_CONTEXT = Buffer.from('newel/data-key/v1');
const SEED_CONTEXT = Buffer.from('newel/seed/v1');
const NOTHING = new Uint8Array(0);

/** The row that makes a vault: a fresh index key, sealed under the master key. */
export function newVaultRow(master: Uint8Array): Row {
  const indexKey = randomBytes(KEY_BYTES);
  return { key: vaultKey, value: encodeOwn([VAULT_VERSION, sealKey(master, indexKey, INDEX_CONTEXT)]) };
}

/** Whose data key: a person's, or that of a source where the event is about nobody. */
export type KeyOwner = { readonly subject: string } | { readonly source: string };

/** A data key in memory. Until an event that carries its rows is durable, each event under it has to carry them. */
export interface DataKey {
  readonly id: Uint8Array;
  readonly ownerTag: Uint8Array;
  readonly key: Uint8Array;
  /** Events under it, those that have their place and are not durable yet among them. */
  count: number;
  unstored: readonly Row[];
}

export class Keyring {
  readonly #store: Store;
  readonly #indexKey: Uint8Array;
  /** By number. */
  #epochs: ReadonlyMap<number, Epoch>;
  #current: Epoch;
  readonly #open = new HeldRows<DataKey>(MAX_OPEN_KEYS);

  private constructor(store: Store, indexKey: Uint8Array, epochs: readonly Epoch[]) {
    this.#store = store;
    this.#indexKey = indexKey;
    this.#epochs = new Map(epochs.map((epoch) => [epoch.number, epoch]));
    this.#current = epochs.at(-1)!;
  }

  /** Throws `log_refused` where the master key is another or the vault's row is missing. */
  static async open(store: Store, master: Uint8Array, epochs: readonly Epoch[]): Promise<Keyring> {
    const [row] = await store.getMany([vaultKey]);
    if (!row)
      throw new NewelError(
        'log_refused',
        'the database has lost the row that its private zone begins with. Do not repair it; keep it, and bring back a whole copy of the newest state',
      );
    let indexKey: Uint8Array;
    try {
      const [version, sealed] = arrayOf(decodeOwn(row), 2);
      if (version !== VAULT_VERSION) throw damagedRecord();
      indexKey = openKey(master, bytesOf(sealed, SEALED_KEY_BYTES), INDEX_CONTEXT);
    } catch (cause) {
      throw new NewelError(
        'log_refused',
        'keys/master does not open the private zone of this log: bring back the one that init made; if it is that one, the database is damaged',
        { cause },
      );
    }
    const keyring = new Keyring(store, indexKey, epochs);
    await keyring.#proveEpochs();
    return keyring;
  }

  /** An older copy of the epochs would seal under a key that was destroyed, and open nothing that was sealed since. */
  async #proveEpochs(): Promise<void> {
    const rows = await this.#store.scan({ ...rangeOf(0x85), limit: PROVEN_KEYS });
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
      this.#openRow(key.subarray(-KEY_ID_BYTES), value);
      return 'yes';
    } catch (error) {
      if (error instanceof NewelError) return 'no';
      throw error;
    }
  }

  /** What tags and states are made with; for `terms.ts` and `states.ts`. */
  get indexKey(): Uint8Array {
    return this.#indexKey;
  }

  get epoch(): Epoch {
    return this.#current;
  }

  /** Whether the key of an earlier epoch is still there. */
  get isBetweenEpochs(): boolean {
    return this.#epochs.size > 1;
  }

  /** The epoch of that number; `undefined` once its key is gone. */
  epochOf(number: number): Epoch | undefined {
    return this.#epochs.get(number);
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

  /** Takes an event from under the key; in the turn in which the round is made. */
  removeEvent(dataKey: DataKey, index: number): Batch {
    dataKey.count -= 1;
    return {
      puts: [{ key: keyCountKey(dataKey.id), value: formatIndex(dataKey.count) }],
      deletes: [keyEventKey(dataKey.id, index)],
    };
  }

  sealSeed(dataKey: DataKey, seed: Uint8Array, eventId: Uint8Array): Uint8Array {
    return sealKey(dataKey.key, seed, seedContext(eventId));
  }

  /** Throws `storage_failed` where the seed does not open under it. */
  openSeed(dataKey: Uint8Array, sealedSeed: Uint8Array, eventId: Uint8Array): Uint8Array {
    return openKey(dataKey, sealedSeed, seedContext(eventId));
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
        return [nameOf(id), this.#openRow(id, row)];
      }),
    );
    return ids.map((id) => id && keys.get(nameOf(id)));
  }

  /** From now on data keys are sealed under a new epoch; those of the old ones still open. */
  async beginEpoch(epoch: Epoch): Promise<void> {
    this.#epochs = new Map([...this.#epochs, [epoch.number, epoch]]);
    this.#current = epoch;
    // What is on its way to the store was sealed under the last one.
    for (const dataKey of await this.#open.loaded()) {
      if (dataKey.unstored.length > 0) dataKey.unstored = this.#rowsOf(dataKey);
    }
  }

  /** A stored data key, sealed under the current epoch; `undefined` where it is already. */
  resealed(id: Uint8Array, stored: Uint8Array): Row | undefined {
    const { ownerTag, epoch } = parseDataKeyRow(stored);
    if (epoch === this.#current.number) return undefined;
    return this.#keyRowOf({ id, ownerTag, key: this.#openRow(id, stored) });
  }

  /** The keys of earlier epochs are of no more use, and are forgotten. */
  endEarlierEpochs(): void {
    this.#epochs = new Map([[this.#current.number, this.#current]]);
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
    return { id, ownerTag, key: this.#openRow(id, stored), count: parseIndex(count), unstored: [] };
  }

  #rowsOf(dataKey: Pick<DataKey, 'id' | 'ownerTag' | 'key'>): readonly Row[] {
    return [{ key: ownerKey(dataKey.ownerTag), value: dataKey.id }, this.#keyRowOf(dataKey)];
  }

  #keyRowOf({ id, ownerTag, key }: Pick<DataKey, 'id' | 'ownerTag' | 'key'>): Row {
    const epoch = this.#current;
    const sealedKey = sealKey(epoch.key, key, dataContext(id, ownerTag));
    return { key: dataKeyKey(id), value: formatDataKeyRow({ ownerTag, epoch: epoch.number, sealedKey }) };
  }

  #openRow(id: Uint8Array, stored: Uint8Array): Uint8Array {
    const { ownerTag, epoch, sealedKey } = parseDataKeyRow(stored);
    const key = this.#epochs.get(epoch)?.key;
    if (!key) throw new NewelError('storage_failed', 'a data key is sealed under an epoch that is over');
    return openKey(key, sealedKey, dataContext(id, ownerTag));
  }

  #tag(...parts: readonly string[]): Uint8Array {
    return hmac(this.#indexKey, JSON.stringify(parts));
  }
}

function nameOf(tag: Uint8Array): string {
  return Buffer.from(tag).toString('latin1');
}

function seedContext(eventId: Uint8Array): Uint8Array {
  if (eventId.length !== EVENT_ID_BYTES) throw new RangeError(`event id of ${EVENT_ID_BYTES} bytes expected`);
  return Buffer.concat([SEED_CONTEXT, eventId]);
}

function dataContext(id: Uint8Array, ownerTag: Uint8Array): Uint8Array {
  return Buffer.concat([DATA_CONTEXT, id, ownerTag]);
}
