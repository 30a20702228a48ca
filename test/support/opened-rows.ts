/**
 * Everything that is sealed in the database of an event log, opened with its keys: records as they are inside the seal, and
 * what is known of sources, transactions, erasures and tokens.
 */

import { parseLeaf } from '../../src/event/leaf.ts';
import { parseEntries } from '../../src/formats/entry-bundle.ts';
import { formatTilePath } from '../../src/formats/tile-path.ts';
import { storeSource } from '../../src/log/store-source.ts';
import type { Row, Store } from '../../src/storage/store.ts';
import { EpochSealing } from '../../src/vault/epoch-sealing.ts';
import { parseEpochs } from '../../src/vault/epochs.ts';
import { Keyring } from '../../src/vault/keyring.ts';
import { indexOfKey, parseRecordRow, rangeOf, RECORD_VERSION, type RecordRow } from '../../src/vault/rows.ts';
import { openOnce } from '../../src/vault/seal.ts';
import { keysOfSeed, openSeed } from '../../src/vault/seed.ts';
import { Sealing } from '../../src/vault/states.ts';
import type { Evidence } from './canary-evidence.ts';

export interface Keys {
  /** 32 bytes. */
  readonly master: Uint8Array;
  /** The text of `keys/epochs`. */
  readonly epochs: string;
}

/** Sealed under a key from the epoch's. */
export const TRANSACTIONS = 0x8a;
/** Rows that hold a state, or JSON, sealed; all others under a key from the index key. */
export const STATE_PREFIXES: readonly number[] = [0x89, TRANSACTIONS, 0x8b, 0x8c, 0x8d, 0x8f];
const TILE_WIDTH = 256;
const MAX_ROWS = 1_000_000;

export function rowsOf(store: Store, prefix: number): Promise<Row[]> {
  return store.scan({ ...rangeOf(prefix), limit: MAX_ROWS });
}

/** What the seals hold, by row. Throws where one does not open. */
export async function openRows(store: Store, { master, epochs }: Keys): Promise<Evidence[]> {
  const keyring = await Keyring.open(store, master, parseEpochs(epochs, master));
  const records = await recordRows(store);
  const dataKeys = await keyring.openDataKeys(records.map(({ row }) => row.keyId));
  const opened = records.map(({ index, commitment, row }, i): Evidence => {
    const seed = openSeed(dataKeys[i]!, row.sealedSeed, row.eventId);
    const { recordKey } = keysOfSeed(seed);
    const bytes = openOnce(recordKey, row.sealedRecord, recordContext(index, commitment));
    return { where: `record of leaf ${index}`, bytes };
  });
  const sealing = new Sealing(keyring.indexKey);
  const epochSealing = new EpochSealing(keyring);
  for (const prefix of STATE_PREFIXES) {
    for (const { key, value } of await rowsOf(store, prefix)) {
      const where = `opened row ${Buffer.from(key).toString('hex')}`;
      const sealed = prefix === TRANSACTIONS ? epochSealing : sealing;
      opened.push({ where, bytes: Buffer.from(sealed.open(key, value)) });
    }
  }
  return opened;
}

/** What is stored of an event that is not erased. */
export interface StoredRecord {
  readonly index: number;
  readonly commitment: Uint8Array;
  readonly row: RecordRow;
}

export async function recordRows(store: Store): Promise<StoredRecord[]> {
  const rows = await rowsOf(store, 0x83);
  const size = indexOfKey(rows.at(-1)!.key) + 1;
  const entries = await readEntries(store, size);
  return rows.flatMap(({ key, value }) => {
    const index = indexOfKey(key);
    const leaf = parseLeaf(entries[index]!);
    const row = parseRecordRow(value);
    return 'keyId' in row && 'commitment' in leaf ? [{ index, commitment: leaf.commitment, row }] : [];
  });
}

async function readEntries(store: Store, size: number): Promise<Uint8Array[]> {
  const source = storeSource(store);
  const entries: Uint8Array[] = [];
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    entries.push(
      ...parseEntries((await source.read(formatTilePath({ kind: 'entries', index, width })))!, width),
    );
  }
  return entries;
}

/** What a record is sealed for (spec/storage.md). */
export function recordContext(index: number, commitment: Uint8Array): Uint8Array {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(index));
  return Buffer.concat([Uint8Array.of(RECORD_VERSION), number, commitment]);
}
