/** Opens the log of a data folder: database, guard, key and clock put together. */

import { stat } from 'node:fs/promises';
import { hasCode } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import type { Cosigner } from '../formats/cosignature.ts';
import type { Verifier } from '../formats/note.ts';
import type { Clock } from '../log/clock.ts';
import { type Guard, openGuard } from '../log/guard.ts';
import type { Kind } from '../log/identity.ts';
import type { Asking, Log, ProveCompanions } from '../log/log.ts';
import { openLog, type OpenOptions } from '../log/open.ts';
import type { PoolLimits } from '../log/pool.ts';
import type { Listener } from '../log/signals.ts';
import { openLevelStore } from '../storage/level.ts';
import { type SetAside, setAside } from '../storage/set-aside.ts';
import type { Store } from '../storage/store.ts';
import { proveRecords } from '../vault/prove-records.ts';
import type { Folder } from './folder.ts';
import { type LogKey, readLogKey } from './log-key.ts';

export { readLogKey } from './log-key.ts';

export interface OpenFolderOptions {
  /** The guard's path. */
  readonly guard: string;
  /** Read from the folder where it is not given. */
  readonly key?: LogKey;
  readonly clock?: Clock;
  readonly acceptClock?: boolean;
  readonly limits?: PoolLimits;
  readonly publishIntervalMs?: number;
  readonly onSignal?: Listener;
  /** Makes the second line of checkpoints. */
  readonly cosigner?: Cosigner;
  /** Reads only until `log.begin()`. */
  readonly isHeld?: boolean;
  /** Whose lines are wanted, and who asks for them. */
  readonly slots?: NonNullable<OpenOptions['slots']>;
  readonly witnessVerifiers?: readonly Verifier[];
  readonly asking?: Asking;
}

export interface OpenedFolder {
  /** Closing it closes database and guard. */
  readonly log: Log;
  /** The database that the log writes to: for reading. */
  readonly store: Store;
  readonly key: LogKey;
}

export interface OpenedStore {
  readonly store: Store;
  /** The database's files as they were before it was opened: to be dropped once the log in it is proven. */
  readonly aside: SetAside;
}

/**
 * Opens the log for reading and writing. Throws `log_in_use`, `log_missing` or `log_refused`, saying what to do. Where
 * the log is refused, the files of its database stay set aside.
 */
export async function openFolderLog(folder: Folder, options: OpenFolderOptions): Promise<OpenedFolder> {
  const { guard: guardPath, key: given, ...rest } = options;
  const key = given ?? (await readLogKey(folder));
  // First, since it is only read: a guard that is missing is no reason to touch the database.
  const guard = await openGuard(guardPath);
  let opened: OpenedStore;
  try {
    opened = await openFolderAside(folder);
  } catch (error) {
    await guard.close();
    throw error;
  }
  const log = await openProven(folder, key, { ...rest, ...opened, guard });
  try {
    await opened.aside.dropAll();
    return { log, store: opened.store, key };
  } catch (cause) {
    await log.close();
    const { path } = opened.aside;
    throw new NewelError(
      'log_refused',
      `${path} cannot be removed; the log is proven, so remove it by hand`,
      {
        cause,
      },
    );
  }
}

async function openProven(
  { origin, kind, instance }: Folder,
  { signer, verifier, vkey }: LogKey,
  parts: OpenedStore & Omit<OpenFolderOptions, 'guard' | 'key'> & { readonly guard: Guard },
): Promise<Log> {
  const { aside, ...rest } = parts;
  try {
    const identity = { origin, kind, instance, vkey };
    return await openLog({ ...rest, identity, signer, verifier, ...companionsOf(kind, parts.store) });
  } catch (error) {
    try {
      await parts.store.close();
    } finally {
      await parts.guard.close();
    }
    throw withEvidence(error, aside);
  }
}

/** What is demanded beside the leaves of a log of that kind: `openLog`'s and `proveStored`'s option. */
export function companionsOf(kind: Kind, store: Store): { readonly proveCompanions?: ProveCompanions } {
  if (kind === 'opaque') return {};
  return { proveCompanions: (first, entries) => proveRecords(store, first, entries) };
}

/** Opens the database of the folder, its files set aside beforehand. Throws as `openFolderStore` does. */
export async function openFolderAside(folder: Folder): Promise<OpenedStore> {
  const aside = await setFilesAside(folder);
  try {
    return { store: await openFolderStore(folder), aside };
  } catch (error) {
    if (error instanceof NewelError && error.code === 'log_refused') throw withEvidence(error, aside);
    // Nothing was opened, so nothing was changed.
    await aside.drop();
    throw error;
  }
}

/** The database of the folder. One process at a time has it. Throws `log_in_use`, `log_missing` or `log_refused`. */
export async function openFolderStore(folder: Folder): Promise<Store> {
  const { paths } = folder;
  try {
    return await openLevelStore(paths.db, { create: false });
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    if (error.code === 'log_in_use') {
      const message = `the log in ${paths.dir} is being served by another process; stop that one first`;
      throw new NewelError('log_in_use', message, { cause: error });
    }
    throw error.code === 'log_missing' ? missing(folder, error) : error;
  }
}

async function setFilesAside(folder: Folder): Promise<SetAside> {
  const { db } = folder.paths;
  try {
    await stat(db);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) throw missing(folder, cause);
    throw new NewelError('log_refused', `the database ${db} cannot be looked at: see that this user may`, {
      cause,
    });
  }
  try {
    return await setAside(db);
  } catch (cause) {
    throw new NewelError(
      'log_refused',
      `the files of ${db} cannot be given second names in ${db}.before-open, as is done before a database is opened: ` +
        'make room there, and see that this user may write; or try again, if another process has the log',
      { cause },
    );
  }
}

function missing({ paths }: Folder, cause: unknown): NewelError {
  const message = `there is no database in ${paths.db}, though ${paths.config} is there: bring back a whole copy of the newest folder`;
  return new NewelError('log_missing', message, { cause });
}

/** The refusal of a log, saying where its database lies as it was. */
function withEvidence(error: unknown, aside: SetAside): unknown {
  if (!(error instanceof NewelError)) return error;
  return new NewelError(error.code, `${error.message}. ${formatEvidence(aside)}`, { cause: error });
}

/** What to tell about files that stay set aside. */
export function formatEvidence({ path, isNew }: SetAside): string {
  return isNew
    ? `The files of the database, as they were before this opening, are in ${path}`
    : `The files of the database, as they were before an earlier opening that was not proven, are in ${path}`;
}

/** Whether the guard lies on another volume than the folder, so that one restored volume is not both. */
export async function isOnOwnVolume(guard: string, { paths }: Folder): Promise<boolean> {
  const [guarded, folder] = await Promise.all([stat(guard), stat(paths.db)]);
  return guarded.dev !== folder.dev;
}
