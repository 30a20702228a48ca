/**
 * Whoever has a copy of a data folder and tries to open what is sealed in it: with every 32 bytes in it that could be a
 * key, with what comes of them by the hashes and streams that are in use, and with all that opens by one of them.
 */

import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';
import type { Store } from '../../src/storage/store.ts';
import { parseDataKeyRow } from '../../src/vault/rows.ts';
import type { Evidence } from './canary-evidence.ts';
import { recordContext, recordRows, rowsOf, STATE_PREFIXES, TRANSACTIONS } from './opened-rows.ts';

/** Before the seal of what is known of a transaction: two numbers of epochs. */
const EPOCH_HEAD_BYTES = 8;

/** Something sealed, as spec/storage.md says how. */
export interface SealedItem {
  readonly what: 'index key' | 'epoch key' | 'data key' | 'seed' | 'record' | 'state';
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
  readonly context: Uint8Array;
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** All that is sealed in the database and in the text of `keys/epochs`: of each kind of row `atMost`. */
export async function sealedItems(store: Store, epochs: string, atMost: number): Promise<SealedItem[]> {
  const [vault] = await rowsOf(store, 0x80);
  const records = spread(await recordRows(store), atMost);
  const keyIds = new Set(records.map(({ row }) => hexOf(row.keyId)));
  const dataKeys = (await rowsOf(store, 0x85)).filter(({ key }) => keyIds.has(hexOf(key.subarray(1))));
  const states = await Promise.all(STATE_PREFIXES.map(async (prefix) => rowsOf(store, prefix)));
  const list = JSON.parse(epochs) as { epoch: number; key: string }[];
  return [
    // CBOR: the version, then 60 bytes.
    sealed('index key', vault!.value.slice(-60), Buffer.from('newel/index-key/v1')),
    ...list.map(({ epoch, key }) =>
      sealed('epoch key', Buffer.from(key, 'base64url'), Buffer.from(`newel/epoch-key/v1/${epoch}`)),
    ),
    ...dataKeys.map(({ key, value }) => {
      const { ownerTag, sealedKey } = parseDataKeyRow(value);
      return sealed('data key', sealedKey, Buffer.concat([DATA_KEY, key.subarray(1), ownerTag]));
    }),
    ...records.map(({ row }) => sealed('seed', row.sealedSeed, Buffer.concat([SEED, row.eventId]))),
    ...records.map(({ row: { sealedRecord }, index, commitment }): SealedItem => {
      const whole = Buffer.concat([Buffer.alloc(NONCE_BYTES), sealedRecord]);
      return sealed('record', whole, recordContext(index, commitment));
    }),
    ...states.flatMap((rows) =>
      spread(rows, atMost).map(({ key, value }) =>
        sealed('state', key[0] === TRANSACTIONS ? value.subarray(EPOCH_HEAD_BYTES) : value, key),
      ),
    ),
  ];
}

const DATA_KEY = Buffer.from('newel/data-key/v1');
const SEED = Buffer.from('newel/seed/v1');

function sealed(what: SealedItem['what'], bytes: Uint8Array, context: Uint8Array): SealedItem {
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const ciphertext = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
  return { what, nonce, ciphertext, tag: bytes.subarray(-TAG_BYTES), context };
}

/** Some of all, from the first to the last. */
function spread<T>(all: readonly T[], atMost: number): T[] {
  const step = Math.max(1, Math.floor(all.length / atMost));
  return all.filter((_, i) => i % step === 0).slice(0, atMost);
}

/** How many of each kind open with keys that are, or come of, the 32 bytes given. */
export function breakSeals(
  items: readonly SealedItem[],
  found: Iterable<Uint8Array>,
): Partial<Record<SealedItem['what'], number>> {
  const tried = new Set<string>();
  let left = items;
  for (let keys = [...found]; keys.length > 0;) {
    const fresh = keys.flatMap(keysOf).filter((key) => isNew(tried, key));
    keys = [];
    for (const key of fresh) {
      left = left.filter((item) => {
        const plain = openWith(key, item);
        if (plain?.length === KEY_BYTES) keys.push(plain);
        return plain === undefined;
      });
    }
  }
  const counts: Partial<Record<SealedItem['what'], number>> = {};
  for (const { what } of items.filter((item) => !left.includes(item))) {
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

function isNew(tried: Set<string>, key: Uint8Array): boolean {
  const name = hexOf(key);
  if (tried.has(name)) return false;
  tried.add(name);
  return true;
}

/** What a key of the hierarchy may be made into: itself, its hash, the key of states, what comes of a seed. */
function keysOf(key: Uint8Array): Uint8Array[] {
  return [
    key,
    createHash('sha256').update(key).digest(),
    createHmac('sha256', key).update('newel/state/v1').digest(),
    createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(KEY_BYTES)),
  ];
}

function openWith(key: Uint8Array, { nonce, ciphertext, tag, context }: SealedItem): Uint8Array | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(context).setAuthTag(tag);
  const plain = decipher.update(ciphertext);
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}

/** Every 32 bytes in a file that could be a key: as they are where it is one of keys, and in what is spelled in it. */
export function keysInFile({ where, bytes }: Evidence): Uint8Array[] {
  const text = Buffer.from(bytes).toString('latin1');
  const spelled = [
    ...(text.match(/[0-9a-fA-F]{64,}/g) ?? []).map((run) => Buffer.from(run, 'hex')),
    ...(text.match(/[A-Za-z0-9+/_-]{42,}/g) ?? []).flatMap((run) =>
      // A run may begin with characters that are not part of it, such as `newel_`.
      [0, 1, 2, 3].map((first) => Buffer.from(run.slice(first), 'base64url')),
    ),
  ];
  const plain = /file keys\//.test(where) ? [bytes] : [];
  const texts = new Set([...(text.match(/[\x21-\x7e]+/g) ?? []), ...(text.match(/[\w.:/+-]+/g) ?? [])]);
  const hashes = Array.from(texts, (one) => createHash('sha256').update(one).digest());
  return [...[...spelled, ...plain].flatMap(windowsOf), ...hashes];
}

/** Every 32 bytes in `atMost` rows of keys and tags, and in as many of what else records show. */
export async function keysInRows(store: Store, atMost: number): Promise<Uint8Array[]> {
  const rows = await Promise.all([0x01, 0x80, 0x82, 0x84, 0x85].map((prefix) => rowsOf(store, prefix)));
  const parts = rows.flat().flatMap(({ key, value }) => [key, value]);
  const records = await recordRows(store);
  const macs = records.flatMap(({ row, commitment }) => [row.contentMac, row.idTag, commitment]);
  return [...spread(parts, atMost), ...spread(macs, atMost)].flatMap(windowsOf);
}

function windowsOf(bytes: Uint8Array): Uint8Array[] {
  const count = Math.max(0, bytes.length - KEY_BYTES + 1);
  return Array.from({ length: count }, (_, at) => bytes.subarray(at, at + KEY_BYTES));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
