/**
 * The keys of an event log's private zone, in its folder (0600):
 *
 *   keys/statement.jwks   {"keys":[{"kty":"OKP","crv":"Ed25519","x":"…","d":"…","kid":"…"}, …]}   RFC 7517, RFC 8037
 *                         the first signs statements; those after it are its retired predecessors, without `d`
 *   keys/master           what all else is sealed under in the end (`master-key.ts`)
 *   keys/epochs           what data keys are sealed under, for a week each (`epoch-file.ts`)
 */

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createFile } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import { formatBase64Url, parseBase64Url } from '../formats/base64url.ts';
import { type JsonValue, parseJson } from '../formats/json.ts';
import { formatJwk, parseJwk } from '../formats/jwk.ts';
import type { EpochFile } from '../vault/epochs.ts';
import type { StatementKeys } from '../vault/statement-key.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import { createEpochFile, epochFile } from './epoch-file.ts';
import type { FolderPaths } from './folder.ts';
import { assertPrivate } from './log-key.ts';
import { createMasterFile, type MasterSources, readMaster } from './master-key.ts';

export interface VaultKeys {
  /** 32 bytes. */
  readonly master: Uint8Array;
  readonly epochs: EpochFile;
  readonly statementKeys: StatementKeys;
}

/** Whose keys: what of a folder says where they are. */
export interface KeyFolder {
  readonly paths: FolderPaths;
  readonly masterCommand?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

const KEY_BYTES = 32;

/** Makes them; the master key only where none is given. */
export async function createVaultKeys(
  paths: FolderPaths,
  nowMs: number,
  given: Uint8Array | undefined,
): Promise<VaultKeys> {
  const seed = Uint8Array.from(randomBytes(KEY_BYTES));
  const { kid, ...jwk } = formatJwk(nodeEd25519.publicKey(seed));
  const jwks = { keys: [{ ...jwk, d: formatBase64Url(seed), kid }] };
  await createFile(paths.statementKeys, `${JSON.stringify(jwks, undefined, 2)}\n`);
  const master = given ?? (await createMasterFile(paths.master));
  const epochs = await createEpochFile(paths.epochs, master, nowMs);
  return { master, epochs, statementKeys: { seed, retired: [] } };
}

/** Throws `log_refused` where one is missing, open to others, or damaged. */
export async function readVaultKeys(folder: KeyFolder, env: Env): Promise<VaultKeys> {
  const { paths } = folder;
  const statementKeys = await readKeyFile(paths.statementKeys, parseStatementKeys);
  const master = await readMaster(masterSources(folder, env));
  return { statementKeys, master, epochs: epochFile(paths.epochs, master) };
}

function masterSources({ paths, masterCommand }: KeyFolder, env: Env): MasterSources {
  return {
    env,
    command: masterCommand,
    path: paths.master,
    readFile: (path) => readKeyFile(path, (text) => text),
  };
}

async function readKeyFile<T>(path: string, parse: (text: string) => T): Promise<T> {
  await assertPrivate(path);
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const what = cause instanceof NewelError ? `is damaged (${cause.message})` : 'cannot be read';
    throw new NewelError('log_refused', `the key ${path} ${what}: bring back the one that init made`, {
      cause,
    });
  }
}

function parseStatementKeys(text: string): StatementKeys {
  const { keys } = objectOf(parseJson(text));
  if (!Array.isArray(keys) || keys.length === 0) throw new NewelError('malformed', 'it has no keys');
  const [current, ...retired] = keys.map(objectOf);
  const { d, ...jwk } = current!;
  if (typeof d !== 'string') throw new NewelError('malformed', 'its first key has no private part');
  const seed = keyBytes(d);
  const { kid } = parseJwk(jwk);
  if (formatJwk(nodeEd25519.publicKey(seed)).kid !== kid) {
    throw new NewelError('malformed', 'the two parts of its first key do not belong together');
  }
  return { seed, retired: retired.map((key) => formatJwk(parseJwk(key).publicKey)) };
}

function keyBytes(text: string): Uint8Array {
  const bytes = parseBase64Url(text, 'key');
  if (bytes.length !== KEY_BYTES)
    throw new NewelError('malformed', `a key of ${KEY_BYTES} bytes is expected`);
  return bytes;
}

function objectOf(value: JsonValue): Record<string, JsonValue> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new NewelError('malformed', 'a JSON object is expected');
}
