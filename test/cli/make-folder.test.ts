/** A folder that cannot be made: said at once, in words, by every command that makes one. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDataFolder } from '../../src/cli/make-folder.ts';
import { runCli } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';

const MONITOR = ['monitor', '--log', 'http://127.0.0.1:1', '--vkey', makeTestReceipt().vkey, '--once'];

test('a file of that name, or on the way to it', async (t) => {
  const cwd = await tempFolder(t);
  await writeFile(join(cwd, 'file'), '');
  for (const data of ['file', 'file/below']) {
    const path = join(cwd, data);
    const words = `${path} cannot be a folder, for there is a file of that name or on the way to it: give another as --data`;
    await assert.rejects(makeDataFolder(path), { code: 'usage', message: words });
    const { code, out, err } = await runCli([...MONITOR, '--data', data], { cwd });
    assert.deepEqual([code, out], [2, '']);
    assert.ok(err.startsWith(`newel: ${words}`), err);
  }
});

test('a place where nothing can be made', async (t) => {
  if (process.platform !== 'linux') return t.diagnostic('no /proc here');
  const cwd = await tempFolder(t);
  for (const args of [
    ['init', '--origin', 'log.example/a'],
    ['witness', 'init', '--name', 'witness.example/a'],
    MONITOR,
  ]) {
    const { code, out, err } = await runCli([...args, '--data', '/proc/nope/x'], { cwd });
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, /^newel: the folder \/proc\/nope\/x cannot be made: give another as --data, /);
  }
});
