/**
 * The master key of a log's private zone: 32 bytes in base64url. It comes from the first of these that is there, so that a
 * key service can be asked for it and no file has it. A variable or command that is empty is as if it were not there:
 *
 *   NEWEL_MASTER_KEY       the key itself
 *   NEWEL_MASTER_COMMAND   a command for the shell, which prints it; `"master_command"` in newel.json
 *   keys/master            a file, made by init (0600)
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createFile, hasCode } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import { formatBase64Url, parseBase64Url } from '../formats/base64url.ts';

/** What gives the key and is no file. */
export interface GivenSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of newel.json. */
  readonly command?: string | undefined;
  /** How long a command may take. Default 30,000. */
  readonly timeoutMs?: number;
}

export interface MasterSources extends GivenSources {
  readonly path: string;
  /** The text of the file. Throws `log_refused`. */
  readonly readFile: (path: string) => Promise<string>;
}

const KEY_BYTES = 32;
const COMMAND_TIMEOUT_MS = 30_000;
const MAX_OUTPUT_BYTES = 4096;

/** Throws `log_refused`, naming the source and not what it gave. */
export async function readMaster(sources: MasterSources): Promise<Uint8Array> {
  const { path, readFile } = sources;
  return (
    (await readGivenMaster(sources)) ?? parseMaster({ text: await readFile(path), source: `the key ${path}` })
  );
}

/** The key that the environment or a command gives; `undefined` where there is neither. Throws as `readMaster` does. */
export async function readGivenMaster(sources: GivenSources): Promise<Uint8Array | undefined> {
  const { env, command, timeoutMs = COMMAND_TIMEOUT_MS } = sources;
  const key = env['NEWEL_MASTER_KEY'];
  if (key) return parseMaster({ text: key, source: 'NEWEL_MASTER_KEY' });
  const toRun = env['NEWEL_MASTER_COMMAND'] || command;
  if (!toRun) return undefined;
  return parseMaster({ text: await run(toRun, timeoutMs), source: 'the command for the master key' });
}

/** A fresh key, in a new file. */
export async function createMasterFile(path: string): Promise<Uint8Array> {
  const master = Uint8Array.from(randomBytes(KEY_BYTES));
  await createFile(path, `${formatBase64Url(master)}\n`);
  return master;
}

/** What the command prints. Neither its words nor what it prints go anywhere else, and nothing of it lives on if it fails. */
async function run(command: string, timeoutMs: number): Promise<string> {
  const child = spawn(command, {
    shell: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    // A group of its own, so that what it has started ends with it.
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  const end = (): void => endGroup(child);
  process.once('exit', end);
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      const fail = (how: string): void => reject(failed(how));
      timer = setTimeout(() => fail(`timed out after ${timeoutMs / 1000} s`), timeoutMs);
      const chunks: Buffer[] = [];
      let size = 0;
      child.stdout.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_OUTPUT_BYTES) fail(`printed more than ${MAX_OUTPUT_BYTES} bytes`);
        else chunks.push(chunk);
      });
      child.stdout.on('error', () => fail('could not be read'));
      child.on('error', (error) =>
        fail(`could not be run (${'code' in error ? String(error.code) : 'no code'})`),
      );
      child.on('close', (code, signal) => {
        if (code === 0) resolve(Buffer.concat(chunks).toString());
        else fail(code === null ? `was ended by ${signal}` : `failed with ${code}`);
      });
    });
  } catch (error) {
    end();
    throw error;
  } finally {
    clearTimeout(timer);
    process.off('exit', end);
  }
}

function failed(how: string): NewelError {
  return new NewelError(
    'log_refused',
    `the command for the master key ${how}: run it by hand, as this user, and see that it prints the key`,
  );
}

function endGroup(child: ChildProcess): void {
  child.stdout?.destroy();
  if (child.pid === undefined) return;
  if (process.platform === 'win32') {
    child.kill('SIGKILL');
    return;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

function parseMaster({ text, source }: { readonly text: string; readonly source: string }): Uint8Array {
  try {
    const bytes = parseBase64Url(text.replace(/\r?\n$/, ''), 'key');
    if (bytes.length === KEY_BYTES) return bytes;
    throw new NewelError('malformed', `a key of ${KEY_BYTES} bytes is expected`);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(
      'log_refused',
      `${source} gives no key of ${KEY_BYTES} bytes in base64url: bring back the one that init used`,
      { cause },
    );
  }
}
