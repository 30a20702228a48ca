/**
 * The hierarchy of keys. What is below opens only with what is above:
 *
 *   master key                    a file, made by init; never in the database
 *    ├─ index key                 of the tags by which ids and subjects are found
 *    └─ data key                  one a subject, or one a source where an event has no subject; its id is random
 *        └─ seed                  one an event
 */

import { NewelError } from '../errors.ts';
import type { Row, Store } from '../storage/store.ts';
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
  KEY_ID_BYTES,
  ownerKey,
  parseDataKeyRow,
  SEALED_KEY_BYTES,
  vaultKey,
} from './rows.ts';
import { KEY_BYTES, openKey, sealKey } from './seal.ts';

/** Version of the row that holds the index key. */
const VAULT_VERSION = 1;
/** Data keys that are kept open in memory, those used last. */
const MAX_OPEN_KEYS = 16_384;

const INDEX_CONTEXT = Buffer.from('newel/index-key/v1');
const DATA_CONTEXT = Buffer.from('newel/data-key/v1');
const SEED_CONTEXT = Buffer.from('newel/seed/v1');

/** The row that makes a vault: a fresh index key, sealed under the master key. */
export function newVaultRow(master: Uint8Array): Row {
  const indexKey = randomBytes(KEY_BYTES);
  return { key: vaultKey, value: encodeOwn([VAULT_VERSION, sealKey(master, indexKey, INDEX_CONTEXT)]) };
}

interface OpenKey {
  readonly loading: Promise<DataKey>;
  dataKey?: DataKey;
}

/** A data key in memory. Until an event that carries its rows is durable, each event under it has to carry them. */
export interface DataKey {
  readonly id: Uint8Array;
  readonly key: Uint8Array;
  unstored: readonly Row[];
}

export class Keyring {
  readonly #store: Store;
  readonly #master: Uint8Array;
  readonly #indexKey: Uint8Array;
  /** By owner's tag, in the order of their last use. */
  readonly #open = new Map<string, OpenKey>();

  private constructor(store: Store, master: Uint8Array, indexKey: Uint8Array) {
    this.#store = store;
    this.#master = master;
    this.#indexKey = indexKey;
  }

  /** Throws `log_refused` where the master key is another or the vault's row is missing. */
  static async open(store: Store, master: Uint8Array): Promise<Keyring> {
    const [row] = await store.getMany([vaultKey]);
    if (!row)
      throw new NewelError(
        'log_refused',
        'the database has lost the row that its private zone begins with. Do not repair it; keep it, and bring back a whole copy of the newest state',
      );
    try {
      const [version, sealed] = arrayOf(decodeOwn(row), 2);
      if (version !== VAULT_VERSION) throw damagedRecord();
      return new Keyring(store, master, openKey(master, bytesOf(sealed, SEALED_KEY_BYTES), INDEX_CONTEXT));
    } catch (cause) {
      throw new NewelError(
        'log_refused',
        'keys/master does not open the private zone of this log: bring back the one that init made; if it is that one, the database is damaged',
        { cause },
      );
    }
  }

  /** The tag of a submitter's own name of an event. */
  idTag(source: string, id: string): Uint8Array {
    return this.#tag('id', source, id);
  }

  /** The data key of a person, or of a source where the event is about nobody. Made where there is none. */
  async dataKey(owner: { readonly subject: string } | { readonly source: string }): Promise<DataKey> {
    const tag = 'subject' in owner ? this.#tag('subject', owner.subject) : this.#tag('source', owner.source);
    const name = Buffer.from(tag).toString('latin1');
    const open: OpenKey = this.#open.get(name) ?? { loading: this.#loadOrMake(tag) };
    // To the end of the map, which is where the ones used last are.
    this.#open.delete(name);
    this.#open.set(name, open);
    this.#evict();
    try {
      return (open.dataKey = await open.loading);
    } catch (error) {
      if (this.#open.get(name) === open) this.#open.delete(name);
      throw error;
    }
  }

  /** A key that is not stored yet stays: a second one made for the same owner would take its place in the database. */
  #evict(): void {
    for (const [name, { dataKey }] of this.#open) {
      if (this.#open.size <= MAX_OPEN_KEYS) return;
      if (dataKey?.unstored.length === 0) this.#open.delete(name);
    }
  }

  sealSeed(dataKey: DataKey, seed: Uint8Array, eventId: Uint8Array): Uint8Array {
    return sealKey(dataKey.key, seed, seedContext(eventId));
  }

  /** Throws `storage_failed` where the data key is gone or the seed does not open under it. */
  async openSeed(keyId: Uint8Array, sealedSeed: Uint8Array, eventId: Uint8Array): Promise<Uint8Array> {
    return openKey(await this.#openDataKey(keyId), sealedSeed, seedContext(eventId));
  }

  async #loadOrMake(ownerTag: Uint8Array): Promise<DataKey> {
    const [stored] = await this.#store.getMany([ownerKey(ownerTag)]);
    if (stored) return { id: stored, key: await this.#openDataKey(stored, ownerTag), unstored: [] };
    const id = randomBytes(KEY_ID_BYTES);
    const key = randomBytes(KEY_BYTES);
    const sealedKey = sealKey(this.#master, key, dataContext(id, ownerTag));
    const unstored = [
      { key: ownerKey(ownerTag), value: id },
      { key: dataKeyKey(id), value: formatDataKeyRow({ ownerTag, sealedKey }) },
    ];
    return { id, key, unstored };
  }

  /** A data key, which is sealed for its owner; of that owner alone where one is given. */
  async #openDataKey(id: Uint8Array, ownerTag?: Uint8Array): Promise<Uint8Array> {
    const [stored] = await this.#store.getMany([dataKeyKey(id)]);
    if (!stored) throw new NewelError('storage_failed', 'a data key is missing');
    const row = parseDataKeyRow(stored);
    return openKey(this.#master, row.sealedKey, dataContext(id, ownerTag ?? row.ownerTag));
  }

  #tag(...parts: readonly string[]): Uint8Array {
    return hmac(this.#indexKey, JSON.stringify(parts));
  }
}

function seedContext(eventId: Uint8Array): Uint8Array {
  if (eventId.length !== EVENT_ID_BYTES) throw new RangeError(`event id of ${EVENT_ID_BYTES} bytes expected`);
  return Buffer.concat([SEED_CONTEXT, eventId]);
}

function dataContext(id: Uint8Array, ownerTag: Uint8Array): Uint8Array {
  return Buffer.concat([DATA_CONTEXT, id, ownerTag]);
}
