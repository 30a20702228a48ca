/**
 * Keeps a database as it was before it is opened. Opening is no reading: LevelDB replays its write-ahead log into
 * tables, drops what does not check out, and deletes the log. If the log of entries is then refused, what could have
 * been recovered by hand would be gone. So its files get second names first, hard links where there are such, in a
 * folder beside it, and lose them again once the database is proven.
 *
 *   db.before-open   db.before-open-2   …      one for each opening that had something to lose
 *
 * A start that is refused again and again makes no more of them: after the first, the write-ahead log is empty.
 */

import { randomBytes } from 'node:crypto';
import { copyFile, link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface SetAside {
  /** Where the files are as they were. */
  readonly path: string;
  /** Whether this call made it; an earlier opening did, where this one has nothing more to lose. */
  readonly isNew: boolean;
  /** Takes back what this call made: nothing was opened after all. */
  drop(): Promise<void>;
  /** Removes all that was ever set aside of this database: what was opened is proven. */
  dropAll(): Promise<void>;
}

/** Sets the files of a database aside, unless its write-ahead log is set aside already, or empty beside an older one. */
export async function setAside(folder: string): Promise<SetAside> {
  const dropAll = async (): Promise<void> => {
    for (const path of await foldersAside(folder)) await remove(path);
    for (const path of await leftovers(folder)) await rm(path, { recursive: true, force: true });
  };
  const older = await foldersAside(folder);
  if (older.length > 0 && (await isKept(folder, older))) {
    return { path: older[0]!, isNew: false, drop: async () => {}, dropAll };
  }
  // Under a name of its own until it is whole: neither a crash nor another start leaves half a copy that looks like one.
  const unfinished = `${folder}.setting-aside-${randomBytes(8).toString('hex')}`;
  await mkdir(unfinished, { mode: 0o700 });
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isFile() && entry.name !== 'LOCK') await keep(folder, unfinished, entry.name);
  }
  const path = await renameToFree(unfinished, `${folder}.before-open`);
  return { path, isNew: true, drop: () => remove(path), dropAll };
}

async function keep(folder: string, aside: string, name: string): Promise<void> {
  const from = join(folder, name);
  const to = join(aside, name);
  try {
    // LevelDB appends to LOG and to nothing else that is there already; a link would change with it.
    await (name === 'LOG' ? copyFile(from, to) : link(from, to).catch(() => copyFile(from, to)));
  } catch (error) {
    // A file that is gone by now was taken by a process that has the database open; opening it will say so.
    if (await exists(from)) throw error;
  }
}

/** Gives `from` the first free name of `to`, `to-2`, `to-3`, … A folder is never renamed onto one that has files. */
async function renameToFree(from: string, to: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = n === 1 ? to : `${to}-${n}`;
    try {
      if (!(await exists(path))) {
        await rename(from, path);
        return path;
      }
    } catch (error) {
      if (!(await exists(path))) throw error;
    }
  }
}

/** Whether every write-ahead log that has anything in it has a second name in one of the folders. */
async function isKept(folder: string, aside: readonly string[]): Promise<boolean> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.log')) continue;
    const now = await stat(join(folder, name));
    if (now.size === 0) continue;
    const kept = await Promise.all(aside.map((path) => stat(join(path, name)).catch(() => undefined)));
    if (!kept.some((then) => then?.ino === now.ino && then.dev === now.dev)) return false;
  }
  return true;
}

/** In the order in which they were made. */
async function foldersAside(folder: string): Promise<string[]> {
  const name = `${basename(folder)}.before-open`;
  const number = (path: string): number => Number(path.slice(name.length + 1) || '1');
  return (await readdir(dirname(folder)))
    .filter((entry) => entry === name || (entry.startsWith(`${name}-`) && Number.isInteger(number(entry))))
    .toSorted((a, b) => number(a) - number(b))
    .map((entry) => join(dirname(folder), entry));
}

/** What crashes have left of folders that were being made or removed; their links would keep dead files on the disk. */
async function leftovers(folder: string): Promise<string[]> {
  const name = basename(folder);
  return (await readdir(dirname(folder)))
    .filter((entry) => entry.startsWith(`${name}.setting-aside-`) || entry.startsWith(`${name}.dropping-`))
    .map((entry) => join(dirname(folder), entry));
}

/** In two steps, so that a crash in the second leaves nothing that looks like evidence. */
async function remove(path: string): Promise<void> {
  const going = `${path.replace(/\.before-open(-\d+)?$/, '')}.dropping-${randomBytes(8).toString('hex')}`;
  try {
    await rename(path, going);
  } catch (error) {
    if (!(await exists(path))) return;
    throw error;
  }
  await rm(going, { recursive: true, force: true });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
