/** Which file is meant is said once, whatever its name and whatever is wrong with it. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';

const TRUST = ['--trust', 'log.json'] as const;

test('a file is named, also where its name is a part of what is said of it', async (t) => {
  const cwd = await tempFolder(t);
  const { trustFile } = makeTestReceipt();
  await writeFile(join(cwd, 'log.json'), JSON.stringify(trustFile));
  await writeFile(join(cwd, 'a'), '{');
  await writeFile(join(cwd, 'is.zip'), 'no zip');
  await writeFile(join(cwd, 'long'), ' '.repeat(2 * 1024 * 1024 + 1));
  const said = async (...args: string[]): Promise<string> => {
    const { code, err } = await runCli(['verify', ...args], { cwd });
    assert.equal(code, 3, err);
    return err.split('\n').find((line) => line.startsWith('newel:')) ?? '';
  };
  assert.match(await said('a', ...TRUST), /^newel: a: receipt is not JSON/);
  assert.match(await said('.', ...TRUST), /^newel: \.: pack has no manifest/);
  assert.match(await said('is.zip', ...TRUST), /^newel: is\.zip: it is called a zip/);

  // Who cannot read it says which, and that is enough.
  assert.ok((await said('b', ...TRUST)).startsWith(`newel: ${join(cwd, 'b')} cannot be read`));
  assert.ok((await said('long', ...TRUST)).startsWith(`newel: ${join(cwd, 'long')} is longer than`));
  // Another file than this one is no name of it.
  await writeFile(join(cwd, 'b.zip'), 'no zip');
  assert.match(await said('b.zip', '--policy', 'p'), /^newel: b\.zip: .*p cannot be read/);
});
