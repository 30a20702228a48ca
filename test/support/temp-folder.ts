/** A folder of its own for a test, removed when the test is over. */

import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'newel-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
