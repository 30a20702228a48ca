/** `newel trust pin`: what is saved is what the log itself signs, and is never replaced unseen. */

import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { formatJwk } from '../../src/formats/jwk.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { type Ran, runCli } from '../support/cli.ts';
import { fetchDescribed } from '../support/openapi.ts';
import { DISK_ORIGIN, newDiskLog, type ServedLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Setup extends ServedLog {
  readonly cwd: string;
  readonly trust: JsonObject;
  readonly pin: (...args: string[]) => Promise<Ran>;
  /** What is at `name`, as text. */
  readonly saved: (name?: string) => Promise<string>;
}

async function setUp(t: TestContext, kind: 'events' | 'opaque' = 'events'): Promise<Setup> {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd, 'log', { kind });
  const served = await serveDiskLog(t, dir);
  if (kind === 'opaque') await served.add('entry', token);
  await served.published(1);
  return {
    ...served,
    cwd,
    trust: (await (await fetchDescribed(`${served.url}/v1/log`)).json()) as JsonObject,
    pin: (...args) => runCli(['trust', 'pin', ...args], { cwd }),
    saved: (name = 'log.json') => readFile(join(cwd, name), 'utf8'),
  };
}

/** Passes requests on, with other answers for some paths. */
async function startLiar(
  t: TestContext,
  url: string,
  lies: Readonly<Record<string, string>>,
): Promise<string> {
  const server = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? '';
      const lie = lies[path];
      if (lie !== undefined) return response.end(lie);
      const answer = await fetchDescribed(`${url}${path}`);
      return response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

test('the answer of the log is saved as it is, readable by all, and its keys are printed to be compared', async (t) => {
  const { cwd, url, service, trust, pin, saved } = await setUp(t);
  const { code, out, err } = await pin(`${url}/`);
  assert.equal(code, 0, err);
  assert.deepEqual(JSON.parse(await saved()), trust);
  assert.equal(await saved(), await (await fetchDescribed(`${url}/v1/log`)).text());
  assert.equal((await stat(join(cwd, 'log.json'))).mode & 0o777, 0o644);
  const [{ kid }] = (trust['jwks'] as { keys: [{ kid: string }] }).keys;
  for (const line of [
    /^origin +log\.example\/disk$/m,
    /^kind +events$/m,
    new RegExp(`^log key +${service.vkey.replaceAll(/[+/.]/g, '\\$&')}$`, 'm'),
    new RegExp(`^statement key +${kid}$`, 'm'),
    /^policy +quorum none$/m,
    /^checked +✔ the log key signs the checkpoint of 1, and leaf 0 names the statement keys$/m,
    /^file +log\.json$/m,
  ])
    assert.match(out, line);
  assert.match(err, /Compare the keys with what the operator tells you/);

  const json = await pin(url, '--out', 'other.json', '--json');
  const said = JSON.parse(json.out) as JsonObject;
  assert.deepEqual(
    [said['file'], said['written'], said['vkeys'], said['statement_keys'], said['tree_size']],
    ['other.json', true, [service.vkey], [kid], 1],
  );
});

test('a log of opaque entries has no statements to check', async (t) => {
  const { url, pin, saved } = await setUp(t, 'opaque');
  const { code, out, err } = await pin(url);
  assert.equal(code, 0, err);
  assert.match(out, /^checked +✔ the log key signs the checkpoint of 1$/m);
  assert.doesNotMatch(out, /statement key/);
  assert.equal((JSON.parse(await saved()) as JsonObject)['kind'], 'opaque');
});

test('a file that pins something else is not replaced, and what differs is named', async (t) => {
  const { cwd, url, trust, pin, saved } = await setUp(t);
  const { keys } = trust['jwks'] as { keys: JsonObject[] };
  const earlier = JSON.stringify({
    ...trust,
    issuer: 'https://other.example',
    jwks: { keys: [...keys, formatJwk(nodeEd25519.publicKey(new Uint8Array(32).fill(9)))] },
    software: { name: 'newel', version: '0.0.1' },
  });
  await writeFile(join(cwd, 'log.json'), earlier);
  const { code, out, err } = await pin(url);
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /log\.json pins something else: issuer, jwks differ\. Ask the operator why/);
  assert.equal(await saved(), earlier);
  assert.equal((await pin(url, '--force')).code, 0);
  assert.deepEqual(JSON.parse(await saved()), trust);

  const upgraded = JSON.stringify({ ...trust, limits: {}, software: { name: 'newel', version: '9' } });
  await writeFile(join(cwd, 'log.json'), upgraded);
  const same = await pin(url);
  assert.equal(same.code, 0, 'what no verification reads may differ');
  assert.match(same.out, /^file +log\.json \(pinned the same already\)$/m);
  assert.equal(await saved(), upgraded);

  for (const content of ['notes of mine', '{"origin":1}', '']) {
    await writeFile(join(cwd, 'mine'), content);
    const other = await pin(url, '--out', 'mine');
    assert.equal(other.code, 2);
    assert.match(other.err, /mine is there and is not a trust file/);
    assert.equal(await saved('mine'), content);
  }
});

test('what the log does not sign is not pinned', async (t) => {
  const { cwd, url, trust, pin } = await setUp(t);
  const seed = new Uint8Array(32).fill(7);
  const vkey = formatVkey(newVkey(DISK_ORIGIN, KEY_TYPE.ed25519, nodeEd25519.publicKey(seed)));
  const jwk = formatJwk(nodeEd25519.publicKey(seed));
  const policy = `log ${vkey}\nquorum none\n`;
  const liesAbout = (members: JsonObject): Record<string, string> => ({
    '/v1/log': JSON.stringify({ ...trust, ...members }),
  });
  const proof = await (await fetchDescribed(`${url}/v1/leaves/0/proof`)).text();
  const cases: readonly [what: string, lies: Record<string, string>, code: number, message: RegExp][] = [
    ['another log key', liesAbout({ vkeys: [vkey], policy }), 1, /no signature by a known key/],
    [
      'another statement key',
      liesAbout({ jwks: { keys: [{ ...jwk }] } }),
      1,
      /leaf 0 of the log names other statement keys/,
    ],
    [
      'another issuer',
      liesAbout({ issuer: 'https://other.example' }),
      1,
      /leaf 0 of the log names another issuer/,
    ],
    ['no keys', liesAbout({ vkeys: [] }), 3, /v1\/log: trust file has no Ed25519 key/],
    ['no JSON', { '/v1/log': '<html>' }, 3, /v1\/log: trust file is not JSON/],
    ['another leaf 0', { '/v1/leaves/0': JSON.stringify({ leaf_input: 'oQEA' }) }, 1, /root/],
    ['no leaf 0', { '/v1/leaves/0': '{}' }, 3, /a leaf that has no leaf_input/],
    ['another proof', { '/v1/leaves/0/proof': proof.replace('index 0', 'index 1') }, 1, /./],
  ];
  for (const [what, lies, code, message] of cases) {
    const liar = await startLiar(t, url, lies);
    const ran = await pin(liar, '--force');
    assert.deepEqual([ran.code, ran.out], [code, ''], `${what}: ${ran.err}`);
    assert.match(ran.err, message, what);
    await assert.rejects(stat(join(cwd, 'log.json')), { code: 'ENOENT' }, what);
  }
});

test('wrong usage of trust exits with 2, and a log that is not reached with 3', async (t) => {
  const cwd = await tempFolder(t);
  for (const [args, code, message] of [
    [['show', 'x'], 2, /pin\?/],
    [['pin'], 2, /pin takes its URL/],
    [['pin', 'log.example'], 2, /the URL is not an http or https URL/],
    [['pin', 'http://127.0.0.1:9'], 3, /does not answer/],
  ] as const) {
    const ran = await runCli(['trust', ...args], { cwd });
    assert.deepEqual([ran.code, ran.out], [code, ''], args.join(' '));
    assert.match(ran.err, message);
  }
});
