/** `newel receipt`: what is said in words follows from what was checked; upgrades never make a receipt worse. */

import assert from 'node:assert/strict';
import { readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Receipt } from '../../src/client/receipt.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { type Ran, runCli } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';

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
    [[], /an argument is missing/],
    [['verify', 'a.json'], /show or upgrade\?/],
    [['show'], /which receipts\?/],
    [['show', 'a.json', '--level', 'signed'], /--level goes with upgrade/],
    [['upgrade', 'a.json', '--level', 'x'], /--level is signed or witnessed/],
    [['upgrade', 'a.json', '--level', 'signed'], /which log\?/],
  ] as const) {
    const { code, out, err } = await newel(...args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, message);
  }
});
