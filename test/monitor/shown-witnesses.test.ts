import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashBytes } from '../../src/core/hash.ts';
import { formatHex } from '../../src/formats/hex.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { ShownWitnesses } from '../../src/monitor/shown-witnesses.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { FaultyStore } from '../support/faulty-store.ts';

const ORIGIN = 'log.example/bank';
const URL = 'https://witness.example';
const ALL = { from: new Uint8Array(0), to: new Uint8Array(66).fill(0xff), limit: 100 };

test('what a witness has shown of one log is remembered of that log alone, in the row of spec/monitor.md', async () => {
  const store = new MemoryStore();
  const shown = await ShownWitnesses.open(store, ORIGIN, [URL]);
  assert.equal(shown.has(URL), false);
  await shown.add(URL, 0x0102030405);
  await shown.add(URL, 0x0607080900);
  assert.equal(shown.has(URL), true);
  const rows = (await store.scan(ALL)).map(({ key, value }) => [formatHex(key), formatHex(value)]);
  const hash = (text: string): string => formatHex(hashBytes(encodeUtf8(text)));
  assert.deepEqual(rows, [[`41${hash(ORIGIN)}${hash(URL)}`, '010000000102030405']]);
  const again = await ShownWitnesses.open(store, ORIGIN, ['https://other.example', URL]);
  assert.deepEqual([again.has(URL), again.has('https://other.example')], [true, false]);
  assert.equal((await ShownWitnesses.open(store, 'log.example/mint', [URL])).has(URL), false);
});

test('a damaged row is refused, and a write that failed is the last one', async () => {
  for (const value of [[], [1], [2, 0, 0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0]]) {
    const store = new MemoryStore();
    await (await ShownWitnesses.open(store, ORIGIN, [URL])).add(URL, 1);
    const [row] = await store.scan(ALL);
    await store.commit({ puts: [{ key: row!.key, value: Uint8Array.from(value) }] });
    await assert.rejects(ShownWitnesses.open(store, ORIGIN, [URL]), { code: 'storage_failed' });
  }
  const store = new FaultyStore(new MemoryStore());
  const shown = await ShownWitnesses.open(store, ORIGIN, [URL]);
  store.failNext('not persisted');
  for (let i = 0; i < 2; i++) await assert.rejects(shown.add(URL, 1), { code: 'storage_failed' });
  assert.deepEqual([store.commits, shown.has(URL)], [1, false]);
});
