/**
 * The README is run: its `sh` blocks, in order, in one shell, against a log that its own first command started. A `js`
 * block is saved as the file that its first line names. The folder is what `npm ci` makes of a clone: package.json,
 * what it is built to, and node_modules. `npm ci` and `npm test` are what brought us here, and are not run again.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '..');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  name: string;
  version: string;
  type: string;
  exports: unknown;
  bin: { newel: string };
  dependencies: Record<string, string>;
  scripts: { start: string };
};

interface Block {
  readonly language: string;
  readonly text: string;
}

const blocks: Block[] = [
  ...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^```(\w+)\n(.*?)^```$/gms),
].map(([, language, text]) => ({ language: language!, text: text! }));

let folder: string;
let log: ChildProcess | undefined;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newel-readme-'));
  // Without scripts and bin: npx would build a clone first, and the command is put in place below.
  const { name, version, type, exports, dependencies } = packageJson;
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, type, exports }));
  for (const dependency of Object.keys(dependencies)) {
    const link = join(folder, 'node_modules', dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', dependency), link);
  }
  const build = [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')];
  execFileSync(process.execPath, build, { stdio: 'pipe' });
  const main = `#!/bin/sh\nexec '${process.execPath}' '${join(folder, packageJson.bin.newel)}' "$@"\n`;
  mkdirSync(join(folder, 'node_modules/.bin'));
  writeFileSync(join(folder, 'node_modules/.bin/newel'), main, { mode: 0o755 });
});

after(async () => {
  if (log && log.exitCode === null) {
    const closed = new Promise((resolve) => log!.once('close', resolve));
    log.kill('SIGTERM');
    await closed;
  }
  await rm(folder, { recursive: true, force: true });
});

test('the README begins with the command that runs it, and the one that tests it', () => {
  assert.deepEqual(blocks.slice(0, 2), [
    { language: 'sh', text: 'npm ci && npm start\n' },
    { language: 'sh', text: 'npm test\n' },
  ]);
  assert.equal(packageJson.scripts.start, 'node dist/cli/main.js dev');
});

test('every other block of it runs, in order', { timeout: 120_000 }, async (t) => {
  if (process.platform === 'win32') return t.skip('the blocks are for a POSIX shell');
  log = spawn(process.execPath, ['dist/cli/main.js', 'dev'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await started(log);
  assert.ok(existsSync(join(folder, 'data/client.json')));

  const files: string[] = [];
  let script = 'set -eu\n';
  for (const { language, text } of blocks.slice(2)) {
    if (language === 'js') {
      const [, file] = /^\/\/ (\w+\.mjs)\n/.exec(text) ?? [];
      assert.ok(file, 'a js block begins with the name of its file');
      writeFileSync(join(folder, file), text);
      files.push(file);
    } else {
      assert.equal(language, 'sh', 'a block of another language is not run');
      script += text;
    }
  }
  assert.deepEqual(files, ['check.mjs']);
  const output = sh(script);
  assert.match(output, /^0\nlocalhost\/dev\n1\n/, 'the first entry has index 0, and is in the checkpoint');
  assert.match(output, /^entry 0 is in the tree of 1 that localhost\/dev signed$/m);
  assert.match(output, /"leaf_index":1/);

  // "Change one character of it and run it again", in each kind of line that there is.
  const path = join(folder, 'hello.tlog-proof');
  const proof = readFileSync(path, 'utf8');
  const changes: [from: string, to: string, says: RegExp][] = [
    ['index 0', 'index 1', /NewelError: leaf 1 is not in a tree of size 1/],
    ['localhost/dev', 'localhost/def', /NewelError: note has a false signature/],
    ['\n1\n', '\n2\n', /NewelError: note has a false signature/],
  ];
  for (const [from, to, says] of changes) {
    assert.ok(proof.includes(from), from);
    writeFileSync(path, proof.replace(from, to));
    assert.throws(() => sh('node check.mjs'), says, to);
  }
  writeFileSync(path, proof);
  assert.match(sh('node check.mjs'), /^entry 0 is in the tree/);
});

/** What a shell in the folder prints. Throws, with what is on stderr, where it fails. */
function sh(script: string): string {
  return execFileSync('sh', ['-c', script], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 100_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Resolves when all six lines are printed. */
function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.split('\n').length > 6) resolve();
    });
    child.once('close', (code) => reject(new Error(`newel dev ended with ${code}: ${text}`)));
  });
}
