/**
 * Receipts in a browser, for as long as it keeps the site's data: one row each in an IndexedDB database.
 *
 *   evt_3q2-7wAAAAAAAAAAAAAAAA  →  {"event_id":"evt_3q2-7wAAAAAAAAAAAAAAAA",…}       the receipt's text
 */

import { NewelError } from '../errors.ts';
import { formatReceipt, parseReceipt, type Receipt } from './receipt.ts';
import type { ReceiptStore } from './receipt-store.ts';

export interface IndexedDbOptions {
  /** Of the database; `newel-receipts` by default. */
  readonly name?: string;
  readonly indexedDB?: IDBFactory;
}

const DEFAULT_NAME = 'newel-receipts';
const VERSION = 1;
const TABLE = 'receipts';
/** Keys that are read at a time: a transaction does not stay open while the caller looks at one. */
const KEYS_AT_ONCE = 1000;

/** Opens the store, making it where it is not there. Rejects with `storage_failed`. */
export async function openIndexedDbReceiptStore({
  name = DEFAULT_NAME,
  indexedDB = globalThis.indexedDB,
}: IndexedDbOptions = {}): Promise<IndexedDbReceiptStore> {
  const opening = indexedDB.open(name, VERSION);
  opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE);
  return new IndexedDbReceiptStore(await resultOf(opening));
}

export class IndexedDbReceiptStore implements ReceiptStore {
  readonly #database: IDBDatabase;

  /** Use `openIndexedDbReceiptStore`. */
  constructor(database: IDBDatabase) {
    this.#database = database;
    // Another page that opens a later version of it is not kept waiting.
    database.onversionchange = () => database.close();
  }

  async put(receipt: Receipt): Promise<void> {
    const kept = parseReceipt(receipt);
    const transaction = this.#transaction('readwrite');
    transaction.objectStore(TABLE).put(formatReceipt(kept), kept.event_id);
    await completionOf(transaction);
  }

  async get(eventId: string): Promise<Receipt | undefined> {
    const text: unknown = await resultOf<unknown>(
      this.#transaction('readonly').objectStore(TABLE).get(eventId),
    );
    if (text === undefined) return undefined;
    const receipt = parseReceipt(text);
    if (receipt.event_id !== eventId) throw failed('a row of the receipt store is of another event');
    return receipt;
  }

  async *list(): AsyncGenerator<string, void> {
    for (let after: string | undefined; ;) {
      const range = after === undefined ? null : IDBKeyRange.lowerBound(after, true);
      const table = this.#transaction('readonly').objectStore(TABLE);
      const keys = await resultOf(table.getAllKeys(range, KEYS_AT_ONCE));
      for (const key of keys) if (typeof key === 'string') yield key;
      const last = keys.at(-1);
      if (keys.length < KEYS_AT_ONCE || typeof last !== 'string') return;
      after = last;
    }
  }

  /** Lets go of the database; the receipts stay. */
  close(): void {
    this.#database.close();
  }

  #transaction(mode: IDBTransactionMode): IDBTransaction {
    try {
      return this.#database.transaction(TABLE, mode, { durability: 'strict' });
    } catch (cause) {
      throw failed('the receipt store is closed', cause);
    }
  }
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(failed('the receipt store cannot be read', request.error));
  });
}

/** Resolves when what the transaction wrote is durable. */
function completionOf(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(failed('the receipt store took nothing', transaction.error));
  });
}

function failed(what: string, cause?: unknown): NewelError {
  return new NewelError('storage_failed', what, { cause });
}
