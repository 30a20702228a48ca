import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryStore } from '../../src/storage/memory.ts';
import { ErasureList } from '../../src/vault/erasure-list.ts';
import { type ErasureRow, ErasureRows, newErasureId } from '../../src/vault/erasure-row.ts';
import { Sealing } from '../../src/vault/states.ts';
import { TEST_TIME_MS } from '../support/test-log.ts';
import { until } from '../support/until.ts';
import { erasing, erasureIn, eventOf, openCrashVault } from '../support/vault-crash.ts';
import { WatchedStore } from '../support/watched-store.ts';

const ERASURES = 0x8b;
const STATES = ['done', 'compacting', 'erasing', 'failed'] as const;

function rowOf(requestedTimeMs: number, state: ErasureRow['state'] = 'done'): ErasureRow {
  return {
    erasureId: newErasureId(),
    reason: 'other',
    requestedBy: 'operator',
    requestedTimeMs,
    scope: { leafIndexes: [1] },
    state,
    events: 1,
    erased: 1,
    slices: [[0, 0]],
    epoch: 1,
    doneTimeMs: undefined,
    failure: undefined,
  };
}

/** With erasures of all states, of which some were asked for in the same millisecond. */
async function fill(count: number): Promise<{ store: WatchedStore; rows: ErasureRows; all: ErasureRow[] }> {
  const store = new WatchedStore(new MemoryStore());
  const rows = new ErasureRows(store, new Sealing(new Uint8Array(32).fill(7)));
  const all = Array.from({ length: count }, (_, i) =>
    rowOf(TEST_TIME_MS + Math.floor(i / 3), STATES[i % STATES.length]),
  );
  await store.commit({ puts: all.map((row) => rows.row(row)) });
  return { store, rows, all };
}

function idsOf(rows: readonly { readonly erasureId: string }[]): string[] {
  return rows.map(({ erasureId }) => erasureId);
}

async function readAll(list: ErasureList, limit: number): Promise<ErasureRow[]> {
  const seen: ErasureRow[] = [];
  let cursor: string | undefined;
  do {
    const page = await list.page({ limit, ...(cursor === undefined ? {} : { cursor }) });
    assert.ok(page.erasures.length <= limit);
    seen.push(...page.erasures);
    cursor = page.next;
  } while (cursor !== undefined);
  return seen;
}

describe('the list of erasures', () => {
  test('has each once, the newest first, whatever the page', async () => {
    const { rows, all } = await fill(700);
    const { list } = await ErasureList.read(rows);
    for (const limit of [1, 7, 100, 699, 700, 701]) {
      const seen = await readAll(list, limit);
      assert.deepEqual(idsOf(seen).toSorted(), idsOf(all).toSorted());
      for (const [i, { requestedTimeMs }] of seen.entries()) {
        if (i > 0) assert.ok(requestedTimeMs <= seen[i - 1]!.requestedTimeMs);
      }
    }
  });

  test('of none is one empty page', async () => {
    const { rows } = await fill(0);
    const { list, unfinished } = await ErasureList.read(rows);
    assert.deepEqual(await list.page({ limit: 10 }), { erasures: [], next: undefined });
    assert.deepEqual(unfinished, { erasing: [], compacting: [] });
  });

  test('is read some at a time at the start, and from then on only what is on the page', async () => {
    const { store, rows } = await fill(700);
    const scanned: number[] = [];
    store.onScan = (_range, found) => void scanned.push(found.length);
    const { list } = await ErasureList.read(rows);
    assert.ok(scanned.length >= 3 && Math.max(...scanned) <= 256);
    scanned.length = 0;
    const read: number[] = [];
    store.onGet = (keys) => void read.push(keys.length);
    const { next } = await list.page({ limit: 5 });
    await list.page({ limit: 5, cursor: next! });
    assert.deepEqual([scanned, read], [[], [5, 1, 5]]);
  });

  test('goes on where it was, whatever comes meanwhile, also under a clock that went back', async () => {
    const { store, rows, all } = await fill(10);
    const { list } = await ErasureList.read(rows);
    const first = await list.page({ limit: 4 });
    for (const timeMs of [TEST_TIME_MS + 1000, TEST_TIME_MS - 1000]) {
      const row = rowOf(timeMs);
      await store.commit({ puts: [rows.row(row)] });
      list.add(row);
      all.push(row);
    }
    const rest = await list.page({ limit: 100, cursor: first.next! });
    const seen = [...first.erasures, ...rest.erasures];
    assert.equal(seen.length, 11, 'all but the newest');
    assert.equal(rest.erasures.at(-1)!.requestedTimeMs, TEST_TIME_MS - 1000);
    assert.deepEqual(
      idsOf(await readAll(list, 3)),
      idsOf(await readAll((await ErasureList.read(rows)).list, 100)),
    );
    assert.deepEqual(idsOf(await readAll(list, 3)).toSorted(), idsOf(all).toSorted());
  });

  test('refuses a cursor that names none of them', async () => {
    const { rows } = await fill(3);
    const { list } = await ErasureList.read(rows);
    for (const cursor of ['', 'era_AAAAAAAAAAAAAAAAAAAAAA', 'no id']) {
      await assert.rejects(list.page({ limit: 2, cursor }), { code: 'malformed' });
    }
  });

  test('says at the start what has to be gone on with, the oldest first', async () => {
    const { rows, all } = await fill(40);
    const { unfinished } = await ErasureList.read(rows);
    const of = (...states: string[]): string[] => idsOf(all.filter(({ state }) => states.includes(state)));
    assert.deepEqual(unfinished.erasing.toSorted(), of('erasing', 'failed').toSorted());
    assert.deepEqual(unfinished.compacting.toSorted(), of('compacting').toSorted());
    const times = new Map(all.map(({ erasureId, requestedTimeMs }) => [erasureId, requestedTimeMs]));
    const asked = unfinished.erasing.map((erasureId) => times.get(erasureId)!);
    assert.deepEqual(
      asked,
      asked.toSorted((a, b) => a - b),
    );
  });
});

describe('erasures of a vault', () => {
  test('are read by id once it is open: one erasure reads none of the others', async () => {
    const store = new WatchedStore(new MemoryStore());
    const crash = await openCrashVault({ store });
    const erase = async (id: string): Promise<string> => {
      const { event } = await crash.now().submit(eventOf(id));
      const { erasureId } = await crash.now().vault.erase(erasing({ eventIds: [event.eventId] }));
      await erasureIn(crash.now(), erasureId, 'done');
      return erasureId;
    };
    const before: string[] = [];
    for (let i = 0; i < 5; i++) before.push(await erase(`e-${i}`));
    const read = new Set<string>();
    store.onScan = ({ from }) => assert.notEqual(from[0], ERASURES);
    store.onGet = (keys) => {
      for (const key of keys) {
        if (key[0] === ERASURES) read.add(`era_${Buffer.from(key.subarray(1)).toString('base64url')}`);
      }
    };
    const last = await erase('last');
    assert.deepEqual([...read], [last]);
    const { erasures } = await crash.now().vault.listErasures({ limit: 10 });
    assert.deepEqual(idsOf(erasures).toSorted(), [...before, last].toSorted());
    store.onScan = () => {};
    await crash.recover();
    const { erasures: again } = await crash.now().vault.listErasures({ limit: 10 });
    assert.deepEqual(idsOf(again), idsOf(erasures));
  });

  test('that were not done are gone on with at a start, each once', async () => {
    const store = new WatchedStore(new MemoryStore());
    const crash = await openCrashVault({ store });
    const { event } = await crash.now().submit(eventOf('a'));
    store.onCompact = () => Promise.reject(new Error('no room'));
    const { erasureId } = await crash.now().vault.erase(erasing({ eventIds: [event.eventId] }));
    await until(async () => crash.failures.length > 0);
    assert.equal((await crash.now().vault.findErasure(erasureId))?.state, 'compacting');
    store.onCompact = () => {};
    await crash.recover();
    assert.equal((await erasureIn(crash.now(), erasureId, 'done')).erased, 1);
    assert.deepEqual(await crash.findings(), []);
  });
});
