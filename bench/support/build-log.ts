/** Fills a log without HTTP, in rounds as large as they get: seconds for a million leaves. */

import { cp, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readFolder } from '../../src/cli/folder.ts';
import { openFolderLog } from '../../src/cli/open-log.ts';
import { POOL_LIMITS } from '../../src/log/limits.ts';
import { ENTRY_BYTES, entryFiller } from './add-requests.ts';
import { type DataFolder, initFolder } from './server.ts';

export interface BuiltLog extends DataFolder {
  readonly size: number;
  readonly buildMs: number;
}

/** Makes the folder with `newel init` and appends `size` unique entries. All of them are published when it resolves. */
export async function buildLog(dir: string, size: number): Promise<BuiltLog> {
  const made = await initFolder(dir);
  const buildMs = await appendMany(made, size, ENTRY_BYTES);
  return { ...made, size, buildMs };
}

/** Appends unique entries to a log that is not served, in rounds as large as they get. Returns how long it took. */
export async function appendMany(
  { dir }: Pick<DataFolder, 'dir'>,
  count: number,
  entryBytes: number,
): Promise<number> {
  const folder = await readFolder(dir);
  const { log } = await openFolderLog(folder, { guard: folder.paths.guard });
  const fill = entryFiller(entryBytes);
  const startedMs = performance.now();
  for (let first = 0; first < count; first += POOL_LIMITS.maxRoundEntries) {
    const appended = Array.from({ length: Math.min(POOL_LIMITS.maxRoundEntries, count - first) }, () => {
      const entry = Buffer.alloc(entryBytes);
      fill(entry, 0);
      return log.append({ entry });
    });
    await Promise.all(appended);
  }
  // Closing publishes.
  await log.close();
  return performance.now() - startedMs;
}

/** Copies folder and guard of a log that is not served: for what must not happen to the original. */
export async function copyLog(log: DataFolder, dir: string): Promise<DataFolder> {
  await cp(log.dir, dir, { recursive: true });
  await cp(`${log.dir}.guard`, `${dir}.guard`);
  return { ...log, dir };
}

/** Bytes of all files in the database. */
export async function databaseBytes(dir: string): Promise<number> {
  const sizes = await databaseFiles(dir);
  return sizes.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Bytes of LevelDB's write-ahead logs: what the next start reads before anything else. */
export async function writeAheadBytes(dir: string): Promise<number> {
  const files = await databaseFiles(dir);
  return files.filter(({ name }) => name.endsWith('.log')).reduce((sum, { bytes }) => sum + bytes, 0);
}

async function databaseFiles(dir: string): Promise<{ name: string; bytes: number }[]> {
  const db = join(dir, 'db');
  const files: { name: string; bytes: number }[] = [];
  for (const name of await readdir(db)) {
    try {
      files.push({ name, bytes: (await stat(join(db, name))).size });
    } catch {
      // Compaction has removed it since.
    }
  }
  return files;
}
