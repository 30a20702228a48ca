/**
 * A data folder that somebody has copied without its master key: the program refuses it, no file and no row has a value, and
 * nothing that is sealed opens with anything in it.
 */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { nodeEd25519, signAside } from '../../src/cli/ed25519-node.ts';
import { type Folder, folderPaths, readFolder as readLogFolder } from '../../src/cli/folder.ts';
import { openFolderLog } from '../../src/cli/open-log.ts';
import { readVaultKeys } from '../../src/cli/vault-keys.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import { breakSeals, keysInFile, keysInRows, sealedItems } from './break-seals.ts';
import type { Canary } from './canary-events.ts';
import { leaksIn, readFolder, readRows, withStore } from './canary-evidence.ts';
import type { CanaryScanner } from './canary-scanner.ts';
import { runCli, startCli } from './cli.ts';
import { SLOW } from './slow.ts';

/** Of each kind of what is sealed, so many are tried with all that may be a key; and rows whose bytes are tried as keys. */
const SEALED_OF_EACH = SLOW ? 8 : 3;
const KEY_ROWS = SLOW ? 40 : 20;

export interface CopyParts {
  readonly folder: Folder;
  readonly parent: string;
  readonly scanner: CanaryScanner;
  readonly mayHave: (where: string, canary: Canary, spelling: string) => boolean;
}

/** A copy of all but the master key opens nothing, in this program or by what is in it; and with the master key it does. */
export async function assertCopyRevealsNothing(
  t: TestContext,
  { folder, parent, scanner, mayHave }: CopyParts,
): Promise<void> {
  const paths = folderPaths(join(parent, 'copy'));
  const { dir } = paths;
  await cp(folder.paths.dir, dir, { recursive: true });
  await cp(folder.paths.guard, paths.guard);
  await rm(paths.master);
  const cwd = parent;

  await assertRefuses(t, { dir, cwd, words: /keys\/master/ });
  const other = { NEWEL_MASTER_KEY: randomBytes(32).toString('base64url') };
  await assertRefuses(t, { dir, cwd, words: /keys\/epochs .* of another master key/, env: other });
  await assertVaultRefuses(dir);

  const files = [...(await readFolder(dir)), { where: 'guard', bytes: await readFile(paths.guard) }];
  const found = files.flatMap(({ where, bytes }) =>
    scanner.find(bytes).filter(({ canary, spelling }) => !mayHave(where, canary, spelling)),
  );
  assert.deepEqual(found, []);
  const epochs = await readFile(paths.epochs, 'utf8');
  await withStore(paths.db, async (store) => {
    assert.deepEqual(leaksIn(scanner, await readRows(store)), []);
    const items = await sealedItems(store, epochs, SEALED_OF_EACH);
    const small = files.filter(({ where }) => !where.startsWith('file db/'));
    const candidates = [...small.flatMap(keysInFile), ...(await keysInRows(store, KEY_ROWS))];
    assert.ok(candidates.length > 1000);
    assert.deepEqual(breakSeals(items, candidates), {});

    // Control: with the one key that was left out, all of it opens by the same search.
    const master = await readFile(folder.paths.master);
    const counts: Record<string, number> = {};
    for (const { what } of items) counts[what] = (counts[what] ?? 0) + 1;
    assert.deepEqual(breakSeals(items, keysInFile({ where: 'file keys/master', bytes: master })), counts);
    assert.deepEqual(Object.keys(counts), ['index key', 'epoch key', 'data key', 'seed', 'record', 'state']);
  });
  await cp(folder.paths.master, paths.master);
  const { code, out } = await runCli(['fsck', '--data', dir], { cwd });
  assert.equal(code, 0, out);
}

interface RefusedCopy {
  readonly dir: string;
  readonly cwd: string;
  readonly words: RegExp;
  readonly env?: Readonly<Record<string, string>>;
}

async function assertRefuses(t: TestContext, { dir, cwd, words, env = {} }: RefusedCopy): Promise<void> {
  const args = ['serve', '--data', dir, '--listen', '127.0.0.1:0', '--log-level', 'debug'];
  const { code, out, err } = await startCli(t, args, { cwd, env }).ended;
  assert.deepEqual([code, out], [1, ''], err);
  assert.match(err, words);
  assert.doesNotMatch(err, /"msg":"serving"/);
  const checked = await startCli(t, ['fsck', '--data', dir], { cwd, env }).ended;
  assert.equal(checked.code, 1, checked.out + checked.err);
  assert.match(checked.out + checked.err, words);
}

/** Given an epoch key of the attacker’s own it is the database that does not open. */
async function assertVaultRefuses(dir: string): Promise<void> {
  const copy = await readLogFolder(dir);
  const { log, store } = await openFolderLog(copy, { guard: copy.paths.guard });
  try {
    const master = randomBytes(32);
    const env = { NEWEL_MASTER_KEY: master.toString('base64url') };
    const { statementKeys } = await readVaultKeys(copy, env);
    const epochs = [{ number: 2, createdMs: Date.now(), key: randomBytes(32) }];
    const opening = openVault({
      log,
      store,
      master,
      statementKeys,
      issuer: copy.issuer!,
      ed25519: { ...nodeEd25519, signAside },
      epochs: { read: async () => epochs, replace: async () => {} },
      now: () => Date.now(),
    });
    await assert.rejects(opening, { code: 'log_refused' });
  } finally {
    await log.close();
  }
}
