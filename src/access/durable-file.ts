/**
 * Small files that are written whole: after a crash there is the old one or the new one, never a part.
 *
 *   PATH.new    the file that is to take the place of PATH; while it is there, nobody else edits PATH
 */

import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NewelError } from '../errors.ts';

const OWNER_ONLY = 0o600;
const FOLDER_OWNER_ONLY = 0o700;
/** How long an edit waits for another one. */
const WAIT_MS = 2000;
const RETRY_MS = 50;

/** Makes a file, 0600, durable when it resolves. Throws `log_exists` if there is one. */
export async function createFile(path: string, text: string): Promise<void> {
  const file = await openNew(path);
  if (!file)
    throw new NewelError(
      'log_exists',
      `there is a file at ${path}, and it is not replaced: put it away first`,
    );
  await writeAndClose(file, text);
  await syncFolder(dirname(path));
}

/**
 * Gives the file another text, made by `edit` from the present one (`undefined` where there is no file). Edits of one
 * file follow each other. If `edit` throws, nothing changes. Throws `log_in_use` where another edit does not end.
 */
export async function editFile(path: string, edit: (text: string | undefined) => string): Promise<void> {
  const next = `${path}.new`;
  const file = await openAlone(next);
  try {
    try {
      await writeAndClose(file, edit(await readText(path)));
    } catch (error) {
      await file.close();
      throw error;
    }
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * Gives a file that only this process writes another text, and overwrites the old one, as far as the file system lets that
 * reach the disk: for keys that are to be gone. What an interrupted replacement left is replaced too.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const next = `${path}.new`;
  await rm(next, { force: true });
  const file = await open(next, 'wx', OWNER_ONLY);
  await writeAndClose(file, text);
  const old = await open(path, 'r+');
  try {
    await rename(next, path);
    await syncFolder(dirname(path));
    // It has no name any more, so whatever happens from here on, the new one is there.
    const { size } = await old.stat();
    await old.write(new Uint8Array(size), 0, size, 0);
    await old.sync();
  } finally {
    await old.close();
  }
}

/** Finds out whether `replaceFile` could begin, and rejects with what is in the way. Nothing of it is left. */
export async function tryReplacing(path: string): Promise<void> {
  const next = `${path}.new`;
  await rm(next, { force: true });
  const file = await open(next, 'wx', OWNER_ONLY);
  await file.close();
  await rm(next);
  const old = await open(path, 'r+');
  await old.close();
}

async function openAlone(path: string): Promise<FileHandle> {
  for (const endMs = performance.now() + WAIT_MS; performance.now() < endMs; await sleep(RETRY_MS)) {
    const file = await openNew(path);
    if (file) return file;
  }
  throw new NewelError(
    'log_in_use',
    `another edit is under way, or was interrupted: if none is, remove ${path}`,
  );
}

async function openNew(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'wx', OWNER_ONLY);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined;
    throw error;
  }
}

async function writeAndClose(file: FileHandle, text: string): Promise<void> {
  await file.writeFile(text);
  await file.sync();
  await file.close();
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Makes a folder with all parents that it lacks, each 0700. Resolves to the first that was made, `undefined` where it was
 * there. Throws the system's error. (`mkdir` with `recursive` never ends where a folder that is there has no room for
 * names, as in /proc.)
 */
export async function makeFolders(path: string): Promise<string | undefined> {
  const missing: string[] = [];
  for (let at = resolve(path); !(await isFolder(at)); at = dirname(at)) {
    missing.unshift(at);
    if (at === dirname(at)) break;
  }
  for (const folder of missing) {
    try {
      await mkdir(folder, { mode: FOLDER_OWNER_ONLY });
    } catch (error) {
      // Somebody else may have made it meanwhile.
      if (!hasCode(error, 'EEXIST') || !(await isFolder(folder))) throw error;
    }
  }
  return missing[0];
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return false;
    throw error;
  }
}

/** As `storage/sync-folder.ts`, which this room may not import. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether a caught value is a system error with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
