/** `newel receipt`: what is said in words follows from what was checked; upgrades never make a receipt worse. */

import assert from 'node:assert/strict';
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseEvidenceBundle } from '../../src/client/evidence-bundle.ts';
import type { Receipt } from '../../src/client/receipt.ts';
import { verifyEvidenceBundle } from '../../src/client/verify-evidence.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { type Ran, runCli } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';
import {
  cosign,
  type FakeAnswer,
  type FakeLog,
  RECEIVED_TIME_S as T,
  serveFakeLog,
  WITNESSES,
  witnessedTrust,
} from '../support/witnessed-receipt.ts';

const { receipt, trustFile } = makeTestReceipt();

interface Setup {
  readonly cwd: string;
  readonly save: (name: string, content: Receipt | JsonObject | string) => Promise<void>;
  readonly newel: (...args: string[]) => Promise<Ran>;
}

async function setUp(t: TestContext): Promise<Setup> {
  const cwd = await tempFolder(t);
  const save = (name: string, content: unknown): Promise<void> =>
    writeFile(join(cwd, name), typeof content === 'string' ? content : JSON.stringify(content));
  await save('log.json', trustFile);
  await save('a.json', receipt);
  return { cwd, save, newel: (...args) => runCli(['receipt', ...args, '--trust', 'log.json'], { cwd }) };
}

test('show says in words what a receipt proves and what it does not', async (t) => {
  const { newel } = await setUp(t);
  const { code, out } = await newel('show', 'a.json');
  assert.equal(code, 0, out);
  const text = out.replaceAll(/\n {4}/g, ' ');
  assert.match(text, /^✔ receipt of evt_/);
  assert.match(
    text,
    /^The event\n {2}type +stepup\.completed\n {2}time +2026-11-20T12:00:08\.100Z\n {2}outcome +success\n/m,
  );
  assert.match(text, /^ {2}subject\.sub_id\.id +u-8841$/m);
  assert.match(text, /^ {2}challenge\.amr +\["hwk","user"\]$/m);
  const [, proves = '', doesNot = ''] =
    /What it proves\n([^]*)\nWhat it does not prove\n([^]*)$/.exec(text) ?? [];
  assert.match(proves, /log\.example\/bank says that it received this event at 2026-11-20 12:00:08 UTC/);
  assert.match(proves, /entry 41 of the log/);
  assert.match(proves, /signed a list of 42 entries/);
  assert.doesNotMatch(proves, /[Ww]itness/);
  assert.match(doesNot, /That everybody is shown the same list/);
  assert.match(doesNot, /That what the event says is true/);
  for (const line of out.split('\n')) assert.ok(line.length <= 100, line);

  const json = JSON.parse((await newel('show', '--json', 'a.json')).out) as JsonObject & {
    proves: string[];
    does_not_prove: string[];
  };
  assert.equal(json['ok'], true);
  assert.equal(json.proves.length, 3);
  assert.equal(json.does_not_prove.length, 4);
});

test('show tells only what is disclosed', async (t) => {
  const { save, newel } = await setUp(t);
  const statement = presentSdJwt(receipt.statement, ([name]) => name === 'type' || name === 'outcome');
  await save('part.json', { ...receipt, statement });
  const { code, out } = await newel('show', 'part.json');
  assert.equal(code, 0, out);
  const [, event] = /^The event\n([^]*?)\n\n/m.exec(out) ?? [];
  assert.equal(event, '  type     stepup.completed\n  outcome  success\n  schema   stepup/1');
});

test('of a receipt that is false, show says that it proves nothing, and shows nothing of the event', async (t) => {
  const { save, newel } = await setUp(t);
  await save('forged.json', { ...receipt, proof: receipt.proof.replace('index 41', 'index 40') });
  const { code, out } = await newel('show', 'forged.json', 'a.json');
  assert.equal(code, 1);
  const [forged = '', fine = ''] = out.split(/(?=✔ receipt of)/);
  assert.match(forged, /^✘ receipt of/);
  assert.match(forged, /What it does not prove\n {2}· Anything\./);
  assert.doesNotMatch(forged, /What it proves|The event|u-8841/);
  assert.match(fine, /What it proves/);
});

test('under a policy without witnesses there is nothing to upgrade to, and it says so before it asks anybody', async (t) => {
  const { cwd, newel } = await setUp(t);
  const { code, out, err } = await newel('upgrade', 'a.json');
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /^newel: no witnesses: the policy of log\.example\/bank \(.*log\.json\) names none/);
  const { err: json } = await newel('upgrade', 'a.json', '--json');
  assert.equal((JSON.parse(json) as { error: { code: string } }).error.code, 'no_witnesses');
  assert.deepEqual(JSON.parse(await readFile(join(cwd, 'a.json'), 'utf8')), receipt);
});

const { a, b } = WITNESSES;
const PENDING = { level: 'witnessed', reason: 'deadline', have: 1, need: 2 } as const;

interface Upgrading extends Setup {
  readonly log: FakeLog;
  readonly upgrade: (...args: string[]) => Promise<Ran>;
  readonly read: (name: string) => Promise<Receipt>;
}

/** A folder with `a.json`, which is signed, and a log that answers as it is told. */
async function setUpUpgrade(
  t: TestContext,
  leafHashes: readonly Uint8Array[],
  answer: FakeAnswer,
): Promise<Upgrading> {
  const setup = await setUp(t);
  await setup.save('log.json', witnessedTrust());
  await setup.save('token', `newel_${'A'.repeat(43)}`);
  const log = await serveFakeLog(t, leafHashes, answer);
  const upgrade = (...args: string[]): Promise<Ran> =>
    setup.newel('upgrade', ...args, '--url', log.url, '--token-file', 'token');
  const read = async (name: string): Promise<Receipt> =>
    JSON.parse(await readFile(join(setup.cwd, name), 'utf8')) as Receipt;
  return { ...setup, log, upgrade, read };
}

test('upgrade puts a verified receipt with the missing lines in the place of the old one, which then verifies', async (t) => {
  const grown = makeTestReceipt({ size: 60 });
  const better = await cosign(grown, [
    [a, T],
    [b, T + 1],
  ]);
  const { cwd, newel, upgrade, read, log } = await setUpUpgrade(t, grown.leafHashes, () => [200, better]);
  const verify = (): Promise<Ran> =>
    runCli(['verify', 'a.json', '--level', 'witnessed', '--trust', 'log.json'], { cwd });
  assert.equal((await verify()).code, 4);
  const { code, out, err } = await upgrade('a.json');
  assert.deepEqual([code, out], [0, '✔ a.json  now witnessed\n'], err);
  assert.deepEqual(await read('a.json'), { ...better, level: 'witnessed' });
  assert.deepEqual(await readdir(cwd), ['a.json', 'log.json', 'token'], 'nothing is left beside it');
  assert.equal((await verify()).code, 0);
  assert.match(log.asked[0]!.headers.prefer as string, /^wait=(9|10)$/);
  assert.equal((await upgrade('a.json')).out, '✔ a.json  already witnessed\n');
  assert.equal(log.asked.length, 1);

  const { out: shown } = await newel('show', 'a.json');
  const words = shown.replaceAll(/\n {4}/g, ' ');
  assert.match(
    words,
    /Independent witnesses have seen that list and signed it too: witness\.example\/a, witness\.example\/b\./,
  );
  assert.match(words, /They had done so by 2026-11-20 12:00:09 UTC, by their own clocks/);
  assert.doesNotMatch(words, /That everybody is shown the same list/);
});

test('with --out the old receipts stay, and those that have the level go there', async (t) => {
  const better = await cosign(makeTestReceipt(), [
    [a, T],
    [b, T + 1],
  ]);
  const { cwd, save, upgrade, read } = await setUpUpgrade(t, [], () => [200, better]);
  await save('had.json', better);
  const { code, out } = await upgrade('a.json', 'had.json', '--out', 'new');
  assert.deepEqual([code, out], [0, '✔ a.json  now witnessed\n✔ had.json  already witnessed\n']);
  assert.deepEqual(await read('a.json'), receipt);
  const name = `new/${receipt.event_id}.receipt.json`;
  assert.deepEqual(await readdir(join(cwd, 'new')), [`${receipt.event_id}.receipt.json`]);
  assert.equal((await stat(join(cwd, name))).mode & 0o777, 0o600);
});

test('where too few have signed the file stays, it is said why, and the exit code is 4', async (t) => {
  const one = { ...(await cosign(makeTestReceipt(), [[a, T]])), pending: PENDING };
  const { cwd, upgrade, log } = await setUpUpgrade(t, [], () => [202, one]);
  const before = await readFile(join(cwd, 'a.json'), 'utf8');
  const { code, out, err } = await upgrade('a.json', '--wait', '0');
  assert.deepEqual([code, out], [4, '']);
  assert.match(
    err,
    /^newel: a\.json: still signed: 1 of 2 witnesses had signed when the wait was over \(deadline\); the file stays as it is$/m,
  );
  assert.equal(await readFile(join(cwd, 'a.json'), 'utf8'), before);
  assert.equal(log.asked[0]!.headers.prefer, 'wait=0');
  const json = await upgrade('a.json', '--wait', '0', '--json');
  const said = JSON.parse(json.out) as JsonObject & { error: { code: string } };
  assert.deepEqual([json.code, said['ok'], said.error.code], [4, false, 'level_not_met']);
  const startMs = performance.now();
  assert.equal((await upgrade('a.json', 'a.json', 'a.json', '--wait', '1')).code, 4);
  assert.ok(performance.now() - startMs < 3000, 'the wait is that of all files');
});

test('what the log answers that is not true is written nowhere', async (t) => {
  const better = await cosign(makeTestReceipt(), [
    [a, T],
    [b, T + 1],
  ]);
  const answers: readonly [what: RegExp, answered: Receipt | string][] = [
    [/tree_size/, { ...better, tree_size: 43 }],
    [
      /another leaf or statement/,
      await cosign(makeTestReceipt({ index: 40 }), [
        [a, T],
        [b, T],
      ]),
    ],
    [/receipt/, '{}'],
  ];
  const { cwd, upgrade } = await setUpUpgrade(t, [], (_, count) => [200, answers[count - 1]![1]]);
  const before = await readFile(join(cwd, 'a.json'), 'utf8');
  for (const [what] of answers) {
    const { code, out, err } = await upgrade('a.json');
    assert.ok(code === 1 || code === 3, String(code));
    assert.equal(out, '');
    assert.match(err, what);
    assert.equal(await readFile(join(cwd, 'a.json'), 'utf8'), before);
  }
});

test('a fork is kept as evidence that convicts, and the receipt is not replaced', async (t) => {
  for (const size of [42, 60]) {
    const forked = makeTestReceipt({ others: 'forked', size });
    const other = await cosign(forked, [
      [a, T],
      [b, T + 1],
    ]);
    const { cwd, upgrade, read } = await setUpUpgrade(t, forked.leafHashes, () => [200, other]);
    const { code, out, err } = await upgrade('a.json');
    assert.deepEqual([code, out], [1, '']);
    const [, name = ''] =
      /Both heads are kept in (fork-[0-9a-f]{8}\.evidence\.json): newel verify says/.exec(err) ?? [];
    const bundle = parseEvidenceBundle(await readFile(join(cwd, name)));
    const { kind } = verifyEvidenceBundle(bundle, { trust: witnessedTrust() });
    assert.equal(kind, 'fork');
    assert.deepEqual(await read('a.json'), receipt);
  }
});

test('a receipt that has the level already stays as it is, and one that is false is not upgraded', async (t) => {
  const { cwd, save, newel } = await setUp(t);
  await save('forged.json', { ...receipt, leaf_index: 40 });
  await save('token', `newel_${'A'.repeat(43)}`);
  await symlink('a.json', join(cwd, 'link.json'));
  const before = await stat(join(cwd, 'a.json'));
  const args = ['--level', 'signed', '--url', 'http://127.0.0.1:9', '--token-file', 'token'];
  const { code, out, err } = await newel('upgrade', 'forged.json', 'a.json', 'link.json', 'missing', ...args);
  assert.equal(code, 1, err);
  assert.equal(out, '✔ a.json  already signed\n✔ link.json  already signed\n');
  assert.match(err, /^newel: forged\.json: receipt has another leaf_index than the proof$/m);
  assert.match(err, /missing cannot be read/);
  assert.deepEqual((await stat(join(cwd, 'a.json'))).mtimeMs, before.mtimeMs);
  const json = await newel('upgrade', 'a.json', '--json', ...args);
  assert.deepEqual(JSON.parse(json.out), { file: 'a.json', ok: true, level: 'signed', upgraded: false });
});

test('wrong usage of receipt exits with 2', async (t) => {
  const { newel } = await setUp(t);
  for (const [args, message] of [
    [[], /show or upgrade\?/],
    [['verify', 'a.json'], /show or upgrade\?/],
    [['show'], /which receipts\?/],
    [['show', 'a.json', '--level', 'signed'], /--level goes with upgrade/],
    [['show', 'a.json', '--out', 'x'], /--out goes with upgrade/],
    [['show', 'a.json', '--lines', 'policy'], /--lines goes with upgrade/],
    [['upgrade', 'a.json', '--lines', 'few'], /--lines is all or policy/],
    [['upgrade', 'a.json', '--wait', '3601'], /--wait is whole seconds, 0 to 3600/],
    [['upgrade', 'a.json', '--wait', '1.5'], /--wait is whole seconds/],
    [['upgrade', 'a.json', '--level', 'x'], /--level is signed or witnessed/],
    [['upgrade', 'a.json', '--level', 'signed'], /no token for https:\/\/log\.example\/bank: /],
  ] as const) {
    const { code, out, err } = await newel(...args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, message);
  }
});
