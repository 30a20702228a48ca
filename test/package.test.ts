/** What is published, installed into an empty project: every entry point loads, and the command runs. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '..');
const SCRIPT = `
import { verifyInclusion, openCheckpoint, httpSource } from 'newel';
import { openLog, createApp, MemoryStore } from 'newel/server';
import { parseVkey } from 'newel/formats/vkey';
import manifest from 'newel/package.json' with { type: 'json' };
for (const value of [verifyInclusion, openCheckpoint, httpSource, openLog, createApp, MemoryStore, parseVkey]) {
  if (typeof value !== 'function') throw new Error('not a function');
}
console.log(manifest.name);
`;

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
  if (!existsSync(join(ROOT, 'dist/cli/main.js'))) npm(['run', 'build'], ROOT);
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
  const shipped = npm(['ls', '--omit', 'dev', '--all', '--parseable'], folder).trim().split('\n').length - 2;
  t.diagnostic(`${shipped} packages come along`);
});
