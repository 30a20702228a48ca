/**
 * The README is run: its `sh` and `ts` blocks, in order, in one shell in an empty folder, against a log that its own
 * first command started. `npm ci` and `npm test` are what brought us here, and are not run again.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '..');
const MAIN = join(ROOT, 'src/cli/main.ts');
const TSX = join(ROOT, 'node_modules/tsx/dist/loader.mjs');

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
  // What `npm ci` makes of a clone: `newel` as a command and as a package, here from the sources.
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
  mkdirSync(join(folder, 'node_modules/newel'));
  const main = `#!/bin/sh\nexec ${process.execPath} --import ${TSX} ${MAIN} "$@"\n`;
  writeFileSync(join(folder, 'node_modules/.bin/newel'), main, { mode: 0o755 });
  const packageJson = { name: 'newel', type: 'module', exports: './index.ts' };
  writeFileSync(join(folder, 'node_modules/newel/package.json'), JSON.stringify(packageJson));
  writeFileSync(
    join(folder, 'node_modules/newel/index.ts'),
    `export * from '${join(ROOT, 'src/client/index.ts')}';\n`,
  );
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  symlinkSync(join(ROOT, 'node_modules/tsx'), join(folder, 'node_modules/tsx'));
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
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  assert.equal(scripts.start, 'node dist/cli/main.js dev');
});

test('every other block of it runs, in order', { timeout: 120_000 }, async (t) => {
  if (process.platform === 'win32') return t.skip('the blocks are for a POSIX shell');
  log = spawn(process.execPath, ['--import', TSX, MAIN, 'dev'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await started(log);
  assert.ok(existsSync(join(folder, 'data/client.json')));

  let script = 'set -eu\n';
  let snippets = 0;
  for (const { language, text } of blocks.slice(2)) {
    assert.ok(language === 'sh' || language === 'ts', `a block of ${language} is not run`);
    if (language === 'sh') {
      script += text;
    } else {
      const file = `snippet-${++snippets}.ts`;
      writeFileSync(join(folder, file), text);
      script += `node --import tsx ${file}\n`;
    }
  }
  const output = execFileSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8', timeout: 100_000 });
  assert.match(output, /^0\nlocalhost\/dev\n1\n/, 'the first entry has index 0, and is in the checkpoint');
  assert.match(output, /entry 0 is in the tree of 1 that localhost\/dev signed/);
  assert.match(output, /"leaf_index":1/);

  const proof = readFileSync(join(folder, 'hello.tlog-proof'), 'utf8');
  writeFileSync(join(folder, 'hello.tlog-proof'), proof.replace('index 0', 'index 1'));
  assert.throws(() =>
    execFileSync('sh', ['-c', 'node --import tsx snippet-1.ts'], { cwd: folder, stdio: 'pipe' }),
  );
});

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
