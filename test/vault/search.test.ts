import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../src/formats/json.ts';
import { type LeafRange, meet, ScanBudget } from '../../src/vault/postings.ts';
import { formatIndex } from '../../src/vault/rows.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { EventQuery, StoredEvent } from '../../src/vault/vault.ts';
import { SLOW } from '../support/slow.ts';
import {
  type CrashVault,
  erasing,
  erasureIn,
  eventOf,
  openCrashVault,
  subjectOf,
  submitGroup,
} from '../support/vault-crash.ts';

const NUM_RUNS = SLOW ? 200 : 12;

/** What the model knows of an event: the members that it may be asked for by, and when it was in the log. */
interface Known {
  readonly event: StoredEvent;
  readonly sent: JsonObject;
  readonly roundMs: number;
  isErased: boolean;
}

const TYPES = ['login.succeeded', 'logout', 'login.failed'] as const;
const SUBJECTS = ['anna', 'bert', undefined] as const;
const IPS = ['192.0.2.1', '192.0.2.2', undefined] as const;

interface Spec {
  readonly type: (typeof TYPES)[number];
  readonly subject: (typeof SUBJECTS)[number];
  readonly ip: (typeof IPS)[number];
  readonly hour: number;
}

const specs: fc.Arbitrary<Spec> = fc.record({
  type: fc.constantFrom(...TYPES),
  subject: fc.constantFrom(...SUBJECTS),
  ip: fc.constantFrom(...IPS),
  hour: fc.integer({ min: 0, max: 4 }),
});

const queries: fc.Arbitrary<{
  type?: string;
  ip?: string;
  subject?: string;
  after?: number;
  before?: number;
  timeAfter?: number;
  timeBefore?: number;
}> = fc.record(
  {
    type: fc.constantFrom(...TYPES),
    ip: fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.3'),
    subject: fc.constantFrom('anna', 'bert', 'nobody'),
    after: fc.integer({ min: 0, max: 7 }),
    before: fc.integer({ min: 0, max: 7 }),
    timeAfter: fc.integer({ min: 0, max: 4 }),
    timeBefore: fc.integer({ min: 0, max: 4 }),
  },
  { requiredKeys: [] },
);

const HOUR_MS = 3_600_000;
const TIME_MS = Date.UTC(2026, 10, 20, 12);

describe('finding events', () => {
  test('gives what a look at each event gives: all of it, once, the newest first, whatever is appended or erased meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(specs, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.tuple(queries, fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 8 }),
        fc.array(specs, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 4 }),
        async (rounds, asked, appended, erased) => {
          const crash = await openCrashVault();
          const known: Known[] = [];
          for (const round of rounds) {
            crash.now().test.clock.set(crash.now().test.clock.now() + HOUR_MS);
            await append(crash, known, round);
          }
          await eraseSome(crash, known, erased);
          for (const [query, limit] of asked) {
            const q = queryOf(query);
            const expected = known.filter((one) => !one.isErased && isTrueOf(one, query));
            const bound = known.length;
            const found: StoredEvent[] = [];
            let cursor: string | undefined;
            let pages = 0;
            do {
              const page = await crash
                .now()
                .vault.list(q, { limit, ...(cursor === undefined ? {} : { cursor }) });
              assert.ok(page.events.length <= limit);
              found.push(...page.events);
              cursor = page.next;
              if (pages++ === 0) await append(crash, known, appended);
            } while (cursor !== undefined);
            const indexes = found.map(({ leafIndex }) => leafIndex);
            assert.deepEqual(indexes, expected.map(({ event }) => event.leafIndex).toReversed());
            assert.ok(known.length >= bound);
          }
          await crash.now().vault.close();
        },
      ),
      { numRuns: NUM_RUNS },
    );
  });

  async function append(crash: CrashVault, known: Known[], round: readonly Spec[]): Promise<void> {
    const events = round.map(({ type, subject, ip, hour }, i) =>
      eventOf(`e-${known.length + i}`, {
        type,
        time: new Date(TIME_MS + hour * HOUR_MS).toISOString(),
        ...(subject && { subject: { sub_id: subjectOf(subject) } }),
        ...(ip && { src: { ip } }),
      }),
    );
    const outcomes = await submitGroup(crash.now(), events);
    const roundMs = crash.now().test.log.revealed.timeMs;
    outcomes.forEach(({ submitted }, i) =>
      known.push({ event: submitted!.event, sent: events[i]!, roundMs, isErased: false }),
    );
  }

  async function eraseSome(crash: CrashVault, known: Known[], which: readonly number[]): Promise<void> {
    const chosen = [...new Set(which.map((n) => known[n % known.length]!))];
    if (chosen.length === 0) return;
    const eventIds = chosen.map(({ event }) => event.eventId);
    const { erasureId } = await crash.now().vault.erase(erasing({ eventIds }));
    await erasureIn(crash.now(), erasureId, 'compacting', 'done');
    for (const one of chosen) one.isErased = true;
  }

  type Asked = typeof queries extends fc.Arbitrary<infer Q> ? Q : never;

  function queryOf({ type, ip, subject, after, before, timeAfter, timeBefore }: Asked): EventQuery {
    return {
      // The log's own events are in lists as well; the model knows those of the tests.
      terms: { source: 'test', ...(type && { type }), ...(ip && { ip }) },
      ...(subject && { subject: subjectOf(subject) }),
      ...(after !== undefined && { afterMs: TIME_MS + after * HOUR_MS }),
      ...(before !== undefined && { beforeMs: TIME_MS + before * HOUR_MS }),
      ...(timeAfter !== undefined && { timeAfterMs: TIME_MS + timeAfter * HOUR_MS }),
      ...(timeBefore !== undefined && { timeBeforeMs: TIME_MS + timeBefore * HOUR_MS }),
    };
  }

  function isTrueOf(
    { sent, roundMs }: Known,
    { type, ip, subject, after, before, timeAfter, timeBefore }: Asked,
  ): boolean {
    const { sub_id: subId } = (sent['subject'] ?? {}) as JsonObject;
    const timeMs = Date.parse(sent['time'] as string);
    const hours = (ms: number): number => (ms - TIME_MS) / HOUR_MS;
    return (
      (type === undefined || sent['type'] === type) &&
      (ip === undefined || (sent['src'] as JsonObject | undefined)?.['ip'] === ip) &&
      (subject === undefined || (subId as JsonObject | undefined)?.['id'] === subject) &&
      (after === undefined || hours(roundMs) >= after) &&
      (before === undefined || hours(roundMs) < before) &&
      (timeAfter === undefined || hours(timeMs) >= timeAfter) &&
      (timeBefore === undefined || hours(timeMs) < timeBefore)
    );
  }

  test('by source and id finds the one event, if all else that is asked for is true of it', async () => {
    const crash = await openCrashVault();
    const { vault, submit } = crash.now();
    const { event } = await submit(eventOf('a', { subject: { sub_id: subjectOf('anna') } }));
    await submit(eventOf('b', { subject: { sub_id: subjectOf('bert') } }));
    const idsOf = async (query: EventQuery): Promise<string[]> =>
      (await vault.list(query, { limit: 5 })).events.map(({ id }) => id);
    const base = { terms: { source: 'test' }, id: 'a' };
    assert.deepEqual(await idsOf(base), ['a']);
    assert.deepEqual(await idsOf({ ...base, subject: subjectOf('anna') }), ['a']);
    assert.deepEqual(await idsOf({ ...base, subject: subjectOf('bert') }), []);
    assert.deepEqual(await idsOf({ ...base, terms: { source: 'test', type: 'logout' } }), []);
    assert.deepEqual(await idsOf({ ...base, terms: { source: 'other' } }), []);
    assert.deepEqual(await idsOf({ ...base, afterMs: event.receivedTimeMs + 1 }), []);
    assert.deepEqual(await idsOf({ ...base, beforeMs: event.receivedTimeMs }), []);
    await assert.rejects(vault.list({ id: 'a' }, { limit: 5 }), { code: 'malformed' });
    await assert.rejects(vault.list({ terms: { type: 'no type' } }, { limit: 5 }), { code: 'malformed' });
    const { erasureId } = await vault.erase(erasing({ eventIds: [event.eventId] }));
    await erasureIn(crash.now(), erasureId, 'done');
    assert.deepEqual(await idsOf(base), []);
  });

  test('a cursor is good for its own query, and for no other; what is no cursor is refused', async () => {
    const crash = await openCrashVault();
    await submitGroup(
      crash.now(),
      Array.from({ length: 9 }, (_, i) => eventOf(`e-${i}`)),
    );
    const { vault } = crash.now();
    const query = { terms: { type: 'login.succeeded' } };
    const { next } = await vault.list(query, { limit: 3 });
    assert.ok(next);
    assert.equal((await vault.list(query, { limit: 5, cursor: next })).events[0]!.id, 'e-5');
    const bytes = Buffer.from(next, 'base64url');
    const wrong = [
      '',
      'x',
      `${next}A`,
      next.slice(1),
      Buffer.alloc(16, 0xff).toString('base64url'),
      Buffer.alloc(16).toString('base64url'),
      ...Array.from(bytes, (byte, i) =>
        Buffer.from(bytes)
          .fill(byte ^ 1, i, i + 1)
          .toString('base64url'),
      ),
      ...Array.from(bytes, (byte, i) =>
        Buffer.from(bytes)
          .fill(byte ^ 0x80, i, i + 1)
          .toString('base64url'),
      ),
    ];
    for (const cursor of wrong)
      await assert.rejects(vault.list(query, { limit: 3, cursor }), { code: 'malformed' }, cursor);
    for (const other of [
      {},
      { terms: { type: 'logout' } },
      { ...query, beforeMs: 1e15 },
      { ...query, subject: subjectOf('a') },
    ]) {
      await assert.rejects(vault.list(other, { limit: 3, cursor: next }), { code: 'malformed' });
    }
    await crash.recover();
    assert.equal((await crash.now().vault.list(query, { limit: 5, cursor: next })).events.length, 5);
  });

  test('where thousands of events are looked at in vain, pages are short and the last one is reached', async () => {
    const crash = await openCrashVault();
    const late = '2026-11-20T18:00:00.000Z';
    for (let at = 0; at < 3000; at += 500) {
      const group = Array.from({ length: 500 }, (_, i) =>
        eventOf(`e-${at + i}`, at + i === 3 ? { time: late } : {}),
      );
      await submitGroup(crash.now(), group);
    }
    const { vault } = crash.now();
    const query = { timeAfterMs: Date.parse(late), terms: { source: 'test' } };
    const found: string[] = [];
    const sizes: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await vault.list(query, { limit: 50, ...(cursor === undefined ? {} : { cursor }) });
      sizes.push(page.events.length);
      found.push(...page.events.map(({ id }) => id));
      cursor = page.next;
    } while (cursor !== undefined);
    assert.deepEqual(found, ['e-3']);
    assert.ok(sizes.length > 2 && sizes.length < 10, `${sizes.length} pages`);
  });
});

describe('lists that are met', () => {
  const keyOf =
    (list: number) =>
    (index: number): Uint8Array =>
      Buffer.concat([Uint8Array.of(0x88, list), formatIndex(index)]);

  async function storeOf(lists: readonly (readonly number[])[]): Promise<MemoryStore> {
    const store = new MemoryStore();
    const puts = lists.flatMap((list, i) =>
      list.map((index) => ({ key: keyOf(i)(index), value: new Uint8Array(0) })),
    );
    await store.commit({ puts });
    return store;
  }

  test('have in common what they have in common, however little of them may be read at a time', async () => {
    // Every so many leaves, here and there none for a while.
    const list = fc
      .record({
        step: fc.integer({ min: 1, max: 40 }),
        from: fc.nat(50),
        gap: fc.nat(3000),
        length: fc.nat(1500),
      })
      .map(({ step, from, gap, length }) =>
        Array.from({ length: Math.ceil(4000 / step) }, (_, i) => from + i * step).filter(
          (index) => index < gap || index >= gap + length,
        ),
      );
    await fc.assert(
      fc.asyncProperty(
        fc.array(list, { maxLength: 4 }),
        // Enough for a first look at each list, without which there is no getting on.
        fc.integer({ min: 300, max: 1000 }),
        fc.integer({ min: 0, max: 500 }),
        fc.integer({ min: 600, max: 4200 }),
        async (lists, rows, lowest, highest) => {
          const store = await storeOf(lists);
          const found: number[] = [];
          const sets = lists.map((one) => new Set(one));
          let from: number | undefined = highest;
          for (let pages = 0; from !== undefined; pages++) {
            assert.ok(pages < 200);
            const range: LeafRange = { lowest, highest: from };
            from = undefined;
            const keys = lists.map((_, i) => keyOf(i));
            const meeting: ReturnType<typeof meet> = meet(store, keys, range, new ScanBudget(rows));
            for await (const met of meeting) {
              if ('next' in met) from = met.next;
              else found.push(met.index);
            }
          }
          const expected = Array.from({ length: highest - lowest + 1 }, (_, i) => highest - i).filter(
            (index) => sets.every((one) => one.has(index)),
          );
          assert.deepEqual(found, expected);
        },
      ),
      { numRuns: NUM_RUNS * 3 },
    );
  });
});
