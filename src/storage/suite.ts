/**
 * The contract of a Store, as test cases for any runner: whoever writes another Store runs them on it.
 *
 *   for (const { name, run } of storeContract) test(name, () => run(openEmptyStore));
 */

import assert from 'node:assert/strict';
import { equalBytes } from '../core/bytes.ts';
import type { Row, Store } from './store.ts';

export interface ContractCase {
  readonly name: string;
  /** `open` gives a fresh, empty store at each call; the case closes it. */
  readonly run: (open: () => Promise<Store>) => Promise<void>;
}

export const storeContract: readonly ContractCase[] = [
  contract('what was committed is read back, what was not is undefined', async (store) => {
    await store.commit({ puts: [row('a', '1'), row('b', '2')] });
    assert.deepEqual(await values(store, 'a', 'x', 'b', 'a'), ['1', undefined, '2', '1']);
    assert.deepEqual(await store.getMany([]), []);
  }),
  contract('a later put replaces, a delete removes, deleting nothing is fine', async (store) => {
    await store.commit({ puts: [row('a', '1'), row('b', '2')] });
    await store.commit({ puts: [row('a', '3')], deletes: [key('b'), key('nothing')] });
    assert.deepEqual(await values(store, 'a', 'b'), ['3', undefined]);
  }),
  contract('of two puts of one key in a batch the later one counts', async (store) => {
    await store.commit({ puts: [row('a', '1'), row('b', '2'), row('a', '3')] });
    assert.deepEqual(await values(store, 'a', 'b'), ['3', '2']);
  }),
  contract('compacting a range changes nothing that can be read', async (store) => {
    await store.commit({ puts: [row('a', '1'), row('b', '2'), row('c', '3')] });
    await store.commit({ puts: [row('a', '4')], deletes: [key('b')] });
    await store.compact(key('a'), key('c'));
    assert.deepEqual(await values(store, 'a', 'b', 'c'), ['4', undefined, '3']);
  }),
  contract('an empty value is a value, and an empty batch is a batch', async (store) => {
    await store.commit({ puts: [row('a', '')] });
    await store.commit({ puts: [] });
    assert.deepEqual(await values(store, 'a'), ['']);
  }),
  contract('a batch is seen whole or not at all by reads that race it', async (store) => {
    await store.commit({ puts: [row('a', '0'), row('z', '0')] });
    const commits = Array.from({ length: 20 }, (_, i) => i + 1).map((i) => async () => {
      await store.commit({ puts: [row('a', `${i}`), row('z', `${i}`)] });
    });
    let running = true;
    const writer = commits.reduce((before, next) => before.then(next), Promise.resolve());
    const stop = writer.finally(() => {
      running = false;
    });
    for (; running;) {
      const [first, last] = await scan(store, { from: key('a'), to: key('zz'), limit: 10 });
      assert.equal(first?.[1], last?.[1]);
    }
    await stop;
    assert.deepEqual(await values(store, 'a', 'z'), ['20', '20']);
  }),
  contract('the caller may change its arrays once a commit has resolved', async (store) => {
    const put = { key: key('a'), value: key('before') };
    await store.commit({ puts: [put] });
    put.key.fill(0);
    put.value.fill(0);
    assert.deepEqual(await values(store, 'a'), ['before']);
  }),
  contract('keys sort as unsigned bytes, a prefix before what it begins', async (store) => {
    const keys = [[0x00], [0x7f], [0x7f, 0x00], [0x80], [0xff], [0xff, 0xff]].map((bytes) =>
      Uint8Array.from(bytes),
    );
    await store.commit({ puts: keys.toReversed().map((k) => ({ key: k, value: k })) });
    const all = { from: new Uint8Array(0), to: Uint8Array.of(0xff, 0xff, 0xff), limit: 100 };
    assert.deepEqual(
      (await store.scan(all)).map((r) => [...r.key]),
      keys.map((k) => [...k]),
    );
    const back = await store.scan({ ...all, reverse: true });
    assert.deepEqual(
      back.map((r) => [...r.key]),
      keys.toReversed().map((k) => [...k]),
    );
  }),
  contract('a scan begins at from, ends before to, and keeps its limit from either end', async (store) => {
    await store.commit({ puts: ['a', 'b', 'c', 'd'].map((k) => row(k, k)) });
    const range = { from: key('b'), to: key('d') };
    assert.deepEqual(await scan(store, { ...range, limit: 9 }), [
      ['b', 'b'],
      ['c', 'c'],
    ]);
    assert.deepEqual(await scan(store, { ...range, limit: 1 }), [['b', 'b']]);
    assert.deepEqual(await scan(store, { ...range, limit: 1, reverse: true }), [['c', 'c']]);
    assert.deepEqual(await scan(store, { from: key('d'), to: key('b'), limit: 9 }), []);
    assert.deepEqual(await scan(store, { from: key('x'), to: key('z'), limit: 9 }), []);
  }),
  contract('large values come back whole', async (store) => {
    const value = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 31) % 251);
    await store.commit({ puts: [{ key: key('large'), value }] });
    const [stored] = await store.getMany([key('large')]);
    assert.ok(stored && equalBytes(stored, value));
  }),
  {
    name: 'a closed store rejects everything',
    run: async (open) => {
      const store = await open();
      await store.commit({ puts: [row('a', '1')] });
      await store.close();
      await assert.rejects(store.commit({ puts: [row('b', '2')] }));
      await assert.rejects(async () => store.getMany([key('a')]));
      await assert.rejects(async () => store.scan({ from: key('a'), to: key('b'), limit: 1 }));
    },
  },
];

function contract(name: string, body: (store: Store) => Promise<void>): ContractCase {
  return {
    name,
    run: async (open) => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    },
  };
}

function key(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function row(k: string, value: string): Row {
  return { key: key(k), value: key(value) };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

async function values(store: Store, ...keys: string[]): Promise<(string | undefined)[]> {
  return (await store.getMany(keys.map(key))).map((value) => value && text(value));
}

async function scan(store: Store, range: Parameters<Store['scan']>[0]): Promise<[string, string][]> {
  return (await store.scan(range)).map((r): [string, string] => [text(r.key), text(r.value)]);
}
