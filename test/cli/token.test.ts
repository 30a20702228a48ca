import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createToken, listTokens } from '../../src/access/token-list.ts';
import { type Ran, runCli } from '../support/cli.ts';
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
    'submit',
    '--source',
    'a',
    '--source',
    'b',
    '--expires',
    '12h',
    '--rate',
    '200',
    '--json',
  ];
  const before = Date.now();
  const { code, out, err } = await runCli(args, { cwd, env });
  assert.equal(code, 0, err);
  const made: unknown = JSON.parse(out);
  assert.ok(typeof made === 'object' && made !== null && 'token' in made && 'expires' in made);
  const [, kept] = await listTokens(folder.paths.tokens);
  assert.ok(kept?.expiresMs !== undefined);
  assert.deepEqual([kept.name, kept.role, kept.sources, kept.rate], ['eye', 'submit', ['a', 'b'], 200]);
  assert.equal(kept.expiresMs - kept.createdMs, 12 * 3_600_000);
  assert.ok(kept.createdMs >= before && made.expires === new Date(kept.expiresMs).toISOString());

  const list = await runCli(['token', 'list'], { cwd, env });
  assert.match(list.out, /^name +role +sources +created +expires +rate$/m);
  assert.match(list.out, /^eye +submit +a b +\S+Z +\S+Z +200\/s$/m);
  assert.match(list.out, /^app +submit +s +\S+Z +never +–$/m);
  const json = await runCli(['token', 'list', '--json'], { cwd, env });
  const shown: unknown = JSON.parse(json.out);
  assert.ok(Array.isArray(shown) && shown.length === 2);
  const rates = (shown as { rate?: number }[]).map(({ rate }) => rate);
  assert.deepEqual(rates, [undefined, 200]);
  for (const text of [list.out, json.out])
    assert.ok(!text.includes(kept.hash) && !text.includes(String(made.token)));
});

test('sources go with the role submit: the others take none, and list says what they read', async (t) => {
  const cwd = await tempFolder(t);
  const { folder } = await newDiskLog(cwd, 'data');
  const create = (...args: string[]): Promise<Ran> => runCli(['token', 'create', ...args], { cwd });
  for (const [args, message] of [
    [
      ['x', '--role', 'audit', '--source', 's'],
      /--source goes with --role submit: an audit token reads the events of every source/,
    ],
    [
      ['x', '--role', 'admin', '--source', 's'],
      /--source goes with --role submit: an admin token reads no events/,
    ],
    [['x', '--role', 'submit', '--source', ' x'], /--source is not 1 to 255 visible ASCII characters/],
    [['x', '--role', 'submit', '--source', 's', '--source', ''], /--source is not 1 to 255/],
    [
      ['x', '--role', 'submit', '--source', 's', '--source', 'newel:log'],
      /--source begins with newel:, which/,
    ],
    [['x', '--role', 'audit', '--rate', '0'], /--rate is not a whole number from 1 to 1000000/],
    [['x', '--role', 'audit', '--rate', '1e3'], /--rate is not a whole number/],
    [
      ['x', '--role', 'submit', ...Array.from({ length: 65 }, (_, i) => `--source=${i}`)],
      /--source is given more than 64 times/,
    ],
  ] as const) {
    const ran = await create(...args);
    assert.deepEqual([ran.code, ran.out], [2, ''], args.join(' '));
    assert.match(ran.err, message);
  }
  assert.deepEqual(
    (await listTokens(folder.paths.tokens)).map(({ name }) => name),
    ['app'],
  );

  const made = await create('eye', '--role', 'audit', '--json');
  assert.deepEqual(Object.keys(JSON.parse(made.out) as object), ['name', 'role', 'token']);
  assert.equal((await create('ops', '--role', 'admin')).code, 0);
  // As earlier versions made them.
  const { tokens } = folder.paths;
  await createToken(tokens, { name: 'old', role: 'audit', sources: ['s'], nowMs: Date.now() });
  const list = await runCli(['token', 'list'], { cwd });
  assert.match(list.out, /^eye +audit +all +\S+Z +never +–$/m);
  assert.match(list.out, /^old +audit +all +\S+Z +never +–$/m);
  assert.match(list.out, /^ops +admin +– +\S+Z +never +–$/m);
  const json = await runCli(['token', 'list', '--json'], { cwd });
  const shown = JSON.parse(json.out) as { name: string; sources?: string[] }[];
  assert.deepEqual(
    shown.map(({ name, sources }) => [name, sources]),
    [
      ['app', ['s']],
      ['eye', undefined],
      ['ops', undefined],
      ['old', undefined],
    ],
  );
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
