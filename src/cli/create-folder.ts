/**
 * Makes the folder of a new log: keys, policy, token list, database and guard, with the tree of size 0 signed and
 * published. newel.json comes last, by a rename, so a folder that has one is whole.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createFile, hasCode, syncFolder } from '../access/durable-file.ts';
import { createTokenList } from '../access/token-list.ts';
import { NewelError } from '../errors.ts';
import { assertOrigin } from '../formats/key-name.ts';
import { ed25519Signer } from '../formats/note.ts';
import { formatPolicy } from '../formats/tlog-policy.ts';
import { formatSkey, formatVkey, KEY_TYPE, newVkey } from '../formats/vkey.ts';
import { createGuard } from '../log/guard.ts';
import type { Clock } from '../log/clock.ts';
import { createLog } from '../log/log.ts';
import { openLevelStore } from '../storage/level.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import {
  type Folder,
  type FolderConfig,
  folderPaths,
  folderState,
  formatFolderConfig,
  isWithin,
  unfinished,
} from './folder.ts';

export interface CreateFolderOptions {
  /** An absolute path: of nothing, or of an empty folder. */
  readonly dir: string;
  readonly origin: string;
  /** An absolute path, if it is not to be beside the folder. */
  readonly guard: string | undefined;
  /** The public URL, if it is known. */
  readonly url: string | undefined;
  readonly clock?: Clock;
}

/**
 * Makes the folder and the log in it; both last when it resolves. Throws `usage` for an origin that is none,
 * `log_exists` where something is in the way, `log_refused` where an earlier init was interrupted.
 */
export async function createFolder(options: CreateFolderOptions): Promise<{ folder: Folder; vkey: string }> {
  const { dir, origin, url } = options;
  checkOrigin(origin);
  const paths = folderPaths(dir);
  const guard = options.guard ?? paths.guard;
  await assertFree(dir, guard);

  const seed = Uint8Array.from(randomBytes(32));
  const logKey = newVkey(origin, KEY_TYPE.ed25519, nodeEd25519.publicKey(seed));
  const vkey = formatVkey(logKey);
  const config: FolderConfig = {
    kind: 'opaque',
    origin,
    instance: randomBytes(16).toString('hex'),
    ...(url === undefined ? {} : { url }),
    serve: options.guard === undefined ? {} : { guard },
  };
  await makeFolder(dir);
  await createFile(paths.unfinished, formatFolderConfig(config));
  await mkdir(paths.keys, { mode: 0o700 });
  await createFile(paths.logKey, `${formatSkey({ name: origin, seed }, nodeEd25519)}\n`);
  const policy = formatPolicy({
    logs: [url === undefined ? { vkey: logKey } : { vkey: logKey, url }],
    quorum: 'none',
  });
  await createFile(paths.policy, policy);
  await createTokenList(paths.tokens);

  const { instance, kind } = config;
  const store = await openLevelStore(paths.db, { create: true });
  try {
    await createLog({
      store,
      identity: { origin, kind, instance, vkey },
      signer: ed25519Signer(origin, seed, nodeEd25519),
      createGuard: (head) => createGuard(guard, head),
      ...(options.clock ? { clock: options.clock } : {}),
    });
  } finally {
    await store.close();
  }
  await rename(paths.unfinished, paths.config);
  await syncFolder(dir);
  return { folder: { ...config, paths }, vkey };
}

/** Makes the folder, with all its parents; every name that is new lasts when it resolves, and its own in any case. */
async function makeFolder(dir: string): Promise<void> {
  const first = (await mkdir(dir, { recursive: true, mode: 0o700 })) ?? dir;
  for (let made = dir; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

function checkOrigin(origin: string): void {
  try {
    assertOrigin(origin);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError('usage', `the ${cause.message}; give one like log.example/bank`, { cause });
  }
}

async function assertFree(dir: string, guard: string): Promise<void> {
  const state = await folderState(dir);
  if (state === 'log')
    throw new NewelError(
      'log_exists',
      `there is a log in ${dir} already, and a log is made once: newel serve serves it, or give another folder`,
    );
  if (state === 'unfinished') throw unfinished(folderPaths(dir));
  if (state === 'other')
    throw new NewelError(
      'log_exists',
      `${dir} is not empty: give a folder that is, or one that is not there yet`,
    );
  if (isWithin(dir, guard)) {
    throw new NewelError(
      'usage',
      'the guard is not to lie in the folder, since what copies one would copy the other: choose a place outside',
    );
  }
  // Beside the folder there will be a place for it, since that is made with all its parents.
  if (dirname(guard) !== dirname(dir) && !(await isThere(dirname(guard)))) {
    throw new NewelError(
      'usage',
      `there is no folder ${dirname(guard)} to make the guard in: make it first, or choose another place`,
    );
  }
  if (!(await isThere(guard))) return;
  throw new NewelError(
    'log_exists',
    `there is a guard at ${guard}, of a log whose folder is not here: bring that folder back, choose another place ` +
      'with --guard, or put the guard away if that log is over',
  );
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw new NewelError(
      'log_refused',
      `${path} cannot be looked at: see that this user may enter its folder`,
      { cause: error },
    );
  }
}
