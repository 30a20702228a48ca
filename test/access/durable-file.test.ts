import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFile, editFile, makeFolders } from '../../src/access/durable-file.ts';
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

test('a folder is made with the parents that it lacks, each 0700, and the first of them is told', async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 'a', 'b', 'c');
  assert.equal(await makeFolders(path), join(folder, 'a'));
  for (const made of ['a', 'a/b', 'a/b/c'])
    assert.equal((await stat(join(folder, made))).mode & 0o777, 0o700);
  assert.equal(await makeFolders(path), undefined);
  const both = await Promise.all([makeFolders(join(path, 'd/e')), makeFolders(join(path, 'd/e'))]);
  assert.ok(both.includes(join(path, 'd')));
});

test('a folder that cannot be made is said at once: where a file is in the way, or nothing can be made', async (t) => {
  const folder = await tempFolder(t);
  await writeFile(join(folder, 'file'), '');
  for (const name of ['file', 'file/below']) await assert.rejects(makeFolders(join(folder, name)));
  assert.deepEqual(await readdir(folder), ['file']);
  // It is there, and has no room for names.
  if (process.platform === 'linux') await assert.rejects(makeFolders('/proc/nope/x'), { code: 'ENOENT' });
});
