/**
 * The program as a process of its own starts it: bundled, once for a test file, with its threads beside it, as a package
 * has them. It starts in a fraction of the time that its sources take, which are loaded and translated file by file.
 */

import { copyFileSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';

const PROJECT = resolve(import.meta.dirname, '../..');
const ENTRIES = ['main', 'prepare-worker', 'mldsa-worker'];

let main: string | undefined;

/** The path of what `node` runs as `newel`; it is there until this process ends. */
export function builtProgram(): string {
  return (main ??= build());
}

/** In a folder like that of a package: the program looks for package.json and its packages above itself. */
function build(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'newel-program-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(join(PROJECT, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const outdir = join(folder, 'dist/cli');
  buildSync({
    entryPoints: ENTRIES.map((name) => join(PROJECT, `src/cli/${name}.ts`)),
    outdir,
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    keepNames: true,
    logLevel: 'silent',
  });
  return join(outdir, 'main.js');
}
