/** A served witness that gossips: what it follows as its list changes, and what no log and no peer may keep it from. */

import assert from 'node:assert/strict';
import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createWitnessFolder } from '../../src/cli/create-witness-folder.ts';
import { readWitnessFolder, type WitnessFolder } from '../../src/cli/witness-folder.ts';
import { openWitnessGossip } from '../../src/cli/witness-gossip.ts';
import { startWitness, type WitnessService } from '../../src/cli/witness-service.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { ed25519Signer } from '../../src/formats/note.ts';
import { decodeUtf8 } from '../../src/formats/text.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { MAX_ORIGINS, originHashOf } from '../../src/monitor/heads.ts';
import { createLines } from '../../src/telemetry/lines.ts';
import { serveLoopback } from '../support/loopback-server.ts';
import { PlayedLog } from '../support/played-log.ts';
import { seriesOf } from '../support/series.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { seedOf, WitnessedLog } from '../support/witnessed-log.ts';

interface Served {
  readonly url: string;
  readonly service: WitnessService;
  readonly written: string[];
}

async function newFolder(t: TestContext): Promise<WitnessFolder> {
  const dir = join(await tempFolder(t), 'w');
  const listen = { host: '127.0.0.1', port: 0 };
  await createWitnessFolder({ dir, name: 'witness.example/w', listen });
  return readWitnessFolder(dir);
}

async function list({ paths }: WitnessFolder, vkeys: readonly string[]): Promise<void> {
  await writeFile(`${paths.logs}.new`, ['logs/v0', ...vkeys.map((vkey) => `vkey ${vkey}`), ''].join('\n'));
  await rename(`${paths.logs}.new`, paths.logs);
}

/** Serves it until the test is over. `tiles`: where the tiles of each log are, by origin. */
async function serve(
  t: TestContext,
  folder: WitnessFolder,
  tiles: ReadonlyMap<string, string> = new Map(),
): Promise<Served> {
  const written: string[] = [];
  const service = await startWitness({
    folder,
    metrics: { host: '127.0.0.1', port: 0 },
    lines: createLines({ level: 'debug', write: (line) => void written.push(line) }),
    extend: (opened) => openWitnessGossip(opened, { peers: [], tiles, lookMs: 20 }),
  });
  t.after(() => service.stop());
  return { url: service.listening.url, service, written };
}

function keysOf(log: PlayedLog): [ed25519: string, mldsa44: string] {
  return log.trustFile()['vkeys'] as [string, string];
}

/** Asks the witness to cosign the head of `size` leaves of a log of which it stands at `old`. */
async function add({ url }: Served, log: PlayedLog, old: number, size = log.size): Promise<number> {
  const proof =
    old === 0 ? [] : log.proof(old, size).map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
  const body = `old ${old}\n${proof.join('')}\n${decodeUtf8(await log.head(size))}`;
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
  await response.text();
  return response.status;
}

async function post({ url }: Served, note: Uint8Array): Promise<number> {
  const response = await fetch(`${url}/v1/heads`, { method: 'POST', body: Uint8Array.from(note) });
  await response.text();
  return response.status;
}

async function shown({ url }: Served, { origin }: PlayedLog): Promise<string> {
  const response = await fetch(`${url}/v1/heads/${originHashOf(origin)}`);
  const text = await response.text();
  return response.status === 200 ? text.split('\n')[1]! : `${response.status}`;
}

/** Tiles of logs below one URL, until it answers nobody any more. */
async function serveTiles(
  t: TestContext,
  logs: readonly PlayedLog[],
): Promise<{ readonly tiles: ReadonlyMap<string, string>; hang: () => void }> {
  let hangs = false;
  const url = await serveLoopback(t, (request, response) => {
    if (hangs) return;
    const [, at, ...path] = request.url!.split('/');
    void logs[Number(at)]!.read(path.join('/')).then((bytes) =>
      response.writeHead(bytes ? 200 : 404).end(bytes),
    );
  });
  return {
    tiles: new Map(logs.map(({ origin }, i) => [origin, `${url}/${i}`])),
    hang: () => (hangs = true),
  };
}

const fileNames = async ({ paths }: WitnessFolder): Promise<string[]> =>
  (await readdir(join(paths.dir, 'evidence'))).filter((name) => name.endsWith('.evidence.json'));

test('a fork is in the folder before it is answered, of logs that were listed a moment ago too', async (t) => {
  const folder = await newFolder(t);
  const served = await serve(t, folder);
  const logs = Array.from({ length: 4 }, (_, i) => new PlayedLog(100, `log.example/${i}`));
  await list(
    folder,
    logs.map((log) => keysOf(log)[0]),
  );
  for (const [i, log] of logs.entries()) {
    await until(async () => (await add(served, log, 0)) === 200, 'it is listed');
    assert.equal(await add(served, log.fork(50).grow(50, 'other'), 0), 409);
    assert.equal((await fileNames(folder)).length, i + 1);
  }
  const metrics = async (): Promise<ReadonlyMap<string, number>> =>
    seriesOf(await (await fetch(served.service.metricsUrl!)).text());
  const of = (name: string, { origin }: PlayedLog): string => `${name}{origin="${origin}"}`;
  await until(async () => {
    const series = await metrics();
    return logs.every((log) => series.get(of('newel_evidence', log)) === 1);
  }, 'all are counted');
  assert.equal((await metrics()).get(of('newel_forks_total', logs[0]!)), 1);
  assert.equal(await post(served, await logs[0]!.head()), 200);
  await until(async () => {
    const series = await metrics();
    return series.get('newel_request_seconds_count{method="POST",route="/v1/heads",status="200"}') === 1;
  }, 'heads that are posted are counted too');
});

test('a log is followed by the keys that it is listed with now: by none that cannot judge, and by others anew', async (t) => {
  const folder = await newFolder(t);
  const log = new PlayedLog(100);
  const [ed25519, mldsa44] = keysOf(log);
  await list(folder, [ed25519]);
  const { tiles } = await serveTiles(t, [log, new PlayedLog(1, 'log.example/typo')]);
  const served = await serve(t, folder, tiles);
  assert.match(
    served.written.join(''),
    /"log\.example\/typo","msg":"--tiles names a log that is not listed"/,
  );
  assert.equal(await add(served, log, 0, 90), 200);
  await until(async () => (await shown(served, log)) === '90', 'it is kept');
  await list(folder, [mldsa44]);
  await until(async () => (await shown(served, log)) === '404', 'it is followed no more');
  assert.equal(await add(served, log, 90, 91), 403);
  assert.equal(await post(served, await log.head(95)), 404);
  const said = served.written.filter((line) => line.includes('has no Ed25519 key'));
  assert.equal(said.length, 1);
  await list(folder, [mldsa44, ed25519]);
  await until(async () => (await shown(served, log)) === '90', 'what was kept counts again');
  assert.equal(await post(served, await log.head(95)), 200);
  assert.equal(await shown(served, log), '95');
});

test('the 65th log is followed when there is room for it', async (t) => {
  const folder = await newFolder(t);
  const logs = Array.from({ length: MAX_ORIGINS + 2 }, (_, i) => new PlayedLog(1, `log.example/${i}`));
  const vkeys = logs.map((log) => keysOf(log)[0]);
  await list(folder, vkeys);
  const served = await serve(t, folder);
  assert.match(served.written.join(''), /heads of 64 logs are exchanged, and more are listed/);
  const last = logs.at(-1)!;
  assert.equal(await post(served, await logs[63]!.head()), 202);
  assert.equal(await post(served, await last.head()), 404);
  await list(folder, vkeys.slice(2));
  await until(async () => (await post(served, await last.head())) === 202, 'there is room for both');
  assert.equal(await post(served, await logs[0]!.head()), 404);
});

test('a log whose tiles hang holds up itself alone: neither another one, nor the list, nor a start', async (t) => {
  const folder = await newFolder(t);
  const [bad, good] = [new PlayedLog(300, 'log.example/bad'), new PlayedLog(50, 'log.example/good')];
  const vkeys = [keysOf(bad)[0], keysOf(good)[0]];
  await list(folder, vkeys);
  const { tiles, hang } = await serveTiles(t, [bad, good]);
  const first = await serve(t, folder, tiles);
  assert.equal(await add(first, bad, 0, 290), 200);
  await until(
    async () => (await post(first, await bad.head(300))) === 200,
    'it is ahead of what was cosigned',
  );
  hang();
  const startedMs = performance.now();
  // It is to be compared with the larger one, for 20 s.
  assert.equal(await add(first, bad, 290, 291), 200);
  assert.equal(await add(first, good, 0), 200);
  await until(async () => (await shown(first, good)) === '50', 'the other one is kept');
  await list(folder, vkeys.slice(0, 1));
  await until(async () => (await shown(first, good)) === '404', 'the list counts');
  assert.ok(performance.now() - startedMs < 15_000);
  const stoppedMs = performance.now();
  assert.equal(await first.service.stop(), 'stopped');
  const second = await serve(t, folder, tiles);
  assert.equal(await shown(second, bad), '300');
  assert.ok(performance.now() - stoppedMs < 15_000);
});

test('a fork that convicts nobody by the keys of now is said once, whoever repeats it', async (t) => {
  const folder = await newFolder(t);
  const log = new WitnessedLog();
  await list(folder, [formatVkey(log.vkey)]);
  const served = await serve(t, folder);
  const send = async (body: Uint8Array): Promise<number> => {
    const response = await fetch(`${served.url}/add-checkpoint`, {
      method: 'POST',
      body: Uint8Array.from(body),
    });
    await response.text();
    return response.status;
  };
  assert.equal(await send(log.body(0, 9)), 200);
  const seed = seedOf('another key');
  const signers = [ed25519Signer(log.origin, seed, nodeEd25519)];
  await list(folder, [formatVkey(newVkey(log.origin, KEY_TYPE.ed25519, nodeEd25519.publicKey(seed)))]);
  const forked = log.body(0, 9, { isForked: true, signers });
  await until(async () => (await send(forked)) === 409, 'the list is read');
  for (let i = 0; i < 5; i++) assert.equal(await send(forked), 409);
  const said = served.written.filter((line) => /convicts nobody|could not be kept/.test(line));
  assert.equal(said.length, 1, said.join(''));
  assert.deepEqual(await fileNames(folder), []);
});
