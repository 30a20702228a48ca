import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { listTokens } from '../../src/access/token-list.ts';
import { hashToken } from '../../src/access/token.ts';
import { createFolder } from '../../src/cli/create-folder.ts';
import { readFolder } from '../../src/cli/folder.ts';
import { readLogKey } from '../../src/cli/log-key.ts';
import { readPolicies } from '../../src/cli/policies.ts';
import { parseLogStatement } from '../../src/event/log-statement.ts';
import { parseEntries } from '../../src/formats/entry-bundle.ts';
import { systemClock } from '../../src/log/clock.ts';
import { openGuard } from '../../src/log/guard.ts';
import { runCli } from '../support/cli.ts';
import { fetchDescribed } from '../support/openapi.ts';
import { serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

const INIT = ['init', '--data', 'log', '--origin', 'log.example/bank'];

test('init makes a folder for its owner alone, and prints the vkey and two tokens, once', async (t) => {
  const cwd = await tempFolder(t);
  const { code, out, err } = await runCli(INIT, { cwd });
  assert.equal(code, 0, err);
  const dir = join(cwd, 'log');
  assert.deepEqual((await readdir(dir)).toSorted(), ['db', 'keys', 'newel.json', 'policy', 'tokens.json']);
  for (const name of ['', 'keys']) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o700, name);
  const keys = ['epochs', 'log-ed25519', 'log-mldsa44', 'master', 'statement.jwks'];
  assert.deepEqual((await readdir(join(dir, 'keys'))).toSorted(), keys);
  const files = ['newel.json', 'policy', 'tokens.json', '../log.guard', ...keys.map((key) => `keys/${key}`)];
  for (const name of files) {
    assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  }

  const folder = await readFolder(dir);
  const { vkey } = await readLogKey(folder);
  assert.match(out, new RegExp(`^vkey +${vkey.replaceAll('+', '\\+')}$`, 'm'));
  assert.equal((await readPolicies(folder, vkey)).fast.text, `log ${vkey}\nquorum none\n`);
  assert.match(
    await readFile(folder.paths.logKey, 'utf8'),
    /^PRIVATE\+KEY\+log\.example\/bank\+[0-9a-f]{8}\+\S+\n$/,
  );

  const printed = [...out.matchAll(/^(admin|submit) token +(newel_\S+)$/gm)];
  const kept = await listTokens(folder.paths.tokens);
  assert.deepEqual(
    kept.map(({ role, sources }) => [role, sources]),
    [
      ['admin', []],
      ['submit', ['default']],
    ],
  );
  assert.deepEqual(
    kept.map(({ role, hash }) => [role, hash]),
    printed.map(([, role, token]) => [role, hashToken(token!)]),
  );
  assert.equal(kept.length, 2);

  const guard = await openGuard(folder.paths.guard);
  const { sequence, size } = await guard.read();
  await guard.close();
  // Round 1 is leaf 0, round 2 its publication.
  assert.deepEqual([sequence, size], [2, 1]);
});

test('a folder that is there, empty and open to others, is for its owner alone afterwards', async (t) => {
  if (process.platform === 'win32') return t.skip('there are no such bits');
  const cwd = await tempFolder(t);
  const dir = join(cwd, 'log');
  await mkdir(dir);
  await chmod(dir, 0o755);
  const { code, err } = await runCli(INIT, { cwd });
  assert.equal(code, 0, err);
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
});

test('an opaque log begins empty, its tree signed and published', async (t) => {
  const cwd = await tempFolder(t);
  assert.equal((await runCli([...INIT, '--kind', 'opaque'], { cwd })).code, 0);
  assert.deepEqual((await readdir(join(cwd, 'log', 'keys'))).toSorted(), ['log-ed25519', 'log-mldsa44']);
  const { url } = await serveDiskLog(t, join(cwd, 'log'));
  const checkpoint = await (await fetchDescribed(`${url}/checkpoint`)).text();
  assert.ok(
    checkpoint.startsWith(
      'log.example/bank\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— log.example/bank ',
    ),
  );
});

test('an event log begins with its log statement, published', async (t) => {
  const cwd = await tempFolder(t);
  const { out } = await runCli([...INIT, '--issuer', 'https://bank.example/log'], { cwd });
  assert.match(out, /^issuer +https:\/\/bank\.example\/log$/m);
  const { url } = await serveDiskLog(t, join(cwd, 'log'));
  const checkpoint = await (await fetchDescribed(`${url}/checkpoint`)).text();
  assert.match(checkpoint, /^log\.example\/bank\n1\n/);
  const bundle = new Uint8Array(await (await fetchDescribed(`${url}/tile/entries/000.p/1`)).arrayBuffer());
  const [entry] = parseEntries(bundle, 1);
  const jwks = (await (await fetchDescribed(`${url}/.well-known/jwks.json`)).json()) as {
    keys: { kid: string }[];
  };
  assert.deepEqual(parseLogStatement(entry!), {
    kind: 'init',
    origin: 'log.example/bank',
    issuer: 'https://bank.example/log',
    statement_keys: [jwks.keys[0]!.kid],
    schemas: ['stepup/1'],
    max_publish_delay: 60,
  });
});

test('an issuer that is none, or of an opaque log, is refused before anything is made', async (t) => {
  const cwd = await tempFolder(t);
  for (const args of [
    ['--issuer', 'bank.example'],
    ['--issuer', 'http://bank.example'],
    ['--issuer', 'https://bank.example/a b'],
    ['--kind', 'opaque', '--issuer', 'https://bank.example'],
  ]) {
    const { code, err } = await runCli([...INIT, ...args], { cwd });
    assert.equal(code, 2, args.join(' '));
    assert.match(err, /issuer/);
  }
  assert.deepEqual(await readdir(cwd), []);
});

test('a source of the master key that gives none is refused before anything is made', async (t) => {
  const cwd = await tempFolder(t);
  for (const env of [{ NEWEL_MASTER_COMMAND: 'exit 1' }, { NEWEL_MASTER_KEY: 'short' }]) {
    const { code, out, err } = await runCli(INIT, { cwd, env });
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /the command for the master key failed with 1|NEWEL_MASTER_KEY gives no key/);
    assert.deepEqual(await readdir(cwd), []);
  }
  assert.equal((await runCli(INIT, { cwd })).code, 0);
});

test('--json prints the same as data', async (t) => {
  const cwd = await tempFolder(t);
  const guard = join(cwd, 'elsewhere.guard');
  const args = [...INIT, '--guard', 'elsewhere.guard', '--public-url', 'https://log.example/bank/', '--json'];
  const { code, out, err } = await runCli(args, { cwd });
  assert.equal(code, 0, err);
  const made: unknown = JSON.parse(out);
  assert.ok(typeof made === 'object' && made !== null);
  assert.deepEqual(Object.keys(made), ['origin', 'kind', 'issuer', 'vkey', 'folder', 'guard', 'tokens']);
  assert.ok('guard' in made && made.guard === guard);

  // What init was told stays: serve finds the guard and says the URL.
  const folder = await readFolder(join(cwd, 'log'));
  assert.deepEqual([folder.url, folder.serve], ['https://log.example/bank', { guard }]);
  assert.match(await readFile(folder.paths.policy, 'utf8'), /^log \S+ https:\/\/log\.example\/bank\n/);
  const { service } = await serveDiskLog(t, join(cwd, 'log'));
  assert.equal(service.url, 'https://log.example/bank');
});

test('init never touches what is there', async (t) => {
  const cwd = await tempFolder(t);
  await runCli(INIT, { cwd });
  const before = await readFile(join(cwd, 'log', 'keys', 'log-ed25519'), 'utf8');
  const again = await runCli(INIT, { cwd });
  assert.deepEqual([again.code, again.out], [1, '']);
  assert.match(again.err, /there is a log in .*log already/);
  assert.equal(await readFile(join(cwd, 'log', 'keys', 'log-ed25519'), 'utf8'), before);

  await mkdir(join(cwd, 'full'));
  await writeFile(join(cwd, 'full', 'letter.txt'), 'x');
  const full = await runCli(['init', '--data', 'full', '--origin', 'log.example'], { cwd });
  assert.equal(full.code, 1);
  assert.match(full.err, /full is not empty/);
  assert.deepEqual(await readdir(join(cwd, 'full')), ['letter.txt']);
});

test('init makes the parents of the folder, and takes a guard whose name begins with dots', async (t) => {
  const cwd = await tempFolder(t);
  const args = ['init', '--data', 'a/b/log', '--origin', 'log.example/bank', '--guard', '..guard'];
  assert.equal((await runCli(args, { cwd })).code, 0);
  assert.deepEqual((await readdir(cwd)).toSorted(), ['..guard', 'a']);
  const { service } = await serveDiskLog(t, join(cwd, 'a/b/log'));
  assert.equal(await service.stop(), 'stopped');
});

test('init refuses a guard that is there: it is of a log whose folder is gone', async (t) => {
  const cwd = await tempFolder(t);
  await runCli(INIT, { cwd });
  await rm(join(cwd, 'log'), { recursive: true });
  const { code, err } = await runCli(INIT, { cwd });
  assert.equal(code, 1);
  assert.match(err, /there is a guard at .*log\.guard, of a log whose folder is not here/);
  assert.deepEqual(await readdir(cwd), ['log.guard']);
});

test('init refuses a place for the guard that is not there, before it makes anything', async (t) => {
  const cwd = await tempFolder(t);
  const { code, err } = await runCli([...INIT, '--guard', 'nowhere/guard'], { cwd });
  assert.equal(code, 2);
  assert.match(err, /there is no folder .*nowhere/);
  assert.deepEqual(await readdir(cwd), []);

  await mkdir(join(cwd, 'log'));
  for (const guard of ['log/guard', 'log/..guard', 'log']) {
    const within = await runCli([...INIT, '--guard', guard], { cwd });
    assert.equal(within.code, 2, guard);
    assert.match(within.err, /the guard is not to lie in the folder.*choose a place outside/);
  }
  assert.deepEqual(await readdir(join(cwd, 'log')), []);
});

test('an init that was interrupted is told by init and by serve, and nothing is lost by starting over', async (t) => {
  const cwd = await tempFolder(t);
  const dir = join(cwd, 'log');
  const power = new Error('the power went');
  const now = (): number => {
    throw power;
  };
  const options = {
    dir,
    origin: 'log.example/bank',
    kind: 'events' as const,
    guard: undefined,
    url: undefined,
    env: {},
  };
  await assert.rejects(createFolder({ ...options, clock: { ...systemClock, now } }), power);
  for (const args of [
    INIT,
    ['serve', '--data', 'log'],
    ['dev', '--data', 'log'],
    ['fsck', '--data', 'log'],
  ]) {
    const { code, err } = await runCli(args, { cwd });
    assert.equal(code, 1);
    assert.match(
      err,
      /an init of .*log was interrupted, so no log has begun there: remove the folder, and the guard/,
    );
  }
  await rm(dir, { recursive: true });
  await rm(`${dir}.guard`, { force: true });
  assert.equal((await runCli(INIT, { cwd })).code, 0);
});
