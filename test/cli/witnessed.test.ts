/**
 * `newel serve` and its witnesses, as processes: an older copy and a second copy of a log, a start that waits for
 * witnesses, and what is served while there are too few. Witnesses are ours, but for what ours never do.
 */

import assert from 'node:assert/strict';
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../../src/cli/exit-code.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { formatBase64 } from '../../src/formats/base64.ts';
import { parseCheckpoint } from '../../src/formats/checkpoint.ts';
import { parseNote } from '../../src/formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import type { Kind } from '../../src/log/identity.ts';
import { startKey } from '../../src/storage/keys.ts';
import { openLevelStore } from '../../src/storage/level.ts';
import { type Ran, runCli, type Started, startCli, startServe } from '../support/cli.ts';
import { exampleEvents } from '../support/test-vault.ts';
import { FakeWitness } from '../support/fake-witness.ts';
import { makePolicyWitness, type PolicyWitness } from '../support/policy-witness.ts';
import { DISK_ORIGIN, newDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

const WAIT_MS = 60_000;
const POLL_MS = 20;
const QUICK = ['--publish-interval-ms', '50', '--witness-interval-ms', '50'];

interface Setup {
  readonly cwd: string;
  readonly dir: string;
  readonly token: string;
  readonly vkey: string;
  readonly witnesses: readonly PolicyWitness[];
}

/** A log whose policy wants `threshold` of these witnesses, none of which is started. */
async function setUp(
  t: TestContext,
  names: readonly string[],
  { threshold = names.length, kind = 'opaque' }: { threshold?: number; kind?: Kind } = {},
): Promise<Setup> {
  const cwd = await tempFolder(t);
  const { dir, token, folder } = await newDiskLog(cwd, 'log', { kind });
  const vkey = /^log (.+)$/m.exec(await readFile(folder.paths.policy, 'utf8'))![1]!;
  const witnesses = await Promise.all(names.map((name) => makePolicyWitness(t, cwd, name, vkey)));
  const setup = { cwd, dir, token, vkey, witnesses };
  if (names.length > 0) await writePolicy(setup, 'policy', witnesses, threshold);
  return setup;
}

async function writePolicy(
  { dir, vkey }: Pick<Setup, 'dir' | 'vkey'>,
  file: 'policy' | 'policy.public',
  witnesses: readonly Pick<PolicyWitness, 'name' | 'policyLine'>[],
  threshold: number = witnesses.length,
): Promise<void> {
  const names = witnesses.map(({ name }) => name).join(' ');
  const lines = witnesses.map(({ policyLine }) => `${policyLine}\n`).join('');
  await writeFile(
    join(dir, file),
    `log ${vkey}\n${lines}group enough ${threshold} ${names}\nquorum enough\n`,
  );
}

type Served = Started & { readonly url: string };

const serve = (t: TestContext, { dir }: Pick<Setup, 'dir'>, ...args: string[]): Promise<Served> =>
  startServe(t, dir, [...QUICK, ...args]);

/** A start that is refused. */
function refusedServe(
  t: TestContext,
  { cwd, dir }: Pick<Setup, 'cwd' | 'dir'>,
  ...args: string[]
): Promise<Ran> {
  const started = startCli(t, ['serve', '--data', dir, '--listen', '127.0.0.1:0', ...args], { cwd });
  return started.ended;
}

async function stop({ child, ended }: Started): Promise<void> {
  child.kill('SIGTERM');
  const { code, err } = await ended;
  assert.equal(code, EXIT.ok, err);
}

function add({ url }: Served, { token }: Pick<Setup, 'token'>, entry: string): Promise<Response> {
  return fetch(`${url}/add`, { method: 'POST', body: entry, headers: { Authorization: `Bearer ${token}` } });
}

async function addAll(served: Served, setup: Setup, entries: readonly string[]): Promise<void> {
  for (const entry of entries) {
    const response = await add(served, setup, entry);
    assert.equal(response.status, 200, await response.text());
  }
}

interface ShownHead {
  readonly size: number;
  readonly root: string;
  /** Of the witnesses' lines, sorted. */
  readonly witnesses: readonly string[];
}

async function read(served: Served, path: string): Promise<ShownHead | undefined> {
  const response = await fetch(`${served.url}${path}`);
  const body = await response.text();
  if (response.status === 404) return undefined;
  assert.equal(response.status, 200, body);
  const { text, signatures } = parseNote(encodeUtf8(body));
  const { size, root } = parseCheckpoint(text);
  const names = signatures.map(({ name }) => name).filter((name) => name !== DISK_ORIGIN);
  return { size, root: formatBase64(root), witnesses: names.toSorted() };
}

const slot = (served: Served, name: string): Promise<ShownHead | undefined> =>
  read(served, `/v1/checkpoint?policy=${name}`);

/** The head of a slot, once it has that size. */
function reached(served: Served, size: number, name = 'fast'): Promise<ShownHead> {
  return until(async () => {
    const head = await slot(served, name);
    return head && head.size >= size ? head : undefined;
  }, `a head of ${size} leaves in ${name}`);
}

/** Copies the folder and the guard of a log that nobody serves. */
async function copyLog(dir: string, copy: string): Promise<void> {
  for (const end of ['', '.guard']) await cp(`${dir}${end}`, `${copy}${end}`, { recursive: true });
}

/** What `serve` says at last. */
function lastMessage({ err }: Ran): string {
  return err.trimEnd().split('\n').at(-1)!;
}

async function jsonOf(url: string): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(url);
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

test('an older copy of a log is refused because of its guard, and with its own guard because of a witness', async (t) => {
  const setup = await setUp(t, ['w1.example']);
  const { cwd, dir, witnesses } = setup;
  const fake = new FakeWitness('fake.example');
  // No monitoring endpoint, and a 409 that does not say the size.
  fake.isSizeless = true;
  await fake.listen();
  t.after(() => fake.close());
  const fakeVkey = newVkey(
    fake.name,
    KEY_TYPE.cosignatureEd25519,
    nodeEd25519.publicKey(new Uint8Array(32).fill(7)),
  );
  const asFake = { name: fake.name, policyLine: `witness ${fake.name} ${formatVkey(fakeVkey)} ${fake.url}` };
  await writePolicy(setup, 'policy', [...witnesses, asFake]);
  const started = await startWitnessProcess(t, setup, 'w1.example');

  const first = await serve(t, setup);
  await addAll(first, setup, ['1', '2', '3']);
  const older = await reached(first, 3);
  assert.deepEqual(older.witnesses, ['fake.example', 'w1.example']);
  await stop(first);
  await copyLog(dir, join(cwd, 'old'));
  const second = await serve(t, setup);
  await addAll(second, setup, ['4', '5']);
  await reached(second, 5);
  await stop(second);

  await rm(dir, { recursive: true });
  await rename(join(cwd, 'old'), dir);
  const byGuard = await refusedServe(t, setup);
  assert.equal(byGuard.code, EXIT.refused);
  assert.match(lastMessage(byGuard), /guard/);
  assert.doesNotMatch(lastMessage(byGuard), /witness/);

  await rm(`${dir}.guard`);
  await rename(join(cwd, 'old.guard'), `${dir}.guard`);
  const [size, root] = [older.size, older.root.replaceAll(/[+/]/g, '\\$&')];
  await writePolicy(setup, 'policy', witnesses);
  const byWitness = await refusedServe(t, setup);
  assert.equal(byWitness.code, EXIT.refused);
  assert.match(
    lastMessage(byWitness),
    new RegExp(
      `witness w1\\.example has cosigned 5 leaves of log\\.example/disk, more than the ${size} that this log has ever ` +
        `signed; our head of ${size} leaves, root ${root}`,
    ),
  );
  await writePolicy(setup, 'policy', [asFake]);
  const bySizeless = await refusedServe(t, setup);
  assert.equal(bySizeless.code, EXIT.refused);
  assert.match(
    lastMessage(bySizeless),
    new RegExp(
      'witness fake\\.example has cosigned a tree of log\\.example/disk that is none of ours, and does not say of which ' +
        `size; our head of ${size} leaves, root ${root}`,
    ),
  );
  await stop(started);
});

/** `newel witness serve`, as a process. */
async function startWitnessProcess(t: TestContext, { cwd }: Setup, name: string): Promise<Started> {
  const started = startCli(t, ['witness', 'serve', '--data', name], { cwd });
  await started.waitFor('err', /"msg":"serving"/);
  return started;
}

test('a second copy of a running log stops where witnesses contradict it, and never has a witnessed head', async (t) => {
  const setup = await setUp(t, ['w1.example', 'w2.example', 'w3.example'], { threshold: 2 });
  const { cwd, dir } = setup;
  await Promise.all(setup.witnesses.map((witness) => witness.start()));
  const before = await serve(t, setup);
  await addAll(before, setup, ['1', '2']);
  await reached(before, 2);
  await stop(before);
  const copy = { ...setup, dir: join(cwd, 'copy') };
  await copyLog(dir, copy.dir);

  const [ours, second] = [await serve(t, setup), await serve(t, copy, '--log-level', 'debug')];
  await addAll(ours, setup, ['ours']);
  const head = await reached(ours, 3);
  await addAll(second, copy, ['theirs']);
  const shown: ShownHead[] = [];
  for (const endMs = performance.now() + WAIT_MS; second.child.exitCode === null;) {
    assert.ok(performance.now() < endMs, 'the second copy goes on');
    const found = await slot(second, 'fast').catch(() => undefined);
    if (found) shown.push(found);
    await sleep(POLL_MS);
  }
  const ended = await second.ended;
  assert.equal(ended.code, EXIT.refused);
  assert.match(ended.err, /"msg":"the log has stopped: it is not the only one of its name"/);
  assert.match(
    ended.err,
    /witness w[123]\.example has cosigned another tree of 3 leaves of log\.example\/disk: it refuses our head of 3 leaves, root /,
  );
  assert.match(ended.err, /"slot":"none","size":3,/);
  assert.doesNotMatch(ended.err, /"slot":"fast","size":3,/);
  assert.ok(shown.length > 0);
  for (const { size, root } of shown) assert.ok(size < 3 || root === head.root);

  await addAll(ours, setup, ['more']);
  assert.equal((await reached(ours, 4)).size, 4);
  const again = await refusedServe(t, copy);
  assert.equal(again.code, EXIT.refused);
  assert.match(
    lastMessage(again),
    /has cosigned 4 leaves of log\.example\/disk, more than the 3 that this log has ever signed/,
  );
  await stop(ours);
});

test('two copies on one guard: the second finds the head of the first in it, and both stop', async (t) => {
  const setup = await setUp(t, []);
  const [witness] = [await makePolicyWitness(t, setup.cwd, 'w1.example', setup.vkey)];
  const before = await serve(t, setup);
  await addAll(before, setup, ['1']);
  await stop(before);
  const copy = { ...setup, dir: join(setup.cwd, 'copy') };
  await cp(setup.dir, copy.dir, { recursive: true });
  await writePolicy(copy, 'policy', [witness]);

  // It has read the guard, and writes once its witness is up.
  const second = await serve(t, copy, '--guard', `${setup.dir}.guard`);
  await second.waitFor('err', /"msg":"reading only/);
  const ours = await serve(t, setup);
  await addAll(ours, setup, ['ours']);
  await witness.start();
  const ended = await second.ended;
  assert.equal(ended.code, EXIT.refused);
  assert.match(ended.err, /another process has written the guard .*: two copies of this log are running/);
  // Unless it has met the other's mark before, and is gone.
  const refused = await add(ours, setup, 'more').catch(() => undefined);
  assert.ok(refused === undefined || refused.status === 503);
  const first = await ours.ended;
  assert.equal(first.code, EXIT.refused);
  assert.match(first.err, /two copies of this log are running/);
  const again = await refusedServe(t, copy, '--guard', `${setup.dir}.guard`);
  assert.equal(again.code, EXIT.refused);
  assert.match(lastMessage(again), /two copies of this log have been writing the guard/);
});

test('with all witnesses down a log reads only, and begins by itself when enough of them are up', async (t) => {
  const setup = await setUp(t, ['w1.example', 'w2.example', 'w3.example'], { threshold: 2 });
  const [w1, w2] = setup.witnesses;
  const first = await serve(t, setup);
  // Nobody can know a newer tree than the one without leaves.
  await addAll(first, setup, ['1']);
  await stop(first);

  const served = await serve(t, setup);
  assert.doesNotMatch(served.written.err, /rollback|started without its witnesses/);
  const ready = await jsonOf(`${served.url}/readyz`);
  assert.deepEqual([ready.status, ready.json['code']], [503, 'not_ready']);
  const states = ready.json['witnesses'] as { name: string; state: string; why: string }[];
  assert.deepEqual(
    states.map(({ name, why }) => `${name} ${why}`),
    setup.witnesses.map(({ name }) => `${name} refuses connections`),
  );
  const refused = await add(served, setup, '2');
  assert.deepEqual([refused.status, ((await refused.json()) as { code: string }).code], [503, 'not_ready']);
  assert.equal((await read(served, '/checkpoint'))?.size, 1);
  assert.equal((await fetch(`${served.url}/tile/0/000.p/1`)).status, 200);
  await w1!.start();
  // One of three does not intersect every quorum of two.
  await served.waitFor('err', /"agreed":\["w1\.example"\].*"msg":"reading only/);
  assert.equal((await fetch(`${served.url}/readyz`)).status, 503);
  await w2!.start();
  await until(async () => ((await fetch(`${served.url}/readyz`)).ok ? true : undefined), 'ready');
  await addAll(served, setup, ['2']);
  assert.deepEqual((await reached(served, 2)).witnesses, ['w1.example', 'w2.example']);
  await stop(served);
  await Promise.all([w1!.stop(), w2!.stop()]);

  for (const [args, record] of [
    [['--start-unwitnessed'], 'unwitnessed'],
    [['--ignore-witness', 'w1.example', '--ignore-witness', 'w3.example'], 'ignored w1.example w3.example'],
  ] as const) {
    const unheard = await serve(t, setup, ...args);
    assert.equal((await fetch(`${unheard.url}/readyz`)).status, 200);
    assert.match(unheard.written.err, UNHEARD);
    assert.doesNotMatch(unheard.written.err, /"msg":"protected against rollback/);
    await addAll(unheard, setup, [record]);
    await stop(unheard);
    assert.deepEqual((await readStarts(setup)).at(-1), record);
  }
  assert.equal((await readStarts(setup)).length, 2);
  const unknown = await refusedServe(t, setup, '--ignore-witness', 'w4.example');
  assert.equal(unknown.code, EXIT.usage);
  assert.match(
    lastMessage(unknown),
    /in no policy of this log: there are enough, w1\.example, w2\.example, w3\.example$/m,
  );
});

const UNHEARD =
  /"witnesses":0.*"msg":"started without its witnesses: a restored older copy would not be noticed"/;

test('what protects a log is said by what was heard: two keys at one URL are one witness', async (t) => {
  const setup = await setUp(t, ['w1.example']);
  const [w1] = setup.witnesses;
  await w1!.start();
  const [, , vkey, url] = w1!.policyLine.split(' ');
  const other = newVkey(
    'other.example',
    KEY_TYPE.cosignatureEd25519,
    nodeEd25519.publicKey(new Uint8Array(32).fill(8)),
  );
  const twin = { name: 'twin', policyLine: `witness twin ${formatVkey(other)} ${url}` };
  await writePolicy(setup, 'policy', [...setup.witnesses, twin], 1);
  const first = await serve(t, setup);
  assert.match(first.written.err, /"witnesses":1.*"msg":"protected against rollback by its witnesses"/);
  await addAll(first, setup, ['1']);
  await reached(first, 1);
  await stop(first);

  const heard = await serve(t, setup);
  assert.match(heard.written.err, /"witnesses":1.*"msg":"protected against rollback by its witnesses"/);
  await stop(heard);

  // Nobody is asked by a log whose witnesses hand in their lines.
  const handing = { name: 'w1', policyLine: `witness w1 ${vkey}` };
  await writePolicy(setup, 'policy', [handing]);
  const unheard = await serve(t, setup, '--start-unwitnessed');
  assert.match(unheard.written.err, UNHEARD);
  const { json } = await jsonOf(`${unheard.url}/readyz`);
  assert.deepEqual(json['witnesses'], [
    { name: 'w1', state: 'unknown', size: 0, why: 'no URL: it hands in its lines' },
  ]);
  assert.equal(json['need'], 1);
  await stop(unheard);
});

/** What is kept of starts that did not hear all witnesses. */
async function readStarts({ dir }: Setup): Promise<string[]> {
  const store = await openLevelStore(join(dir, 'db'), { create: false });
  try {
    const rows = await store.scan({ from: startKey(0), to: startKey(Number.MAX_SAFE_INTEGER), limit: 10 });
    return rows.map(({ value }) => decodeUtf8(value));
  } finally {
    await store.close();
  }
}

test('with too few witnesses an answer is 202 and says why, and the receipt is witnessed when they are back', async (t) => {
  const setup = await setUp(t, ['w1.example', 'w2.example', 'w3.example'], { threshold: 2, kind: 'events' });
  const [w1, w2, w3] = setup.witnesses;
  await Promise.all(setup.witnesses.map((witness) => witness.start()));
  const served = await serve(t, setup);
  const { seq: _seq, ...event } = exampleEvents('flat.json')[0] as JsonObject;
  const headers = { Authorization: `Bearer ${setup.token}`, 'Content-Type': 'application/json' };
  const submit = async (
    id: string,
    prefer: string,
  ): Promise<{ status: number; json: Record<string, unknown> }> => {
    const body = JSON.stringify({ ...event, id });
    const url = `${served.url}/v1/events?level=witnessed`;
    const response = await fetch(url, { method: 'POST', body, headers: { ...headers, Prefer: prefer } });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const met = await submit('met', 'wait=10');
  assert.deepEqual([met.status, met.json['level']], [201, 'witnessed']);
  await w1!.stop();
  assert.equal((await submit('still-met', 'wait=10')).status, 201);
  await w2!.stop();
  const unmet = await submit('unmet', 'wait=1');
  assert.deepEqual([unmet.status, unmet.json['level']], [202, 'signed']);
  const { reason, ...pending } = unmet.json['pending'] as Record<string, unknown>;
  assert.deepEqual(pending, { level: 'witnessed', have: 1, need: 2 });
  assert.ok(reason === 'deadline' || reason === 'witnesses_unreachable');
  assert.equal((await fetch(`${served.url}/readyz`)).status, 200);
  await w2!.start();
  const receipt = `${served.url}/v1/events/${String(unmet.json['event_id'])}/receipt?level=witnessed`;
  await until(async () => {
    const response = await fetch(receipt, { headers: { ...headers, Prefer: 'wait=10' } });
    const { level } = (await response.json()) as { level: string };
    assert.equal(level, response.status === 200 ? 'witnessed' : 'signed');
    return response.status === 200 ? true : undefined;
  }, 'witnessed');

  // Whoever waits when the log is told to end is answered.
  await Promise.all([w2!.stop(), w3!.stop()]);
  const waiting = submit('at-the-end', 'wait=2');
  await until(async () => {
    const { published, witnessed } = (await jsonOf(`${served.url}/readyz`)).json;
    return Number(published) > Number(witnessed) ? true : undefined;
  }, 'published');
  served.child.kill('SIGTERM');
  const { status, json } = await waiting;
  assert.deepEqual([status, json['level']], [202, 'signed']);
  const { code, err } = await served.ended;
  assert.equal(code, EXIT.ok, err);
});

test('policy.public has a slot of its own, whose witnesses are asked within their budget', async (t) => {
  const setup = await setUp(t, ['w1.example']);
  const [w1] = setup.witnesses;
  const open = new FakeWitness('public.example', 9);
  await open.listen();
  t.after(() => open.close());
  const vkey = newVkey(
    open.name,
    KEY_TYPE.cosignatureEd25519,
    nodeEd25519.publicKey(new Uint8Array(32).fill(9)),
  );
  const policyLine = `witness ${open.name} ${formatVkey(vkey)} ${open.url}`;
  await writePolicy(setup, 'policy.public', [{ name: open.name, policyLine }]);
  await w1!.start();

  // An asking every 1.25 s, of a witness that grants a request a second.
  const served = await serve(t, setup, '--public-requests-per-day', '86400');
  // It was asked about the empty tree.
  const atStart = open.requests.length;
  const startMs = performance.now();
  let size = 0;
  while (performance.now() - startMs < 3000 || size < 20) {
    await addAll(served, setup, [`${size++}`]);
    await sleep(40);
  }
  const elapsedMs = performance.now() - startMs;
  const asked = open.requests.length - atStart;
  assert.ok(
    atStart === 1 && asked >= 2 && asked <= 1 + elapsedMs / 1250,
    `${asked} requests in ${elapsedMs} ms`,
  );
  await reached(served, size);
  const last = await reached(served, size, 'public');
  assert.ok(last.witnesses.includes(open.name));
  assert.deepEqual(await read(served, '/checkpoint'), last);
  assert.deepEqual((await slot(served, 'none'))?.witnesses, []);
  assert.ok((await slot(served, 'fast'))?.witnesses.includes('w1.example'));
  await stop(served);

  // One that grants two a day has been asked at the start, and can wait.
  const before = open.requests.length;
  const sparing = await serve(t, setup, '--public-requests-per-day', '2');
  for (const entry of ['a', 'b', 'c']) {
    await addAll(sparing, setup, [entry]);
    await reached(sparing, ++size);
  }
  assert.equal(open.requests.length - before, 1);
  assert.deepEqual(await read(sparing, '/checkpoint'), last, 'the strongest slot, though it is behind');
  assert.equal((await slot(sparing, 'none'))?.size, size);
  await stop(sparing);
});

test('told to end while it waits for witnesses, it ends', async (t) => {
  const setup = await setUp(t, []);
  const first = await serve(t, setup);
  await addAll(first, setup, ['1']);
  await stop(first);
  const silent = new FakeWitness('silent.example');
  let connections = 0;
  await silent.listen(() => ++connections > 0);
  t.after(() => silent.close());
  const vkey = newVkey(
    silent.name,
    KEY_TYPE.cosignatureEd25519,
    nodeEd25519.publicKey(new Uint8Array(32).fill(7)),
  );
  const policyLine = `witness ${silent.name} ${formatVkey(vkey)} ${silent.url}`;
  await writePolicy(setup, 'policy', [{ name: silent.name, policyLine }]);
  const served = await serve(t, setup);
  // It is asked again and again, and told to end while it is.
  const before = connections;
  await until(async () => (connections > before ? true : undefined), 'asked again');
  const toldMs = performance.now();
  await stop(served);
  assert.ok(performance.now() - toldMs < 3000, `${performance.now() - toldMs} ms`);
  assert.equal((await runCli(['fsck', '--data', setup.dir], { cwd: setup.cwd })).code, EXIT.ok);
});
