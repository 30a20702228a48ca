/** `newel trust pin`: what is saved is what the log itself signs, and is never replaced unseen. */

import assert from 'node:assert/strict';
import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { parseBase64 } from '../../src/formats/base64.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { ed25519Cosigner } from '../../src/formats/cosignature.ts';
import { formatJwk } from '../../src/formats/jwk.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatTlogProof } from '../../src/formats/tlog-proof.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { type Ran, runCli } from '../support/cli.ts';
import { readExample } from '../support/events.ts';
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

  assert.match(out, /^log key +log\.example\/disk\+[0-9a-f]{8} of type 6, SHA-256 \S{43}=$/m);

  const json = await pin(url, '--out', 'other.json', '--json');
  const said = JSON.parse(json.out) as JsonObject;
  assert.deepEqual(
    [said['file'], said['written'], said['vkeys'], said['statement_keys'], said['tree_size']],
    ['other.json', true, trust['vkeys'], [kid], 1],
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

test('witnesses are printed, and where they or the quorum have changed, it is said how', async (t) => {
  const { cwd, url, trust, pin } = await setUp(t);
  const policy = trust['policy'] as string;
  const witnesses = ['a', 'b', 'c'].map((name) => {
    const key = ed25519Cosigner(`witness.example/${name}`, Buffer.alloc(32, name), nodeEd25519);
    return `witness ${name} ${formatVkey(key.vkey)}\n`;
  });
  const listed = (lines: readonly string[], quorum: string): string =>
    policy.replace('quorum none\n', `${lines.join('')}${quorum}quorum q\n`);
  const serve = (now: string): Promise<string> =>
    startLiar(t, url, { '/v1/log': JSON.stringify({ ...trust, url, policy: now }) });
  const first = await serve(listed(witnesses, 'group q 2 a b c\n'));
  const pinned = await pin(first);
  assert.equal(pinned.code, 0, pinned.err);
  assert.match(pinned.out, /^policy +quorum 2 of a, b, c$/m);
  for (const line of witnesses) {
    const [, name = '', vkey = ''] = line.trim().split(' ');
    assert.ok(pinned.out.includes(`${name}  ${vkey}\n`), line);
  }
  const second = await serve(listed(witnesses.slice(0, 2), 'group q any a b\n'));
  const { code, err } = await pin(second);
  assert.equal(code, 1);
  assert.match(
    err,
    /log\.json pins something else: url, policy differ \(witness c is gone; the quorum was 2 of a, b, c and is any of a, b\)\. Ask/,
  );
  const json = JSON.parse((await pin(second, '--out', 'other.json', '--json')).out) as JsonObject;
  assert.deepEqual(
    [json['quorum'], (json['witnesses'] as JsonObject[]).map(({ name }) => name)],
    ['q', ['a', 'b']],
  );
  const alone = { ...trust, vkeys: (trust['vkeys'] as string[]).slice(0, 1) };
  await writeFile(join(cwd, 'log.json'), JSON.stringify(alone));
  assert.match(
    (await pin(url)).err,
    /vkeys differs \(key log\.example\/disk\+[0-9a-f]{8} of type 6 is new\)/,
  );
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
    ['another schema', liesAbout({ schemas: ['stepup/2'] }), 1, /leaf 0 of the log names other schemas/],
    ['a schema more', liesAbout({ schemas: ['stepup/1', 'stepup/2'] }), 1, /names other schemas/],
    ['no schemas', liesAbout({ schemas: [] }), 1, /names other schemas/],
    [
      'another delay',
      liesAbout({ limits: { ...(trust['limits'] as JsonObject), max_publish_delay: 3600 } }),
      1,
      /leaf 0 of the log names another max_publish_delay/,
    ],
    ['no keys', liesAbout({ vkeys: [] }), 3, /v1\/log: trust file has no Ed25519 key/],
    ['no JSON', { '/v1/log': '<html>' }, 3, /v1\/log: trust file is not JSON/],
    ['another leaf 0', { '/v1/leaves/0': JSON.stringify({ leaf_input: 'oQEA' }) }, 1, /\broot\b/],
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

test('leaf 0 is proven in the tree of the checkpoint that is printed', async (t) => {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd, 'log', { kind: 'events' });
  await cp(dir, join(cwd, 'fork'), { recursive: true });
  await cp(`${dir}.guard`, join(cwd, 'fork.guard'));
  const [one, other] = [await serveDiskLog(t, dir), await serveDiskLog(t, join(cwd, 'fork'))];
  const submit = async ({ url, published }: ServedLog, size: number): Promise<void> => {
    const response = await fetchDescribed(`${url}/v1/events`, {
      method: 'POST',
      body: JSON.stringify({ ...readExample('full'), id: `e-${size}` }),
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    });
    assert.equal(response.status, 201, await response.text());
    await published(size);
  };
  for (const log of [one, other]) await submit(log, 2);
  const pin = async (url: string): Promise<Ran> => runCli(['trust', 'pin', url, '--force'], { cwd });
  /** On the newest checkpoint, which is of so many leaves. */
  const proofOf = async ({ url }: ServedLog, size: number): Promise<string> => {
    const checkpoint = await (await fetchDescribed(`${url}/checkpoint`)).text();
    assert.equal(checkpoint.split('\n')[1], String(size));
    const answer = await fetchDescribed(`${url}/v1/proofs/inclusion?leaf_index=0&tree_size=${size}`);
    const { audit_path: path } = (await answer.json()) as { audit_path: string[] };
    return formatTlogProof({
      index: 0,
      path: path.map((hash) => parseBase64(hash, 'hash')),
      checkpoint: encodeUtf8(checkpoint),
    });
  };

  // A proof on a head of another size is in the same tree, and that is shown.
  const own = await proofOf(one, 2);
  await submit(one, 3);
  const ran = await pin(await startLiar(t, one.url, { '/v1/leaves/0/proof': own }));
  assert.equal(ran.code, 0, ran.err);
  assert.match(ran.out, /checkpoint of 3/);

  for (const [size, code, message] of [
    [2, 1, /the tree of 3 leaves does not begin with the tree of 2 that was signed/],
    [3, 1, /the tree of 3 leaves does not begin with the tree of 3 that was signed/],
    [4, 3, /the log has no tile/],
  ] as const) {
    if (size > 2) await submit(other, size);
    const fork = await pin(await startLiar(t, one.url, { '/v1/leaves/0/proof': await proofOf(other, size) }));
    assert.deepEqual([fork.code, fork.out], [code, ''], `${size}: ${fork.err}`);
    assert.match(fork.err, message);
  }
});

test('the URL that was asked is pinned, and another one that the log names is said', async (t) => {
  const { url, trust, pin, saved } = await setUp(t);
  const named = 'http://evil.example';
  const liar = await startLiar(t, url, { '/v1/log': JSON.stringify({ ...trust, url: `${named}/` }) });
  const { code, out, err } = await pin(liar);
  assert.equal(code, 0, err);
  assert.match(out, new RegExp(`^url +${liar}$`, 'm'));
  assert.match(out, /^named url +http:\/\/evil\.example \(not pinned\)$/m);
  assert.match(err, /The log names http:\/\/evil\.example as its URL\. Pinned is the one that you gave/);
  assert.deepEqual(JSON.parse(await saved()), { ...trust, url: liar });
  assert.match((await pin(liar)).out, /pinned the same already/);
  const json = JSON.parse((await pin(liar, '--json')).out) as JsonObject;
  assert.deepEqual([json['url'], json['named_url']], [liar, named]);

  const elsewhere = await pin(url);
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.err, /pins something else: url differs\./);

  const upper = await pin(`${url.replace('http', 'HTTP')}//`, '--out', 'same.json');
  assert.equal(upper.code, 0, upper.err);
  assert.doesNotMatch(upper.out, /named url/);
  assert.equal(await saved('same.json'), await (await fetchDescribed(`${url}/v1/log`)).text());
});

test('the order of members is no difference', async (t) => {
  const { cwd, url, trust, pin, saved } = await setUp(t);
  const { keys } = trust['jwks'] as { keys: JsonObject[] };
  const turned = (object: JsonObject): JsonObject => Object.fromEntries(Object.entries(object).reverse());
  const earlier = JSON.stringify({ ...turned(trust), jwks: { keys: keys.map(turned) } });
  await writeFile(join(cwd, 'log.json'), earlier);
  const { code, out, err } = await pin(url);
  assert.equal(code, 0, err);
  assert.match(out, /pinned the same already/);
  assert.equal(await saved(), earlier);
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
