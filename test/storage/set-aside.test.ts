import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
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

test('a refused start that starts again makes no more of them, and the older one stays as it is', async () => {
  const path = await database('again');
  const first = await setAside(path);
  const files = await readdir(first.path);
  await (await openLevelStore(path, { create: false })).close();
  for (let i = 0; i < 3; i++) {
    const again = await setAside(path);
    assert.equal(again.path, first.path);
    await again.drop();
    await (await openLevelStore(path, { create: false })).close();
  }
  assert.deepEqual(await readdir(first.path), files);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('again.')),
    ['again.before-open'],
  );
});

test('what has something to lose is set aside beside the older one; what is proven drops them all', async () => {
  const path = await database('twice');
  const first = await setAside(path);
  const store = await openLevelStore(path, { create: false });
  await store.commit({ puts: [{ key: Uint8Array.of(77), value: Uint8Array.of(7) }] });
  await store.close();
  const before = await readFile(await walPath(path));
  await mkdir(`${path}.setting-aside-of-a-crash`);
  await mkdir(`${path}.dropping-of-a-crash`);
  const second = await setAside(path);
  assert.notEqual(second.path, first.path);
  await (await openLevelStore(path, { create: false })).close();
  assert.deepEqual(await readFile(await walPath(second.path)), before);
  await second.dropAll();
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('twice.')),
    [],
  );
});

test('many starts at once: each whole, none takes what another made', async () => {
  const path = await database('race');
  await mkdir(join(path, 'lost+found'));
  const files = (await readdir(path)).filter((name) => name !== 'LOCK' && name !== 'lost+found').toSorted();
  const asides = await Promise.all(Array.from({ length: 12 }, () => setAside(path)));
  for (const { path: kept } of asides) assert.deepEqual((await readdir(kept)).toSorted(), files);
  await Promise.all(asides.slice(1).map((aside) => aside.drop()));
  assert.deepEqual((await readdir(asides[0]!.path)).toSorted(), files);
  await asides[0]!.dropAll();
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('race.')),
    [],
  );
});
