/** `newel submit`, against a log that is served and against servers that are none. */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Receipt } from '../../src/client/receipt.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { type Ran, runCli, type RunOptions } from '../support/cli.ts';
import { EXAMPLES } from '../support/events.ts';
import { fetchDescribed } from '../support/openapi.ts';
import { newDiskLog, type ServedLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

const CANARY = 'CANARY-5b2e9c71d04f';
const ID_TO_GIVE = /give it "id": "([A-Za-z0-9_-]{22})"\.$/m;
const ID = /evt_[A-Za-z0-9_-]{22}/;

interface Setup extends ServedLog {
  readonly cwd: string;
  readonly token: string;
  readonly submit: (args: readonly string[], options?: Partial<RunOptions>) => Promise<Ran>;
  readonly save: (name: string, content: unknown) => Promise<void>;
  /** Leaves of the tree, leaf 0 being the log statement. */
  readonly size: () => Promise<number>;
}

/** A log in ./data that is served, with the client.json that `newel dev` writes. */
async function setUp(t: TestContext): Promise<Setup> {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd, 'data', { kind: 'events' });
  const served = await serveDiskLog(t, dir);
  const { url } = served;
  const save = (name: string, content: unknown): Promise<void> =>
    writeFile(join(cwd, name), typeof content === 'string' ? content : JSON.stringify(content));
  const trust = (await (await fetchDescribed(`${url}/v1/log`)).json()) as JsonObject;
  await save('data/client.json', { url, token, trust });
  await save('log.json', trust);
  return {
    ...served,
    cwd,
    token,
    save,
    submit: (args, options = {}) => runCli(['submit', ...args], { cwd, ...options }),
    async size() {
      const headers = { Authorization: `Bearer ${token}` };
      const head = (await (await fetchDescribed(`${url}/v1/tree-head`, { headers })).json()) as {
        signed: { tree_size: number };
      };
      return head.signed.tree_size;
    },
  };
}

function example(name: string): string {
  return fileURLToPath(new URL(name, EXAMPLES));
}

function flat(members: JsonObject = {}): JsonObject {
  return {
    timestamp: '2026-11-20T12:00:00Z',
    user_id: 'u-1',
    event_type: 'step_up',
    trigger_reason: 'high_risk_score',
    status: 'approved',
    ...members,
  };
}

function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

/** What is printed of a receipt with `--json`. */
type Said = Omit<Receipt, 'statement' | 'proof'> & { readonly line: number; readonly file: string };

async function receiptsIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.receipt.json'));
}

/** A server that is no log, on a free port. */
async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

test('every example is taken as it is, and its receipts are verified, private and in the order of the file', async (t) => {
  const { cwd, submit, size } = await setUp(t);
  const counts = { 'flat.json': 1, 'full.json': 1, 'wire-transfer.ndjson': 7, 'denied-push.ndjson': 3 };
  let leaf = 1;
  for (const [file, count] of Object.entries(counts)) {
    const text = await readFile(example(file), 'utf8');
    const { code, out, err } = await submit([example(file), '--out', file]);
    assert.deepEqual([code, err], [0, ''], file);
    const lines = linesOf(out);
    assert.equal(lines.length, count, file);
    for (const line of lines) {
      const [, path = '', index] =
        /^✔ (\S+\.receipt\.json) {2}leaf (\d+) of log\.example\/disk, signed$/.exec(line) ?? [];
      assert.equal(Number(index), leaf++, line);
      assert.equal((await stat(join(cwd, path))).mode & 0o777, 0o600);
      const { event_id: eventId, id } = JSON.parse(await readFile(join(cwd, path), 'utf8')) as Receipt;
      assert.equal(path, `${file}/${eventId}.receipt.json`);
      // The examples with an id have it in the receipt.
      assert.ok(file === 'flat.json' || text.includes(`"${id}"`));
    }
    assert.equal((await stat(join(cwd, file))).mode & 0o777, 0o700, 'a folder that was made');
    const paths = lines.map((line) => line.split(' ')[1]!);
    const verified = await runCli(['verify', ...paths], { cwd });
    assert.equal(verified.code, 0, verified.out);
  }
  assert.equal(await size(), leaf);
});

test('events come from a pipe too, and with --json there is a line of JSON for each', async (t) => {
  const { cwd, submit } = await setUp(t);
  const text = `[${JSON.stringify(flat({ id: 'a' }))},\n${JSON.stringify(flat({ id: 'b' }))}]`;
  const input = [Buffer.from(text.slice(0, 50)), Buffer.from(text.slice(50))];
  const { code, out, err } = await submit(['-', '--json'], { input });
  assert.deepEqual([code, err], [0, '']);
  const said = linesOf(out).map((line) => JSON.parse(line) as Said);
  assert.deepEqual(
    said.map(({ id, line, level, leaf_index: index }) => [id, line, level, index]),
    [
      ['a', 1, 'signed', 1],
      ['b', 2, 'signed', 2],
    ],
  );
  for (const line of said) {
    assert.ok(!('statement' in line) && !('proof' in line), 'what is secret or long is in the file alone');
    const receipt = JSON.parse(await readFile(join(cwd, line.file), 'utf8')) as Receipt;
    assert.equal(receipt.event_id, line.event_id);
  }
});

test('an event with an id is logged once, however often it is submitted', async (t) => {
  const { cwd, submit, save, size } = await setUp(t);
  await save('one.json', flat({ id: 'once' }));
  for (let i = 0; i < 3; i++) assert.equal((await submit(['one.json'])).code, 0);
  assert.equal(await size(), 2);
  assert.equal((await receiptsIn(cwd)).length, 1);

  await save('one.json', flat({ id: 'once', user_id: CANARY }));
  const conflict = await submit(['one.json']);
  assert.deepEqual([conflict.code, conflict.out], [1, '']);
  assert.match(conflict.err, /^newel: one\.json:1: /);
  assert.ok(!conflict.err.includes(CANARY));
  assert.equal(await size(), 2);
});

test('it stops at the first event that is refused, says what is wrong with it, and how to go on', async (t) => {
  const { cwd, submit, save, size } = await setUp(t);
  const events = [flat(), flat(), flat({ status: CANARY, [CANARY]: CANARY }), flat()];
  const text = (): string => events.map((event) => `${JSON.stringify(event)}\n`).join('\n');
  await save('my events.ndjson', text());
  const { code, out, err } = await submit(['my events.ndjson']);
  assert.equal(code, 1);
  assert.equal(linesOf(out).length, 2);
  const [first, ...rest] = linesOf(err);
  assert.match(first ?? '', /^newel: my events\.ndjson:5: /);
  assert.match(rest[0] ?? '', /^ {2}\/status {2}\S/);
  assert.ok(rest.includes('2 events before it are logged, with receipts.'), err);
  assert.equal(rest.at(-1), "To go on from here: newel submit 'my events.ndjson' --skip 2");
  assert.ok(!`${out}${err}`.includes(CANARY), err);
  assert.equal(await size(), 3);

  const json = await submit(['my events.ndjson', '--skip', '2', '--json']);
  assert.deepEqual([json.code, json.out], [1, '']);
  const { error } = JSON.parse(json.err) as { error: JsonObject };
  assert.deepEqual(
    [error['code'], error['line'], error['logged'], error['passed'], Array.isArray(error['faults'])],
    ['event_invalid', 5, 0, 2, true],
  );
  assert.ok(!json.err.includes(CANARY));

  events[2] = flat();
  await save('my events.ndjson', text());
  const mended = await submit(['my events.ndjson', '--skip', '2']);
  assert.deepEqual([mended.code, linesOf(mended.out).length], [0, 2], mended.err);
  assert.equal(await size(), 5);
  assert.equal((await receiptsIn(cwd)).length, 4);
});

test('what is not events is said with its line, and after it nothing is sent', async (t) => {
  const { cwd, submit, save, size } = await setUp(t);
  await mkdir(join(cwd, 'folder'));
  const cases: readonly [what: string, content: string | undefined, message: RegExp, logged: number][] = [
    ['missing', undefined, /^newel: \S+missing cannot be read: give a file that is JSON/, 0],
    ['empty', '', /^newel: empty: there is no event in it$/m, 0],
    ['none', '[]', /^newel: none: there is no event in it$/m, 0],
    ['binary', '\u0000\u0001', /^newel: binary:1: it begins with neither/, 0],
    ['text', `"${CANARY}"`, /^newel: text:1: it begins with neither/, 0],
    ['twice', `{"user_id":1,"user_id":"${CANARY}"}`, /^newel: twice:1: JSON has a member name twice/, 0],
    [
      'spoilt',
      `${JSON.stringify(flat())}\n{"user_id":"${CANARY}",}\n${JSON.stringify(flat())}`,
      /^newel: spoilt:2: JSON is not well-formed, at column \d+$/m,
      1,
    ],
  ];
  let leaves = 1;
  for (const [name, content, message, logged] of cases) {
    if (content !== undefined) await save(name, content);
    const { code, out, err } = await submit([name]);
    assert.equal(code, 3, name);
    assert.equal(linesOf(out).length, logged, name);
    assert.match(err, message);
    assert.ok(!err.includes(CANARY), err);
    leaves += logged;
    assert.equal(await size(), leaves, name);
  }
  const folder = await submit(['folder']);
  assert.equal(folder.code, 3);
  assert.match(folder.err, /folder cannot be read/);
});

test('the token is from --token-file, NEWEL_TOKEN or client.json, in this order, and never shown', async (t) => {
  const { submit, save, token, url } = await setUp(t);
  const wrong = `newel_${'A'.repeat(43)}`;
  await save('token', `${token}\n`);
  await save('wrong', wrong);
  await save('two', `${token} ${CANARY}`);
  await save('event.json', flat({ id: 'e' }));
  const other = url.replace('127.0.0.1', 'localhost');
  const env = (token: string, url?: string): Partial<RunOptions> => ({
    env: { NEWEL_TOKEN: token, ...(url === undefined ? {} : { NEWEL_URL: url }) },
  });
  const cases: readonly [args: readonly string[], Partial<RunOptions>, code: number, message: RegExp][] = [
    [[], {}, 0, /^$/],
    [[], env(token), 0, /^$/],
    [[], env(wrong), 1, /^newel: event\.json:1: /],
    [['--token-file', 'token'], env(wrong), 0, /^$/],
    [['--token-file', 'wrong'], env(token), 1, /^newel: event\.json:1: /],
    [['--token-file', 'missing'], env(token), 3, /missing cannot be read/],
    [['--token-file', 'two'], {}, 2, /what is in two is not a token/],
    [[], env(`${CANARY}\nX: y`), 2, /NEWEL_TOKEN is not a token/],
    // What client.json says goes to no other URL than its own.
    [['--url', other], {}, 2, /no token for http:\/\/localhost/],
    [['--url', other, '--trust', 'log.json'], env(token), 0, /^$/],
    [[], env(token, other), 0, /^log keys taken from the log itself, not pinned: newel trust pin/],
  ];
  for (const [args, options, code, message] of cases) {
    const what = JSON.stringify([args, options]);
    const ran = await submit(['event.json', ...args], options);
    assert.equal(ran.code, code, `${what}: ${ran.err}`);
    assert.match(ran.err, message, what);
    assert.ok(![token, wrong, CANARY].some((secret) => `${ran.out}${ran.err}`.includes(secret)), what);
  }
});

/** A way to the log that loses answers: those to the requests that `isLost` says, by their number from 0. */
async function lossy(t: TestContext, url: string, isLost: (request: number) => boolean): Promise<string> {
  let requests = 0;
  return serve(t, (request, response) => {
    void (async () => {
      const body: Uint8Array[] = [];
      for await (const chunk of request) body.push(chunk as Uint8Array);
      const { authorization = '', accept = '', 'content-type': type = '' } = request.headers;
      const headers = { Authorization: authorization, Accept: accept, 'Content-Type': type };
      Object.assign(headers, { Prefer: String(request.headers['prefer'] ?? '') });
      const sent = { method: 'POST', headers, body: Buffer.concat(body) };
      const answer = await fetchDescribed(`${url}${request.url}`, sent);
      const receipt = await answer.text();
      if (isLost(requests++)) request.socket.destroy();
      else response.writeHead(answer.status).end(receipt);
    })();
  });
}

test('where the log is not reached it exits with 3, and the event can be sent again as the same one', async (t) => {
  const { submit, save, url, token, size } = await setUp(t);
  await save('one.json', flat());
  const way = await lossy(t, url, () => true);
  const env = { NEWEL_TOKEN: token };
  const { code, out, err } = await submit(['one.json', '--url', way, '--trust', 'log.json'], { env });
  assert.deepEqual([code, out], [3, ''], err);
  assert.ok(err.startsWith(`newel: one.json:1: ${way}: the log does not answer`), err);
  const [, id] = ID_TO_GIVE.exec(err) ?? [];
  assert.equal(await size(), 2, 'logged once');

  await save('again.json', flat({ id: id! }));
  assert.equal((await submit(['again.json'])).code, 0);
  assert.equal(await size(), 2, 'the same event');

  const nobody = ['--url', 'http://127.0.0.1:9', '--trust', 'log.json'];
  const closed = await submit(['again.json', ...nobody], { env });
  assert.deepEqual([closed.code, closed.out], [3, '']);
});

test('of several events that may be logged, those without an id are kept with the one that they were sent with', async (t) => {
  const { cwd, submit, save, url, token, size } = await setUp(t);
  const events = [flat(), flat({ id: 'own' }), flat()];
  await save('three.ndjson', events.map((event) => JSON.stringify(event)).join('\n'));
  const way = await lossy(t, url, () => true);
  const env = { NEWEL_TOKEN: token };
  const args = ['three.ndjson', '--url', way, '--trust', 'log.json', '--out', 'my receipts'];
  const { code, out, err } = await submit(args, { env });
  assert.deepEqual([code, out], [3, ''], err);
  assert.ok(err.startsWith(`newel: three.ndjson:1: ${way}: the log does not answer`), err);
  assert.match(err, /^It and the events after it, 3 in all, may be logged or not; /m);
  assert.match(err, /^To go on from after them: newel submit three\.ndjson --skip 3$/m);
  const [, file = ''] = /^newel submit '(my receipts\/unsure-[0-9a-f]{12}\.ndjson)'$/m.exec(err) ?? [];
  assert.equal((await stat(join(cwd, file))).mode & 0o777, 0o600);
  assert.equal(await size(), 4);
  const again = await submit([file]);
  assert.deepEqual([again.code, linesOf(again.out).length], [0, 3], again.err);
  assert.equal(await size(), 4, 'the same events');

  const owned = events.map((event, i) => JSON.stringify({ ...event, id: `own-${i}` })).join('\n');
  await save('owned.ndjson', owned);
  const named = await submit(['owned.ndjson', '--url', way, '--trust', 'log.json'], { env });
  assert.ok(!/unsure|give it/.test(named.err), named.err);
  assert.equal((await submit(['owned.ndjson'])).code, 0);
  assert.equal(await size(), 7);

  const json = await submit(['three.ndjson', '--json', '--url', way, '--trust', 'log.json'], { env });
  const { error } = JSON.parse(json.err) as { error: JsonObject };
  assert.deepEqual([error['code'], error['line'], error['logged']], ['unreachable', 1, 0]);
  assert.match(JSON.stringify(error['unsure']), /^"unsure-[0-9a-f]{12}\.ndjson"$/);
});

test('an answer that is not true under the pinned keys is said to be none, and no receipt is written', async (t) => {
  const { cwd, submit, save, token } = await setUp(t);
  const other = await newDiskLog(cwd, 'other', { kind: 'events', origin: 'log.example/disk' });
  const served = await serveDiskLog(t, other.dir);
  await save('event.json', flat({ user_id: CANARY }));
  const args = ['event.json', '--url', served.url, '--trust', 'log.json', '--out', 'receipts'];
  const { code, out, err } = await submit(args, { env: { NEWEL_TOKEN: other.token } });
  assert.deepEqual([code, out], [1, ''], err);
  assert.match(
    err,
    /^newel: event\.json:1: statement is signed by a key that the trust file does not have; whether the event is logged is not known$/m,
  );
  assert.match(err, ID_TO_GIVE);
  assert.match(err, /^What the log answered does not hold under the keys that are believed: no receipt/m);
  assert.ok(![token, other.token, CANARY].some((secret) => err.includes(secret)));
  assert.deepEqual(await receiptsIn(join(cwd, 'receipts')), []);

  const chatter = await serve(t, (_, response) => response.end(`<html>${CANARY}`));
  const nonsense = await submit(['event.json', '--url', chatter, '--trust', 'log.json'], {
    env: { NEWEL_TOKEN: token },
  });
  assert.deepEqual([nonsense.code, nonsense.out], [3, '']);
  assert.ok(!nonsense.err.includes(CANARY), nonsense.err);
  assert.match(nonsense.err, ID_TO_GIVE);
});

test('the id to send again is printed after any attempt that may have logged the event, and only then', async (t) => {
  const { save, submit, token } = await setUp(t);
  await save('event.json', flat());
  const problem = (code: string): string => {
    const errors = [{ pointer: '/status', detail: 'is none of the list' }];
    return JSON.stringify({ code, detail: 'no', ...(code === 'event_invalid' && { errors }) });
  };
  const cases: [answers: ([status: number, body: string] | 'lost')[], exit: number, isPrinted: boolean][] = [
    [['lost', [401, problem('unauthenticated')]], 1, true],
    [['lost', [403, problem('forbidden')]], 1, true],
    [['lost', [422, problem('event_invalid')]], 1, true],
    [
      ['lost', [503, problem('queue_full')], [503, problem('queue_full')], [503, problem('queue_full')]],
      3,
      true,
    ],
    [[[201, ' '.repeat(3 << 20)]], 3, true],
    [[[401, problem('unauthenticated')]], 1, false],
    [[[413, problem('too_large')]], 3, false],
    [[[422, problem('event_invalid')]], 1, false],
  ];
  for (const [answers, exit, isPrinted] of cases) {
    const ids: string[] = [];
    const url = await serve(t, (request, response) => {
      void text(request).then((body) => {
        ids.push((JSON.parse(body) as { id: string }).id);
        const answer = answers[ids.length - 1] ?? 'lost';
        if (answer === 'lost') request.socket.destroy();
        else response.writeHead(answer[0]).end(answer[1]);
      });
    });
    const env = { NEWEL_TOKEN: token };
    const { code, err } = await submit(['event.json', '--url', url, '--trust', 'log.json'], { env });
    const what = `${JSON.stringify(answers).slice(0, 100)}: ${err}`;
    assert.equal(code, exit, what);
    assert.equal(ids.length, answers.length, what);
    assert.equal(ID_TO_GIVE.exec(err)?.[1], isPrinted ? ids[0] : undefined, what);
    assert.equal(
      /^ {2}\/status {2}is none/m.test(err),
      JSON.stringify(answers).includes('event_invalid'),
      what,
    );
  }
});

test('what cannot be is said before anything is sent', async (t) => {
  const { cwd, submit, save, size } = await setUp(t);
  await save('event.json', flat());
  await save('file', '');
  const witnessed = await submit(['event.json', '--level', 'witnessed']);
  assert.deepEqual([witnessed.code, witnessed.out], [1, '']);
  assert.match(witnessed.err, /names no witnesses/);
  const json = await submit(['event.json', '--level', 'witnessed', '--json']);
  assert.match(json.err, /"code":"no_witnesses"/);
  const noFolder = await submit(['event.json', '--out', 'file']);
  assert.equal(noFolder.code, 3);
  assert.match(noFolder.err, /file cannot be written to: give another folder as --out/);
  for (const [args, message] of [
    [[], /an argument is missing/],
    [['event.json', 'event.json'], /too many arguments/],
    [['event.json', '--level', 'all'], /--level is signed or witnessed/],
    [['event.json', '--skip', '-1'], /--skip/],
    [['event.json', '--skip', '01'], /--skip is not a count of events/],
    [['event.json', '--skip', '1'], /--skip passes over all there is, 1 event/],
  ] as const) {
    const { code, out, err } = await submit(args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, message);
  }
  assert.equal(await size(), 1);
  assert.deepEqual(await receiptsIn(cwd), []);

  const opaque = await newDiskLog(cwd, 'opaque');
  const served = await serveDiskLog(t, opaque.dir);
  const refused = await submit(['event.json', '--url', served.url], { env: { NEWEL_TOKEN: opaque.token } });
  assert.equal(refused.code, 2);
  assert.match(refused.err, /a log of opaque entries, which takes no events/);

  const nowhere = await runCli(['submit', join(cwd, 'event.json')], { cwd: join(cwd, 'opaque') });
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.err, /which log\?/);
});

test('what it printed names an event that the log gives out again', async (t) => {
  const { submit, save, url, token } = await setUp(t);
  await save('event.json', flat());
  const { out } = await submit(['event.json']);
  const [eventId = ''] = ID.exec(out) ?? [];
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetchDescribed(`${url}/v1/events/${eventId}/receipt`, { headers });
  assert.equal(answer.status, 200);
  assert.equal(((await answer.json()) as JsonObject)['event_id'], eventId);
});
