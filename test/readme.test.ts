/**
 * The README is run: its `sh` blocks, in order, in one shell, against a log that its own first command started. A `ts`
 * block is saved as the file that its first line names. The folder is what `npm ci` makes of a clone: package.json,
 * what it is built to, and node_modules. `npm ci` and `npm test` are what brought us here, and are not run again.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { build as bundle } from 'esbuild';
import { encodeUtf8 } from '../src/formats/text.ts';
import { isQuorumMet, parsePolicy } from '../src/formats/tlog-policy.ts';
import { runCli } from './support/cli.ts';
import { tempFolder } from './support/temp-folder.ts';

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

/** What npx does where a command is in the folder. It takes as long to start as all that it would start here. */
const NPX = '#!/bin/sh\ncommand=$1\nshift\nexec "node_modules/.bin/$command" "$@"\n';

/** The log of the README, where the port is free. */
const URL_LINE = 'url=http://127.0.0.1:8080';

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
  // The rest of what `npm run build` makes: the pages' scripts.
  await bundle({
    entryPoints: ['page', 'pack-page'].map((name) => join(ROOT, `src/client/${name}.ts`)),
    outdir: join(folder, 'dist/client'),
    outExtension: { '.js': '.min.js' },
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    logLevel: 'silent',
  });
  const main = `#!/bin/sh\nexec '${process.execPath}' '${join(folder, packageJson.bin.newel)}' "$@"\n`;
  mkdirSync(join(folder, 'node_modules/.bin'));
  symlinkSync(join(ROOT, 'node_modules/.bin/tsx'), join(folder, 'node_modules/.bin/tsx'));
  cpSync(join(ROOT, 'spec/examples'), join(folder, 'spec/examples'), { recursive: true });
  writeFileSync(join(folder, 'node_modules/.bin/newel'), main, { mode: 0o755 });
  cpSync(join(ROOT, '.gitignore'), join(folder, '.gitignore'));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/npx'), NPX, { mode: 0o755 });
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

test('the guides of a witness operator and of a monitor are five commands each', () => {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  for (const who of ['witness', 'monitor']) {
    const [, guide] = new RegExp(`^## For the ${who}\n(.*?)^## `, 'ms').exec(text) ?? [];
    const [first, second] = [...(guide ?? '').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, lines]) => lines!);
    assert.equal(first, `${URL_LINE}\n`, who);
    assert.equal(second!.trimEnd().split('\n').length, 5, who);
  }
});

test('every other block of it runs, in order', { timeout: 400_000 }, async (t) => {
  if (process.platform === 'win32') return t.skip('the blocks are for a POSIX shell');
  log = spawn(process.execPath, ['dist/cli/main.js', 'dev'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await started(log);
  const client = JSON.parse(readFileSync(join(folder, 'data/client.json'), 'utf8')) as { url: string };
  sh('git init --quiet');
  const untracked = (): string => sh('git status --porcelain --untracked-files=all');
  const own = untracked();
  assert.match(own, /^\?\? package\.json$/m);

  const files: string[] = [];
  let script = "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n";
  for (const { language, text } of blocks.slice(2)) {
    if (language === 'ts') {
      const [, file] = /^\/\/ (\w+\.ts)\n/.exec(text) ?? [];
      assert.ok(file, 'a ts block begins with the name of its file');
      writeFileSync(join(folder, file), text);
      files.push(file);
    } else {
      assert.equal(language, 'sh', 'a block of another language is not run');
      script += text.replaceAll(URL_LINE, `url=${client.url}`);
    }
  }
  assert.deepEqual(files, ['submit.ts']);
  const output = sh(script);
  assert.equal(untracked(), own, 'nothing that the README makes is there to be committed');
  assert.match(output, /^✔ evt_\S+\.receipt\.json {2}leaf 1 of localhost\/dev, signed$/m);
  assert.match(output, /^✔ receipt of evt_\S+ \(stepup\.completed, .* UTC\)\n {2}statement {3}✔ signed by/m);
  const forged =
    /^✘ receipt of [^✔✘]*\n {2}statement {3}✔ .*\n {2}leaf {8}✘ .*\n {2}inclusion {3}✘ .*\n {2}checkpoint {2}✔ /m;
  assert.match(output, forged, 'the changed line is the one that fails');
  assert.match(output, /^exit code 1$/m);
  assert.match(output, /^leaf 3 of 4, signed$/m, 'submit.ts');
  assert.match(output, /^localhost\/dev\n\d+\n\S+=\n\n— localhost\/dev /m, 'the checkpoint');
  const cosigned = /^— witness\.example\/w1 \S{100,}$/gm;
  assert.ok(output.match(cosigned)!.length >= 4, 'a line of each key of the witness, and its own endpoint');
  assert.match(output, /^✔ localhost\/dev {2}11 leaves, .*every entry is verified$/m);
  assert.match(output, /^✔ localhost\/dev {2}14 leaves, .*every entry is verified$/m, 'beside the witness');
  assert.equal(readdirSync(join(folder, 'receipts')).length, 10);
  const report = readFileSync(join(folder, 'report.ndjson'), 'utf8').trimEnd().split('\n');
  assert.equal(report.length, 10);
  assert.ok(report.every((line) => (JSON.parse(line) as { ok: boolean }).ok));

  assert.match(
    output,
    /^✔ pack {2}10 events of localhost\/dev for https:\/\/auditor\.example, nonce q3-2026$/m,
  );
  const { items } = JSON.parse(readFileSync(join(folder, 'found.json'), 'utf8')) as {
    items: { event: { outcome: string } }[];
  };
  assert.deepEqual([items.length, items[0]?.event.outcome], [1, 'failure']);
  assert.match(output, /^2 events would be erased$/m);
  assert.match(output, /^accepted as era_[\w-]{22}/m);

  // "Change another one, in the statement or in the checkpoint, and another line fails."
  const receipt = readFileSync(join(folder, 'mine.receipt.json'), 'utf8');
  const { statement } = JSON.parse(receipt) as { statement: string };
  const changes: [from: string, to: string, fails: RegExp][] = [
    [statement, statement.replace('.', 'A.'), /statement {3}✘/],
    [statement, statement.replace('~', 'A~'), /statement {3}✘/],
    [String.raw`\nlocalhost/dev\n`, String.raw`\nlocalhost/def\n`, /checkpoint {2}✘/],
  ];
  for (const [from, to, fails] of changes) {
    assert.ok(receipt.includes(from), from);
    writeFileSync(join(folder, 'changed.json'), receipt.replace(from, to));
    assert.throws(
      () => sh('npx newel verify changed.json'),
      (error) => {
        assert.ok(error instanceof Error && 'stdout' in error);
        assert.match(String(error.stdout), fails);
        return true;
      },
    );
  }
});

test('the quorum that it gives an operator is one of what witnesses print', async (t) => {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, group, quorum] = /\(`(group two 2 [^`]+)`, `(quorum two)`\)/.exec(text)!;
  const cwd = await tempFolder(t);
  const lines: string[] = [];
  for (const name of ['w1', 'w2', 'w3']) {
    const args = ['witness', 'init', '--data', name, '--name', `witness.example/${name}`];
    assert.equal((await runCli(args, { cwd })).code, 0);
    lines.push(readFileSync(join(cwd, name, 'policy'), 'utf8'));
  }
  const policy = parsePolicy(encodeUtf8(`${lines.join('')}${group}\n${quorum}\n`));
  const keyOf = (name: string): string => policy.witnesses.find((one) => one.name.startsWith(name))!.name;
  const met = (...names: string[]): boolean => isQuorumMet(policy, new Set(names.map(keyOf)));
  assert.deepEqual(
    [met('witness.example/w1', 'witness.example/w3'), met('witness.example/w2')],
    [true, false],
  );
});

/** What a shell in the folder prints. Throws, with what is on stderr, where it fails. */
function sh(script: string): string {
  return execFileSync('sh', ['-c', script], {
    cwd: folder,
    env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}` },
    encoding: 'utf8',
    timeout: 300_000,
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
