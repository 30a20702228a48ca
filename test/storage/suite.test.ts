import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import { openLevelStore } from '../../src/storage/level.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Store } from '../../src/storage/store.ts';
import { storeContract } from '../../src/storage/suite.ts';
import { FaultyStore } from '../support/faulty-store.ts';

let folder: string;
let opened = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newel-store-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const stores: Record<string, () => Promise<Store>> = {
  LevelDB: () => openLevelStore(join(folder, `db${opened++}`), { create: true }),
  memory: async () => new MemoryStore(),
  'faulty, without a fault': async () => new FaultyStore(new MemoryStore()),
};

for (const [name, open] of Object.entries(stores)) {
  describe(`Store: ${name}`, () => {
    for (const { name: promise, run } of storeContract) test(promise, () => run(open));
  });
}

describe('openLevelStore', () => {
  test('a missing database is never made by opening it', async () => {
    const missing = join(folder, 'missing');
    await assert.rejects(openLevelStore(missing, { create: false }), { code: 'log_missing' });
    assert.ok(!(await readdir(folder)).includes('missing'));
  });

  test('an existing database is never made again', async () => {
    const path = join(folder, 'once');
    await (await openLevelStore(path, { create: true })).close();
    await assert.rejects(openLevelStore(path, { create: true }), { code: 'log_exists' });
  });

  test('one process, one opener', async () => {
    const path = join(folder, 'shared');
    const store = await openLevelStore(path, { create: true });
    await assert.rejects(openLevelStore(path, { create: false }), (error) => {
      return error instanceof NewelError && error.code === 'log_in_use';
    });
    await store.close();
    await (await openLevelStore(path, { create: false })).close();
  });

  test('what was committed is there after reopening', async () => {
    const path = join(folder, 'again');
    const put = { key: Uint8Array.of(1), value: Uint8Array.of(2) };
    const store = await openLevelStore(path, { create: true });
    await store.commit({ puts: [put] });
    await store.close();
    const again = await openLevelStore(path, { create: false });
    assert.deepEqual([...(await again.getMany([put.key]))[0]!], [2]);
    await again.close();
  });
});

describe('FaultyStore', () => {
  test('fails once, having written or not', async () => {
    const store = new FaultyStore(new MemoryStore());
    const put = (n: number) => ({ puts: [{ key: Uint8Array.of(n), value: Uint8Array.of(n) }] });
    store.failNext('not persisted');
    await assert.rejects(store.commit(put(1)));
    store.failNext('persisted', 1);
    await store.commit(put(2));
    await assert.rejects(store.commit(put(3)));
    await store.commit(put(4));
    const found = await store.getMany([1, 2, 3, 4].map((n) => Uint8Array.of(n)));
    assert.deepEqual(
      found.map((value) => value !== undefined),
      [false, true, true, true],
    );
  });
});
