/** Heads that are exchanged between processes as they are run: witnesses, monitors, and what `newel verify` says of it. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, cp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { formatEvidenceBundle, FORK, parseEvidenceBundle } from '../../src/client/evidence-bundle.ts';
import { httpSource } from '../../src/client/source.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { ed25519Signer } from '../../src/formats/note.ts';
import { decodeUtf8 } from '../../src/formats/text.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { runCli, type Started, startCli } from '../support/cli.ts';
import { PlayedLog } from '../support/played-log.ts';
import { DISK_ORIGIN, newDiskLog, type ServedLog, serveDiskLog } from '../support/served-log.ts';
import { seriesOf } from '../support/series.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { seedOf, WitnessedLog } from '../support/witnessed-log.ts';
import { serveLoopback } from '../support/loopback-server.ts';
import { SLOW } from '../support/slow.ts';
import { until } from '../support/until.ts';

function hashOf(origin: string): string {
  return createHash('sha256').update(origin).digest('hex');
}

/** Serves the tiles of a log that is played. */
function serveTiles(t: TestContext, log: PlayedLog): Promise<string> {
  return serve(t, async (request, response) => {
    const data = await log.read(request.url!.slice(1));
    response.writeHead(data ? 200 : 404).end(data);
  });
}

async function serve(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<string> {
  return serveLoopback(t, (request, response) => void answer(request, response));
}

interface RunningWitness extends Started {
  readonly url: string;
}

async function startWitness(
  t: TestContext,
  cwd: string,
  listed: string,
  ...args: string[]
): Promise<RunningWitness> {
  const made = await runCli(['witness', 'init', '--data', 'w', '--name', 'witness.example/w'], { cwd });
  assert.equal(made.code, 0, made.err);
  await appendFile(join(cwd, 'w/logs'), `vkey ${listed}\n`);
  const serve = ['witness', 'serve', '--data', 'w', '--listen', '127.0.0.1:0', '--gossip'];
  const started = startCli(t, [...serve, ...args], { cwd });
  const [line] = await started.waitFor('err', /^.*"msg":"serving"\}$/m);
  return { ...started, url: (JSON.parse(line) as { url: string }).url };
}

/** A fork; where the heads are seconds apart, the log's timed lines may prove a rollback beside it. */
async function evidenceIn(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  const name = names.find((one) => one.includes('-fork-') && one.endsWith('.evidence.json'));
  return name && join(folder, name);
}

test('a witness that gossips catches what its log shows to others, and the evidence verifies elsewhere', async (t) => {
  const cwd = await tempFolder(t);
  const log = new PlayedLog(200);
  const forked = log.fork(150).grow(30, 'other');
  const trust = log.trustFile();
  await writeFile(join(cwd, 'log.json'), JSON.stringify(trust));
  const vkey = (trust['vkeys'] as string[])[0]!;
  const tiles = `${log.origin}=${await serveTiles(t, log)}`;
  const down = 'http://127.0.0.1:1';
  const witness = await startWitness(
    t,
    cwd,
    vkey,
    '--tiles',
    tiles,
    '--peer',
    down,
    '--metrics',
    '127.0.0.1:0',
  );
  const heads = `${witness.url}/v1/heads`;
  const post = async (note: Uint8Array): Promise<Response> =>
    fetch(heads, { method: 'POST', body: note as Uint8Array<ArrayBuffer> });

  const early = await post(await forked.head());
  assert.equal(early.status, 202, 'it has cosigned nothing yet');
  await early.text();
  const body = `old 0\n\n${decodeUtf8(await log.head())}`;
  const cosigned = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
  assert.equal(cosigned.status, 200);
  const lines = await cosigned.text();
  const newest = await until(async () => {
    const response = await fetch(`${heads}/${hashOf(log.origin)}`);
    const text = await response.text();
    return response.status === 200 ? text : undefined;
  }, 'its own head is kept');
  assert.equal(newest, decodeUtf8(await log.head()) + lines, 'with the log’s line and its own');

  const answer = await post(await forked.head());
  assert.equal(answer.status, 409);
  await writeFile(join(cwd, 'answer.evidence.json'), await answer.text());
  const kept = await until(() => evidenceIn(join(cwd, 'w/evidence')), 'it keeps the evidence in a file');
  for (const file of ['answer.evidence.json', kept]) {
    const { code, out } = await runCli(['verify', file, '--trust', 'log.json'], { cwd });
    assert.equal(code, 0, out);
    assert.match(out, /^✔ evidence of a fork of log\.example\/played$/m);
    assert.match(out, /180 leaves with the root \S+, 200 leaves with the root/);
    assert.match(out, /What it proves/);
  }
  const [, metrics] = await witness.waitFor('err', /"metrics":"([^"]+)"/);
  const counted = async (): Promise<boolean> => {
    const series = seriesOf(await (await fetch(metrics!)).text());
    return (
      series.get(`newel_evidence{origin="${log.origin}"}`) === 1 &&
      series.get(`newel_peer_failing{peer="${down}"}`) === 1
    );
  };
  await until(counted, 'the metrics say both');
  witness.child.kill('SIGTERM');
  assert.equal((await witness.ended).code, 0);
  assert.match(witness.written.err, /proof of a fork/);
});

test('a witness shows its peers what it has cosigned, also where a head of another tree came first', async (t) => {
  const cwd = await tempFolder(t);
  const log = new PlayedLog(100);
  const theirs = await log.fork(50).grow(90, 'other').head();
  const posted: string[] = [];
  const peer = await serve(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method === 'GET') return void response.end(theirs);
    posted.push(Buffer.concat(chunks).toString());
    response.writeHead(404).end();
  });
  const vkey = (log.trustFile()['vkeys'] as string[])[0]!;
  const tiles = `${log.origin}=${await serveTiles(t, log)}`;
  const witness = await startWitness(t, cwd, vkey, '--tiles', tiles, '--peer', peer);
  const cosign = async (body: string): Promise<string> => {
    const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
    assert.equal(response.status, 200);
    return response.text();
  };
  const shown = (): Promise<string> =>
    fetch(`${witness.url}/v1/heads/${hashOf(log.origin)}`).then((response) => response.text());
  await until(async () => (await shown()) === decodeUtf8(theirs), 'the head of the peer is known');
  const own = decodeUtf8(await log.head());
  const lines = await cosign(`old 0\n\n${own}`);
  await until(async () => posted.includes(own + lines), 'the peer has the one that was cosigned');
  assert.equal(await shown(), own + lines);
});

test('a witness whose list gives a log another key exchanges heads by that key, without a restart and after one', async (t) => {
  const cwd = await tempFolder(t);
  const log = new WitnessedLog();
  const seed = seedOf('another key');
  const next = {
    vkey: formatVkey(newVkey(log.origin, KEY_TYPE.ed25519, nodeEd25519.publicKey(seed))),
    signers: [ed25519Signer(log.origin, seed, nodeEd25519)],
  };
  const tiles = await serve(t, (_, response) => Promise.resolve(void response.writeHead(404).end()));
  const options = ['--tiles', `${log.origin}=${tiles}`];
  const list = async (...vkeys: string[]): Promise<void> => {
    await writeFile(join(cwd, 'logs'), ['logs/v0', ...vkeys.map((vkey) => `vkey ${vkey}`), ''].join('\n'));
    await rename(join(cwd, 'logs'), join(cwd, 'w/logs'));
  };
  const post = async ({ url }: RunningWitness, note: Uint8Array): Promise<number> => {
    const response = await fetch(`${url}/v1/heads`, { method: 'POST', body: Uint8Array.from(note) });
    await response.text();
    return response.status;
  };
  const cosign = async ({ url }: RunningWitness, body: Uint8Array): Promise<string> => {
    const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: Uint8Array.from(body) });
    assert.equal(response.status, 200);
    return response.text();
  };
  const shown = ({ url }: RunningWitness): Promise<string> =>
    fetch(`${url}/v1/heads/${hashOf(log.origin)}`).then((response) => response.text());

  const first = await startWitness(t, cwd, formatVkey(log.vkey), ...options);
  const early = decodeUtf8(log.note(5)) + (await cosign(first, log.body(0, 5)));
  await until(async () => (await shown(first)) === early, 'its head by the first key');
  assert.equal(await post(first, log.note(9, next)), 403);
  await list(next.vkey);
  await until(async () => (await post(first, log.note(9, next))) === 202, 'another key is known');
  assert.equal(await post(first, log.note(9)), 403, 'the first one is not any more');
  await first.waitFor('err', /"level":"warn".*is by no key that is listed now/);
  const later = decodeUtf8(log.note(9, next)) + (await cosign(first, log.body(5, 9, next)));
  await until(async () => (await shown(first)) === later, 'its head by the other key');
  assert.equal(await post(first, log.note(9, next)), 200);
  await list(next.vkey, formatVkey(log.vkey));
  await until(async () => (await post(first, log.note(9))) === 200, 'both are known');
  await list();
  await until(
    async () => (await post(first, log.note(9))) === 404,
    'a log that is listed no more is not followed',
  );
  await list(next.vkey, formatVkey(log.vkey));
  await until(async () => (await post(first, log.note(9))) === 200, 'and is again, with what was kept of it');
  assert.equal((await shown(first)).split('\n\n')[0], later.split('\n\n')[0]);
  assert.equal(first.written.err.match(/is by no key/g)?.length, 1);
  first.child.kill('SIGTERM');
  assert.equal((await first.ended).code, 0);

  // What it cosigned last is by a key that was listed then.
  await list(formatVkey(log.vkey));
  const args = ['witness', 'serve', '--data', 'w', '--listen', '127.0.0.1:0', '--gossip', ...options];
  const again = startCli(t, args, { cwd });
  const [line] = await again.waitFor('err', /^.*"msg":"serving"\}$/m);
  const second = { ...again, url: (JSON.parse(line) as { url: string }).url };
  await second.waitFor('err', /"level":"warn".*is by no key that is listed now/);
  assert.deepEqual([await post(second, log.note(9, next)), await post(second, log.note(11))], [403, 202]);
});

test('a witness and a monitor that see two servers of one forked log convict it, by their gossip', async (t) => {
  const cwd = await tempFolder(t);
  const { dir, token, folder } = await newDiskLog(cwd);
  const before = await serveDiskLog(t, dir);
  for (let i = 0; i < 20; i++) await before.add(`entry ${i}`, token);
  await before.published(20);
  await writeFile(join(cwd, 'log.json'), await (await fetch(`${before.url}/v1/log`)).text());
  await before.service.stop();
  const twinGuard = join(cwd, 'twin.guard');
  await cp(dir, join(cwd, 'twin'), { recursive: true });
  await cp(folder.paths.guard, twinGuard);
  const [one, other] = [
    await serveDiskLog(t, dir),
    await serveDiskLog(t, join(cwd, 'twin'), { flags: { guard: twinGuard } }),
  ];
  await grow(one, token, 'one', 20, 3);
  await grow(other, token, 'other', 20, 6);

  const trust = parseTrust(await readFile(join(cwd, 'log.json')));
  const witness = await startWitness(t, cwd, trust.vkeys[0]!, '--tiles', `${DISK_ORIGIN}=${one.url}`);
  const note = await httpSource(one.url).read('checkpoint');
  const body = `old 0\n\n${decodeUtf8(note!)}`;
  const cosigned = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
  assert.equal(cosigned.status, 200);
  await cosigned.text();

  const watch = ['monitor', '--data', 'm', '--trust', 'log.json', '--log', other.url, '--interval', '200ms'];
  const monitor = startCli(t, [...watch, '--peer', witness.url, '--json'], { cwd });
  const found = await until(() => evidenceIn(join(cwd, 'm/evidence')), 'the monitor has evidence');
  monitor.child.kill('SIGTERM');
  assert.equal((await monitor.ended).code, 1);
  const { code, out } = await runCli(['verify', found, '--trust', 'log.json', '--json'], { cwd });
  assert.equal(code, 0, out);
  const said = JSON.parse(out) as { ok: boolean; evidence: string; heads: { tree_size: number }[] };
  assert.deepEqual([said.ok, said.evidence], [true, FORK]);
  assert.deepEqual(
    said.heads.map(({ tree_size: size }) => size),
    [23, 26],
  );
});

test('an honest log under load, followed by two monitors that gossip with a witness, raises nothing', async (t) => {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd);
  const log = await serveDiskLog(t, dir, { flags: { 'publish-interval-ms': '50' } });
  await grow(log, token, 'first', 0, 10);
  await writeFile(join(cwd, 'log.json'), await (await fetch(`${log.url}/v1/log`)).text());
  const trust = parseTrust(await readFile(join(cwd, 'log.json')));
  const watch = (data: string, ...peers: string[]): Started => {
    const args = `monitor --data ${data} --trust log.json --log ${log.url} --interval 100ms --json --listen 127.0.0.1:0`;
    return startCli(t, [...args.split(' '), ...peers.flatMap((peer) => ['--peer', peer])], { cwd });
  };
  const one = watch('m1');
  const [, url] = await one.waitFor('err', /exchanging heads at (\S+)\/v1\/heads/);
  const tiles = ['--tiles', `${DISK_ORIGIN}=${log.url}`];
  const witness = await startWitness(t, cwd, trust.vkeys[0]!, ...tiles, '--peer', url!);
  const two = watch('m2', witness.url, url!);
  await two.waitFor('err', /exchanging heads/);
  const forMs = SLOW ? 600_000 : 3000;
  let size = 10;
  for (const endMs = performance.now() + forMs; performance.now() < endMs;) {
    await Promise.all(Array.from({ length: 16 }, (_, i) => log.add(`under load ${size + i}`, token)));
    size += 16;
  }
  await log.published(size);
  await until(async () => {
    const sizes = await Promise.all(
      [witness.url, url!].map(async (at) => {
        const response = await fetch(`${at}/v1/heads/${hashOf(DISK_ORIGIN)}`);
        return Number((await response.text()).split('\n')[1]);
      }),
    );
    return sizes.every((one_) => one_ === size) ? true : undefined;
  }, 'all of them have the newest head');
  for (const { child } of [one, two, witness]) child.kill('SIGTERM');
  for (const party of [one, two]) {
    const { code, out } = await party.ended;
    assert.equal(code, 0, out);
    assert.doesNotMatch(out, /"event":"(alert|evidence)"/);
  }
  assert.equal((await witness.ended).code, 0);
  assert.doesNotMatch(witness.written.err, /"level":"(warn|error)"/);
  assert.deepEqual(await readdir(join(cwd, 'w/evidence')).catch(() => []), []);
});

async function grow(log: ServedLog, token: string, salt: string, from: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await log.add(`${salt} ${i}`, token);
  await log.published(from + count);
}

test('newel verify: what convicts is 0, what does not 1, and what is no evidence 3', async (t) => {
  const cwd = await tempFolder(t);
  const log = new PlayedLog(100);
  const forked = log.fork(60).grow(40, 'other');
  const bundle = {
    evidence: FORK,
    origin: log.origin,
    heads: [await log.head(), await forked.head()],
    seen: [],
  } as const;
  const seen = [
    { source: 'https://log.example/played\u001b[31m', timeMs: 0 },
    { source: 'posted', timeMs: 1 },
  ];
  const files: Record<string, string> = {
    'log.json': JSON.stringify(log.trustFile()),
    'else.json': JSON.stringify(new PlayedLog(0, 'log.example/else').trustFile()),
    'good.evidence.json': formatEvidenceBundle(bundle),
    'seen.evidence.json': formatEvidenceBundle({ ...bundle, seen }),
    'honest.evidence.json': formatEvidenceBundle({ ...bundle, heads: [bundle.heads[0], await log.head(50)] }),
    'broken.evidence.json': '{"evidence":"newel.fork/1"}',
    'unknown.evidence.json': '{"evidence":"newel.fork/9"}',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
  const verify = (...args: string[]): ReturnType<typeof runCli> => runCli(['verify', ...args], { cwd });
  const good = await verify('good.evidence.json', '--trust', 'log.json');
  assert.equal(good.code, 0, good.err);
  assert.match(
    good.out,
    /^✔ evidence of a fork of log\.example\/played\n {2}convicts {2}✔ log\.example\/played\+/,
  );
  assert.match(good.out, /What it does not prove\n {2}· Which of the two trees/);
  const shown = await verify('seen.evidence.json', '--trust', 'log.json');
  assert.match(
    shown.out,
    /seen {6}– https:\/\/log\.example\/played\\u\{1b\}\[31m 1970-01-01T00:00:00\.000Z, posted/,
  );
  const honest = await verify('honest.evidence.json', '--trust', 'log.json');
  assert.equal(honest.code, 1);
  assert.match(honest.out, /^✘ evidence of a fork of log\.example\/played\n {2}convicts {2}✘ nobody: /);
  const others = await verify('good.evidence.json', '--trust', 'else.json', '--json');
  assert.equal(others.code, 1);
  const { ok, error } = JSON.parse(others.out) as { ok: boolean; error: { code: string } };
  assert.deepEqual([ok, error.code], [false, 'signer_unknown']);
  for (const file of ['broken.evidence.json', 'unknown.evidence.json']) {
    const { code, out, err } = await verify(file, '--trust', 'log.json');
    assert.deepEqual([code, out], [3, ''], err);
    assert.match(err, /evidence bundle/);
  }
  const both = await verify('good.evidence.json', 'honest.evidence.json', '--trust', 'log.json', '--json');
  assert.equal(both.code, 1);
  const [first, second] = both.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { ok: boolean; convicts?: string[] });
  assert.deepEqual([first!.ok, second!.ok, second!.convicts], [true, false, undefined]);
  assert.deepEqual(parseEvidenceBundle(await readFile(join(cwd, 'good.evidence.json'))).heads, bundle.heads);
});

test('what is asked wrongly of a witness that gossips is said', async (t) => {
  const cwd = await tempFolder(t);
  await runCli(['witness', 'init', '--data', 'w', '--name', 'witness.example/w'], { cwd });
  for (const [args, flaw] of [
    [['--peer', 'https://peer.example'], /go with --gossip/],
    [['--gossip', '--peer', 'nowhere'], /--peer is not/],
    [['--gossip', '--tiles', 'https://log.example'], /--tiles is not like/],
    [['--gossip', '--tiles', 'log.example=ftp:x'], /--tiles is not/],
  ] as const) {
    const { code, err } = await runCli(['witness', 'serve', '--data', 'w', ...args], { cwd });
    assert.equal(code, 2, err);
    assert.match(err, flaw);
  }
  const init = await runCli(['witness', 'init', '--data', 'x', '--name', 'w', '--gossip'], { cwd });
  assert.match(init.err, /--gossip is not for init/);
});
