/** Opens the log of a data folder: database, guard, key and clock put together. */

import { readFile, stat } from 'node:fs/promises';
import { NewelError } from '../errors.ts';
import { ed25519Signer, ed25519Verifier, type Signer, type Verifier } from '../formats/note.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { parsePolicy } from '../formats/tlog-policy.ts';
import { formatVkey, KEY_TYPE, newVkey, parseSkey } from '../formats/vkey.ts';
import type { Clock } from '../log/clock.ts';
import { openGuard } from '../log/guard.ts';
import { type Log, openLog } from '../log/log.ts';
import type { PoolLimits } from '../log/pool.ts';
import type { Listener } from '../log/signals.ts';
import { openLevelStore } from '../storage/level.ts';
import type { Store } from '../storage/store.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import type { Folder } from './folder.ts';

export interface LogKey {
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly vkey: string;
}

export interface OpenedFolder {
  /** Closing it closes database and guard. */
  readonly log: Log;
  readonly key: LogKey;
}

export interface OpenFolderOptions {
  /** The guard's path. */
  readonly guard: string;
  readonly clock?: Clock;
  readonly acceptClock?: boolean;
  readonly limits?: PoolLimits;
  readonly publishIntervalMs?: number;
  readonly onSignal?: Listener;
}

/** Opens the log for reading and writing. Throws `log_in_use`, `log_missing` or `log_refused`, saying what to do. */
export async function openFolderLog(folder: Folder, options: OpenFolderOptions): Promise<OpenedFolder> {
  const { guard: guardPath, ...rest } = options;
  const key = await readLogKey(folder);
  const store = await openFolderStore(folder);
  try {
    const guard = await openGuard(guardPath);
    try {
      const { origin, kind, instance } = folder;
      const identity = { origin, kind, instance, vkey: key.vkey };
      const { signer, verifier } = key;
      return { key, log: await openLog({ ...rest, store, guard, identity, signer, verifier }) };
    } catch (error) {
      await guard.close();
      throw error;
    }
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The database of the folder. One process at a time has it. */
export async function openFolderStore({ paths }: Folder): Promise<Store> {
  try {
    return await openLevelStore(paths.db, { create: false });
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    if (error.code === 'log_in_use') {
      const message = `the log in ${paths.dir} is being served by another process; stop that one first`;
      throw new NewelError('log_in_use', message, { cause: error });
    }
    if (error.code === 'log_missing') {
      const message = `${error.message}, though ${paths.config} is there: bring back a whole copy of the newest folder`;
      throw new NewelError('log_missing', message, { cause: error });
    }
    throw error;
  }
}

/** The key that signs tree heads. Throws `log_refused` where it is missing, unreadable, or named as another log. */
export async function readLogKey({ origin, paths }: Folder): Promise<LogKey> {
  await assertPrivate(paths.logKey);
  let skey: ReturnType<typeof parseSkey>;
  try {
    skey = parseSkey((await readFile(paths.logKey, 'utf8')).replace(/\n$/, ''), nodeEd25519);
  } catch (cause) {
    const what = cause instanceof NewelError ? `is damaged (${cause.message})` : 'cannot be read';
    throw new NewelError(
      'log_refused',
      `the log's key ${paths.logKey} ${what}: bring back the one that init made`,
      { cause },
    );
  }
  if (skey.name !== origin) {
    const message = `${paths.logKey} is the key of ${skey.name}, and the folder is of ${origin}: bring back its own`;
    throw new NewelError('log_refused', message);
  }
  const key = newVkey(origin, KEY_TYPE.ed25519, nodeEd25519.publicKey(skey.seed));
  return {
    signer: ed25519Signer(origin, skey.seed, nodeEd25519),
    verifier: ed25519Verifier(key, nodeEd25519),
    vkey: formatVkey(key),
  };
}

/** Throws `log_refused` where others than the owner may read or write a key file. Windows has no such bits. */
async function assertPrivate(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode } = await stat(path).catch(() => ({ mode: 0 }));
  if ((mode & 0o077) === 0) return;
  const bits = (mode & 0o777).toString(8);
  throw new NewelError(
    'log_refused',
    `the key ${path} is open to others (mode ${bits}): chmod 600, and think of who may have read it`,
  );
}

/** The text of the policy file. Throws `log_refused` where it is none, or does not list the log's own key. */
export async function readPolicy({ paths }: Folder, vkey: string): Promise<string> {
  try {
    const bytes = await readFile(paths.policy);
    const { logs } = parsePolicy(bytes);
    if (logs.some((log) => formatVkey(log.vkey) === vkey)) return decodeUtf8(bytes);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : 'not readable';
    throw new NewelError('log_refused', `the policy ${paths.policy}: ${what}`, { cause });
  }
  throw new NewelError('log_refused', `the policy ${paths.policy} has no line for this log: log ${vkey}`);
}

/** Whether the guard lies on another volume than the folder, so that one restored volume is not both. */
export async function isOnOwnVolume(guard: string, { paths }: Folder): Promise<boolean> {
  const [guarded, folder] = await Promise.all([stat(guard), stat(paths.db)]);
  return guarded.dev !== folder.dev;
}
