/**
 * Makes the folder of a new log: keys, policy, token list, database and guard, with the tree of size 0 signed and
 * published, and in an event log the log statement at leaf 0 after it. newel.json comes last, by a rename, so a folder that has one is whole.
 */

import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createFile, hasCode } from '../access/durable-file.ts';
import { createTokenList } from '../access/token-list.ts';
import { NewelError } from '../errors.ts';
import { assertOrigin } from '../formats/key-name.ts';
import { ed25519Signer, ed25519Verifier } from '../formats/note.ts';
import { formatPolicy } from '../formats/tlog-policy.ts';
import { formatSkey, formatVkey, KEY_TYPE, newVkey } from '../formats/vkey.ts';
import { createGuard, openGuard } from '../log/guard.ts';
import { type Clock, systemClock } from '../log/clock.ts';
import type { Kind } from '../log/identity.ts';
import { MAX_PUBLISH_DELAY_MS } from '../log/limits.ts';
import { createLog } from '../log/create.ts';
import { openLog } from '../log/open.ts';
import { openLevelStore } from '../storage/level.ts';
import { syncFolder } from '../storage/sync-folder.ts';
import { createVault } from '../vault/open-vault.ts';
import { nodeEd25519, signAside } from './ed25519-node.ts';
import {
  type Folder,
  type FolderConfig,
  folderPaths,
  folderState,
  formatFolderConfig,
  isIssuer,
  isWithin,
  unfinished,
} from './folder.ts';
import { makeDataFolder } from './make-folder.ts';
import { readGivenMaster } from './master-key.ts';
import { createSecondKey } from './second-key.ts';
import { createVaultKeys } from './vault-keys.ts';

export interface CreateFolderOptions {
  /** An absolute path: of nothing, or of an empty folder. */
  readonly dir: string;
  readonly origin: string;
  readonly kind: Kind;
  /** The `iss` of an event log's statements; `https://` and the origin where it is not given. */
  readonly issuer?: string | undefined;
  /** An absolute path, if it is not to be beside the folder. */
  readonly guard: string | undefined;
  /** The public URL, if it is known. */
  readonly url: string | undefined;
  readonly clock?: Clock;
  /** Where the master key may be given. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Makes the folder and the log in it; both last when it resolves. Throws `usage` for an origin that is none or a folder
 * that cannot be made, `log_exists` where something is in the way, `log_refused` where an earlier init was interrupted, or
 * where what should give the master key gives none; then nothing is made.
 */
export async function createFolder(options: CreateFolderOptions): Promise<{ folder: Folder; vkey: string }> {
  const { dir, origin, kind, url } = options;
  checkOrigin(origin);
  const issuer = kind === 'events' ? (options.issuer ?? `https://${origin}`) : undefined;
  if (kind === 'opaque' && options.issuer !== undefined) {
    throw new NewelError('usage', 'a log of opaque entries makes no statements, so it has no issuer');
  }
  if (issuer !== undefined && !isIssuer(issuer)) {
    throw new NewelError('usage', 'the issuer is not an https URL of visible ASCII: give one with --issuer');
  }
  const paths = folderPaths(dir);
  const guard = options.guard ?? paths.guard;
  await assertFree(dir, guard);
  const given = issuer === undefined ? undefined : await readGivenMaster({ env: options.env });

  const seed = Uint8Array.from(randomBytes(32));
  const logKey = newVkey(origin, KEY_TYPE.ed25519, nodeEd25519.publicKey(seed));
  const vkey = formatVkey(logKey);
  const config: FolderConfig = {
    kind,
    origin,
    ...(issuer === undefined ? {} : { issuer }),
    instance: randomBytes(16).toString('hex'),
    ...(url === undefined ? {} : { url }),
    serve: options.guard === undefined ? {} : { guard },
  };
  await makeFolder(dir);
  await createFile(paths.unfinished, formatFolderConfig(config));
  await mkdir(paths.keys, { mode: 0o700 });
  await createFile(paths.logKey, `${formatSkey({ name: origin, seed }, { ed25519: nodeEd25519 })}\n`);
  await createSecondKey(paths, origin);
  const policy = formatPolicy({
    logs: [url === undefined ? { vkey: logKey } : { vkey: logKey, url }],
    witnesses: [],
    groups: [],
    quorum: 'none',
  });
  await createFile(paths.policy, policy);
  await createTokenList(paths.tokens);

  const { instance } = config;
  const signer = ed25519Signer(origin, seed, nodeEd25519);
  const verifier = ed25519Verifier(logKey, nodeEd25519);
  const made = {
    identity: { origin, kind, instance, vkey },
    signer,
    ...(options.clock ? { clock: options.clock } : {}),
  };
  const store = await openLevelStore(paths.db, { create: true });
  try {
    await createLog({ ...made, store, createGuard: (head) => createGuard(guard, head) });
    if (issuer !== undefined) {
      const clock = options.clock ?? systemClock;
      const keys = await createVaultKeys(paths, clock.now(), given);
      const log = await openLog({ ...made, verifier, store, guard: await openGuard(guard) });
      try {
        const maxPublishDelayMs = MAX_PUBLISH_DELAY_MS;
        await createVault({
          ...keys,
          log,
          issuer,
          maxPublishDelayMs,
          ed25519: { ...nodeEd25519, signAside },
        });
      } finally {
        await log.close();
      }
    }
  } finally {
    await store.close();
  }
  await rename(paths.unfinished, paths.config);
  await syncFolder(dir);
  return { folder: { ...config, paths }, vkey };
}

/**
 * Makes the folder, with all its parents, for its owner alone, also where it is there and empty; every name that is new
 * lasts when it resolves, and its own in any case. Throws `usage` where it cannot be made, `log_refused` where it is another
 * user's.
 */
async function makeFolder(dir: string): Promise<void> {
  const first = (await makeDataFolder(dir)) ?? dir;
  try {
    await chmod(dir, 0o700);
  } catch (cause) {
    throw new NewelError(
      'log_refused',
      `the folder ${dir} cannot be kept from others: give one that this user owns, or one that is not there yet`,
      { cause },
    );
  }
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
