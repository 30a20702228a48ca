/**
 * The index key, of which tags, terms and the seals of states are made: random, made with the vault, and in its first row
 * sealed under the master key.
 *
 *   80   CBOR [1, sealed key]
 */

import { NewelError } from '../errors.ts';
import type { Row, Store } from '../storage/store.ts';
import { randomBytes } from './random.ts';
import { arrayOf, bytesOf, damagedRecord, decodeOwn, encodeOwn, SEALED_KEY_BYTES, vaultKey } from './rows.ts';
import { KEY_BYTES, openKey, sealKey } from './seal.ts';

/** Version of the row. */
const VAULT_VERSION = 1;

const INDEX_CONTEXT = Buffer.from('newel/index-key/v1');

/** The row that makes a vault: a fresh index key, sealed under the master key. */
export function newVaultRow(master: Uint8Array): Row {
  const indexKey = randomBytes(KEY_BYTES);
  return { key: vaultKey, value: encodeOwn([VAULT_VERSION, sealKey(master, indexKey, INDEX_CONTEXT)]) };
}

/** Throws `log_refused` where the master key is another or the vault's row is missing. */
export async function openIndexKey(store: Store, master: Uint8Array): Promise<Uint8Array> {
  const [row] = await store.getMany([vaultKey]);
  if (!row)
    throw new NewelError(
      'log_refused',
      'the database has lost the row that its private zone begins with. Do not repair it; keep it, and bring back a whole copy of the newest state',
    );
  try {
    const [version, sealed] = arrayOf(decodeOwn(row), 2);
    if (version !== VAULT_VERSION) throw damagedRecord();
    return openKey(master, bytesOf(sealed, SEALED_KEY_BYTES), INDEX_CONTEXT);
  } catch (cause) {
    throw new NewelError(
      'log_refused',
      'keys/master does not open the private zone of this log: bring back the one that init made; if it is that one, the database is damaged',
      { cause },
    );
  }
}
