import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EventErasedError } from '../../src/vault/vault.ts';
import { verifyReceipt } from '../../src/client/verify.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { parseRecordRow, recordKey } from '../../src/vault/rows.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { ErasureTarget, StoredEvent } from '../../src/vault/vault.ts';
import { type Fault, FAULTS } from '../support/faulty-store.ts';
import { SlowStore } from '../support/slow-store.ts';
import { exampleEvents } from '../support/test-vault.ts';
import {
  type CrashVault,
  erasing,
  erasureIn,
  eventAbout,
  eventOf,
  openCrashVault,
  ownEvents,
  rowsOf,
  snapshotOf,
  subjectOf,
  submitGroup,
  wordsOf,
} from '../support/vault-crash.ts';
import { receiptOf, trustFileOf } from '../support/vault-receipt.ts';

const FLOW = exampleEvents('wire-transfer.ndjson') as JsonObject[];
const ANNA = { subject: subjectOf('anna') };

async function take(crash: CrashVault, events: readonly JsonObject[]): Promise<StoredEvent[]> {
  const outcomes = await submitGroup(crash.now(), events);
  return outcomes.map(({ submitted, error }) => {
    if (!submitted) throw error!;
    return submitted.event;
  });
}

/** `count` events of each, in turn. */
function eventsOf(subjects: readonly string[], count: number): JsonObject[] {
  return Array.from({ length: count * subjects.length }, (_, i) => {
    const subject = subjects[i % subjects.length]!;
    return eventAbout(subject, `${subject}-${Math.floor(i / subjects.length)}`, { src: { ip: '192.0.2.1' } });
  });
}

async function eraseAll(crash: CrashVault, target: ErasureTarget): ReturnType<typeof erasureIn> {
  const { erasureId } = await crash.now().vault.erase(erasing(target));
  return erasureIn(crash.now(), erasureId, 'done', 'failed');
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

describe('erasing a person', () => {
  test('all events of the person are gone, and no other', async () => {
    const crash = await openCrashVault();
    const all = await take(crash, eventsOf(['anna', 'bert'], 20));
    const { vault } = crash.now();
    assert.equal(await vault.countErasure(ANNA), 20);
    const erasure = await eraseAll(crash, ANNA);
    assert.deepEqual(
      [erasure.state, erasure.events, erasure.erased, erasure.failure, erasure.reason],
      ['done', 20, 20, undefined, 'subject_request'],
    );
    for (let opening = 0; opening < 2; opening++) {
      for (const [i, { eventId, id }] of all.entries()) {
        if (i % 2 === 0) await assert.rejects(crash.now().vault.find(eventId), { code: 'event_erased' });
        else assert.equal((await crash.now().vault.find(eventId))?.id, id);
      }
      await crash.recover();
    }
    assert.equal((await rowsOf(crash.store, 0x85)).length, 2, 'of bert, and of the log itself');
    assert.equal((await rowsOf(crash.store, 0x8e)).length, 0);
    assert.equal((await rowsOf(crash.store, 0x87)).length, 2);
    assert.deepEqual(await crash.findings(), []);
  });

  test('a retry of an erased event is refused and makes no leaf, whatever its content is now', async () => {
    const crash = await openCrashVault();
    const [event] = eventsOf(['anna'], 1) as [JsonObject];
    await crash.now().submit(event);
    await eraseAll(crash, ANNA);
    const { size } = crash.now().test.log.revealed;
    for (const retry of [event, { ...event, type: 'logout' }, eventOf('anna-0')]) {
      assert.equal(await codeOf(crash.now().submit(retry)), 'event_erased');
    }
    const group = await submitGroup(crash.now(), [event, eventAbout('anna', 'anna-new')], { isAtomic: true });
    assert.deepEqual(wordsOf(group), ['event_erased', 'untouched']);
    assert.equal(crash.now().test.log.revealed.size, size);
  });

  test('events that come later are under another key, and are erased by another erasure', async () => {
    const crash = await openCrashVault();
    await take(crash, eventsOf(['anna'], 3));
    const [before] = await rowsOf(crash.store, 0x85);
    await eraseAll(crash, ANNA);
    const [later] = await take(crash, [eventAbout('anna', 'later')]);
    const keys = await rowsOf(crash.store, 0x85);
    assert.equal(
      keys.some(({ key }) => Buffer.from(key).equals(before!.key)),
      false,
    );
    assert.equal(await crash.now().vault.countErasure(ANNA), 1);
    const { events } = await crash.now().vault.list({ subject: subjectOf('anna') }, { limit: 10 });
    assert.deepEqual(
      events.map(({ eventId }) => eventId),
      [later!.eventId],
    );
    await eraseAll(crash, ANNA);
    await assert.rejects(crash.now().vault.countErasure(ANNA), { code: 'not_found' });
    await assert.rejects(crash.now().vault.erase(erasing(ANNA)), { code: 'not_found' });
    assert.deepEqual(await crash.findings(), []);
  });

  test('twice at once: each answer is clear, and nothing waits for ever', async () => {
    const crash = await openCrashVault();
    await take(crash, eventsOf(['anna', 'bert'], 10));
    const { vault } = crash.now();
    const outcomes = await Promise.allSettled(
      [ANNA, ANNA, { subject: subjectOf('bert') }, ANNA].map((target) => vault.erase(erasing(target))),
    );
    const accepted = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    assert.equal(accepted.length, 2);
    for (const one of outcomes) {
      if (one.status === 'rejected') assert.equal((one.reason as { code: string }).code, 'not_found');
    }
    for (const { erasureId } of accepted) {
      assert.equal((await erasureIn(crash.now(), erasureId, 'done')).erased, 10);
    }
    await take(crash, [eventAbout('anna', 'later')]);
    assert.deepEqual(await crash.findings(), []);
  });

  test('while events of that person are being submitted: each is erased or under the new key, and counts hold', async () => {
    const slow = new SlowStore(new MemoryStore());
    const crash = await openCrashVault({ store: slow });
    await take(crash, eventsOf(['anna'], 30));
    slow.maxTurns = 15;
    slow.maxCommitTurns = 5;
    const { vault } = crash.now();
    const submitted = Array.from({ length: 60 }, async (_, i) => {
      for (let wait = 0; wait < i; wait++) await new Promise((resolve) => setImmediate(resolve));
      return take(crash, [eventAbout('anna', `during-${i}`), eventAbout('bert', `during-b${i}`)]);
    });
    const erasures = [];
    for (let i = 0; i < 3; i++) {
      for (let wait = 0; wait < 15; wait++) await new Promise((resolve) => setImmediate(resolve));
      try {
        erasures.push(await vault.erase(erasing(ANNA)));
      } catch (error) {
        // Nothing of hers has come since the one before.
        assert.equal((error as { code?: string }).code, 'not_found');
      }
    }
    assert.ok(erasures.length > 0);
    const during = (await Promise.all(submitted)).flat();
    let erased = 0;
    for (const { erasureId } of erasures) {
      const erasure = await erasureIn(crash.now(), erasureId, 'done', 'failed');
      assert.deepEqual([erasure.state, erasure.erased], ['done', erasure.events]);
      erased += erasure.erased;
    }
    let gone = 30;
    for (const { eventId } of during) if ((await codeOf(vault.find(eventId))) === 'event_erased') gone += 1;
    assert.equal(erased, gone);
    const left = await codeOf(vault.countErasure(ANNA));
    if (left === 'none') assert.equal(await vault.countErasure(ANNA), 30 + 60 - gone);
    assert.deepEqual(await crash.findings(), []);
  });

  test('an event of another that says it is an erasure is in nobody’s way', async () => {
    const crash = await openCrashVault();
    const said = { 'newel:erasure': { leaf_indexes: [1], reason: 'other' } };
    const [plain] = await take(crash, [
      eventAbout('bert', 'plain'),
      eventAbout('anna', 'fake', { type: 'erasure', ext: said }),
    ]);
    assert.deepEqual(await crash.findings(), []);
    assert.equal((await eraseAll(crash, ANNA)).state, 'done');
    assert.ok(await crash.now().vault.find(plain!.eventId));
    assert.deepEqual(await crash.findings(), []);
  });

  test('whose index has lost a row fails loudly, and nothing is touched', async () => {
    const crash = await openCrashVault();
    const all = await take(crash, eventsOf(['anna', 'bert'], 5));
    const rows = await rowsOf(crash.store, 0x86);
    for (const broken of ['missing', 'of another leaf'] as const) {
      const row = rows.find(({ key }) => Number(key.at(-1)) === all[4]!.leafIndex)!;
      const other = Uint8Array.from(row.key);
      other[other.length - 1] = all[5]!.leafIndex;
      await crash.store.commit({
        puts: broken === 'missing' ? [] : [{ key: other, value: new Uint8Array(0) }],
        deletes: [row.key],
      });
      const snapshot = await snapshotOf(crash.store);
      await assert.rejects(crash.now().vault.erase(erasing(ANNA)), {
        code: 'storage_failed',
        message: /fsck/,
      });
      assert.deepEqual(await snapshotOf(crash.store), snapshot);
      for (const { eventId } of all) assert.ok(await crash.now().vault.find(eventId));
      assert.equal((await crash.now().submit(eventAbout('anna', `goes-on-${broken.length}`))).created, true);
      await crash.store.commit({ puts: [row], ...(broken === 'missing' ? {} : { deletes: [other] }) });
    }
    assert.equal((await eraseAll(crash, ANNA)).erased, 7);
    assert.deepEqual(await crash.findings(), []);
  });

  test('that failed on damage is gone on with at a start, when it is put right', async () => {
    const crash = await openCrashVault();
    const all = await take(crash, eventsOf(['anna'], 3));
    const key = recordKey(all[1]!.leafIndex);
    const [whole] = await crash.store.getMany([key]);
    const flipped = Uint8Array.from(whole!);
    flipped[flipped.length - 1]! ^= 1;
    await crash.store.commit({ puts: [{ key, value: flipped }] });
    const failed = await eraseAll(crash, ANNA);
    assert.deepEqual([failed.state, failed.erased], ['failed', 0]);
    assert.ok(failed.failure);
    assert.equal(crash.failures.length, 1);
    assert.ok(await crash.now().vault.find(all[0]!.eventId), 'nothing of it was touched');
    await crash.store.commit({ puts: [{ key, value: whole! }] });
    await crash.recover();
    const done = await erasureIn(crash.now(), failed.erasureId, 'done');
    assert.deepEqual([done.erased, done.failure], [3, undefined]);
    assert.deepEqual(await crash.findings(), []);
  });
});

describe('erasing events', () => {
  test('those are gone, and the others of the same person are not', async () => {
    const crash = await openCrashVault();
    const all = await take(crash, eventsOf(['anna'], 6));
    const eventIds = [all[1]!.eventId, all[4]!.eventId];
    assert.equal(await crash.now().vault.countErasure({ eventIds }), 2);
    const erasure = await eraseAll(crash, { eventIds });
    assert.deepEqual([erasure.events, erasure.erased, erasure.keysDestroyedByMs], [2, 2, undefined]);
    for (const [i, { eventId }] of all.entries()) {
      assert.equal(
        await codeOf(crash.now().vault.find(eventId)),
        [1, 4].includes(i) ? 'event_erased' : 'none',
      );
    }
    assert.equal(await crash.now().vault.countErasure(ANNA), 4);
    assert.deepEqual(await crash.findings(), []);
    await crash.recover();
    assert.equal((await eraseAll(crash, ANNA)).erased, 4);
    assert.deepEqual(await crash.findings(), []);
  });

  test('is refused for what is not there, is erased, or says that others are', async () => {
    const crash = await openCrashVault();
    const [one, two] = (await take(crash, eventsOf(['anna'], 2))) as [StoredEvent, StoredEvent];
    await eraseAll(crash, { eventIds: [one.eventId] });
    const [tombstone] = await ownEvents(crash.now(), 'erasure');
    const { vault } = crash.now();
    const cases: [string[], string][] = [
      [['evt_AAAAAAAAAAAAAAAAAAAAAA', two.eventId], 'not_found'],
      [['no id'], 'not_found'],
      [[two.eventId, one.eventId], 'event_erased'],
      [[two.eventId, tombstone!.eventId], 'event_invalid'],
    ];
    for (const [eventIds, code] of cases) {
      await assert.rejects(vault.countErasure({ eventIds }), { code });
      await assert.rejects(vault.erase(erasing({ eventIds })), { code });
    }
    await assert.rejects(vault.erase(erasing({ subject: { format: 'opaque' } })), { code: 'event_invalid' });
    assert.ok(await vault.find(two.eventId));
  });

  test('and the person they are about at the same time ends, and what is left is nothing', async () => {
    const slow = new SlowStore(new MemoryStore());
    const crash = await openCrashVault({ store: slow });
    const all = await take(crash, eventsOf(['anna', 'bert', 'carl'], 30));
    slow.maxTurns = 15;
    slow.maxCommitTurns = 5;
    const { vault } = crash.now();
    const some = (from: number): ErasureTarget => ({
      eventIds: all.slice(from, from + 12).map(({ eventId }) => eventId),
    });
    const coming = Array.from({ length: 30 }, async (_, i) => {
      for (let wait = 0; wait < i; wait++) await new Promise((resolve) => setImmediate(resolve));
      await take(
        crash,
        ['anna', 'bert', 'carl'].map((who) => eventAbout(who, `${who}-during-${i}`)),
      );
    });
    const accepted = await Promise.all(
      [some(0), ANNA, some(12), { subject: subjectOf('bert') }, some(30)].map((target) =>
        vault.erase(erasing(target)),
      ),
    );
    await Promise.all(coming);
    for (const { erasureId } of accepted) {
      assert.equal((await erasureIn(crash.now(), erasureId, 'done', 'failed')).state, 'done');
    }
    for (const [i, { eventId }] of all.entries()) {
      const isErased = i % 3 < 2 || i < 24 || (i >= 30 && i < 42);
      assert.equal(await codeOf(vault.find(eventId)), isErased ? 'event_erased' : 'none', `event ${i}`);
    }
    assert.deepEqual(await crash.findings(), []);
  });

  test('what led to them is gone: terms, place under the key, the state of their transaction', async () => {
    const crash = await openCrashVault();
    const flow = await take(crash, FLOW);
    const termsBefore = (await rowsOf(crash.store, 0x88)).length;
    assert.equal((await rowsOf(crash.store, 0x8a)).length, 1);
    await eraseAll(crash, { eventIds: [flow[2]!.eventId] });
    assert.equal((await rowsOf(crash.store, 0x8a)).length, 0);
    assert.ok((await rowsOf(crash.store, 0x88)).length < termsBefore);
    const hasLeaf = async (prefix: number): Promise<boolean> =>
      (await rowsOf(crash.store, prefix)).some(({ key }) => Number(key.at(-1)) === flow[2]!.leafIndex);
    assert.deepEqual([await hasLeaf(0x86), await hasLeaf(0x88)], [false, false]);
    // An execution now is compared with nothing of what is gone.
    const { seq: _seq, ...again } = FLOW.at(-1)!;
    const { event } = await crash.now().submit({ ...again, id: 'again' });
    assert.deepEqual(event.notices, []);
    const { eventId, idTag, ...marker } = parseRecordRow(
      (await crash.store.getMany([recordKey(flow[2]!.leafIndex)]))[0]!,
    ) as unknown as Record<string, unknown>;
    assert.deepEqual(Object.keys(marker), ['erasedBy', 'sourceTerm']);
    assert.ok(eventId && idTag);
  });

  test('while events of their transaction come: no state of it is kept that has what is gone', async () => {
    for (let at = 0; at < 12; at++) {
      const crash = await openCrashVault();
      const flow = await take(crash, FLOW.slice(0, 4));
      const { erasureId } = await crash.now().vault.erase(erasing({ eventIds: [flow[2]!.eventId] }));
      for (let wait = 0; wait < at; wait++) await new Promise((resolve) => setImmediate(resolve));
      // Comes without a hash: what is kept of the transaction has one only from what was erased.
      const { seq: _seq, action: _action, ...rest } = FLOW[4]!;
      await crash.now().submit(rest);
      await erasureIn(crash.now(), erasureId, 'done');
      const before = await crash.now().submit({ ...rest, id: 'second' });
      await crash.recover();
      const after = await crash.now().submit({ ...rest, id: 'third' });
      assert.deepEqual(after.event.notices, before.event.notices, `turn ${at}: memory and store agree`);
      assert.deepEqual(await crash.findings(), []);
    }
  });
});

describe('what is told of an erased event', () => {
  test('says to whom it belonged, to who asks with a source', async () => {
    const crash = await openCrashVault();
    const [event] = await take(crash, [eventOf('a')]);
    await eraseAll(crash, { eventIds: [event!.eventId] });
    await assert.rejects(crash.now().vault.find(event!.eventId), (error) => {
      assert.ok(error instanceof EventErasedError);
      assert.deepEqual([error.isOf(event!.source), error.isOf('another')], [true, false]);
      return true;
    });
  });

  test('what the log says itself is not erased by name', async () => {
    const crash = await openCrashVault();
    const { vault } = crash.now();
    await vault.logAccess({ principal: 'anna', role: 'admin', route: 'POST /v1/erasures', eventIds: [] });
    const { events } = await vault.list({ terms: { type: 'log.accessed' } }, { limit: 1 });
    const target = { eventIds: [events[0]!.eventId] };
    await assert.rejects(vault.erase(erasing(target)), { code: 'event_invalid' });
    await assert.rejects(vault.countErasure(target), { code: 'event_invalid' });
  });
});

describe('erasing by age', () => {
  test('only what was received before, only of those types; the count is what is erased', async () => {
    const crash = await openCrashVault();
    const old = await take(crash, [eventOf('a'), eventOf('b', { type: 'logout' }), eventAbout('anna', 'c')]);
    crash.now().test.clock.advance(3_600_000);
    const fresh = await take(crash, [eventOf('d'), eventOf('e', { type: 'logout' })]);
    const target = { keptMs: { 'login.succeeded': 1_800_000 } };
    const { vault } = crash.now();
    assert.equal(await vault.countErasure(target), 2);
    const erasure = await eraseAll(crash, target);
    assert.deepEqual([erasure.events, erasure.erased], [2, 2]);
    const codes = await Promise.all([...old, ...fresh].map(({ eventId }) => codeOf(vault.find(eventId))));
    assert.deepEqual(codes, ['event_erased', 'none', 'event_erased', 'none', 'none']);
    assert.equal(await vault.countErasure(target), 0);
    const { events: said } = await vault.list({ terms: { type: 'retention.applied' } }, { limit: 10 });
    assert.deepEqual(
      said.map(({ content }) => content['ext']),
      [{ 'newel:retention': { types: { 'login.succeeded': '0d' }, dry_run: false, count: 2 } }],
    );
    assert.equal(await vault.countErasure(ANNA), 0);
    for (const type of ['erasure', 'retention.applied']) {
      await assert.rejects(vault.countErasure({ keptMs: { [type]: 1 } }), { code: 'malformed' });
    }
    assert.deepEqual(await crash.findings(), []);
  });

  test('takes the log’s own events along, which are under the key that says so', async () => {
    const crash = await openCrashVault();
    const access = { principal: 'auditor', role: 'audit', route: 'GET /v1/events', eventIds: [] };
    for (let i = 0; i < 5; i++) await crash.now().vault.logAccess(access);
    crash.now().test.clock.advance(10_000);
    await crash.now().vault.logAccess(access);
    assert.equal((await eraseAll(crash, { keptMs: { 'log.accessed': 5000 } })).erased, 5);
    assert.equal((await ownEvents(crash.now(), 'log.accessed')).length, 1);
    assert.deepEqual(await crash.findings(), []);
  });

  test('of more than one erasure event names: each names its leaves, and none twice', async () => {
    const crash = await openCrashVault();
    for (let i = 0; i < 3; i++)
      await take(
        crash,
        eventsOf(['anna', 'bert'], 150).map((e) => ({ ...e, id: `${i}-${e['id'] as string}` })),
      );
    const erasure = await eraseAll(crash, ANNA);
    assert.deepEqual([erasure.erased, erasure.tombstones.map(({ erased }) => erased)], [450, [400, 50]]);
    const named = (await ownEvents(crash.now(), 'erasure')).flatMap(
      ({ content }) =>
        ((content['ext'] as JsonObject)['newel:erasure'] as JsonObject)['leaf_indexes'] as number[],
    );
    assert.equal(new Set(named).size, 450);
    assert.deepEqual(await crash.findings(), []);
  });
});

describe('after an erasure', () => {
  test('receipts that were handed out verify, and so does that of the erasure itself', async () => {
    const crash = await openCrashVault();
    const events = await take(crash, [...eventsOf(['anna', 'bert'], 3), ...FLOW]);
    const receipts = await Promise.all(events.map((event) => receiptOf(crash.now(), event)));
    const erasure = await eraseAll(crash, ANNA);
    const trust = trustFileOf(crash.now());
    for (const [i, receipt] of receipts.entries()) {
      const verified = await verifyReceipt(receipt, { trust, level: 'signed' });
      assert.equal(verified.leafIndex, events[i]!.leafIndex);
    }
    const { eventId } = erasure.tombstones[0]!;
    const tombstone = (await crash.now().vault.find(eventId))!;
    const { event } = await verifyReceipt(await receiptOf(crash.now(), tombstone), { trust });
    assert.deepEqual((event['ext'] as JsonObject)['newel:erasure'], {
      erasure_id: erasure.erasureId,
      leaf_indexes: [1, 3, 5],
      reason: 'subject_request',
      time_bucket: '2026-11-20',
    });
    assert.equal(JSON.stringify(tombstone.content).includes('anna'), false);
  });

  test('and during it, whoever reads finds an event or that it is erased, and never damage', async () => {
    const slow = new SlowStore(new MemoryStore());
    const crash = await openCrashVault({ store: slow });
    const all = await take(crash, eventsOf(['anna', 'bert'], 30));
    slow.maxTurns = 60;
    const { vault } = crash.now();
    let isOver = false;
    const seen = new Set<string>();
    const reading = Array.from({ length: 12 }, async (_, i) => {
      while (!isOver) {
        seen.add(await codeOf(vault.find(all[(2 * i) % 60]!.eventId)));
        const { events } = await vault.list({ terms: { source: 'test' } }, { limit: 60 });
        assert.ok(events.length >= 30);
        seen.add(
          await codeOf(crash.now().submit(eventAbout('anna', `anna-${i}`, { src: { ip: '192.0.2.1' } }))),
        );
      }
    });
    const { erasureId } = await vault.erase(erasing(ANNA));
    await erasureIn(crash.now(), erasureId, 'compacting', 'done');
    isOver = true;
    await Promise.all(reading);
    assert.deepEqual([...seen].toSorted(), ['event_erased', 'none']);
    slow.maxTurns = 0;
    assert.deepEqual(await crash.findings(), []);
  });

  test('lists and cursors go over what is gone', async () => {
    const crash = await openCrashVault();
    const all = await take(crash, eventsOf(['anna', 'bert'], 40));
    const { vault } = crash.now();
    const query = { terms: { source: 'test' } };
    const first = await vault.list(query, { limit: 7 });
    await eraseAll(crash, ANNA);
    const seen = first.events.map(({ leafIndex }) => leafIndex);
    for (let cursor = first.next; cursor !== undefined;) {
      const page = await vault.list(query, { limit: 7, cursor });
      seen.push(...page.events.map(({ leafIndex }) => leafIndex));
      cursor = page.next;
    }
    const left = all.filter((_, i) => i % 2 === 1).map(({ leafIndex }) => leafIndex);
    assert.deepEqual(
      seen.slice(7),
      left.toReversed().filter((index) => index < seen[6]!),
    );
  });

  test('erasures are listed, the newest first, each once', async () => {
    const crash = await openCrashVault();
    const all = await take(crash, eventsOf(['anna'], 5));
    const ids: string[] = [];
    for (const { eventId } of all) {
      crash.now().test.clock.advance(1);
      ids.unshift((await eraseAll(crash, { eventIds: [eventId] })).erasureId);
    }
    const { vault } = crash.now();
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await vault.listErasures({ limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.erasures.map(({ erasureId }) => erasureId));
      cursor = page.next;
    } while (cursor !== undefined);
    assert.deepEqual(seen, ids);
    await assert.rejects(vault.listErasures({ limit: 2, cursor: 'era_AAAAAAAAAAAAAAAAAAAAAA' }), {
      code: 'malformed',
    });
    assert.equal(await vault.findErasure('era_AAAAAAAAAAAAAAAAAAAAAA'), undefined);
    assert.equal(await vault.findErasure('no id'), undefined);
  });
});

describe('a crash at any commit of an erasure', () => {
  const targets: Record<string, (events: readonly StoredEvent[]) => ErasureTarget> = {
    'of a person': () => ANNA,
    'of events': (events) => ({
      eventIds: events.filter((_, i) => i % 2 === 0).map(({ eventId }) => eventId),
    }),
    'by age': () => ({ keptMs: { 'login.succeeded': 0 } }),
  };
  for (const [what, targetOf] of Object.entries(targets)) {
    for (const fault of FAULTS) {
      test(`${what} (${fault}): it ends at the next start, and nothing is half erased`, async () => {
        for (let commit = 0; ; commit++) {
          const isDone = await crashAt(targetOf, fault, commit);
          if (isDone) break;
          assert.ok(commit < 30);
        }
      });
    }
  }

  async function crashAt(
    targetOf: (events: readonly StoredEvent[]) => ErasureTarget,
    fault: Fault,
    commit: number,
  ): Promise<boolean> {
    const crash = await openCrashVault();
    const all = await take(crash, eventsOf(['anna', 'bert'], 4));
    crash.now().test.clock.advance(1000);
    const before = crash.faulty().commits;
    crash.faulty().failNext(fault, commit);
    const accepted = await crash
      .now()
      .vault.erase(erasing(targetOf(all)))
      .catch(() => undefined);
    // One more event of the person while it is under way, whose fate is its own.
    await codeOf(take(crash, [eventAbout('anna', 'during')]));
    if (accepted && crash.now().test.log.accepting) {
      const isOver = async (): Promise<boolean> =>
        !crash.now().test.log.accepting ||
        (await crash.now().vault.findErasure(accepted.erasureId))?.state === 'done';
      while (!(await isOver())) await new Promise((resolve) => setImmediate(resolve));
    }
    const isDone = crash.faulty().commits - before <= commit;
    crash.faulty().failNext(fault, Infinity);
    await crash.recover();
    const { vault } = crash.now();
    const { erasures } = await vault.listErasures({ limit: 10 });
    for (const { erasureId } of erasures) {
      const { state, erased, events } = await erasureIn(crash.now(), erasureId, 'done', 'failed');
      assert.deepEqual([state, erased], ['done', events], `${fault} ${commit}`);
    }
    if (accepted) assert.equal(erasures.length, 1);
    const isAsked = (i: number): boolean => {
      const target = targetOf(all);
      return (
        'keptMs' in target || ('subject' in target ? i % 2 === 0 : target.eventIds.includes(all[i]!.eventId))
      );
    };
    for (const [i, { eventId }] of all.entries()) {
      const expected = erasures.length > 0 && isAsked(i) ? 'event_erased' : 'none';
      assert.equal(await codeOf(vault.find(eventId)), expected, `${fault} ${commit}: event ${i}`);
    }
    assert.deepEqual(await crash.findings(), [], `${fault} ${commit}`);
    await crash.now().submit(eventAbout('anna', 'during'));
    assert.ok((await vault.countErasure(ANNA)) >= 1);
    return isDone;
  }
});

describe('a check of a log that stopped in the middle of an erasure', () => {
  test('is green: what is counted under a key that goes is not held against it', async () => {
    const crash = await openCrashVault();
    for (let i = 0; i < 3; i++)
      await take(
        crash,
        eventsOf(['anna'], 300).map((e) => ({ ...e, id: `${i}-${e['id'] as string}` })),
      );
    // Accepted, the first 400 erased, and then no more.
    crash.faulty().failNext('not persisted', 2);
    const { erasureId } = await crash.now().vault.erase(erasing(ANNA));
    while (crash.now().test.log.accepting) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await crash.now().vault.findErasure(erasureId))?.erased, 400);
    assert.deepEqual(await crash.findings(), []);
    await crash.recover();
    assert.equal((await erasureIn(crash.now(), erasureId, 'done')).erased, 900);
    assert.deepEqual(await crash.findings(), []);
  });
});
