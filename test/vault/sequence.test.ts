import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/formats/json.ts';
import { GAP_GRACE_MS } from '../../src/vault/source-numbers.ts';
import { FAULTS } from '../support/faulty-store.ts';
import type { TestVault } from '../support/test-vault.ts';
import { eventOf, openCrashVault, ownEvents, rowsOf, submitGroup, wordsOf } from '../support/vault-crash.ts';

/** The timers of the upkeep, which a test lets go off: those of tests run for real. */
const GAPS_MS = 15_000;

function numbered(seq: number, id = `n-${seq}`): JsonObject {
  return eventOf(id, { seq });
}

async function submitAll(vault: TestVault, numbers: readonly number[]): Promise<void> {
  for (const seq of numbers) await vault.submit(numbered(seq));
}

function saidOf(event: { readonly content: JsonObject }): JsonObject {
  return (event.content['ext'] as JsonObject)['newel:gap'] as JsonObject;
}

async function gapsSaid(vault: TestVault): Promise<JsonObject[]> {
  return (await ownEvents(vault, 'source.gap')).map(saidOf);
}

describe('a strict source', () => {
  test('has a number on every event; one without is invalid, and nothing is stored', async () => {
    const crash = await openCrashVault({ vault: { sources: { test: { sequence: 'strict' } } } });
    await assert.rejects(crash.now().submit(eventOf('a')), {
      code: 'event_invalid',
      faults: [{ pointer: '/seq', detail: 'is required of this source, which is strict about its numbers' }],
    });
    assert.equal(crash.now().test.log.revealed.size, 1);
    await crash.now().submit(eventOf('a', { seq: 7 }));
  });
});

describe('numbers of a source', () => {
  test('a gap and a fork are in the answer, in what is found, and in the answer to a retry, now and later', async () => {
    const crash = await openCrashVault();
    await crash.now().submit(numbered(10));
    const gap = await crash.now().submit(numbered(13));
    const fork = await crash.now().submit(numbered(10, 'again'));
    const late = await crash.now().submit(numbered(11));
    const expected = {
      gap: [{ code: 'sequence_gap', expected: 11, missing: 2 }],
      fork: [{ code: 'sequence_fork', expected: 14 }],
    };
    for (let opening = 0; opening < 2; opening++) {
      const { vault, submit } = crash.now();
      assert.deepEqual(gap.event.notices, expected.gap);
      assert.deepEqual((await vault.find(gap.event.eventId))!.notices, expected.gap);
      assert.deepEqual((await submit(numbered(13))).event.notices, expected.gap);
      assert.deepEqual((await submit(numbered(10, 'again'))).event.notices, expected.fork);
      assert.deepEqual((await vault.find(fork.event.eventId))!.notices, expected.fork);
      assert.deepEqual((await vault.find(late.event.eventId))!.notices, []);
      await crash.recover();
    }
    const next = await crash.now().submit(numbered(14));
    assert.deepEqual(next.event.notices, []);
  });

  test('are those of each source, and a group moves them in its order', async () => {
    const crash = await openCrashVault();
    const other = { source: 'https://bank.example/payments' };
    const outcomes = await submitGroup(crash.now(), [
      numbered(1),
      eventOf('o1', { ...other, seq: 7 }),
      numbered(2),
      eventOf('o2', { ...other, seq: 9 }),
      numbered(3),
    ]);
    assert.deepEqual(
      outcomes.map(({ submitted }) => submitted!.event.notices.map(({ code }) => code)),
      [[], [], [], ['sequence_gap'], []],
    );
  });

  test('say nothing of the source in clear in the database', async () => {
    const crash = await openCrashVault();
    await crash.now().submit(numbered(10));
    const rows = await rowsOf(crash.store, 0x89);
    assert.equal(rows.length, 1);
    assert.equal(Buffer.concat(rows.flatMap(({ key, value }) => [key, value])).includes('test'), false);
  });
});

describe('a strict source', () => {
  const strict = { vault: { sources: { test: { sequence: 'strict' } } } } as const;

  test('is told which number is expected, now and after a start, and nothing moves', async () => {
    const crash = await openCrashVault(strict);
    await submitAll(crash.now(), [4, 5]);
    for (let opening = 0; opening < 2; opening++) {
      for (const seq of [4, 7, 0, 100]) {
        const refused = crash.now().submit(numbered(seq, `wrong-${seq}`));
        await assert.rejects(refused, { code: 'sequence_conflict', expected: 6 });
      }
      assert.equal((await crash.now().submit(numbered(5))).created, false);
      await crash.recover();
    }
    await submitAll(crash.now(), [6, 7]);
    assert.equal(crash.now().test.log.revealed.size, 5);
  });

  test('sends many at once, in order or not: what is taken is one after the other', async () => {
    const crash = await openCrashVault(strict);
    await crash.now().submit(numbered(0));
    const outcomes = await Promise.allSettled(
      [2, 1, 2, 3, 5, 4].map((seq, i) => crash.now().submit(numbered(seq, `c${i}`))),
    );
    const words = outcomes.map((one) =>
      one.status === 'fulfilled' ? 'created' : (one.reason as { code: string }).code,
    );
    assert.deepEqual(words, [
      'sequence_conflict',
      'created',
      'created',
      'created',
      'sequence_conflict',
      'created',
    ]);
  });

  for (const fault of FAULTS) {
    test(`in a crash (${fault}): the retry of what was unknown is taken or is a copy, never a conflict`, async () => {
      const crash = await openCrashVault(strict);
      await submitAll(crash.now(), [1, 2]);
      crash.faulty().failNext(fault);
      const lost = await submitGroup(crash.now(), [numbered(3), numbered(4)]);
      assert.deepEqual(wordsOf(lost), ['storage_failed', 'storage_failed']);
      await crash.recover();
      const again = await submitGroup(crash.now(), [numbered(3), numbered(4), numbered(5)]);
      const word = fault === 'persisted' ? 'copy' : 'created';
      assert.deepEqual(wordsOf(again), [word, word, 'created']);
    });
  }
});

describe('what is missing is said', () => {
  test('once, after the grace, with what is missing then; a fork at once', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const crash = await openCrashVault();
    const tick = async (): Promise<void> => {
      t.mock.timers.tick(GAPS_MS);
      await settled();
    };
    await submitAll(crash.now(), [1, 5, 9]);
    await tick();
    assert.deepEqual(await gapsSaid(crash.now()), []);
    await crash.now().submit(numbered(1, 'fork'));
    await crash.now().submit(numbered(3));
    crash.now().test.clock.advance(GAP_GRACE_MS + 1);
    await tick();
    const all = await gapsSaid(crash.now());
    assert.deepEqual(
      all.map(({ kind, first_missing: first, last_missing: last, first_repeated: repeated, count }) => [
        kind,
        first ?? repeated,
        last ?? repeated,
        count,
      ]),
      [
        ['gap', 2, 2, 1],
        ['gap', 4, 4, 1],
        ['gap', 6, 8, 3],
        ['fork', 1, 1, 1],
      ],
    );
    for (let opening = 0; opening < 2; opening++) {
      await tick();
      assert.deepEqual(await gapsSaid(crash.now()), all);
      await crash.recover();
    }
    // What was said is filled without another word, and the same fork again is another one.
    await crash.now().submit(numbered(7));
    await crash.now().submit(numbered(1, 'fork-again'));
    await tick();
    assert.equal((await gapsSaid(crash.now())).length, 5);
    assert.deepEqual(await crash.findings(), []);
  });

  test('of each fork that comes while another is being said', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const crash = await openCrashVault();
    await submitAll(crash.now(), [1, 2, 3]);
    let forks = 0;
    for (let round = 0; round < 8; round++) {
      await crash.now().submit(numbered(2, `fork-${forks++}`));
      t.mock.timers.tick(GAPS_MS);
      const coming = Array.from({ length: 12 }, async (_, i) => {
        for (let wait = 0; wait < i; wait++) await new Promise((resolve) => setImmediate(resolve));
        return crash.now().submit(numbered(1 + (i % 3), `fork-${forks++}`));
      });
      await Promise.all(coming);
    }
    t.mock.timers.tick(GAPS_MS);
    await settled();
    const counted = (await gapsSaid(crash.now())).reduce((sum, { count }) => sum + Number(count), 0);
    assert.equal(counted, forks);
  });

  for (const fault of FAULTS) {
    test(`exactly once, whichever commit fails (${fault})`, async (t) => {
      t.mock.timers.enable({ apis: ['setInterval'] });
      for (let commit = 0; ; commit++) {
        const crash = await openCrashVault();
        await submitAll(crash.now(), [1, 3, 6]);
        await crash.now().submit(numbered(1, 'fork'));
        crash.now().test.clock.advance(GAP_GRACE_MS + 1);
        const { commits } = crash.faulty();
        crash.faulty().failNext(fault, commit);
        t.mock.timers.tick(GAPS_MS);
        await settled();
        const isDone = crash.faulty().commits - commits <= commit;
        crash.faulty().failNext(fault, Infinity);
        await crash.recover();
        t.mock.timers.tick(GAPS_MS);
        await settled();
        const said = await gapsSaid(crash.now());
        const names = said.map(
          ({ kind, first_missing: first, first_repeated: repeated }) =>
            `${kind as string} ${(first ?? repeated) as number}`,
        );
        assert.deepEqual(names.toSorted(), ['fork 1', 'gap 2', 'gap 4'], `commit ${commit}`);
        assert.deepEqual((await crash.now().submit(numbered(7))).event.notices, []);
        assert.deepEqual(await crash.findings(), []);
        if (isDone) break;
        assert.ok(commit < 20);
      }
    });
  }

  test('and events that come in the meantime are neither lost nor ahead of the log, whichever commit fails', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    for (const fault of FAULTS) {
      for (let commit = 0; commit < 6; commit++) {
        const crash = await openCrashVault();
        await submitAll(crash.now(), [1, 5]);
        crash.now().test.clock.advance(GAP_GRACE_MS + 1);
        crash.faulty().failNext(fault, commit);
        t.mock.timers.tick(GAPS_MS);
        const coming = [6, 7, 8, 9].map(async (seq) => {
          for (let wait = 0; wait < 3 * (seq - 6); wait++)
            await new Promise((resolve) => setImmediate(resolve));
          return crash.now().submit(numbered(seq));
        });
        await Promise.allSettled(coming);
        await settled();
        crash.faulty().failNext(fault, Infinity);
        await crash.recover();
        t.mock.timers.tick(GAPS_MS);
        await settled();
        for (const seq of [6, 7, 8, 9, 10]) {
          const { event } = await crash.now().submit(numbered(seq));
          assert.deepEqual(event.notices, [], `${fault} ${commit}: number ${seq}`);
        }
        assert.equal((await gapsSaid(crash.now())).length, 1, `${fault} ${commit}`);
      }
    }
  });
});

/** Lets everything go on that is under way. */
async function settled(): Promise<void> {
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
}
