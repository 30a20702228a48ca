/** Upgrading files: which are replaced, by what, and what stays as it is when something does not go well. */

import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Receipt } from '../../src/client/receipt.ts';
import { parseNote } from '../../src/formats/note.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parseTlogProof } from '../../src/formats/tlog-proof.ts';
import { type Ran, runCli } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestReceipt, TEST_EVENT } from '../support/test-receipt.ts';
import {
  cosign,
  type FakeAnswer,
  type FakeLog,
  policyText,
  RECEIVED_TIME_S as T,
  serveFakeLog,
  WITNESSES,
  witnessedTrust,
} from '../support/witnessed-receipt.ts';

const { a, b, c } = WITNESSES;
const made = makeTestReceipt();
const { receipt } = made;
const three = await cosign(made, [
  [c, T + 3],
  [a, T + 1],
  [b, T + 2],
]);

interface Setup {
  readonly cwd: string;
  readonly log: FakeLog;
  readonly upgrade: (...args: string[]) => Promise<Ran>;
  readonly read: (name: string) => Promise<Receipt>;
  readonly save: (name: string, content: Receipt) => Promise<void>;
}

async function setUp(t: TestContext, answer: FakeAnswer): Promise<Setup> {
  const cwd = await tempFolder(t);
  const log = await serveFakeLog(t, made.leafHashes, answer);
  const config = { url: log.url, token: `newel_${'A'.repeat(43)}`, trust: witnessedTrust() };
  await mkdir(join(cwd, 'data'));
  await writeFile(join(cwd, 'data/client.json'), JSON.stringify(config));
  const save = (name: string, content: Receipt): Promise<void> =>
    writeFile(join(cwd, name), JSON.stringify(content));
  await save('a.json', receipt);
  return {
    cwd,
    log,
    save,
    upgrade: (...args) => runCli(['receipt', 'upgrade', ...args], { cwd }),
    read: async (name) => JSON.parse(await readFile(join(cwd, name), 'utf8')) as Receipt,
  };
}

function namesOf({ proof }: Receipt): string[] {
  const { checkpoint } = parseTlogProof(encodeUtf8(proof));
  return parseNote(checkpoint).signatures.map(({ name }) => name.replace(/.*\//, ''));
}

test('a file is replaced where a link leads to it, for whoever could read it before', async (t) => {
  const { cwd, read, upgrade } = await setUp(t, () => [200, three]);
  await chmod(join(cwd, 'a.json'), 0o600);
  await symlink('a.json', join(cwd, 'link.json'));
  const { code, out, err } = await upgrade('link.json', '--json');
  assert.equal(code, 0, err);
  assert.deepEqual(JSON.parse(out), { file: 'link.json', ok: true, level: 'witnessed', upgraded: true });
  assert.ok((await lstat(join(cwd, 'link.json'))).isSymbolicLink());
  assert.deepEqual(await read('a.json'), { ...three, level: 'witnessed' });
  assert.equal((await stat(join(cwd, 'a.json'))).mode & 0o777, 0o600);
  assert.match(err, /^trust: .*client\.json, of log\.example\/bank\n$/);
});

test('with all lines by default, with --lines policy those alone that the policy needs', async (t) => {
  const { read, save, upgrade } = await setUp(t, () => [200, three]);
  assert.equal((await upgrade('a.json')).code, 0);
  assert.deepEqual(namesOf(await read('a.json')), ['bank', 'c', 'a', 'b']);

  await save('b.json', receipt);
  assert.deepEqual(
    await upgrade('b.json', '--lines', 'policy', '--out', 'short').then(({ code }) => code),
    0,
  );
  assert.deepEqual(await read('b.json'), receipt);
  const short = await read(`short/${receipt.event_id}.receipt.json`);
  assert.deepEqual(namesOf(short), ['bank', 'a', 'b']);
  assert.equal(short.level, 'witnessed');
});

test('a receipt that has the level is short too after --lines policy, and nobody is asked', async (t) => {
  const { cwd, log, read, save, upgrade } = await setUp(t, () => [500, '']);
  await save('had.json', three);
  const { code, out } = await upgrade('had.json', '--lines', 'policy');
  assert.deepEqual([code, out], [0, '✔ had.json  already witnessed, now with fewer lines\n']);
  assert.deepEqual(namesOf(await read('had.json')), ['bank', 'a', 'b']);
  const { mtimeMs } = await stat(join(cwd, 'had.json'));
  assert.equal((await upgrade('had.json', '--lines', 'policy')).out, '✔ had.json  already witnessed\n');
  assert.equal((await stat(join(cwd, 'had.json'))).mtimeMs, mtimeMs, 'what is short stays');
  const args = ['verify', 'had.json', '--level', 'witnessed'];
  assert.equal((await runCli(args, { cwd })).code, 0);
  assert.equal(log.asked.length, 0);
});

test('a policy of one’s own counts for what is reached, and for which lines are kept', async (t) => {
  const { cwd, read, upgrade } = await setUp(t, (_, count) => [
    200,
    { ...(count === 1 ? two : three), level: 'witnessed' },
  ]);
  const two = await cosign(made, [
    [a, T],
    [b, T],
  ]);
  await writeFile(join(cwd, 'all'), policyText('group q all a b c\nquorum q\n'));
  const args = ['a.json', '--policy', 'all', '--lines', 'policy', '--wait', '0'];
  const below = await upgrade(...args);
  assert.equal(below.code, 4);
  assert.match(
    below.err,
    /still signed: 2 of 3 witnesses had signed, which is enough for the policy of the log/,
  );
  assert.deepEqual(await read('a.json'), receipt);
  assert.equal((await upgrade(...args)).code, 0);
  assert.deepEqual(namesOf(await read('a.json')), ['bank', 'c', 'a', 'b']);
});

test('each file is looked at, whatever becomes of the others, and the exit code is the gravest', async (t) => {
  const other = makeTestReceipt({ event: { ...TEST_EVENT, id: 'other' } }).receipt;
  const { log, read, save, upgrade } = await setUp(t, ({ url }) =>
    url.includes(other.event_id) ? [404, ''] : [200, three],
  );
  await save('other.json', other);
  await save('false.json', { ...receipt, leaf_index: 40 });
  const { code, out, err } = await upgrade('missing.json', 'false.json', 'other.json', 'a.json');
  assert.equal(code, 1);
  assert.equal(out, '✔ a.json  now witnessed\n');
  assert.match(err, /missing\.json cannot be read/);
  assert.match(err, /^newel: false\.json: receipt has another leaf_index than the proof$/m);
  assert.match(err, /^newel: other\.json: /m);
  assert.deepEqual(await read('other.json'), other);
  assert.deepEqual(
    log.asked.map(({ url }) => url.split('/')[3]),
    [other.event_id, receipt.event_id],
    'nobody is asked about what is false',
  );
});

test('where nobody answers, the URL is said, the file stays, and the exit code is 3', async (t) => {
  const { cwd, read, upgrade } = await setUp(t, () => [200, three]);
  const url = 'http://127.0.0.1:1';
  await writeFile(join(cwd, 'token'), `newel_${'A'.repeat(43)}`);
  const { code, out, err } = await upgrade('a.json', '--url', url, '--token-file', 'token', '--wait', '0');
  assert.deepEqual([code, out], [3, '']);
  assert.match(err, /^newel: a\.json: http:\/\/127\.0\.0\.1:1: /m);
  assert.deepEqual(await read('a.json'), receipt);
});

test('a fork is told as JSON too, with the file of the evidence', async (t) => {
  const forked = makeTestReceipt({ others: 'forked' });
  const other = await cosign(forked, [
    [a, T],
    [b, T],
  ]);
  const { cwd, read, upgrade } = await setUp(t, () => [200, other]);
  const { code, out } = await upgrade('a.json', '--json');
  assert.equal(code, 1);
  const { ok, error } = JSON.parse(out) as JsonObject & { error: { code: string; message: string } };
  assert.deepEqual([ok, error.code], [false, 'inconsistent']);
  const [name = ''] = /fork-[0-9a-f]{8}\.evidence\.json/.exec(error.message) ?? [];
  const verified = await runCli(['verify', name], { cwd });
  assert.equal(verified.code, 0, verified.err);
  assert.deepEqual(await read('a.json'), receipt);
});
