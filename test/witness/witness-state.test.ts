import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import { openLevelStore } from '../../src/storage/level.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Row, Store } from '../../src/storage/store.ts';
import { COMMITS, hashOrigin, type WitnessIdentity } from '../../src/witness/witness-rows.ts';
import { createWitnessState, openWitnessState, type WitnessState } from '../../src/witness/witness-state.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { parseWal, walPath } from '../support/wal.ts';
import { WitnessedLog } from '../support/witnessed-log.ts';

const IDENTITY: WitnessIdentity = { name: 'witness.example/w1', instance: '5'.repeat(32) };
const bank = new WitnessedLog();
const shop = new WitnessedLog('log.example/shop');

/** As if each size of the log had been cosigned. */
async function record(state: WitnessState, log: WitnessedLog, size: number, extensions = ''): Promise<void> {
  await state.record(hashOrigin(log.origin), {
    timeS: 1_700_000_000 + size,
    note: log.note(size, { extensions }),
  });
}

const commitsOf = (store: Store): Promise<Row[]> => store.scan({ ...COMMITS, limit: 100_000 });
const numberOf = ({ key }: Row): number => Buffer.from(key).readUInt32BE(5);

test('the rows of old commits are taken out once no write-ahead log has them, and what is left is whole', async () => {
  const store = new MemoryStore();
  await createWitnessState(store, IDENTITY);
  let state = await openWitnessState(store, IDENTITY);
  await record(state, shop, 1);
  const extensions = `${'x'.repeat(240_000)}\n`;
  for (let size = 1; size <= 150; size++) await record(state, bank, size, extensions);
  const rows = await commitsOf(store);
  // 24 MiB are some 104 of them.
  assert.ok(rows.length > 100 && rows.length < 110, `${rows.length} rows`);
  assert.deepEqual([numberOf(rows[0]!), numberOf(rows.at(-1)!)], [152 - rows.length, 151]);

  await state.close();
  state = await openWitnessState(store, IDENTITY);
  assert.deepEqual([state.commits, state.origins], [151, 2]);
  await record(state, bank, 151);
  assert.equal(
    (await commitsOf(store)).length,
    rows.length + 1,
    'after an opening nobody knows what a log has',
  );
  const read = await state.read(hashOrigin(bank.origin));
  assert.deepEqual([read?.size, read?.commit, read?.timeS], [151, 152, 1_700_000_151]);
  await state.close();
  await store.commit({ puts: [], deletes: [rows[0]!.key] });
  await assert.rejects(openWitnessState(store, IDENTITY), /commit \d+ is missing/);
});

test('what LevelDB loses of a damaged write-ahead log without a word is found at the opening', async (t) => {
  const folder = join(await tempFolder(t), 'db');
  const store = await openLevelStore(folder, { create: true });
  await createWitnessState(store, IDENTITY);
  const state = await openWitnessState(store, IDENTITY);
  for (let size = 1; size <= 200; size++) await record(state, size % 3 === 0 ? shop : bank, size);
  await state.close();
  await store.close();

  const path = await walPath(folder);
  const bytes = await readFile(path);
  const records = parseWal(bytes);
  assert.ok(records.length >= 200);
  const [fragment] = records[40]!.fragments;
  bytes[fragment!.from + 20]! ^= 1;
  await writeFile(path, bytes);

  const damaged = await openLevelStore(folder, { create: false });
  t.after(() => damaged.close());
  await assert.rejects(
    openWitnessState(damaged, IDENTITY),
    (error) =>
      error instanceof NewelError && error.code === 'log_refused' && /is missing|older/.test(error.message),
  );
});

test('after a failed commit nothing is written any more', async () => {
  const store = new MemoryStore();
  await createWitnessState(store, IDENTITY);
  let commits = 0;
  const failing: Store = {
    commit: () => {
      commits += 1;
      return Promise.reject(new Error('no space'));
    },
    getMany: (keys) => store.getMany(keys),
    scan: (range) => store.scan(range),
    compact: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  const state = await openWitnessState(failing, IDENTITY);
  const isFailed = (error: unknown): boolean =>
    error instanceof NewelError && error.code === 'storage_failed';
  await Promise.all([
    assert.rejects(record(state, bank, 1), isFailed),
    assert.rejects(record(state, shop, 1), isFailed),
  ]);
  await assert.rejects(record(state, bank, 2), isFailed);
  assert.equal(commits, 1);
});
