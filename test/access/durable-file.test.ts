import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFile, editFile } from '../../src/access/durable-file.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('a file is made 0600, once', async (t) => {
  const path = join(await tempFolder(t), 'secret');
  await createFile(path, 'one\n');
  assert.equal(await readFile(path, 'utf8'), 'one\n');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await assert.rejects(createFile(path, 'two\n'), { code: 'log_exists' });
  assert.equal(await readFile(path, 'utf8'), 'one\n');
});

test('an edit replaces the file by another one, and sees what was there', async (t) => {
  const path = join(await tempFolder(t), 'list');
  const seen: (string | undefined)[] = [];
  for (const text of ['one\n', 'two\n']) {
    await editFile(path, (before) => {
      seen.push(before);
      return text;
    });
  }
  assert.deepEqual(seen, [undefined, 'one\n']);
  const { ino } = await stat(path);
  await editFile(path, () => 'three\n');
  assert.notEqual((await stat(path)).ino, ino);
  assert.equal(await readFile(path, 'utf8'), 'three\n');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test('an edit that throws changes nothing and leaves nothing behind', async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 'list');
  await createFile(path, 'one\n');
  const failure = new Error('no');
  await assert.rejects(
    editFile(path, () => {
      throw failure;
    }),
    failure,
  );
  assert.equal(await readFile(path, 'utf8'), 'one\n');
  assert.deepEqual(await readdir(folder), ['list']);
});

test('an edit that was interrupted is in the way of the next one, which says so', async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 'list');
  await createFile(path, 'one\n');
  await writeFile(`${path}.new`, 'tw');
  await assert.rejects(
    editFile(path, () => 'three\n'),
    { code: 'log_in_use', message: /remove .*list\.new/ },
  );
  assert.equal(await readFile(path, 'utf8'), 'one\n');
  assert.equal(await readFile(`${path}.new`, 'utf8'), 'tw');
});
