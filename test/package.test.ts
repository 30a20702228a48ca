/** What is published, installed into an empty project: every entry point loads, the command runs, the page's script is there. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { Script } from 'node:vm';

const ROOT = resolve(import.meta.dirname, '..');
const SCRIPT = `
import { verifyInclusion, openCheckpoint, httpSource } from 'newel';
import { FileReceiptStore } from 'newel/node';
import { openLog, createApp, MemoryStore } from 'newel/server';
import { parseVkey } from 'newel/formats/vkey';
import manifest from 'newel/package.json' with { type: 'json' };
const values = [verifyInclusion, openCheckpoint, httpSource, FileReceiptStore, openLog, createApp, MemoryStore, parseVkey];
for (const value of values) {
  if (typeof value !== 'function') throw new Error('not a function');
}
console.log(manifest.name);
`;
/** What verifies receipts in the landing page, bundled by the build. */
const PAGE_SCRIPT = 'client/page.min.js';

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

test('npm pack, installed into an empty project', { timeout: 180_000 }, (t) => {
  const built = ['cli/main.js', 'node.js', PAGE_SCRIPT].map((path) => join(ROOT, 'dist', path));
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
  const page = readFileSync(join(folder, 'node_modules/newel/dist', PAGE_SCRIPT), 'utf8');
  assert.ok(page.length > 10_000);
  assert.doesNotThrow(() => new Script(page));
  const shipped = npm(['ls', '--omit', 'dev', '--all', '--parseable'], folder).trim().split('\n').length - 2;
  t.diagnostic(`${shipped} packages come along`);
});
