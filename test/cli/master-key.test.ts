import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli, startServe } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const INIT = ['init', '--data', 'log', '--origin', 'log.example/bank'];
const FSCK = ['fsck', '--data', 'log'];
const KEY = Buffer.alloc(32, 0x4b).toString('base64url');

async function keyFiles(cwd: string): Promise<string[]> {
  return (await readdir(join(cwd, 'log', 'keys'))).sort();
}

test('a master key from the environment is in no file, and without it, or with another, nothing opens', async (t) => {
  const cwd = await tempFolder(t);
  const env = { NEWEL_MASTER_KEY: KEY };
  assert.equal((await runCli(INIT, { cwd, env })).code, 0);
  assert.deepEqual(await keyFiles(cwd), ['epochs', 'log-ed25519', 'statement.jwks']);
  for (const name of await keyFiles(cwd)) {
    assert.ok(!(await readFile(join(cwd, 'log', 'keys', name), 'utf8')).includes(KEY), name);
  }
  assert.equal((await runCli(FSCK, { cwd, env })).code, 0);
  const other = Buffer.alloc(32, 0x4c).toString('base64url');
  for (const wrong of [undefined, { NEWEL_MASTER_KEY: other }, { NEWEL_MASTER_KEY: 'not a key' }]) {
    const { code, out, err } = await runCli(FSCK, { cwd, ...(wrong && { env: wrong }) });
    assert.notEqual(code, 0);
    assert.ok(!`${out}${err}`.includes(other) && !`${out}${err}`.includes('not a key'));
  }
});

test('a command gives it: by the environment, and by newel.json', async (t) => {
  if (process.platform === 'win32') return t.skip('the command is for a POSIX shell');
  const cwd = await tempFolder(t);
  const env = { NEWEL_MASTER_COMMAND: `printf '%s\\n' ${KEY}` };
  assert.equal((await runCli(INIT, { cwd, env })).code, 0);
  assert.deepEqual(await keyFiles(cwd), ['epochs', 'log-ed25519', 'statement.jwks']);
  assert.equal((await runCli(FSCK, { cwd, env })).code, 0);
  assert.notEqual((await runCli(FSCK, { cwd })).code, 0);
  const path = join(cwd, 'log', 'newel.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...config, master_command: env.NEWEL_MASTER_COMMAND }));
  assert.equal((await runCli(FSCK, { cwd })).code, 0);
  const { child, ended } = await startServe(t, join(cwd, 'log'));
  child.kill('SIGTERM');
  assert.equal((await ended).code, 0);
});

test('a command that fails, or says more than the key, is refused without a word of what it said', async (t) => {
  if (process.platform === 'win32') return t.skip('the commands are for a POSIX shell');
  const cwd = await tempFolder(t);
  assert.equal((await runCli(INIT, { cwd })).code, 0);
  await rm(join(cwd, 'log', 'keys', 'master'));
  for (const command of [
    'echo secret-words; exit 7',
    'echo secret-words >&2; exit 1',
    `echo ${KEY}; echo secret-words`,
    'echo secret-words',
    'head -c 100000 /dev/zero',
    'no-such-program-secret-words',
  ]) {
    const { code, out, err } = await runCli(FSCK, { cwd, env: { NEWEL_MASTER_COMMAND: command } });
    assert.notEqual(code, 0, command);
    assert.ok(!`${out}${err}`.includes('secret-words') && !`${out}${err}`.includes(KEY), command);
    assert.match(`${out}${err}`, /command for the master key/);
  }
});
