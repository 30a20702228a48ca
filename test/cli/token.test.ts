import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { listTokens } from '../../src/access/token-list.ts';
import { runCli } from '../support/cli.ts';
import { newDiskLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** Within this a running log must know. */
const SEEN_MS = 3000;

async function statusOfAdd(url: string, token: string): Promise<number> {
  const headers = { Authorization: `Bearer ${token}` };
  const response = await fetch(`${url}/add`, { method: 'POST', body: 'entry', headers });
  await response.text();
  return response.status;
}

async function waitForStatus(url: string, token: string, status: number): Promise<void> {
  const endMs = performance.now() + SEEN_MS;
  while ((await statusOfAdd(url, token)) !== status) {
    assert.ok(performance.now() < endMs, `the log does not answer ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('tokens are made and revoked while the log is served', async (t) => {
  const cwd = await tempFolder(t);
  const { dir } = await newDiskLog(cwd, 'data');
  const { url } = await serveDiskLog(t, dir);
  const made = await runCli(
    ['token', 'create', 'bank', '--role', 'submit', '--source', 'app', '--expires', '90d'],
    { cwd },
  );
  assert.equal(made.code, 0, made.err);
  const token = made.out.trim();
  assert.match(token, /^newel_\S{43}$/);
  await waitForStatus(url, token, 200);

  const revoked = await runCli(['token', 'revoke', 'bank'], { cwd });
  assert.deepEqual([revoked.code, revoked.out], [0, 'revoked bank\n']);
  await waitForStatus(url, token, 401);
});

test('a token holds what was asked for, and list shows it without the secret', async (t) => {
  const cwd = await tempFolder(t);
  const { folder } = await newDiskLog(cwd);
  const env = { NEWEL_DATA: join(cwd, 'log') };
  const args = [
    'token',
    'create',
    'eye',
    '--role',
    'audit',
    '--source',
    'a',
    '--source',
    'b',
    '--expires',
    '12h',
    '--json',
  ];
  const before = Date.now();
  const { code, out, err } = await runCli(args, { cwd, env });
  assert.equal(code, 0, err);
  const made: unknown = JSON.parse(out);
  assert.ok(typeof made === 'object' && made !== null && 'token' in made && 'expires' in made);
  const [, kept] = await listTokens(folder.paths.tokens);
  assert.ok(kept?.expiresMs !== undefined);
  assert.deepEqual([kept.name, kept.role, kept.sources], ['eye', 'audit', ['a', 'b']]);
  assert.equal(kept.expiresMs - kept.createdMs, 12 * 3_600_000);
  assert.ok(kept.createdMs >= before && made.expires === new Date(kept.expiresMs).toISOString());

  const list = await runCli(['token', 'list'], { cwd, env });
  assert.match(list.out, /^name +role +sources +created +expires$/m);
  assert.match(list.out, /^eye +audit +a b +\S+Z +\S+Z$/m);
  assert.match(list.out, /^app +submit +s +\S+Z +never$/m);
  const json = await runCli(['token', 'list', '--json'], { cwd, env });
  const shown: unknown = JSON.parse(json.out);
  assert.ok(Array.isArray(shown) && shown.length === 2);
  for (const text of [list.out, json.out])
    assert.ok(!text.includes(kept.hash) && !text.includes(String(made.token)));
});

test('a name is taken once, and what is not there is not revoked', async (t) => {
  const cwd = await tempFolder(t);
  await newDiskLog(cwd, 'data');
  const again = await runCli(['token', 'create', 'app', '--role', 'audit'], { cwd });
  assert.deepEqual([again.code, again.out], [2, '']);
  assert.match(again.err, /there is a token named app/);
  const unknown = await runCli(['token', 'revoke', 'nobody'], { cwd });
  assert.deepEqual([unknown.code, unknown.out], [1, '']);
  assert.match(unknown.err, /there is no token of that name/);
  const nowhere = await runCli(['token', 'list', '--data', 'nowhere'], { cwd });
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.err, /there is no log at/);
});
