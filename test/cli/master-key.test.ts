import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { readGivenMaster } from '../../src/cli/master-key.ts';
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
  assert.deepEqual(await keyFiles(cwd), ['epochs', 'log-ed25519', 'log-mldsa44', 'statement.jwks']);
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
  assert.deepEqual(await keyFiles(cwd), ['epochs', 'log-ed25519', 'log-mldsa44', 'statement.jwks']);
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

test('a command that takes too long ends with all that it has started, and the message says so', async (t) => {
  if (process.platform === 'win32') return t.skip('the commands are for a POSIX shell');
  const cwd = await tempFolder(t);
  const pids = join(cwd, 'pids');
  // The second has gone to the background and holds what it prints to open; its shell is over.
  for (const command of [`sleep 60 & echo $! >'${pids}'; wait; echo`, `sleep 60 & echo $! >'${pids}'`]) {
    const startedMs = performance.now();
    await assert.rejects(readGivenMaster({ env: { NEWEL_MASTER_COMMAND: command }, timeoutMs: 400 }), {
      code: 'log_refused',
      message: /^the command for the master key timed out after 0\.4 s: /,
    });
    assert.ok(performance.now() - startedMs < 20_000);
    const pid = Number(await readFile(pids, 'utf8'));
    assert.ok(pid > 0);
    for (const endMs = performance.now() + 5000; await isRunning(pid); await sleep(10)) {
      assert.ok(performance.now() < endMs, 'what the command has started lives on');
    }
  }
});

test('a command has nothing to read, and what it says of itself is how it ended', async (t) => {
  if (process.platform === 'win32') return t.skip('the commands are for a POSIX shell');
  const given = (command: string): Promise<unknown> =>
    readGivenMaster({ env: {}, command, timeoutMs: 20_000 });
  assert.deepEqual(await given(`cat && echo ${KEY}`), new Uint8Array(32).fill(0x4b));
  for (const [command, how] of [
    ['exit 7', 'failed with 7'],
    ['kill -9 $$', 'was ended by SIGKILL'],
    ['yes', 'printed more than 4096 bytes'],
  ] as const) {
    await assert.rejects(given(command), {
      code: 'log_refused',
      message: `the command for the master key ${how}: run it by hand, as this user, and see that it prints the key`,
    });
  }
});

test('an empty variable is as if it were not set', async (t) => {
  const cwd = await tempFolder(t);
  const env = { NEWEL_MASTER_KEY: '', NEWEL_MASTER_COMMAND: '' };
  assert.equal((await runCli(INIT, { cwd, env })).code, 0);
  assert.deepEqual(await keyFiles(cwd), ['epochs', 'log-ed25519', 'log-mldsa44', 'master', 'statement.jwks']);
  assert.equal((await runCli(FSCK, { cwd, env })).code, 0);
  assert.equal(await readGivenMaster({ env, command: '' }), undefined);
});

test('fsck without the master key, or with another, still finds what else is wrong', async (t) => {
  const cwd = await tempFolder(t);
  assert.equal((await runCli(INIT, { cwd })).code, 0);
  await rm(join(cwd, 'log.guard'));
  const master = join(cwd, 'log', 'keys', 'master');
  const kept = await readFile(master, 'utf8');
  for (const spoil of [() => rm(master), () => writeFile(master, `${KEY}\n`, { mode: 0o600 })]) {
    await spoil();
    const { code, out } = await runCli([...FSCK, '--json'], { cwd });
    assert.equal(code, 1);
    const { findings, tree_size } = JSON.parse(out) as { findings: { path: string }[]; tree_size: number };
    assert.deepEqual([findings.map(({ path }) => path), tree_size], [['database', 'records'], 1]);
    assert.ok(!out.includes(kept.trim()) && !out.includes(KEY));
  }
});

/** What is dead and not yet reaped does not run. */
async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return !/^State:\s*Z/m.test(status);
}
