/** `newel submit --level witnessed`: every receipt is written, and those with too few lines say what they lack. */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Receipt } from '../../src/client/receipt.ts';
import type { Cosigner } from '../../src/formats/cosignature.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { type Ran, runCli } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestReceipt, TEST_EVENT } from '../support/test-receipt.ts';
import {
  cosign,
  type FakeAnswer,
  type FakeLog,
  RECEIVED_TIME_S as T,
  serveFakeLog,
  WITNESSES,
  witnessedTrust,
} from '../support/witnessed-receipt.ts';

const { a, b, c } = WITNESSES;
const PENDING = { level: 'witnessed', reason: 'deadline', have: 1, need: 2 } as const;

interface Setup {
  readonly cwd: string;
  readonly log: FakeLog;
  readonly submit: (...args: string[]) => Promise<Ran>;
}

async function setUp(t: TestContext, ids: readonly string[], answer: FakeAnswer): Promise<Setup> {
  const cwd = await tempFolder(t);
  const log = await serveFakeLog(t, [], answer);
  await mkdir(join(cwd, 'data'));
  const config = { url: log.url, token: `newel_${'A'.repeat(43)}`, trust: witnessedTrust() };
  await writeFile(join(cwd, 'data', 'client.json'), JSON.stringify(config));
  const lines = ids.map((id) => `${JSON.stringify({ ...TEST_EVENT, id })}\n`);
  await writeFile(join(cwd, 'events.ndjson'), lines.join(''));
  const submit = (...args: string[]): Promise<Ran> =>
    runCli(['submit', 'events.ndjson', '--level', 'witnessed', ...args], { cwd });
  return { cwd, log, submit };
}

function receiptOf(id: string, by: readonly Cosigner[]): Promise<Receipt> {
  const made = makeTestReceipt({ event: { ...TEST_EVENT, id } });
  return cosign(
    made,
    by.map((cosigner) => [cosigner, T] as const),
  );
}

test('a receipt that is witnessed says so', async (t) => {
  const receipt = await receiptOf('one', [a, b]);
  const { cwd, log, submit } = await setUp(t, ['one'], () => [201, receipt]);
  const { code, out, err } = await submit('--out', 'r');
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /^✔ r\/evt_\S+\.receipt\.json {2}leaf 41 of log\.example\/bank, witnessed\n$/);
  assert.deepEqual(
    [log.asked[0]!.url, log.asked[0]!.headers.prefer],
    ['/v1/events?level=witnessed', 'wait=2'],
  );
  const verified = await runCli(['verify', out.split(' ')[1]!, '--level', 'witnessed'], { cwd });
  assert.equal(verified.code, 0, verified.err);
});

test('one that is not yet is written too; what it lacks, and how to get it, is said, and the exit code is 4', async (t) => {
  const receipt = { ...(await receiptOf('one', [a])), pending: PENDING };
  const { cwd, log, submit } = await setUp(t, ['one'], () => [202, receipt]);
  const { code, out, err } = await submit('--out', 'r', '--wait', '7');
  assert.equal(code, 4);
  assert.match(out, /^– r\/evt_\S+\.receipt\.json {2}leaf 41 of log\.example\/bank, signed\n$/);
  assert.equal(
    err,
    '1 receipt not witnessed yet: 1 of 2 witnesses had signed when the wait was over (deadline). ' +
      'Later: newel receipt upgrade r/*.receipt.json\n',
  );
  assert.equal(log.asked[0]!.headers.prefer, 'wait=7');
  const [name = ''] = await readdir(join(cwd, 'r'));
  const kept = JSON.parse(await readFile(join(cwd, 'r', name), 'utf8')) as Receipt;
  assert.deepEqual([kept.level, kept.pending], ['signed', PENDING]);
  const plain = await runCli(['verify', `r/${name}`], { cwd });
  assert.equal(plain.code, 0, 'the level is what the verifier asks for');
  assert.match(
    plain.out,
    /^ {2}witnesses +– 1 of 2 needed by the policy: witness\.example\/a +level: signed$/m,
  );
  assert.match(
    plain.out,
    /^ +! witnessed was asked for, and is not reached \(deadline\): newel receipt upgrade /m,
  );
  assert.equal((await runCli(['verify', `r/${name}`, '--level', 'witnessed'], { cwd })).code, 4);

  const json = await submit('--json');
  const line = JSON.parse(json.out) as JsonObject;
  assert.deepEqual([json.code, line['level'], line['pending']], [4, 'signed', PENDING]);
});

test('with --lines policy receipts keep the lines that the policy needs', async (t) => {
  const receipts = [await receiptOf('one', [a, b, c]), await receiptOf('two', [c, b, a])];
  const answer = receipts.map((receipt, n) => `${JSON.stringify({ n, status: 201, ...receipt })}\n`).join('');
  const { cwd, submit } = await setUp(t, ['one', 'two'], () => [200, answer]);
  const whole = await submit('--out', 'whole');
  const short = await submit('--out', 'short', '--lines', 'policy');
  assert.deepEqual([whole.code, short.code], [0, 0], short.err);
  for (const [folder, count] of [
    ['whole', 4],
    ['short', 3],
  ] as const) {
    const names = await readdir(join(cwd, folder));
    assert.equal(names.length, 2);
    for (const name of names) {
      const { proof } = JSON.parse(await readFile(join(cwd, folder, name), 'utf8')) as Receipt;
      assert.equal(proof.split('\n').filter((line) => line.startsWith('— ')).length, count);
      const verified = await runCli(['verify', join(folder, name), '--level', 'witnessed'], { cwd });
      assert.equal(verified.code, 0, verified.err);
    }
  }
  const wrong = await submit('--lines', 'some');
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--lines is all or policy/);
});

test('of several, each has its own level, and reasons are said once', async (t) => {
  const ids = ['one', 'two', 'three', 'four'];
  const by = [[a, b], [a], [a], []];
  const receipts = await Promise.all(ids.map((id, n) => receiptOf(id, by[n]!)));
  const answer = receipts.map((receipt, n) => {
    const reason = n === 3 ? 'witnesses_unreachable' : 'deadline';
    const pending = n === 0 ? {} : { pending: { ...PENDING, have: by[n]!.length, reason } };
    return `${JSON.stringify({ n, status: n === 0 ? 201 : 202, ...receipt, ...pending })}\n`;
  });
  const { submit } = await setUp(t, ids, () => [200, answer.join('')]);
  const { code, out, err } = await submit();
  assert.equal(code, 4);
  assert.deepEqual(
    out.split('\n').map((line) => line.charAt(0)),
    ['✔', '–', '–', '–', ''],
  );
  assert.equal(
    err,
    '3 receipts not witnessed yet: 1 of 2 witnesses had signed when the wait was over (deadline); ' +
      '0 of 2 witnesses had signed, and the log does not reach the rest (witnesses_unreachable). ' +
      'Later: newel receipt upgrade *.receipt.json\n',
  );
});

test('a policy of one’s own that is stricter than the log’s is what counts', async (t) => {
  const receipt = await receiptOf('one', [a, b]);
  const { cwd, log, submit } = await setUp(t, ['one'], () => [201, { ...receipt, level: 'witnessed' }]);
  await writeFile(join(cwd, 'strict.json'), JSON.stringify(witnessedTrust('group q all a b c\nquorum q\n')));
  const { code, err } = await submit('--trust', 'strict.json', '--url', log.url);
  assert.equal(code, 4);
  assert.match(
    err,
    /2 of 3 witnesses had signed, which is enough for the policy of the log.*\(policy_differs\)/,
  );
});

test('--wait is whole seconds, and goes with witnesses alone', async (t) => {
  const { cwd, log, submit } = await setUp(t, ['one'], () => [500, '']);
  for (const wait of ['11', '-1', '1.5', 'x', '']) {
    const { code, err } = await submit(`--wait=${wait}`);
    assert.equal(code, 2, wait);
    assert.match(err, /--wait is whole seconds, 0 to 10/);
  }
  const alone = await runCli(['submit', 'events.ndjson', '--wait', '1'], { cwd });
  assert.equal(alone.code, 2);
  assert.match(alone.err, /--wait goes with --level witnessed/);
  assert.equal(log.asked.length, 0);
});
