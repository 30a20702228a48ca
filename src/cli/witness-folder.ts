/**
 * The folder of a witness, as `newel witness init` makes it:
 *
 *   DIR/  witness.json            which witness it is; written last, so its being there says that init ended
 *         keys/witness-ed25519    the key that cosigns, type 0x04 (0600), and
 *         keys/witness-mldsa44    the one of type 0x06; without the file only the other cosigns
 *         policy                  the lines that a log's policy needs to count it: its public keys
 *         logs                    which logs it cosigns: the list format of the witness network
 *         db/                     LevelDB: what it has cosigned
 *
 * witness.json, read strictly:
 *
 *   {"format":1,"name":"witness.example/w1","instance":"5f1c…","listen":"127.0.0.1:8090","url":"https://witness.example"}
 *
 * The database is the witness's memory, and its keys are worth nothing without it: it is made once, by init. A copy of the
 * folder that is older than the last cosignature would sign what contradicts it.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createFile, hasCode, syncFolder } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import {
  type CosignerKey,
  formatCosignerKey,
  newCosignerKey,
  parseCosignerKey,
} from '../formats/cosigner-key.ts';
import { MAX_ORIGIN_BYTES, isKeyName } from '../formats/key-name.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { formatVkey, KEY_TYPE } from '../formats/vkey.ts';
import { openLevelStore } from '../storage/level.ts';
import { createWitnessState } from '../witness/witness.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import { assertPrivate } from './log-key.ts';
import { nodeMldsa44 } from './mldsa-node.ts';
import { type Address, parseAddress, parsePublicUrl } from './settings.ts';

/** Of this layout. */
const FOLDER_FORMAT = 1;
const SEED_BYTES = 32;
const ARITHMETIC = { ed25519: nodeEd25519, mldsa44: nodeMldsa44 };
const TYPES = { ed25519: KEY_TYPE.cosignatureEd25519, mldsa44: KEY_TYPE.mldsa44 } as const;

export interface WitnessFolder {
  readonly name: string;
  /** 128 random bits in hex, in the database too. */
  readonly instance: string;
  readonly listen: Address;
  /** The submission and monitoring prefix, as the world reaches it. */
  readonly url?: string;
  readonly paths: WitnessPaths;
}

export interface WitnessPaths {
  readonly dir: string;
  readonly config: string;
  readonly unfinished: string;
  readonly keys: string;
  readonly ed25519: string;
  readonly mldsa44: string;
  readonly policy: string;
  readonly logs: string;
  readonly db: string;
}

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
  readonly keys: readonly CosignerKey[];
  /** The lines of the policy. */
  readonly policy: readonly string[];
}

function witnessPaths(dir: string): WitnessPaths {
  const keys = join(dir, 'keys');
  return {
    dir,
    config: join(dir, 'witness.json'),
    unfinished: join(dir, 'witness.json.unfinished'),
    keys,
    ed25519: join(keys, 'witness-ed25519'),
    mldsa44: join(keys, 'witness-mldsa44'),
    policy: join(dir, 'policy'),
    logs: join(dir, 'logs'),
    db: join(dir, 'db'),
  };
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
 * Makes the folder of a new witness; it lasts when it resolves. Throws `usage` for a name that is none, and `log_exists` or
 * `log_refused` where something is in the way.
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
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await syncFolder(dirname(dir));
  await createFile(paths.unfinished, formatConfig(folder));
  await mkdir(paths.keys, { mode: 0o700 });
  const keys: CosignerKey[] = [];
  for (const which of ['ed25519', 'mldsa44'] as const) {
    const seed = Uint8Array.from(randomBytes(SEED_BYTES));
    const key = newCosignerKey({ name, type: TYPES[which], seed }, ARITHMETIC);
    await createFile(paths[which], `${formatCosignerKey(key)}\n`);
    keys.push(key);
  }
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

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return [];
    throw new NewelError(
      'log_refused',
      `the folder ${dir} cannot be read: give a folder that this user may read`,
      {
        cause,
      },
    );
  }
}

/** Reads witness.json. Throws `log_missing` or `log_refused`, saying what is there and what to do. */
export async function readWitnessFolder(dir: string): Promise<WitnessFolder> {
  const paths = witnessPaths(dir);
  const names = await namesIn(dir);
  if (!names.includes('witness.json')) {
    if (names.includes('witness.json.unfinished')) throw unfinished(paths);
    throw new NewelError('log_missing', `there is no witness in ${dir}; make one with newel witness init`);
  }
  try {
    return { ...parseConfig(await readFile(paths.config, 'utf8')), paths };
  } catch (cause) {
    const what = cause instanceof NewelError ? cause.message : 'cannot be read';
    throw new NewelError('log_refused', `${paths.config} ${what}: bring it back as init wrote it`, { cause });
  }
}

/** The keys that the folder has, at least one. Throws `log_refused` where one is damaged, open to others, or another's. */
export async function readWitnessKeys({ name, paths }: WitnessFolder): Promise<CosignerKey[]> {
  const keys: CosignerKey[] = [];
  for (const which of ['ed25519', 'mldsa44'] as const) {
    const path = paths[which];
    const key = await readKey(path);
    if (!key) continue;
    if (key.vkey.name !== name || key.vkey.type !== TYPES[which])
      throw new NewelError(
        'log_refused',
        `${path} is another key than its name says: bring back the one that init made`,
      );
    keys.push(key);
  }
  if (keys.length === 0)
    throw new NewelError('log_refused', `there is no key in ${paths.keys}: bring back those that init made`);
  return keys;
}

async function readKey(path: string): Promise<CosignerKey | undefined> {
  await assertPrivate(path);
  try {
    return parseCosignerKey((await readFile(path, 'utf8')).replace(/\n$/, ''), ARITHMETIC);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    const what = cause instanceof NewelError ? `is damaged (${cause.message})` : 'cannot be read';
    throw new NewelError('log_refused', `the key ${path} ${what}: bring back the one that init made`, {
      cause,
    });
  }
}

/** One party, whatever keys it has: a group that any of them satisfies. */
function policyLines({ name, url, listen }: WitnessFolder, keys: readonly CosignerKey[]): string[] {
  const prefix = url ?? `http://${formatAddress(listen)}`;
  const named = keys.map(({ vkey }) => ({
    vkey,
    as: `${name}-${vkey.type === KEY_TYPE.mldsa44 ? 'mldsa44' : 'ed25519'}`,
  }));
  return [
    ...named.map(({ vkey, as }) => `witness ${as} ${formatVkey(vkey)} ${prefix}`),
    `group ${name} any ${named.map(({ as }) => as).join(' ')}`,
  ];
}

/** As in witness.json: an IPv6 address in brackets. */
export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function formatConfig({ name, instance, listen, url }: WitnessFolder): string {
  const members = { format: FOLDER_FORMAT, name, instance, listen: formatAddress(listen), url };
  return `${JSON.stringify(members, undefined, 2)}\n`;
}

/** Throws `malformed`, in words that follow the file's name. */
function parseConfig(text: string): Omit<WitnessFolder, 'paths'> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new NewelError('malformed', 'is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null) throw new NewelError('malformed', 'is not a JSON object');
  const { format, name, instance, listen, url, ...rest }: Record<string, unknown> = { ...value };
  if (format !== FOLDER_FORMAT) throw new NewelError('malformed', `is not of format ${FOLDER_FORMAT}`);
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new NewelError('malformed', `has an unknown member ${JSON.stringify(unknown)}`);
  if (typeof name !== 'string' || !isKeyName(name))
    throw new NewelError('malformed', 'has no name of a witness');
  if (typeof instance !== 'string' || !/^[0-9a-f]{32}$/.test(instance))
    throw new NewelError('malformed', 'has no instance of 32 hex digits');
  if (typeof listen !== 'string') throw new NewelError('malformed', 'has no address to listen on');
  if (url !== undefined && typeof url !== 'string')
    throw new NewelError('malformed', 'has a url that is not text');
  return {
    name,
    instance,
    listen: named('listen', () => parseAddress(listen)),
    ...(url === undefined ? {} : { url: named('url', () => parsePublicUrl(url)) }),
  };
}

function named<T>(member: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    const what = cause instanceof NewelError ? cause.message : 'is wrong';
    throw new NewelError('malformed', `has a ${member} that ${what}`, { cause });
  }
}

function unfinished({ dir }: WitnessPaths): NewelError {
  return new NewelError(
    'log_refused',
    `an init of ${dir} was interrupted, so no witness has begun there: remove the folder, and run newel witness init again`,
  );
}
