/** `newel witness`: what init makes and prints, what serve refuses, and a witness as a process. */

import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { startWitness } from '../../src/cli/witness-service.ts';
import { readWitnessFolder } from '../../src/cli/witness-folder.ts';
import { cosignatureVerifier } from '../../src/formats/cosignature.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { parseSignatureLines } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { isQuorumMet, parsePolicy } from '../../src/formats/tlog-policy.ts';
import { formatSkey, KEY_TYPE, parseSkey, parseVkey } from '../../src/formats/vkey.ts';
import { createLines } from '../../src/telemetry/lines.ts';
import { hashOrigin, recordKey } from '../../src/witness/witness-rows.ts';
import { type Ran, runCli, type Started, startCli } from '../support/cli.ts';
import { seriesOf } from '../support/series.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { WitnessedLog } from '../support/witnessed-log.ts';

const NAME = 'witness.example/w1';
const bank = new WitnessedLog();
const shop = new WitnessedLog('log.example/shop');

const init = (cwd: string, ...args: string[]): Promise<Ran> =>
  runCli(['witness', 'init', '--data', 'w1', '--name', NAME, ...args], { cwd });

async function startWitnessCli(
  t: TestContext,
  cwd: string,
  ...args: string[]
): Promise<Started & { url: string }> {
  const started = startCli(t, ['witness', 'serve', '--data', 'w1', '--listen', '127.0.0.1:0', ...args], {
    cwd,
  });
  const [line] = await started.waitFor('err', /^.*"msg":"serving"\}$/m);
  const { url } = JSON.parse(line) as { url: string };
  return { ...started, url };
}

async function post(url: string, body: Uint8Array): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: Uint8Array.from(body) });
  return { status: response.status, text: await response.text() };
}

test('init makes a folder for its owner alone, and prints what a policy needs: one party, whichever key', async (t) => {
  const cwd = await tempFolder(t);
  const { code, out, err } = await init(cwd, '--public-url', 'https://witness.example/');
  assert.equal(code, 0, err);
  const dir = join(cwd, 'w1');
  assert.deepEqual((await readdir(dir)).toSorted(), ['db', 'keys', 'logs', 'policy', 'witness.json']);
  for (const [path, mode] of [
    ['keys/witness-ed25519', 0o600],
    ['keys/witness-mldsa44', 0o600],
    ['keys', 0o700],
  ] as const)
    assert.equal((await stat(join(dir, path))).mode & 0o777, mode, path);

  const lines = out.slice(out.indexOf('witness witness.example'));
  const { witnesses, groups, ...policy } = parsePolicy(encodeUtf8(`${lines}quorum ${NAME}\n`));
  assert.deepEqual(
    witnesses.map(({ vkey, url }) => [vkey.name, vkey.type, url]),
    [
      [NAME, KEY_TYPE.cosignatureEd25519, 'https://witness.example'],
      [NAME, KEY_TYPE.mldsa44, 'https://witness.example'],
    ],
  );
  for (const { name } of witnesses) assert.ok(isQuorumMet({ witnesses, groups, ...policy }, new Set([name])));
  assert.equal(lines, await readFile(join(dir, 'policy'), 'utf8'));
  assert.match(err, /Next: newel witness serve --data w1/);

  const again = await init(cwd);
  assert.deepEqual([again.code, again.out], [1, '']);
  assert.match(again.err, /there is a witness in .* already, and a witness is made once/);
  const other = await runCli(['witness', 'init', '--data', '.', '--name', NAME], { cwd });
  assert.match(other.err, /is not empty/);
});

test('on a terminal init shows a key of ML-DSA-44 shortened, and where the lines are whole', async (t) => {
  const cwd = await tempFolder(t);
  const args = ['witness', 'init', '--data', 'w1', '--name', NAME];
  const { out } = await runCli(args, { cwd, isTerminal: true });
  const file = join(cwd, 'w1/policy');
  const whole = await readFile(file, 'utf8');
  assert.ok(whole.length > 1800 && out.length < 1200, `${whole.length}, ${out.length}`);
  const [head, shown] = out.split(`For the policy of a log, whole in ${file}:\n`);
  assert.ok(head!.endsWith('\n\n') && shown !== undefined);
  const parts = shown.split('…');
  assert.equal(parts.length, 2, 'one key of the two');
  assert.ok(whole.startsWith(parts[0]!) && whole.endsWith(parts[1]!));
  assert.throws(() => parsePolicy(encodeUtf8(`${shown}quorum ${NAME}\n`)), { code: 'malformed' });
});

test('as JSON, and what is wrong with arguments', async (t) => {
  const cwd = await tempFolder(t);
  const { out } = await init(cwd, '--json');
  const made = JSON.parse(out) as { name: string; vkeys: string[]; policy: string[] };
  assert.deepEqual([made.name, made.vkeys.length, made.policy.length], [NAME, 2, 3]);
  assert.match(made.policy[0]!, / http:\/\/127\.0\.0\.1:8090$/);
  for (const [args, message] of [
    [[], /init or serve\?/],
    [['make'], /init or serve\?/],
    [['init', '--name', NAME], /--data is needed/],
    [['init', '--data', 'x'], /--name is needed/],
    [['init', '--data', 'x', '--name', 'a b'], /the name is not 1 to 255 bytes without space and plus/],
    [
      ['init', '--data', 'x', '--name', NAME, '--listen', '8090'],
      /--listen is not HOST:PORT, for example 127/,
    ],
    [
      ['init', '--data', 'x', '--name', NAME, '--public-url', 'witness.example'],
      /--public-url is not an http/,
    ],
    [['init', '--data', 'x', '--name', NAME, '--logs', 'y'], /--logs is not for init/],
    [['init', '--data', 'x', '--name', NAME, '--metrics', '127.0.0.1:0'], /--metrics is not for init/],
    [['serve', '--data', 'w1', '--metrics', '9464'], /--metrics is not HOST:PORT/],
    [['serve', '--data', 'w1', '--name', NAME], /--name is not for serve/],
    [['serve', '--data', 'w1', '--log-level', 'loud'], /--log-level is not one of/],
  ] as const) {
    const ran = await runCli(['witness', ...args], { cwd });
    assert.deepEqual([ran.code, ran.out], [2, ''], args.join(' '));
    assert.match(ran.err, message);
  }
  assert.deepEqual(await readdir(cwd), ['w1']);
});

test('a witness that has lost one of its keys says so, with the file, and cosigns with the other', async (t) => {
  for (const lost of ['witness-mldsa44', 'witness-ed25519', undefined]) {
    const cwd = await tempFolder(t);
    await init(cwd);
    const file = join(cwd, 'w1/keys', lost ?? '');
    if (lost !== undefined) await rm(file);
    const written: string[] = [];
    const service = await startWitness({
      folder: await readWitnessFolder(join(cwd, 'w1')),
      listen: { host: '127.0.0.1', port: 0 },
      lines: createLines({ level: 'warn', write: (line) => void written.push(line) }),
    });
    assert.equal(service.keys.length, lost === undefined ? 2 : 1);
    const said = written.map((line) => JSON.parse(line) as { file: string; msg: string });
    assert.deepEqual(
      said.map((line) => line.file),
      lost === undefined ? [] : [file],
    );
    for (const { msg } of said) assert.match(msg, /one of the two keys that init made is not there/);
    await service.stop();
  }
});

test('a witness as a process: cosigns, reads its list again, remembers, and ends with 0', async (t) => {
  const cwd = await tempFolder(t);
  const { vkeys } = JSON.parse((await init(cwd, '--json')).out) as { vkeys: string[] };
  const list = join(cwd, 'w1/logs');
  await writeFile(list, `${await readFile(list, 'utf8')}${bank.listed()}`);
  const first = await startWitnessCli(t, cwd, '--metrics', '127.0.0.1:0');
  const { status, text } = await post(first.url, bank.body(0, 5));
  assert.equal(status, 200, text);
  const lines = parseSignatureLines(text);
  assert.equal(lines.length, 2);
  for (const [i, line] of lines.entries()) {
    const verifier = cosignatureVerifier(parseVkey(vkeys[i]!), { mldsa44: nobleMldsa44 });
    assert.ok(verifier.verify(encodeUtf8(bank.text(5)), line.signature));
  }
  assert.equal((await post(first.url, shop.body(0, 5))).status, 404);
  await writeFile(`${list}.new`, `logs/v0\n${shop.listed()}`);
  await rename(`${list}.new`, list);
  await first.waitFor('err', /"msg":"log list read"[^]*"msg":"log list read"/);
  assert.deepEqual(
    [(await post(first.url, shop.body(0, 5))).status, (await post(first.url, bank.body(5, 6))).status],
    [200, 404],
  );
  await writeFile(list, 'logs/v0\nvkey nonsense\n');
  await first.waitFor('err', /log list not readable: the last good one stays in force/);
  assert.equal((await post(first.url, shop.body(5, 6))).status, 200);
  assert.equal((await fetch(`${first.url}/metrics`)).status, 404, 'they have a socket of their own');
  const [, metrics] = await first.waitFor('err', /"metrics":"([^"]+)"/);
  const scraped = await fetch(metrics!);
  assert.match(scraped.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const series = seriesOf(await scraped.text());
  const expected: Readonly<Record<string, number>> = {
    newel_cosigning: 1,
    newel_listed_logs: 1,
    [`newel_cosigned_size{origin="${shop.origin}"}`]: 6,
    [`newel_cosigned_total{origin="${shop.origin}"}`]: 2,
    [`newel_cosigned_total{origin="${bank.origin}"}`]: 1,
    newel_log_list_failures_total: 1,
    'newel_request_seconds_count{method="POST",route="/add-checkpoint",status="200"}': 3,
    'newel_request_seconds_count{method="POST",route="/add-checkpoint",status="404"}': 2,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
  first.child.kill('SIGTERM');
  const { code, out } = await first.ended;
  assert.deepEqual([code, out], [0, '']);
  for (const line of first.written.err.trimEnd().split('\n'))
    assert.doesNotThrow(() => JSON.parse(line), line);

  const unread = await runCli(['witness', 'serve', '--data', 'w1', '--listen', '127.0.0.1:0'], { cwd });
  assert.equal(unread.code, 1);
  assert.match(unread.err, /log list line 2: verifier key is not/);

  // A list elsewhere, and one key only.
  await writeFile(join(cwd, 'mine'), `logs/v0\n${bank.listed()}${shop.listed()}`);
  await rename(join(cwd, 'w1/keys/witness-mldsa44'), join(cwd, 'aside'));
  const second = await startWitnessCli(t, cwd, '--logs', 'mine');
  assert.deepEqual(await post(second.url, shop.body(0, 1)), { status: 409, text: '6\n' });
  const one = await post(second.url, bank.body(5, 6));
  assert.deepEqual([one.status, parseSignatureLines(one.text).length], [200, 1]);
  const busy = await runCli(
    ['witness', 'serve', '--data', 'w1', '--listen', '127.0.0.1:0', '--logs', 'mine'],
    { cwd },
  );
  assert.equal(busy.code, 1);
  assert.match(busy.err, /another process has the database/);
  assert.deepEqual((await readdir(join(cwd, 'w1'))).toSorted(), [
    'db',
    'keys',
    'logs',
    'policy',
    'witness.json',
  ]);
  second.child.kill('SIGINT');
  assert.equal((await second.ended).code, 0);
});

test('serve never makes a database, nor takes one that is not its own', async (t) => {
  const cwd = await tempFolder(t);
  assert.equal((await init(cwd)).code, 0);
  const serve = (data = 'w1'): Promise<Ran> =>
    runCli(['witness', 'serve', '--data', data, '--listen', '127.0.0.1:0'], { cwd });
  const db = join(cwd, 'w1/db');
  await rename(db, join(cwd, 'db'));
  const missing = await serve();
  assert.equal(missing.code, 1);
  assert.match(missing.err, /there is no database in .*its keys must not sign any more/);
  assert.ok(!(await readdir(join(cwd, 'w1'))).includes('db'));
  await runCli(['witness', 'init', '--data', 'w2', '--name', NAME], { cwd });
  await rename(join(cwd, 'w2/db'), db);
  assert.match((await serve()).err, /the database is not the one that was made with this witness/);
  assert.match((await serve('w3')).err, /there is no witness in .*w3; make one with newel witness init/);
});

test('keys and witness.json that are not as init made them', async (t) => {
  const cwd = await tempFolder(t);
  assert.equal((await init(cwd)).code, 0);
  const serve = (): Promise<Ran> =>
    runCli(['witness', 'serve', '--data', 'w1', '--listen', '127.0.0.1:0'], { cwd });
  const ed25519 = join(cwd, 'w1/keys/witness-ed25519');
  const mldsa44 = join(cwd, 'w1/keys/witness-mldsa44');
  const [own, other] = [await readFile(ed25519, 'utf8'), await readFile(mldsa44, 'utf8')];
  const config = join(cwd, 'w1/witness.json');
  const settings = await readFile(config, 'utf8');
  for (const [path, text, message] of [
    [
      ed25519,
      own.replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
      /is damaged \(signer key has the key id of another/,
    ],
    [ed25519, own.replace(NAME, 'somebody.else'), /is damaged/],
    [ed25519, other, /is another key than its name says/],
    [ed25519, 'x', /is damaged \(signer key does not begin with PRIVATE/],
    [
      ed25519,
      formatSkey({ name: NAME, seed: parseSkey(own.trim(), { mldsa44: nobleMldsa44 }).seed }),
      /is another key than its name says/,
    ],
    [config, '{', /witness.json is not JSON/],
    [config, settings.replace('"format": 1', '"format": 2'), /is not of format 1/],
    [config, settings.replace(NAME, 'another'), /is another key than its name says/],
    [config, settings.replace('"listen"', '"listne"'), /has an unknown member/],
    [config, settings.replace('127.0.0.1:8090', '8090'), /has a listen that is not HOST:PORT/],
  ] as const) {
    const before = await readFile(path, 'utf8');
    await writeFile(path, text);
    const { code, err } = await serve();
    assert.equal(code, 1, err);
    assert.match(err, message);
    assert.ok(!err.includes(own.slice(-46).trim()), 'no secret in it');
    await writeFile(path, before);
  }
  await chmod(ed25519, 0o644);
  assert.match((await serve()).err, /is open to others \(mode 644\)/);
  await rm(ed25519);
  await rm(mldsa44);
  assert.match((await serve()).err, /there is no key in/);
});

test('a failure in service ends it, and what is beside it is closed first', async (t) => {
  const cwd = await tempFolder(t);
  await init(cwd);
  await writeFile(join(cwd, 'w1/logs'), `logs/v0\n${bank.listed()}`);
  const folder = await readWitnessFolder(join(cwd, 'w1'));
  const written: string[] = [];
  const signals: string[] = [];
  let spoil = async (): Promise<void> => {};
  const service = await startWitness({
    folder,
    listen: { host: '127.0.0.1', port: 0 },
    lines: createLines({ level: 'info', write: (line) => void written.push(line) }),
    extend: ({ store, vkeys }) => {
      assert.equal(vkeys.length, 2);
      spoil = () =>
        store.commit({ puts: [{ key: recordKey(hashOrigin(bank.origin)), value: new Uint8Array(9) }] });
      return Promise.resolve({
        addRoutes: (app) => void app.get('/v1/more', (c) => c.text('more')),
        onCosigned: (origin) => void signals.push(origin),
        close: async () => {
          await store.getMany([Uint8Array.of(0x30)]);
          signals.push('closed');
        },
      });
    },
  });
  const { url } = service.listening;
  assert.equal(await (await fetch(`${url}/v1/more`)).text(), 'more');
  assert.equal((await post(url, bank.body(0, 5))).status, 200);
  await spoil();
  assert.equal((await post(url, bank.body(5, 6))).status, 503);
  assert.equal(await service.ended, 'failed');
  assert.deepEqual(signals, [bank.origin, 'closed']);
  assert.match(written.join(''), /"code":"storage_failed".*the witness has stopped/);
  const again = await runCli(['witness', 'serve', '--data', 'w1', '--listen', '127.0.0.1:0'], { cwd });
  assert.equal(again.code, 1);
  assert.match(again.err, /a record is not as it was written.*do not make a new database for the same keys/);
  // The files as they were before the opening that refused are kept.
  assert.ok((await readdir(join(cwd, 'w1'))).includes('db.before-open'));
});
