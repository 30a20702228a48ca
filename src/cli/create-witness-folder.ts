/**
 * Makes the folder of a new witness: keys, the lines of a policy that name them, a list of no logs, and the database that
 * is its memory. witness.json comes last, by a rename, so a folder that has one is whole.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createFile } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import { MAX_ORIGIN_BYTES, isKeyName } from '../formats/key-name.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { openLevelStore } from '../storage/level.ts';
import { syncFolder } from '../storage/sync-folder.ts';
import { createWitnessState } from '../witness/witness.ts';
import { makeDataFolder } from './make-folder.ts';
import type { Address } from './address.ts';
import {
  formatWitnessConfig,
  namesIn,
  unfinished,
  type WitnessFolder,
  type WitnessPaths,
  witnessPaths,
} from './witness-folder.ts';
import { createWitnessKeys, policyLines, type WitnessKey } from './witness-keys.ts';

/** What `newel witness init` is told. */
export interface NewWitness {
  /** An absolute path: of nothing, or of an empty folder. */
  readonly dir: string;
  readonly name: string;
  readonly listen: Address;
  readonly url?: string;
}

export interface MadeWitness {
  readonly folder: WitnessFolder;
  readonly keys: readonly WitnessKey[];
  /** The lines of the policy. */
  readonly policy: readonly string[];
}

const FIRST_LIST = `# Logs that this witness cosigns; the file is read again when it changes. Of each log:
#
#   vkey log.example/bank+2b1d3a4c+AbKU...
#   qpd 86400
#
# qpd is how many cosignatures a day it may ask for; without the line, any number.
logs/v0
`;

/**
 * Makes the folder of a new witness; it lasts when it resolves. Throws `usage` for a name that is none or a folder that cannot
 * be made, and `log_exists` or `log_refused` where something is in the way.
 */
export async function createWitnessFolder(made: NewWitness): Promise<MadeWitness> {
  const { dir, name, listen, url } = made;
  if (!isKeyName(name) || encodeUtf8(name).length > MAX_ORIGIN_BYTES)
    throw new NewelError(
      'usage',
      `the name is not 1 to ${MAX_ORIGIN_BYTES} bytes without space and plus; give one like witness.example/w1`,
    );
  const paths = witnessPaths(dir);
  await assertFree(paths);
  const folder: WitnessFolder = {
    name,
    instance: randomBytes(16).toString('hex'),
    listen,
    ...(url === undefined ? {} : { url }),
    paths,
  };
  await makeDataFolder(dir);
  await syncFolder(dirname(dir));
  await createFile(paths.unfinished, formatWitnessConfig(folder));
  await mkdir(paths.keys, { mode: 0o700 });
  const keys = await createWitnessKeys(folder);
  const policy = policyLines(folder, keys);
  await createFile(paths.policy, policy.map((line) => `${line}\n`).join(''));
  await createFile(paths.logs, FIRST_LIST);
  const store = await openLevelStore(paths.db, { create: true });
  try {
    await createWitnessState(store, folder);
  } finally {
    await store.close();
  }
  await rename(paths.unfinished, paths.config);
  await syncFolder(dir);
  return { folder, keys, policy };
}

async function assertFree(paths: WitnessPaths): Promise<void> {
  const names = await namesIn(paths.dir);
  if (names.length === 0) return;
  if (names.includes('witness.json')) {
    throw new NewelError(
      'log_exists',
      `there is a witness in ${paths.dir} already, and a witness is made once, for it must not forget what it cosigned: ` +
        'newel witness serve serves it, or give another folder',
    );
  }
  if (names.includes('witness.json.unfinished')) throw unfinished(paths);
  throw new NewelError(
    'log_exists',
    `${paths.dir} is not empty: give a folder that is, or one that is not there yet`,
  );
}
