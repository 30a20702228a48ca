/**
 * The master key of a log's private zone: 32 bytes in base64url. It comes from the first of these that is there, so that a
 * key service can be asked for it and no file has it:
 *
 *   NEWEL_MASTER_KEY       the key itself
 *   NEWEL_MASTER_COMMAND   a command for the shell, which prints it; `"master_command"` in newel.json
 *   keys/master            a file, made by init (0600)
 */

import { exec } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { createFile } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import { formatBase64Url, parseBase64Url } from '../formats/base64url.ts';

export interface MasterSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of newel.json. */
  readonly command: string | undefined;
  readonly path: string;
  /** The text of the file. Throws `log_refused`. */
  readonly readFile: (path: string) => Promise<string>;
}

const KEY_BYTES = 32;
const COMMAND_TIMEOUT_MS = 30_000;
const MAX_OUTPUT_BYTES = 4096;

/** Throws `log_refused`, naming the source and not what it gave. */
export async function readMaster(sources: MasterSources): Promise<Uint8Array> {
  const found = await findMaster(sources);
  try {
    return parseMaster(found.text);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(
      'log_refused',
      `${found.source} gives no key of 32 bytes in base64url: bring back the one that init used`,
      {
        cause,
      },
    );
  }
}

/** The master key of a new log: the one that the environment or a command gives, else a fresh one in its file. */
export async function createMaster(sources: MasterSources): Promise<Uint8Array> {
  const { env, command, path } = sources;
  if (env['NEWEL_MASTER_KEY'] !== undefined || (env['NEWEL_MASTER_COMMAND'] ?? command) !== undefined) {
    return readMaster(sources);
  }
  const master = Uint8Array.from(randomBytes(KEY_BYTES));
  await createFile(path, `${formatBase64Url(master)}\n`);
  return master;
}

async function findMaster({
  env,
  command,
  path,
  readFile,
}: MasterSources): Promise<{ readonly text: string; readonly source: string }> {
  const { NEWEL_MASTER_KEY: key, NEWEL_MASTER_COMMAND: envCommand } = env;
  if (key !== undefined) return { text: key, source: 'NEWEL_MASTER_KEY' };
  const toRun = envCommand ?? command;
  if (toRun === undefined) return { text: await readFile(path), source: `the key ${path}` };
  return { text: await run(toRun), source: 'the command for the master key' };
}

/** What the command prints. Neither its words nor what it prints go anywhere else. */
async function run(command: string): Promise<string> {
  try {
    const { stdout } = await promisify(exec)(command, {
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: MAX_OUTPUT_BYTES,
      windowsHide: true,
    });
    return stdout;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code';
    throw new NewelError(
      'log_refused',
      `the command for the master key failed (${code}): run it by hand, as this user, and see that it prints the key`,
    );
  }
}

function parseMaster(text: string): Uint8Array {
  const bytes = parseBase64Url(text.replace(/\r?\n$/, ''), 'key');
  if (bytes.length === KEY_BYTES) return bytes;
  throw new NewelError('malformed', `a key of ${KEY_BYTES} bytes is expected`);
}
