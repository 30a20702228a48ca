import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/formats/json.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { POOL_LIMITS } from '../../src/log/limits.ts';
import type { GroupOutcome, StoredEvent } from '../../src/vault/vault.ts';
import { FAULTS } from '../support/faulty-store.ts';
import { SlowStore } from '../support/slow-store.ts';
import {
  bytesOf,
  erasing,
  erasureIn,
  eventAbout,
  eventOf,
  openCrashVault,
  snapshotOf,
  subjectOf,
  submitGroup,
  wordsOf,
} from '../support/vault-crash.ts';
import { WatchedStore } from '../support/watched-store.ts';

/** Of the rows that say whose data key is which. */
const OWNERS = 0x84;
const WIDE = { ...POOL_LIMITS, maxRoundBytes: 64 * 2 ** 20 };

function stored(outcomes: readonly GroupOutcome[]): StoredEvent[] {
  return outcomes.map(({ submitted, error }) => {
    if (submitted) return submitted.event;
    throw error ?? new Error('an event has no outcome');
  });
}

function events(count: number, prefix = 'e'): JsonObject[] {
  return Array.from({ length: count }, (_, i) => eventAbout(`subject ${i % 7}`, `${prefix}-${i}`));
}

describe('a group', () => {
  test('of as many as one round takes is one round, its leaves in the order of the bodies', async () => {
    const crash = await openCrashVault({ open: { limits: WIDE } });
    const { log } = crash.now().test;
    const round = log.revealed.round;
    const all = stored(await submitGroup(crash.now(), events(4096)));
    assert.equal(log.revealed.round, round + 1);
    assert.deepEqual(
      all.map(({ leafIndex, id }) => [leafIndex, id]),
      all.map((_, i) => [i + 1, `e-${i}`]),
    );
    assert.deepEqual(await crash.findings(), []);
  });

  test('of none is nothing', async () => {
    const crash = await openCrashVault();
    assert.deepEqual(await submitGroup(crash.now(), []), []);
    assert.deepEqual(await submitGroup(crash.now(), [], { isAtomic: true }), []);
    assert.equal(crash.now().test.log.revealed.size, 1);
  });

  test('takes what is right, whatever is refused in the middle of it', async () => {
    const crash = await openCrashVault();
    await crash.now().submit(eventOf('old', { type: 'logout' }));
    const outcomes = await submitGroup(crash.now(), [
      eventOf('a'),
      bytesOf('no event'),
      eventOf('b', { source: 'another' }),
      eventOf('c', { labels: { note: 'password=hunter2-is-it' } }),
      eventOf('old'),
      eventOf('d'),
      new Uint8Array([0xff]),
      eventOf('a'),
      eventOf('d', { type: 'logout' }),
    ]);
    assert.deepEqual(wordsOf(outcomes), [
      'created',
      'event_invalid',
      'forbidden',
      'secret_found',
      'id_conflict',
      'created',
      'malformed',
      'copy',
      'id_conflict',
    ]);
    assert.equal(outcomes[7]!.submitted!.event.eventId, outcomes[0]!.submitted!.event.eventId);
    assert.equal(crash.now().test.log.revealed.size, 4);
    assert.deepEqual(await crash.findings(), []);
  });

  test('meets copies of its events in other calls: one leaf each, the same answer for all', async () => {
    const crash = await openCrashVault();
    const [x, y, z] = events(3) as [JsonObject, JsonObject, JsonObject];
    const [one, two, three, single] = await Promise.all([
      submitGroup(crash.now(), [x, y]),
      submitGroup(crash.now(), [y, x]),
      submitGroup(crash.now(), [z, y, x], { isAtomic: true }),
      crash.now().submit(y),
    ]);
    assert.equal(crash.now().test.log.revealed.size, 4);
    const idOf = (outcomes: readonly GroupOutcome[], id: string): string =>
      stored(outcomes).find((event) => event.id === id)!.eventId;
    for (const group of [one, two, three]) {
      assert.equal(idOf(group, 'e-0'), idOf(one, 'e-0'));
      assert.equal(idOf(group, 'e-1'), single.event.eventId);
    }
    const again = await submitGroup(crash.now(), [x, y, z]);
    assert.deepEqual(wordsOf(again), ['copy', 'copy', 'copy']);
  });

  test('crossed with others again and again never waits for ever', async () => {
    const crash = await openCrashVault();
    const all = events(12);
    const groups = Array.from({ length: 40 }, (_, g) =>
      submitGroup(
        crash.now(),
        all.map((_, i) => all[(i * (g % 2 ? 5 : 7) + g) % 12]!).slice(0, 3 + (g % 9)),
        { isAtomic: g % 3 === 0 },
      ),
    );
    for (const outcomes of await Promise.all(groups)) stored(outcomes);
    assert.equal(crash.now().test.log.revealed.size, 13);
    assert.deepEqual(await crash.findings(), []);
  });

  test('of which one copy fails elsewhere is the first copy itself', async () => {
    const crash = await openCrashVault();
    const [x, y] = events(2) as [JsonObject, JsonObject];
    // The first of an atomic group that is refused is no copy of anything.
    const [refused, taken] = await Promise.all([
      submitGroup(crash.now(), [x, bytesOf(1)], { isAtomic: true }),
      submitGroup(crash.now(), [y, x]),
    ]);
    assert.deepEqual(wordsOf(refused), ['untouched', 'event_invalid']);
    assert.deepEqual(wordsOf(taken), ['created', 'created']);
  });

  test('gives back its room, whatever became of it', async () => {
    const limits = { maxRoundEntries: 4, maxRoundBytes: 1e6, maxQueueEntries: 4, maxQueueBytes: 1e6 };
    const crash = await openCrashVault({ open: { limits } });
    for (let i = 0; i < 5; i++) {
      await submitGroup(crash.now(), [eventOf('a'), bytesOf(1), eventOf('a'), eventOf(`b${i}`)]);
      await submitGroup(crash.now(), [bytesOf(1), eventOf('c'), eventOf('d')], { isAtomic: true });
    }
    assert.equal(crash.now().test.log.revealed.size, 7);
  });
});

describe('a group that is taken all or not at all', () => {
  const refusals: Record<
    string,
    { before?: JsonObject[]; group: (JsonObject | Uint8Array)[]; words: string[] }
  > = {
    'an event that is none': {
      group: [eventAbout('s', 'a'), bytesOf(1), eventAbout('t', 'b')],
      words: ['untouched', 'event_invalid', 'untouched'],
    },
    'a conflict with what is stored': {
      before: [eventAbout('s', 'b', { type: 'logout' })],
      group: [eventAbout('s', 'a'), eventAbout('s', 'b'), eventAbout('t', 'c')],
      words: ['untouched', 'id_conflict', 'untouched'],
    },
    'a conflict within it': {
      group: [eventAbout('s', 'a'), eventAbout('s', 'b'), eventAbout('s', 'a', { type: 'logout' })],
      words: ['untouched', 'untouched', 'id_conflict'],
    },
    'a number of a strict source that is not the next': {
      before: [eventAbout('s', 'first', { seq: 4 })],
      group: [
        eventAbout('s', 'a', { seq: 5 }),
        eventAbout('new', 'b', { seq: 7 }),
        eventAbout('t', 'c', { seq: 6 }),
      ],
      words: ['untouched', 'sequence_conflict', 'untouched'],
    },
  };
  for (const [what, { before = [], group, words }] of Object.entries(refusals)) {
    test(`is not, because of ${what}: nothing is stored, counted or moved`, async () => {
      const sequence = what.includes('strict') ? 'strict' : 'lenient';
      const crash = await openCrashVault({ vault: { sources: { test: { sequence } } } });
      for (const event of before) await crash.now().submit(event);
      const snapshot = await snapshotOf(crash.store);
      const outcomes = await submitGroup(crash.now(), group, { isAtomic: true });
      assert.deepEqual(wordsOf(outcomes), words);
      assert.deepEqual(await snapshotOf(crash.store), snapshot);
      assert.equal(crash.now().test.log.revealed.size, 1 + before.length);
      // What is in memory has not moved either.
      const right = [eventAbout('s', 'r', { seq: 5 }), eventAbout('new', 'q', { seq: 6 })];
      const taken = await submitGroup(crash.now(), right, { isAtomic: true });
      assert.deepEqual(wordsOf(taken), ['created', 'created']);
      assert.deepEqual(
        stored(taken).flatMap(({ notices }) => notices),
        [],
      );
      assert.deepEqual(await crash.findings(), []);
    });
  }

  test('is not, because of a copy with other content that another call has under way', async () => {
    const crash = await openCrashVault();
    const [single, group] = await Promise.all([
      crash.now().submit(eventOf('b')),
      submitGroup(crash.now(), [eventOf('a'), eventOf('b', { type: 'logout' })], { isAtomic: true }),
    ]);
    assert.equal(single.created, true);
    assert.deepEqual(wordsOf(group), ['untouched', 'id_conflict']);
    assert.equal(crash.now().test.log.revealed.size, 2);
  });

  test('has its round for itself where what waits leaves no room in one', async () => {
    const limits = { maxRoundEntries: 8, maxRoundBytes: 1e6, maxQueueEntries: 64, maxQueueBytes: 1e7 };
    const crash = await openCrashVault({ open: { limits } });
    const { vault } = crash.now();
    // All are prepared in the same turn, so that the first five are in the queue when the group comes.
    const waiting = submitGroup(crash.now(), events(5, 'w'));
    const outcomes = await submitGroup(crash.now(), events(7, 'g'), { isAtomic: true });
    await waiting;
    const heads = new Set(outcomes.map(({ submitted }) => submitted!.head!.round));
    assert.equal(heads.size, 1);
    const tooMany = await submitGroup(crash.now(), events(9, 'm'), { isAtomic: true });
    assert.equal(wordsOf(tooMany).filter((word) => word === 'too_large').length, 1);
    assert.equal((await vault.list({}, { limit: 100 })).events.length, 12);
  });

  test('of more bytes than a round takes is refused, and the same not taken whole is taken', async () => {
    const limits = {
      maxRoundEntries: 4096,
      maxRoundBytes: 40_000,
      maxQueueEntries: 4096,
      maxQueueBytes: 1e7,
    };
    const crash = await openCrashVault({ open: { limits } });
    const refused = await submitGroup(crash.now(), events(40), { isAtomic: true });
    assert.ok(wordsOf(refused).includes('too_large'));
    assert.equal(crash.now().test.log.revealed.size, 1);
    stored(await submitGroup(crash.now(), events(40)));
    assert.equal(crash.now().test.log.revealed.size, 41);
  });

  for (const fault of FAULTS) {
    test(`in a crash (${fault}) is there whole or not at all; a retry completes it`, async () => {
      const crash = await openCrashVault({ open: { limits: WIDE } });
      const group = events(300);
      crash.faulty().failNext(fault);
      const outcomes = await submitGroup(crash.now(), group, { isAtomic: true });
      assert.deepEqual([...new Set(wordsOf(outcomes))], ['storage_failed']);
      await crash.recover();
      assert.equal(crash.now().test.log.revealed.size, fault === 'persisted' ? 301 : 1);
      const again = await submitGroup(crash.now(), group, { isAtomic: true });
      assert.deepEqual([...new Set(wordsOf(again))], [fault === 'persisted' ? 'copy' : 'created']);
      assert.equal(crash.now().test.log.revealed.size, 301);
      assert.deepEqual(await crash.findings(), []);
    });
  }
});

describe('a group that meets a fault of ours', () => {
  const turns = async (count: number): Promise<void> => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  };

  test('in an append: what has its place is held until it is durable, and then the fault is told', async () => {
    const slow = new SlowStore(new MemoryStore());
    const crash = await openCrashVault({ store: slow });
    const { vault, test: log } = crash.now();
    const group = [eventAbout('anna', 'a'), eventAbout('anna', 'b'), eventAbout('anna', 'c')];
    const bodies = group.map(bytesOf);
    // For the second less room was taken than it needs.
    const reservations = bodies.map(({ length }, i) =>
      i === 1 ? log.log.reserve(1) : vault.reserve(length),
    );
    slow.maxCommitTurns = 80;
    const sent = vault.submitGroup({
      bodies,
      reservations,
      isAtomic: false,
      sources: ['test'],
      submitter: 'test',
    });
    await assert.rejects(sent, RangeError);
    assert.equal(log.log.revealed.size, 3);
    const { events: count } = await vault.erase(erasing({ subject: subjectOf('anna') }));
    assert.equal(count, 2);
    assert.deepEqual(wordsOf(await submitGroup(crash.now(), group)).slice(1, 2), ['created']);
  });

  test('in holding what it moves: all of it is let go, also what comes later', async () => {
    const store = new WatchedStore(new MemoryStore());
    const crash = await openCrashVault({ store });
    stored(await submitGroup(crash.now(), [eventAbout('anna', 'a'), eventAbout('bert', 'b')]));
    // Nothing of them is in memory.
    await crash.recover();
    let owners = 0;
    store.onGet = async (keys) => {
      if (keys[0]?.[0] !== OWNERS) return;
      owners += 1;
      if (owners === 1) throw new Error('injected fault: unreadable');
      await turns(50);
    };
    const group = [eventAbout('anna', 'c'), eventAbout('bert', 'd')];
    await assert.rejects(submitGroup(crash.now(), group), /injected fault/);
    assert.equal(owners, 2);
    store.onGet = () => {};
    for (const name of ['anna', 'bert']) {
      const { erasureId } = await crash.now().vault.erase(erasing({ subject: subjectOf(name) }));
      assert.equal((await erasureIn(crash.now(), erasureId, 'done')).erased, 1);
    }
    assert.deepEqual(await crash.findings(), []);
  });
});

describe('a group in a crash', () => {
  for (const fault of FAULTS) {
    test(`(${fault}) of several rounds: what was acknowledged is there, and a retry completes it`, async () => {
      const limits = { maxRoundEntries: 16, maxRoundBytes: 1e6, maxQueueEntries: 4096, maxQueueBytes: 1e8 };
      const crash = await openCrashVault({ open: { limits } });
      const group = events(100);
      crash.faulty().failNext(fault, 3);
      const outcomes = await submitGroup(crash.now(), group);
      assert.deepEqual([...new Set(wordsOf(outcomes))], ['created', 'storage_failed']);
      await crash.recover();
      const again = await submitGroup(crash.now(), group);
      for (const [i, { submitted }] of outcomes.entries()) {
        if (submitted) assert.equal(again[i]!.submitted!.event.eventId, submitted.event.eventId);
      }
      assert.equal(stored(again).length, 100);
      assert.equal(crash.now().test.log.revealed.size, 101);
      assert.deepEqual(await crash.findings(), []);
    });
  }
});
