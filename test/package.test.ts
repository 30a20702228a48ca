/** What is published, installed into an empty project: every entry point loads, the command runs, the page's script is there. */

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { Script } from 'node:vm';

const ROOT = resolve(import.meta.dirname, '..');
const SCRIPT = `
import { verifyInclusion, openCheckpoint, httpSource } from 'newel';
import { FileReceiptStore } from 'newel/node';
import { openLog, createApp, MemoryStore } from 'newel/server';
import { openWitness, createWitnessApp } from 'newel/witness';
import { parseVkey } from 'newel/formats/vkey';
import manifest from 'newel/package.json' with { type: 'json' };
const values = [verifyInclusion, openCheckpoint, httpSource, FileReceiptStore, openLog, createApp, MemoryStore, openWitness, createWitnessApp, parseVkey];
for (const value of values) {
  if (typeof value !== 'function') throw new Error('not a function');
}
console.log(manifest.name);
`;
/** What verifies receipts in the landing page, and a pack in its own page, bundled by the build. */
const PAGE_SCRIPTS = ['client/page.min.js', 'client/pack-page.min.js'];

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newel-package-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** `npm` as it stands beside this node, on every platform. */
function npm(args: readonly string[], cwd: string): string {
  return execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    stdio: 'pipe',
    shell: process.platform === 'win32',
  });
}

test('npm pack, installed into an empty project', { timeout: 400_000 }, async (t) => {
  const built = ['cli/main.js', 'node.js', ...PAGE_SCRIPTS].map((path) => join(ROOT, 'dist', path));
  if (!built.every((path) => existsSync(path))) npm(['run', 'build'], ROOT);
  npm(['pack', '--ignore-scripts', '--pack-destination', folder], ROOT);
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const project = { name: 'empty', private: true, type: 'module' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(project));
  try {
    npm(['install', '--prefer-offline', '--omit', 'dev', `./newel-${version}.tgz`], folder);
  } catch (error) {
    if (process.env['CI']) throw error;
    return t.skip('the packages that newel depends on cannot be had here');
  }
  writeFileSync(join(folder, 'use.mjs'), SCRIPT);
  assert.equal(execFileSync(process.execPath, ['use.mjs'], { cwd: folder, encoding: 'utf8' }), 'newel\n');
  const bin = join(folder, 'node_modules/newel/dist/cli/main.js');
  assert.match(execFileSync(process.execPath, [bin, '--version'], { encoding: 'utf8' }), new RegExp(version));
  // In one piece: a script that asked for another would not even compile as one.
  for (const script of PAGE_SCRIPTS) {
    const page = readFileSync(join(folder, 'node_modules/newel/dist', script), 'utf8');
    assert.ok(page.length > 10_000);
    assert.doesNotThrow(() => new Script(page));
  }
  const shipped = npm(['ls', '--omit', 'dev', '--all', '--parseable'], folder).trim().split('\n').length - 2;
  t.diagnostic(`${shipped} packages come along`);
  await takesManyAtOnce(t, folder, bin);
});

/** Events come at once, so that they are prepared in the thread that is there only in what is built. */
const LOAD = `
import { readFile } from 'node:fs/promises';
import { Newel, verifyReceipt } from 'newel';
const { url, token, trust } = JSON.parse(await readFile('data/client.json', 'utf8'));
const newel = new Newel({ url, token, trust });
const event = (i) => ({ timestamp: '2026-11-20T12:00:00Z', user_id: 'u' + (i % 7), event_type: 'step_up',
  trigger_reason: 'new_device', status: 'approved', id: 'event-' + i });
const leaves = new Set();
for (let round = 0; round < 5; round++) {
  const receipts = await Promise.all(Array.from({ length: 64 }, (_, i) => newel.submit(event(64 * round + i))));
  for (const receipt of receipts) leaves.add((await verifyReceipt(receipt, { trust })).leafIndex);
}
const bad = await Promise.allSettled(Array.from({ length: 32 }, (_, i) => newel.submit({ ...event(i), status: 'x' })));
console.log(leaves.size, bad.filter(({ reason }) => reason?.code === 'event_invalid').length);
`;

async function takesManyAtOnce(t: TestContext, cwd: string, bin: string): Promise<void> {
  const server = spawn(process.execPath, [bin, 'dev', '--listen', '127.0.0.1:0', '--log-level', 'debug'], {
    cwd,
  });
  t.after(() => server.kill('SIGKILL'));
  let said = '';
  server.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const threads = (): number => readdirSync(`/proc/${server.pid}/task`).length;
  await once(server.stdout, 'data');
  while (!existsSync(join(cwd, 'data/client.json'))) await new Promise((resolve) => setTimeout(resolve, 20));
  const before = process.platform === 'linux' ? threads() : 0;
  writeFileSync(join(cwd, 'load.mjs'), LOAD);
  const output = await promisify(execFile)(process.execPath, ['load.mjs'], { cwd });
  assert.equal(output.stdout, '320 32\n');
  if (process.platform === 'linux') assert.ok(threads() > before, 'there is a thread that prepares events');
  server.kill('SIGTERM');
  assert.deepEqual(await once(server, 'close'), [0, null], said);
  assert.doesNotMatch(said, /"level":"(error|fatal)"/);
}
