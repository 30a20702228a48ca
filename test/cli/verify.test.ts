/** `newel verify`, offline: receipts made in code, and every way in which one is not true, or not there. */

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Receipt } from '../../src/client/receipt.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { type Ran, runCli } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestReceipt, TEST_EVENT } from '../support/test-receipt.ts';
import {
  cosign,
  policyText,
  RECEIVED_TIME_S as T,
  WITNESSES,
  witnessedTrust,
} from '../support/witnessed-receipt.ts';

const { receipt, trustFile, vkey } = makeTestReceipt();
const KEY = vkey.split('+').slice(0, 2).join('+');
const [{ kid: KID }] = (trustFile['jwks'] as unknown as { keys: [{ kid: string }] }).keys;
const ID = receipt.event_id;

interface Setup {
  readonly cwd: string;
  readonly save: (name: string, content: unknown) => Promise<void>;
  readonly verify: (...args: string[]) => Promise<Ran>;
}

/** A folder with log.json and a.receipt.json. */
async function setUp(t: TestContext): Promise<Setup> {
  const cwd = await tempFolder(t);
  const save = (name: string, content: unknown): Promise<void> =>
    writeFile(join(cwd, name), typeof content === 'string' ? content : `${JSON.stringify(content)}\n`);
  await save('log.json', trustFile);
  await save('a.receipt.json', receipt);
  return { cwd, save, verify: (...args) => runCli(['verify', '--trust', 'log.json', ...args], { cwd }) };
}

function linesOf(found: string): string[] {
  return found.split('\n').slice(0, -1);
}

test('a receipt that holds is a line for each check, and the trust file is named on stderr', async (t) => {
  const { cwd, verify } = await setUp(t);
  const { code, out, err } = await verify('a.receipt.json');
  const statement = `signed by log.example/bank, key ${KID.slice(0, 4)}…`;
  assert.deepEqual(linesOf(out), [
    `✔ receipt of ${ID} (stepup.completed, 2026-11-20 12:00:08 UTC)`,
    `  statement   ✔ ${statement}     17 claims shown`,
    '  leaf        ✔ 41 of log.example/bank commits to it',
    '  inclusion   ✔ in tree of 42',
    `  checkpoint  ✔ log key ${KEY}`,
    `  witnesses   – ${'0 of 0 needed by the policy'.padEnd(statement.length)}     level: signed`,
  ]);
  assert.equal(err, `trust: ${join(cwd, 'log.json')}, of log.example/bank\n`);
  assert.equal(code, 0);
});

test('--json is the report, with the event where all is true', async (t) => {
  const { save, verify } = await setUp(t);
  const { code, out } = await verify('--json', 'a.receipt.json');
  const { checks, ...report } = JSON.parse(out) as JsonObject & {
    checks: { name: string; result: string }[];
  };
  assert.equal(code, 0);
  assert.deepEqual(
    checks.map(({ name, result }) => [name, result]),
    [
      ['statement', 'ok'],
      ['leaf', 'ok'],
      ['inclusion', 'ok'],
      ['checkpoint', 'ok'],
      ['witnesses', 'skipped'],
    ],
  );
  assert.deepEqual(report, {
    file: 'a.receipt.json',
    ok: true,
    level: 'signed',
    event_id: ID,
    type: 'stepup.completed',
    time: '2026-11-20T12:00:08.000Z',
    key: KID,
    claims_shown: 17,
    log: 'log.example/bank',
    leaf_index: 41,
    tree_size: 42,
    cosigners: [],
    event: TEST_EVENT,
  });

  await save('forged.json', { ...receipt, leaf_index: 40 });
  const forged = await verify('--json', 'forged.json');
  const said = JSON.parse(forged.out) as JsonObject;
  assert.equal(forged.code, 1);
  assert.deepEqual([said['ok'], said['level'], 'event' in said], [false, null, false]);
  assert.deepEqual(said['error'], {
    code: 'proof_invalid',
    message: 'receipt has another leaf_index than the proof',
  });
});

test('what is false is named by its check, and the others are made all the same', async (t) => {
  const { save, verify } = await setUp(t);
  const flipped = (text: string, at: number): string =>
    `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
  const { proof, statement } = receipt;
  const [, last = ''] = /~([^~]+)~$/.exec(statement) ?? [];
  const resalted = Buffer.from(last, 'base64url').toString().replace(/^\["./, '["_');
  const cases: readonly [what: string, changed: Receipt, failing: RegExp, holding: readonly string[]][] = [
    [
      'a disclosure',
      { ...receipt, statement: statement.replace(last, Buffer.from(resalted).toString('base64url')) },
      /^ {2}statement {3}✘ /m,
      ['leaf', 'inclusion', 'checkpoint'],
    ],
    [
      'the signature of the statement',
      { ...receipt, statement: flipped(statement, statement.indexOf('~') - 20) },
      /^ {2}statement {3}✘ statement has a false signature$/m,
      ['leaf', 'inclusion', 'checkpoint'],
    ],
    [
      'a hash of the path',
      { ...receipt, proof: flipped(proof, proof.indexOf('\n', 30) + 3) },
      /^ {2}inclusion {3}✘ /m,
      ['statement', 'leaf', 'checkpoint'],
    ],
    [
      'the signature of the checkpoint',
      { ...receipt, proof: flipped(proof, proof.length - 20) },
      /^ {2}checkpoint {2}✘ note has a false signature by a known key$/m,
      ['statement', 'leaf', 'inclusion'],
    ],
  ];
  for (const [what, changed, failing, holding] of cases) {
    await save('changed.json', changed);
    const { code, out } = await verify('changed.json');
    assert.equal(code, 1, what);
    assert.match(out, /^✘ receipt of evt_/, what);
    assert.match(out, failing, what);
    assert.match(out, /^ {2}witnesses {3}– nothing is proven$/m, what);
    assert.equal(out.match(/✘/g)?.length, 2, `${what}: ${out}`);
    for (const name of holding) assert.match(out, new RegExp(`^  ${name} +✔`, 'm'), what);
  }
});

test('under the keys of another log nothing of it holds', async (t) => {
  const { save, verify } = await setUp(t);
  await save('log.json', makeTestReceipt({ origin: 'log.example/other' }).trustFile);
  const { code, out } = await verify('a.receipt.json');
  assert.equal(code, 1);
  assert.equal(linesOf(out)[0], `✘ receipt of ${ID}`);
  assert.match(out, /^ {2}statement {3}✘ statement is of another log$/m);
  assert.match(out, /^ {2}checkpoint {2}✘ receipt is of another log than the trust file$/m);
});

test('what is true and below the level asked for exits with 4', async (t) => {
  const { verify } = await setUp(t);
  const { code, out } = await verify('a.receipt.json', '--level', 'witnessed');
  assert.equal(code, 4);
  assert.match(out, /^– receipt of evt_/);
  assert.match(out, /^ {2}witnesses {3}✘ the policy names no witnesses.* {5}level: signed$/m);
  const { code: other, err } = await verify('a.receipt.json', '--level', 'best');
  assert.equal(other, 2);
  assert.match(err, /--level is signed or witnessed/);
});

test('witnesses are named, with the time by which enough had signed; too few of them exit with 4', async (t) => {
  const { save, verify } = await setUp(t);
  await save('log.json', witnessedTrust());
  const made = makeTestReceipt();
  await save('one.json', await cosign(made, [[WITNESSES.a, T]]));
  await save(
    'two.json',
    await cosign(made, [
      [WITNESSES.b, T + 1],
      [WITNESSES.a, T + 2],
    ]),
  );
  await save(
    'late.json',
    await cosign(made, [
      [WITNESSES.b, T + 1],
      [WITNESSES.a, T + 3600],
    ]),
  );
  const two = await verify('two.json', '--level', 'witnessed');
  assert.equal(two.code, 0, two.out);
  assert.match(
    two.out,
    /^ {2}witnesses {3}✔ 2 of 2 needed by the policy, by 2026-11-20 12:00:10 UTC: witness\.example\/b, witness\.example\/a {5}level: witnessed$/m,
  );
  const json = JSON.parse((await verify('two.json', '--json')).out) as JsonObject;
  assert.deepEqual(
    [json['level'], json['witnessed_time'], json['cosigners']],
    ['witnessed', '2026-11-20T12:00:10.000Z', ['witness.example/b', 'witness.example/a']],
  );

  const one = await verify('one.json', '--level', 'witnessed');
  assert.equal(one.code, 4);
  assert.match(one.out, /^– receipt of evt_/);
  assert.match(
    one.out,
    /^ {2}witnesses {3}✘ 1 of 2 needed by the policy: witness\.example\/a {5}.*level: signed$/m,
  );
  const unasked = await verify('one.json');
  assert.equal(unasked.code, 0);
  assert.match(unasked.out, /^ {2}witnesses {3}– 1 of 2 needed by the policy: witness\.example\/a/m);
  assert.equal((await verify('one.json', 'two.json', '--level', 'witnessed')).code, 4);

  const late = await verify('late.json', '--level', 'witnessed');
  assert.equal(late.code, 0, 'a time is no failure');
  assert.match(
    late.out,
    /level: witnessed\n {14}! the witnesses had signed 60 minutes after the log says that it received the event: /,
  );

  await save('strict', policyText('group q all a b c\nquorum q\n'));
  const strict = await verify('two.json', '--level', 'witnessed', '--policy', 'strict');
  assert.equal(strict.code, 4);
  assert.match(strict.out, /2 of 3 needed by the policy/);
});

test('a witness with a key of ML-DSA-44 counts', async (t) => {
  const { save, verify } = await setUp(t);
  await save('log.json', witnessedTrust('quorum pq\n', ['pq']));
  const receipt = await cosign(makeTestReceipt(), [[WITNESSES.pq, T]]);
  await save('pq.json', receipt);
  assert.equal((await verify('pq.json', '--level', 'witnessed')).code, 0);
  const [line = ''] = /^— witness\.example\/pq .*$/m.exec(receipt.proof) ?? [];
  const forged = `${line.slice(0, 99)}${line[99] === 'A' ? 'B' : 'A'}${line.slice(100)}`;
  await save('forged.json', { ...receipt, proof: receipt.proof.replace(line, forged) });
  const { code, out } = await verify('forged.json');
  assert.equal(code, 1);
  assert.match(out, /^ {2}checkpoint {2}✘ note has a false signature by a known key$/m);
});

test('all files are looked at, and the exit code is the gravest', async (t) => {
  const { cwd, save, verify } = await setUp(t);
  await save('forged.json', { ...receipt, tree_size: 43 });
  await save('spoilt.json', '{"event_id":"CANARY-41aa');
  await save('other.json', { hello: 'CANARY-41aa' });
  await save('empty.json', '');
  await save('minimal.json', { ...receipt, statement: undefined, proof: undefined });
  await save('huge.json', `${' '.repeat(2 * 1024 * 1024)}{}`);
  await mkdir(join(cwd, 'folder'));
  const unreadable: readonly [string, RegExp][] = [
    ['missing.json', /missing\.json cannot be read: give a file that is a receipt/],
    ['folder', /folder: pack has no manifest\.json/],
    ['spoilt.json', /spoilt\.json: receipt is not JSON that can be read/],
    ['empty.json', /empty\.json: receipt is not JSON that can be read/],
    ['other.json', /other\.json: receipt has no event_id/],
    ['minimal.json', /minimal\.json: receipt has no statement and no proof/],
    ['huge.json', /huge\.json is longer than 2097152 bytes/],
  ];
  for (const [file, message] of unreadable) {
    const { code, out, err } = await verify(file, 'a.receipt.json');
    assert.equal(code, 3, file);
    assert.match(err, message);
    assert.ok(!err.includes('CANARY'), err);
    assert.match(out, /^✔ receipt of evt_/, 'the next file is checked');
  }
  const all = await verify('missing.json', 'forged.json', 'a.receipt.json', '--level', 'witnessed');
  assert.equal(all.code, 1, 'false is graver than unreadable, and that than below the level');
  assert.equal((await verify('missing.json', 'a.receipt.json', '--level', 'witnessed')).code, 3);

  const { out } = await verify('--json', 'missing.json', 'a.receipt.json');
  const [missing, fine] = linesOf(out).map(
    (line) => JSON.parse(line) as { ok: boolean; error?: { code: string } },
  );
  assert.deepEqual([missing?.ok, missing?.error?.code, fine?.ok], [false, 'unreachable', true]);
});

test('a statement and a proof that were kept apart are checked like a receipt', async (t) => {
  const { save, verify } = await setUp(t);
  // A disclosure of this name is inside another member: it is no name of the event.
  const shown = presentSdJwt(receipt.statement, ([first, second]) => first === 'type' || second === 'id');
  const other = makeTestReceipt({ event: { ...TEST_EVENT, id: 'other' } }).receipt;
  await save('s.sd-jwt', `${receipt.statement}\n`);
  await save('shown.sd-jwt', shown);
  await save('other.sd-jwt', other.statement);
  await save('p.tlog-proof', receipt.proof);
  await save('forged.tlog-proof', receipt.proof.replace('index 41', 'index 40'));
  await save('spoilt', 'CANARY');
  const pair = (statement: string, proof: string): Promise<Ran> =>
    verify('--statement', statement, '--proof', proof);

  const whole = await pair('s.sd-jwt', 'p.tlog-proof');
  assert.equal(whole.code, 0, whole.out + whole.err);
  assert.equal(
    linesOf(whole.out)[0],
    `✔ statement and proof of ${ID} (stepup.completed, 2026-11-20 12:00:08 UTC)`,
  );
  assert.match(whole.out, /17 claims shown$/m);
  const part = await pair('shown.sd-jwt', 'p.tlog-proof');
  assert.equal(part.code, 0, part.out);
  assert.match(part.out, /3 claims shown; not shown, so not verified: id, source$/m);

  for (const [statement, proof, failing] of [
    ['other.sd-jwt', 'p.tlog-proof', /^ {2}inclusion {3}✘/m],
    ['s.sd-jwt', 'forged.tlog-proof', /^ {2}inclusion {3}✘/m],
    ['spoilt', 'p.tlog-proof', /^✘ statement and proof\n {2}statement {3}✘/],
    ['s.sd-jwt', 'spoilt', /^ {2}inclusion {3}✘/m],
  ] as const) {
    const { code, out } = await pair(statement, proof);
    assert.equal(code, 1, `${statement} ${proof}: ${out}`);
    assert.match(out, failing);
    assert.ok(!out.includes('CANARY'));
  }
  assert.equal((await pair('s.sd-jwt', 'missing')).code, 3);
});

test('the trust file is --trust, else that of client.json; without one it is told how to get it', async (t) => {
  const { cwd, save } = await setUp(t);
  const verify = (...args: string[]): Promise<Ran> => runCli(['verify', 'a.receipt.json', ...args], { cwd });
  const none = await verify();
  assert.deepEqual([none.code, none.out], [2, '']);
  assert.match(none.err, /newel trust pin URL/);

  await mkdir(join(cwd, 'data'));
  await save('data/client.json', { url: 'http://127.0.0.1:1', token: 'newel_CANARY', trust: trustFile });
  const { code, err } = await verify();
  assert.equal(code, 0);
  assert.equal(err, `trust: ${join(cwd, 'data', 'client.json')}, of log.example/bank\n`);

  await save('data/client.json', '{"url":"http://127.0.0.1:1","token":"newel_CANARY",');
  const spoilt = await verify();
  assert.equal(spoilt.code, 3);
  assert.ok(!spoilt.err.includes('CANARY'), spoilt.err);
  for (const [file, content] of [
    ['missing.json', undefined],
    ['spoilt.json', '{'],
    ['other.json', { ...trustFile, vkeys: [] }],
  ] as const) {
    if (content !== undefined) await save(file, content);
    const given = await verify('--trust', file);
    assert.deepEqual([given.code, given.out], [3, ''], file);
    assert.match(given.err, new RegExp(`${file.replace('.', '\\.')}.*newel trust pin URL`));
  }
});

test('--policy takes the place of the policy in the trust file', async (t) => {
  const { save, verify } = await setUp(t);
  await save('mine', `# mine\nlog ${vkey}\nquorum none\n`);
  await save('foreign', `log ${makeTestReceipt({ origin: 'log.example/other' }).vkey}\nquorum none\n`);
  await save('spoilt', 'quorum\n');
  assert.equal((await verify('a.receipt.json', '--policy', 'mine')).code, 0);
  const foreign = await verify('a.receipt.json', '--policy', 'foreign');
  assert.equal(foreign.code, 3);
  assert.match(foreign.err, /no key of the log that the policy lists/);
  const spoilt = await verify('a.receipt.json', '--policy', 'spoilt');
  assert.equal(spoilt.code, 3);
  assert.match(spoilt.err, /spoilt: policy line 1/);
});

test('what a receipt says moves no cursor and sets no colour; marks are coloured on a terminal alone', async (t) => {
  const { cwd, save } = await setUp(t);
  const event = { ...TEST_EVENT, txn: '\u001b[31mred\u202e\u0007' };
  await save('hostile.json', makeTestReceipt({ event }).receipt);
  const args = ['show', 'hostile.json', '--trust', 'log.json'];
  const { code, out } = await runCli(['receipt', ...args], { cwd });
  assert.equal(code, 0, out);
  assert.match(out, /^ {2}txn +\\u\{1b\}\[31mred\\u\{202e\}\\u\{7\}$/m);
  for (const char of ['\u001b', '\u202e', '\u0007']) assert.ok(!out.includes(char));
  const coloured = await runCli(['verify', 'a.receipt.json', '--trust', 'log.json'], {
    cwd,
    isTerminal: true,
  });
  assert.ok(coloured.out.startsWith('\u001b[32m✔\u001b[0m receipt of'));
});

test('wrong usage of verify exits with 2', async (t) => {
  const { verify } = await setUp(t);
  for (const [args, message] of [
    [[], /which files\?/],
    [['--statement', 's'], /--statement and --proof go together/],
    [['a.receipt.json', '--statement', 's', '--proof', 'p'], /either receipts, or --statement and --proof/],
  ] as const) {
    const { code, out, err } = await verify(...args);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, message);
  }
});
