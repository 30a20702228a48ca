/**
 * Keeps a database as it was before it is opened. Opening is no reading: LevelDB replays its write-ahead log into
 * tables, drops what does not check out, and deletes the log. If the log of entries is then refused, what could have
 * been recovered by hand would be gone. So its files get second names first, hard links where there are such, in
 * `<folder>.before-open`, and lose them again once the database is proven.
 */

import { copyFile, link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface SetAside {
  /** Where the files are as they were. */
  readonly path: string;
  /** Whether this call made it: not where an earlier opening, or one that is under way elsewhere, did. */
  readonly isNew: boolean;
  /** Once what was opened is proven. */
  drop(): Promise<void>;
}

/**
 * Sets the files of `folder` aside. What an earlier opening left, that was never proven, is the older evidence: it
 * stays, and nothing is added to it.
 */
export async function setAside(folder: string): Promise<SetAside> {
  const path = `${folder}.before-open`;
  const drop = (): Promise<void> => rm(path, { recursive: true, force: true });
  if (await exists(path)) return { path, isNew: false, drop };
  // Under another name until it is whole, so that a crash in here leaves no half a copy that looks like one.
  const unfinished = `${path}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  for (const name of await readdir(folder)) {
    if (name === 'LOCK') continue;
    const from = join(folder, name);
    const to = join(unfinished, name);
    // LevelDB appends to LOG and to nothing else that is there already; a link would change with it.
    const kept = name === 'LOG' ? copyFile(from, to) : link(from, to).catch(() => copyFile(from, to));
    // A file that is gone by now was taken by a process that has the database open; opening it will say so.
    await kept.catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
  await rename(unfinished, path);
  return { path, isNew: true, drop };
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
