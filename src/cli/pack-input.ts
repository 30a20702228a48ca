/**
 * Evidence packs on disk: a folder, or a zip. Names and sizes are looked at before anything is read, and what no pack has
 * is not read at all.
 */

import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { hasCode } from '../access/durable-file.ts';
import { isPackName, MAX_PACK_BYTES, MAX_PACK_FILES, PACK_FOLDERS } from '../client/evidence-manifest.ts';
import type { PackFiles } from '../client/evidence-pack.ts';
import { NewelError } from '../errors.ts';
import { InputError, readInput, STANDARD_INPUT } from './input-file.ts';
import type { Terminal } from './terminal.ts';
import { formatZip, isZip, parseZip } from './zip-file.ts';

/** Bytes of a zip around each of its files, at most. */
const ZIP_FRAME_BYTES = 512;
const MAX_ZIP_BYTES = MAX_PACK_BYTES + ZIP_FRAME_BYTES * MAX_PACK_FILES;

/** Whether a file that the user named is a folder or called a zip, and so not a receipt. */
export async function isPack(terminal: Terminal, file: string): Promise<boolean> {
  if (file === STANDARD_INPUT) return false;
  if (isZipName(file)) return true;
  try {
    return (await stat(resolve(terminal.cwd, file))).isDirectory();
  } catch {
    // Whoever reads it says why that cannot be done.
    return false;
  }
}

function isZipName(file: string): boolean {
  return /\.zip$/i.test(basename(file));
}

/** The files of a pack. Throws `unreachable`, `too_large`, or `malformed` where it cannot be one. */
export async function readPack(terminal: Terminal, file: string): Promise<PackFiles> {
  if (!isZipName(file)) return readFolder(resolve(terminal.cwd, file));
  const bytes = await readInput(terminal, file, 'an evidence pack', MAX_ZIP_BYTES);
  if (!isZip(bytes)) throw new NewelError('malformed', 'it is called a zip and is none');
  return parseZip(bytes, { maxFiles: MAX_PACK_FILES, isName: isPackName });
}

async function readFolder(path: string): Promise<PackFiles> {
  const names = await namesIn(path);
  if (names.length > MAX_PACK_FILES) throw tooLarge(path);
  let total = 0;
  for (const { name, isOurs } of names) {
    if (isOurs) total += (await stat(join(path, name))).size;
    if (total > MAX_PACK_BYTES) throw tooLarge(path);
  }
  const files = new Map<string, Uint8Array>();
  let read = 0;
  for (const { name, isOurs } of names) {
    // That it is there is enough for the manifest to say that it should not be.
    const bytes = isOurs ? await readFile(join(path, name)) : new Uint8Array(0);
    read += bytes.length;
    if (read > MAX_PACK_BYTES) throw tooLarge(path);
    files.set(name, bytes);
  }
  return files;
}

interface Named {
  /** From the folder on, with slashes. */
  readonly name: string;
  /** Whether it is a plain file of a name that a pack has; of others no byte is read. */
  readonly isOurs: boolean;
}

async function namesIn(path: string): Promise<readonly Named[]> {
  const found: Named[] = [];
  for (const folder of ['', ...PACK_FOLDERS]) {
    for (const entry of await entriesOf(join(path, folder), folder === '' ? path : undefined)) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (folder === '' && entry.isDirectory() && PACK_FOLDERS.includes(name)) continue;
      found.push({ name, isOurs: entry.isFile() && isPackName(name) });
    }
  }
  return found;
}

/** Throws `unreachable` where the pack's own folder cannot be read; a folder in it may be missing. */
async function entriesOf(path: string, pack: string | undefined): Promise<readonly Entry[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (cause) {
    if (pack === undefined && (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR'))) return [];
    throw new InputError('unreachable', path, 'cannot be read: give an evidence pack', { cause });
  }
}

interface Entry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** Writes a pack as a new folder or, under a name that ends in `.zip`, as a new zip, for its owner alone. */
export async function writePack(path: string, files: PackFiles): Promise<void> {
  try {
    if (isZipName(path)) return await writeNew(path, formatZip(files));
    await mkdir(path, { mode: 0o700 });
    for (const folder of PACK_FOLDERS) await mkdir(join(path, folder), { mode: 0o700 });
    for (const [name, bytes] of files) await writeNew(join(path, name), bytes);
  } catch (cause) {
    if (hasCode(cause, 'EEXIST')) {
      throw new NewelError(
        'usage',
        `${path} exists: give another name as --out, so that nothing is overwritten`,
      );
    }
    throw new NewelError('unreachable', `${path} cannot be written`, { cause });
  }
}

function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  return writeFile(path, bytes, { flag: 'wx', mode: 0o600, flush: true });
}

function tooLarge(path: string): InputError {
  const flaw = `has more than ${MAX_PACK_FILES} files or ${MAX_PACK_BYTES} bytes: give an evidence pack`;
  return new InputError('too_large', path, flaw);
}
