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

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import { isKeyName } from '../formats/key-name.ts';
import { type Address, formatAddress, parseAddress, parsePublicUrl } from './address.ts';

/** Of this layout. */
const FOLDER_FORMAT = 1;

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

/** Where everything is in a folder. */
export function witnessPaths(dir: string): WitnessPaths {
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

/** What is in a folder; nothing where there is none. Throws `log_refused`. */
export async function namesIn(dir: string): Promise<string[]> {
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

/** The text of witness.json. */
export function formatWitnessConfig({ name, instance, listen, url }: WitnessFolder): string {
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

/** What is thrown where an init was interrupted. */
export function unfinished({ dir }: WitnessPaths): NewelError {
  return new NewelError(
    'log_refused',
    `an init of ${dir} was interrupted, so no witness has begun there: remove the folder, and run newel witness init again`,
  );
}
