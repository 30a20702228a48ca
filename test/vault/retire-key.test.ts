/** What happens to others while the events of a person are counted, before the person's data key is taken. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryStore } from '../../src/storage/memory.ts';
import { COUNTED_AT_ONCE } from '../../src/vault/event-count.ts';
import type { StoredEvent } from '../../src/vault/vault.ts';
import {
  type CrashVault,
  erasing,
  erasureIn,
  eventAbout,
  openCrashVault,
  rowsOf,
  subjectOf,
  submitGroup,
} from '../support/vault-crash.ts';
import { type HeldScan, WatchedStore } from '../support/watched-store.ts';

const ANNA = { subject: subjectOf('anna') };
/** Of the index by data key. */
const KEY_EVENTS = 0x86;

async function open(events: number): Promise<{ crash: CrashVault; store: WatchedStore; all: StoredEvent[] }> {
  const store = new WatchedStore(new MemoryStore());
  const crash = await openCrashVault({ store });
  const all = await take(crash, events, 'anna');
  return { crash, store, all };
}

async function take(crash: CrashVault, count: number, prefix: string): Promise<StoredEvent[]> {
  const events = Array.from({ length: count }, (_, i) => eventAbout('anna', `${prefix}-${i}`));
  return (await submitGroup(crash.now(), events)).map(({ submitted, error }) => {
    if (!submitted) throw error!;
    return submitted.event;
  });
}

async function eraseAlone(crash: CrashVault, events: readonly StoredEvent[]): Promise<void> {
  const eventIds = events.map(({ eventId }) => eventId);
  const { erasureId } = await crash.now().vault.erase(erasing({ eventIds }));
  await erasureIn(crash.now(), erasureId, 'done');
}

/** Holds back one of the next pages of the index, from 0. */
function holdPage(store: WatchedStore, page: number): HeldScan {
  const held = store.holdScan(KEY_EVENTS);
  const hold = store.onScan;
  let scanned = 0;
  store.onScan = async (range, rows) => {
    if (range.from[0] === KEY_EVENTS && scanned++ === page) await hold(range, rows);
  };
  return held;
}

/** What it resolves to, unless it is held up. */
async function soon<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it is held up')), 5000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

describe('while the events of a person are counted', () => {
  test('who submits one of that person does not wait, and it is counted and erased with the others', async () => {
    const { crash, store, all } = await open(3 * COUNTED_AT_ONCE);
    const held = store.holdScan(KEY_EVENTS);
    const accepted = crash.now().vault.erase(erasing(ANNA));
    await held.reached;
    const during = await soon(take(crash, COUNTED_AT_ONCE + 1, 'during'));
    held.release();
    const { erasureId, events } = await accepted;
    assert.equal(events, all.length + during.length);
    const { erased } = await erasureIn(crash.now(), erasureId, 'done');
    assert.equal(erased, events);
    for (const { eventId } of [all[0]!, all.at(-1)!, during[0]!, during.at(-1)!]) {
      await assert.rejects(crash.now().vault.find(eventId), { code: 'event_erased' });
    }
    assert.deepEqual(await crash.findings(), []);
  });

  test('only what came meanwhile is counted while they wait', async () => {
    const { crash, store } = await open(100);
    const looked: number[] = [];
    store.onScan = async ({ from }, rows) => {
      if (from[0] !== KEY_EVENTS) return;
      looked.push(rows.length);
      if (looked.length === 1) await take(crash, 2, 'during');
    };
    const { erasureId, events } = await crash.now().vault.erase(erasing(ANNA));
    assert.equal(events, 102);
    assert.deepEqual(looked.slice(0, 2), [100, 2]);
    assert.equal((await erasureIn(crash.now(), erasureId, 'done')).erased, 102);
  });

  test('an event that is erased by itself is no longer counted, whether it was or not', async () => {
    for (const page of [0, 1]) {
      const { crash, store, all } = await open(COUNTED_AT_ONCE + 100);
      const held = holdPage(store, page);
      const accepted = crash.now().vault.erase(erasing(ANNA));
      await held.reached;
      // One of the first page, one of the second, which the held scan still shows.
      await eraseAlone(crash, [all[3]!, all[COUNTED_AT_ONCE + 3]!]);
      held.release();
      const { erasureId, events } = await accepted;
      assert.equal(events, all.length - 2);
      assert.equal((await erasureIn(crash.now(), erasureId, 'done')).erased, events);
      assert.deepEqual(await crash.findings(), []);
    }
  });

  test('and does not make up for one that the index has lost', async () => {
    const { crash, store, all } = await open(COUNTED_AT_ONCE + 100);
    const lost = (await rowsOf(store, KEY_EVENTS))[5]!;
    await crash.store.commit({ puts: [], deletes: [lost.key] });
    const held = holdPage(store, 1);
    const refused = assert.rejects(crash.now().vault.erase(erasing(ANNA)), {
      code: 'storage_failed',
      message: /has 599 events and leads to 598/,
    });
    await held.reached;
    await eraseAlone(crash, [all[3]!]);
    held.release();
    await refused;
  });

  test('another erasure of that person is done first, and this one finds nothing, or what came since', async () => {
    for (const isBack of [false, true]) {
      const { crash, store, all } = await open(20);
      const held = store.holdScan(KEY_EVENTS);
      const late = crash.now().vault.erase(erasing(ANNA));
      late.catch(() => {});
      await held.reached;
      const { erasureId } = await crash.now().vault.erase(erasing(ANNA));
      assert.equal((await erasureIn(crash.now(), erasureId, 'done')).erased, all.length);
      if (isBack) await take(crash, 3, 'back');
      held.release();
      if (isBack) assert.equal((await late).events, 3);
      else await assert.rejects(late, { code: 'not_found' });
      assert.deepEqual(await crash.findings(), []);
    }
  });

  test('an index that has lost a row is found, wherever the row was', async () => {
    const { crash, store, all } = await open(2 * COUNTED_AT_ONCE);
    const rows = await rowsOf(store, KEY_EVENTS);
    for (const at of [0, COUNTED_AT_ONCE, rows.length - 1]) {
      await crash.store.commit({ puts: [], deletes: [rows[at]!.key] });
      await assert.rejects(crash.now().vault.erase(erasing(ANNA)), {
        code: 'storage_failed',
        message: /has 1000 events and leads to 999/,
      });
      await crash.store.commit({ puts: [rows[at]!] });
    }
    assert.equal((await crash.now().vault.erase(erasing(ANNA))).events, all.length);
  });
});
