/**
 * kill -9 under load, again and again. An oracle outside the process keeps every acknowledgement and every head that
 * anybody was shown. At the end the whole log is read by strangers' means: no acknowledged entry is lost or moved, none
 * stands twice, and every head ever seen is a head of this one tree.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { httpSource } from '../../src/client/source.ts';
import { fetchCheckpoint } from '../../src/client/tree.ts';
import { equalBytes } from '../../src/core/bytes.ts';
import { hashLeaf } from '../../src/core/hash.ts';
import { CompactRange } from '../../src/core/range.ts';
import { tileWidth } from '../../src/core/tile.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { parseEntries } from '../../src/formats/entry-bundle.ts';
import { ed25519Verifier } from '../../src/formats/note.ts';
import { decodeUtf8 } from '../../src/formats/text.ts';
import { formatTilePath } from '../../src/formats/tile-path.ts';
import { parseVkey } from '../../src/formats/vkey.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { fsck } from '../../src/log/fsck.ts';
import { builtProgram } from '../support/built-program.ts';

const ROUNDS = 50;
const CONNECTIONS = 32;
const ORIGIN = 'log.example/crash';

let folder: string;
let running: ChildProcess | undefined;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newel-crash-'));
});
after(async () => {
  running?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function init(data: string): Promise<{ vkey: string; token: string }> {
  const child = spawn(process.execPath, [
    builtProgram(),
    'init',
    '--json',
    '--kind',
    'opaque',
    '--data',
    data,
    '--origin',
    ORIGIN,
  ]);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0);
  const made = JSON.parse(Buffer.concat(chunks).toString()) as { vkey: string; tokens: { submit: string } };
  return { vkey: made.vkey, token: made.tokens.submit };
}

/** Starts the log on a port of its own and waits until it takes entries. */
async function serve(data: string, port: number): Promise<ChildProcess> {
  const args = ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--publish-interval-ms', '20'];
  const child = spawn(process.execPath, [builtProgram(), ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  running = child;
  const lines: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
  for (;;) {
    assert.equal(child.exitCode, null, `the log did not start: ${lines.join('')}`);
    const ready = await call(port, 'GET', '/readyz').catch(() => undefined);
    if (ready?.status === 200) return child;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS + 4 });

function call(port: number, method: string, path: string, headers = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode!, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

interface Oracle {
  /** Entry → index, of every acknowledgement that arrived. */
  readonly acknowledged: Map<string, number>;
  /** Every signed checkpoint that was shown, by its text. */
  readonly heads: Set<string>;
  readonly sent: Set<string>;
  /** Leaves of the largest checkpoint that was published. */
  published: number;
}

/** Sends entries as fast as they are taken until the process is gone, and looks at heads meanwhile. */
async function load(port: number, token: string, round: number, oracle: Oracle): Promise<void> {
  const authorization = `Bearer ${token}`;
  const submit = async (connection: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const entry = `${round}/${connection}/${i}/${'x'.repeat((i * 37) % 300)}`;
      oracle.sent.add(entry);
      const { status, body } = await call(port, 'POST', '/add', { authorization }, entry);
      assert.equal(status, 200);
      oracle.acknowledged.set(entry, Number(body.toString()));
    }
  };
  const watch = async (): Promise<void> => {
    for (;;) {
      const checkpoint = (await call(port, 'GET', '/checkpoint')).body.toString();
      const published = Number(checkpoint.split('\n')[1]);
      assert.ok(published >= oracle.published, 'a checkpoint that was published is taken back');
      oracle.published = published;
      oracle.heads.add(checkpoint);
      const { body } = await call(port, 'GET', '/v1/tree-head', { authorization });
      oracle.heads.add((JSON.parse(body.toString()) as { signed: { checkpoint: string } }).signed.checkpoint);
    }
  };
  const all = [watch(), ...Array.from({ length: CONNECTIONS }, (_, connection) => submit(connection))];
  // Each ends with the connection, when the process is killed; an answer that is not 200 is a failure of the test.
  for (const outcome of await Promise.allSettled(all)) {
    if (outcome.status === 'rejected' && outcome.reason instanceof assert.AssertionError)
      throw outcome.reason;
  }
}

test(`kill -9 under load, ${ROUNDS} times: nothing lost, nothing doubled, no head contradicted`, async (t) => {
  const data = join(folder, 'log');
  const { vkey, token } = await init(data);
  const verifier = ed25519Verifier(parseVkey(vkey), nodeEd25519);
  const oracle: Oracle = { acknowledged: new Map(), heads: new Set(), sent: new Set(), published: 0 };
  const port = 20_000 + (process.pid % 20_000);
  for (let round = 0; round < ROUNDS; round++) {
    const child = await serve(data, port);
    const gone = once(child, 'close');
    const killed = load(port, token, round, oracle);
    // From the very first request to well into the load.
    await new Promise((resolve) => setTimeout(resolve, (round * 61) % 400));
    child.kill('SIGKILL');
    await gone;
    await killed;
  }

  const child = await serve(data, port);
  const source = httpSource(`http://127.0.0.1:${port}`);
  const seen = [...oracle.heads].map((note) => openCheckpoint(Buffer.from(note), [verifier], ORIGIN));
  // What was acknowledged is published a moment after the start, with what was signed before.
  let least = 0;
  for (const { size } of seen) least = Math.max(least, size);
  for (const index of oracle.acknowledged.values()) least = Math.max(least, index + 1);
  for (const endMs = performance.now() + 10_000; performance.now() < endMs;) {
    if ((await fetchCheckpoint(source, [verifier], ORIGIN)).size >= least) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const report = await fsck(source, { verifiers: [verifier], origin: ORIGIN });
  assert.deepEqual(report.findings, []);
  const { size } = await fetchCheckpoint(source, [verifier], ORIGIN);

  const rootAt = new Map<number, Uint8Array>();
  const wanted = new Set(seen.map((head) => head.size));
  const range = new CompactRange();
  if (wanted.has(0)) rootAt.set(0, range.root());
  const indexes = new Map<string, number>();
  for (let bundle = 0; bundle * 256 < size; bundle++) {
    const width = tileWidth(0, bundle, size);
    const bytes = await source.read(formatTilePath({ kind: 'entries', index: bundle, width }));
    for (const entry of parseEntries(bytes!, width)) {
      const text = decodeUtf8(entry);
      assert.ok(oracle.sent.has(text), 'an entry that nobody sent');
      assert.ok(!indexes.has(text), 'an entry stands twice');
      indexes.set(text, range.size);
      range.append(hashLeaf(entry));
      if (wanted.has(range.size)) rootAt.set(range.size, range.root());
    }
  }
  for (const [entry, index] of oracle.acknowledged)
    assert.equal(indexes.get(entry), index, 'an acknowledged entry is lost');
  for (const head of seen) {
    assert.ok(head.size <= size, 'a head that was shown is lost');
    assert.ok(equalBytes(rootAt.get(head.size)!, head.root), 'a head that was shown is contradicted');
  }
  assert.ok(oracle.acknowledged.size > ROUNDS * 5, 'there was load');
  t.diagnostic(`${oracle.acknowledged.size} acknowledged of ${size} in the log, ${seen.length} heads seen`);

  const closed = once(child, 'close');
  child.kill('SIGTERM');
  assert.deepEqual((await closed)[0], 0);
  agent.destroy();
});
