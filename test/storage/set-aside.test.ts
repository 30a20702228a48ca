import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openLevelStore } from '../../src/storage/level.ts';
import { setAside } from '../../src/storage/set-aside.ts';
import { walPath } from '../support/wal.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newel-aside-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function database(name: string): Promise<string> {
  const path = join(folder, name);
  const store = await openLevelStore(path, { create: true });
  for (let i = 0; i < 20; i++) {
    await store.commit({ puts: [{ key: Uint8Array.of(i), value: new Uint8Array(1000).fill(i) }] });
  }
  await store.close();
  return path;
}

test('what opening deletes is still there, byte for byte, until it is dropped', async () => {
  const path = await database('kept');
  const log = await walPath(path);
  const before = await readFile(log);
  const aside = await setAside(path);
  assert.ok(aside.isNew);
  const store = await openLevelStore(path, { create: false });
  assert.ok(!(await readdir(path)).includes(log.slice(path.length + 1)), 'LevelDB has deleted its log');
  await store.commit({ puts: [{ key: Uint8Array.of(99), value: Uint8Array.of(1) }] });
  await store.close();
  assert.deepEqual(await readFile(await walPath(aside.path)), before);
  const copy = await openLevelStore(aside.path, { create: false });
  assert.equal((await copy.getMany([Uint8Array.of(19)]))[0]?.length, 1000);
  await copy.close();
  await aside.drop();
  await aside.drop();
  assert.ok(!(await readdir(folder)).includes('kept.before-open'));
});

test('an older one stays, and is not added to', async () => {
  const path = await database('twice');
  const first = await setAside(path);
  const files = await readdir(first.path);
  await (await openLevelStore(path, { create: false })).close();
  const second = await setAside(path);
  assert.equal(second.isNew, false);
  assert.equal(second.path, first.path);
  assert.deepEqual(await readdir(first.path), files);
});
