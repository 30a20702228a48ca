/**
 * The Store on LevelDB (`level`). Every commit is one native chained batch with `sync: true`: appended to the
 * write-ahead log and fdatasynced before it resolves.
 *
 * LevelDB takes any folder, even a missing one, and makes it; so whether a database is there is asked beforehand.
 */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { NewelError } from '../errors.ts';
import type { Batch, Row, Scan, Store } from './store.ts';
import { WRITE_BUFFER_BYTES } from './write-buffer.ts';

const BLOCK_CACHE_BYTES = 16 * 1024 * 1024;
/**
 * Open tables are mapped into memory whole, as many as LevelDB may keep open: 74 files is its least (64 of them
 * tables), 1 MiB a table's. The defaults let a large log map 2 GB.
 */
const MAX_OPEN_FILES = 74;
const MAX_TABLE_BYTES = 1024 * 1024;
/** How the system's words for a full disk, or a quota, stand in what LevelDB says. */
const NO_ROOM = /No space left on device|Disk quota exceeded/;
const SCAN_BUFFER_BYTES = 1024 * 1024;

/**
 * Opens the database in `folder`, or makes it if `create`.
 * Throws `log_missing` or `log_exists` where that does not fit, `log_in_use` while another process has it, and
 * `log_refused` where the disk has no room for it, or LevelDB itself finds it damaged.
 */
export async function openLevelStore(folder: string, { create }: { create: boolean }): Promise<Store> {
  const exists = await isDatabase(folder);
  if (exists && create) throw new NewelError('log_exists', `there is a database in ${folder}`);
  if (!exists && !create) throw new NewelError('log_missing', `there is no database in ${folder}`);
  const db = new Level<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    createIfMissing: create,
    errorIfExists: create,
    writeBufferSize: WRITE_BUFFER_BYTES,
    cacheSize: BLOCK_CACHE_BYTES,
    maxOpenFiles: MAX_OPEN_FILES,
    maxFileSize: MAX_TABLE_BYTES,
  });
  try {
    await db.open();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED') {
      throw new NewelError(
        'log_in_use',
        `another process has the database in ${folder} open, which one can at a time: end what runs with this folder ` +
          '(newel serve, newel witness serve, newel monitor), and try again',
        { cause: error },
      );
    }
    if (cause instanceof Error && NO_ROOM.test(cause.message)) {
      throw new NewelError(
        'log_refused',
        `there is no room on the disk for opening the database in ${folder}, for which LevelDB has to write: make room, and ` +
          'start again. Nothing of it was found damaged',
        { cause: error },
      );
    }
    throw new NewelError(
      'log_refused',
      `LevelDB cannot open the database in ${folder}: a file of it is missing or damaged. Do not repair it; ` +
        'bring back a whole copy of the newest state',
      { cause: error },
    );
  }
  return new LevelStore(db);
}

async function isDatabase(folder: string): Promise<boolean> {
  try {
    return (await stat(join(folder, 'CURRENT'))).isFile();
  } catch {
    return false;
  }
}

interface Compacting {
  compactRange(from: Uint8Array, to: Uint8Array): Promise<void>;
}

class LevelStore implements Store {
  readonly #db: Level<Uint8Array, Uint8Array>;

  constructor(db: Level<Uint8Array, Uint8Array>) {
    this.#db = db;
  }

  async commit({ puts, deletes = [] }: Batch): Promise<void> {
    const batch = this.#db.batch();
    for (const { key, value } of puts) batch.put(key, value);
    for (const key of deletes) batch.del(key);
    await batch.write({ sync: true });
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#db.getMany([...keys]);
  }

  async scan({ from, to, limit, reverse = false }: Scan): Promise<Row[]> {
    const range = { gte: from, lt: to, limit, reverse, highWaterMarkBytes: SCAN_BUFFER_BYTES };
    const rows = await this.#db.iterator(range).all();
    return rows.map(([key, value]) => ({ key, value }));
  }

  compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    // `level` is this class wherever there are files; its types say only what browsers have as well.
    const db = this.#db as unknown as Compacting;
    return db.compactRange(from, to);
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}
