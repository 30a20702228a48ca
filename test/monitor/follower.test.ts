/** Following one log: what is true is taken over, what is not is said, and nothing is ever passed over. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { EvidenceBundle } from '../../src/client/evidence-bundle.ts';
import { verifyEvidenceBundle } from '../../src/client/verify-evidence.ts';
import { concatBytes, equalBytes } from '../../src/core/bytes.ts';
import { hashBytes } from '../../src/core/hash.ts';
import { NewelError } from '../../src/errors.ts';
import { type CborValue, formatCbor, parseCbor } from '../../src/formats/cbor.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatEventLeaf } from '../../src/event/leaf.ts';
import { formatLogStatement } from '../../src/event/log-statement.ts';
import { type AlertCode, Alerts } from '../../src/monitor/alerts.ts';
import { followedLog } from '../../src/monitor/followed-log.ts';
import { Follower } from '../../src/monitor/follower.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Store } from '../../src/storage/store.ts';
import {
  FOLLOWED_ORIGIN,
  FOLLOWED_URL,
  FollowedTestLog,
  OTHER_SEED,
  type TrustOfFollowed,
  trustOfFollowed,
} from '../support/followed-log.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { SLOW } from '../support/slow.ts';
import { testCosigners } from '../support/witnessed-log.ts';

const NOW_S = 1_800_000_000;
const [W1] = testCosigners('witness.example/w1', { isQuick: true });
const [W2] = testCosigners('witness.example/w2', { isQuick: true });
assert.ok(W1 && W2);

interface Party {
  readonly follower: Follower;
  readonly store: Store;
  readonly clock: { nowMs: number };
  readonly kept: EvidenceBundle[];
  /** What was told, in order: `+code` and `-code`. */
  readonly told: string[];
  readonly standing: () => AlertCode[];
  /** A poll, and all entries. */
  step(): Promise<void>;
  /** As after a crash: all that is not in the store is gone. */
  reopen(log?: FollowedTestLog): Promise<Party>;
}

interface PartyOptions extends TrustOfFollowed {
  readonly store?: Store;
  readonly clock?: { nowMs: number };
  readonly maxAgeMs?: number;
}

async function open(log: FollowedTestLog, options: PartyOptions = {}): Promise<Party> {
  const { store = new MemoryStore(), clock = { nowMs: NOW_S * 1000 }, maxAgeMs } = options;
  const trust = trustOfFollowed(options);
  const kept: EvidenceBundle[] = [];
  const told: string[] = [];
  const now = (): number => clock.nowMs;
  const alerts = new Alerts({
    now,
    onRaised: ({ code }) => told.push(`+${code}`),
    onCleared: ({ code }) => told.push(`-${code}`),
  });
  const follower = await Follower.open({
    log: followedLog(trust, { url: FOLLOWED_URL, source: log, maxAgeMs }),
    store,
    alerts,
    now,
    convict: async (_log, bundle) => {
      verifyEvidenceBundle(bundle, { trust });
      kept.push(bundle);
    },
  });
  return {
    follower,
    store,
    clock,
    kept,
    told,
    standing: () => alerts.standing.map(({ code }) => code).toSorted(),
    async step() {
      await follower.poll();
      await follower.catchUp();
    },
    reopen: (other = log) => open(other, { ...options, store, clock }),
  };
}

function sizes({ follower: { state } }: Party): [head: number | undefined, entries: number | undefined] {
  return [state?.head.size, state?.range.size];
}

/** What a source makes of an answer that goes on and on. */
function tooLarge(): never {
  throw new NewelError('too_large', 'it is longer than any file of this kind');
}

describe('an honest log', () => {
  test('is followed from nothing to its head, through partial bundles, and nothing is said', async () => {
    const log = new FollowedTestLog();
    await log.publish(0);
    const party = await open(log);
    await party.step();
    assert.deepEqual(sizes(party), [0, 0]);
    for (const count of [1, 2, 252, 1, 1, 300, 700]) {
      log.grow(count);
      await log.publish();
      await party.step();
      assert.deepEqual(sizes(party), [log.size, log.size]);
      assert.ok(equalBytes(party.follower.state!.range.root(), log.root()));
    }
    await party.step();
    assert.deepEqual(party.told, []);
    assert.deepEqual(party.kept, []);
  });

  test('whose partial tiles and bundles are gone is read from the full ones', async () => {
    const log = new FollowedTestLog(300);
    await log.publish(200);
    log.faults.set('tile/0/000.p/200', () => undefined);
    log.faults.set('tile/entries/000.p/200', () => undefined);
    const party = await open(log);
    await party.step();
    assert.deepEqual([sizes(party), party.told], [[200, 200], []]);
  });

  test('may have extension lines, and lines of unknown keys', async () => {
    const log = new FollowedTestLog(5);
    await log.publish(5, { extensions: 'timestamp 17\nregion eu\n', witnesses: [[W1, NOW_S]] });
    const party = await open(log);
    await party.step();
    assert.deepEqual([sizes(party), party.told], [[5, 5], []]);
  });

  test('is taken up again where it was left, and what was verified is not read again', async () => {
    const log = new FollowedTestLog(1000);
    await log.publish();
    const party = await open(log);
    await party.follower.poll();
    // Long enough for the first bundle alone.
    assert.equal(await party.follower.catchUp(0), false);
    const [, verified] = sizes(party);
    assert.ok(verified! >= 256 && verified! < 1000, `${verified}`);
    const again = await party.reopen();
    assert.deepEqual(sizes(again), [1000, verified]);
    log.grow(100);
    await log.publish();
    log.reads.length = 0;
    await again.step();
    assert.deepEqual([sizes(again), again.told], [[1100, 1100], []]);
    assert.ok(!log.reads.includes('tile/entries/000'), 'a bundle that was verified is read again');
  });

  test('grows, is looked at and crashes in any order', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ grow: fc.integer({ min: 1, max: 400 }) }),
        fc.constant('poll' as const),
        fc.constant('some' as const),
        fc.constant('all' as const),
        fc.constant('crash' as const),
      ),
      { maxLength: 14 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const log = new FollowedTestLog(3);
        await log.publish();
        let party = await open(log);
        let before = 0;
        for (const step of [...plan, 'poll' as const, 'all' as const]) {
          if (typeof step === 'object') {
            log.grow(step.grow);
            await log.publish();
          } else if (step === 'crash') party = await party.reopen();
          else if (step === 'poll') await party.follower.poll();
          else await party.follower.catchUp(step === 'some' ? 0 : undefined);
          const [head = 0, entries = 0] = sizes(party);
          assert.ok(head >= before && entries <= head);
          before = head;
        }
        assert.deepEqual([sizes(party), party.told], [[log.size, log.size], []]);
        assert.ok(equalBytes(party.follower.state!.range.root(), log.root()));
      }),
      { numRuns: SLOW ? 300 : 25 },
    );
  });
});

describe('what is served falsely', () => {
  test('an entry that was changed stops there, whatever restarts, and goes on when it is back', async () => {
    const log = new FollowedTestLog(700);
    await log.publish();
    log.faults.set('tile/entries/001', (bytes) => flip(bytes!, 1000));
    let party = await open(log);
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[700, 256], ['entry_changed']]);
    party = await party.reopen();
    log.grow(100);
    await log.publish();
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[800, 256], ['entry_changed']]);
    log.faults.clear();
    await party.step();
    assert.deepEqual(
      [sizes(party), party.told],
      [
        [800, 800],
        ['+entry_changed', '-entry_changed'],
      ],
    );
    assert.deepEqual(party.kept, [], 'a changed entry is no proof');
  });

  test('so does one in the last, partial bundle, and a bundle that is none', async () => {
    for (const spoil of [
      (bytes: Uint8Array): Uint8Array => flip(bytes, 3),
      (bytes: Uint8Array): Uint8Array => bytes.subarray(0, -1),
      (bytes: Uint8Array): Uint8Array => concatBytes(bytes, Uint8Array.of(0)),
      (): Uint8Array => new Uint8Array(0),
      tooLarge,
    ]) {
      const log = new FollowedTestLog(300);
      await log.publish();
      log.faults.set('tile/entries/001.p/44', (bytes) => spoil(bytes!));
      const party = await open(log);
      await party.step();
      assert.deepEqual([sizes(party), party.standing()], [[300, 256], ['entry_changed']]);
    }
  });

  test('a tile that was changed is said, and no entry is believed under it', async () => {
    const log = new FollowedTestLog(700);
    await log.publish();
    log.faults.set('tile/0/001', (bytes) => flip(bytes!, 77));
    const party = await open(log);
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[700, 256], ['tile_changed']]);
    log.faults.clear();
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[700, 700], []]);
  });

  test('a tile on the edge that was changed keeps the head from being taken over', async () => {
    const log = new FollowedTestLog(300);
    await log.publish();
    const party = await open(log);
    await party.step();
    log.grow(100);
    await log.publish();
    for (const spoil of [(bytes: Uint8Array) => flip(bytes, 5), (bytes: Uint8Array) => bytes.subarray(32)]) {
      log.faults.set('tile/0/001.p/144', (bytes) => spoil(bytes!));
      await party.step();
      assert.deepEqual([sizes(party), party.standing()], [[300, 300], ['tile_changed']]);
    }
    log.faults.set('tile/0/001.p/144', () => undefined);
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[300, 300], ['unreadable']]);
    assert.deepEqual(party.kept, []);
  });

  test('a checkpoint that is none, or by another key, or too large for a tree', async () => {
    const log = new FollowedTestLog(5);
    const party = await open(log);
    const good = await log.head();
    for (const checkpoint of [
      await log.head(5, { seed: OTHER_SEED }),
      flip(good, good.length - 10),
      encodeUtf8('not a checkpoint\n'),
      await log.head(5, { sizeText: '05' }),
      await log.head(5, { sizeText: '9007199254740992' }),
      await log.head(0, { root: new Uint8Array(32) }),
      await log.head(5, { extensions: '\n' }),
    ]) {
      log.checkpoint = checkpoint;
      await party.step();
      assert.deepEqual([sizes(party), party.standing()], [[undefined, undefined], ['checkpoint_invalid']]);
    }
    log.faults.set('checkpoint', tooLarge);
    await party.step();
    assert.deepEqual(party.standing(), ['checkpoint_invalid']);
    log.faults.clear();
    log.checkpoint = undefined;
    await party.step();
    assert.deepEqual(party.standing(), ['unreadable']);
    log.checkpoint = good;
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[5, 5], []]);
  });
});

describe('a log that goes back', () => {
  test('a tree that shrank is never taken over, after a restart neither', async () => {
    const log = new FollowedTestLog(300);
    await log.publish();
    let party = await open(log);
    await party.step();
    await log.publish(200);
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[300, 300], ['shrunk']]);
    party = await party.reopen();
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[300, 300], ['shrunk']]);
    assert.deepEqual(party.kept, [], 'a smaller head of the same tree proves nothing');
    log.grow(1);
    await log.publish();
    await party.step();
    assert.deepEqual(
      [sizes(party), party.told],
      [
        [301, 301],
        ['+shrunk', '-shrunk'],
      ],
    );
  });

  test('signed at a later time for a smaller tree is proof of a rollback', async () => {
    const log = new FollowedTestLog(300);
    await log.publish(300, { timeS: NOW_S - 100 });
    const party = await open(log);
    await party.step();
    await log.publish(200, { timeS: NOW_S - 200 });
    await party.step();
    assert.deepEqual(party.kept, [], 'an older head that is served again is none');
    await log.publish(200, { timeS: NOW_S - 50 });
    await party.step();
    assert.deepEqual(
      party.kept.map(({ evidence }) => evidence),
      ['newel.rollback/1'],
    );
    assert.deepEqual(sizes(party), [300, 300]);
  });
});

describe('a fork', () => {
  for (const [name, size] of [
    ['of one size', 300],
    ['that is larger', 500],
    ['that is smaller', 280],
  ] as const) {
    test(`${name} is proven, and never taken over`, async () => {
      const log = new FollowedTestLog(300);
      await log.publish();
      const party = await open(log);
      await party.step();
      const other = log.fork(270).grow(size - 270, 'other');
      await other.publish();
      // A smaller one is compared with the tree that was served before.
      if (size < 300) log.faults.set('checkpoint', () => other.checkpoint);
      const again = await party.reopen(size < 300 ? log : other);
      await again.step();
      assert.deepEqual(
        again.kept.map(({ evidence }) => evidence),
        ['newel.fork/1'],
      );
      assert.deepEqual(sizes(again), [300, 300]);
      assert.ok(!again.standing().includes('inconsistent_unproven'));
    });
  }

  for (const size of [300, 500]) {
    test(`of ${size} leaves is proven though somebody added a false line, which is said too`, async () => {
      const log = new FollowedTestLog(300);
      await log.publish();
      const party = await open(log, { witnesses: [W1] });
      await party.step();
      const other = log.fork(270).grow(size - 270, 'other');
      const good = await other.head(size, { witnesses: [[W1, NOW_S]] });
      other.checkpoint = flip(good, good.length - 10);
      const again = await party.reopen(other);
      await again.step();
      assert.deepEqual(
        again.kept.map(({ evidence }) => evidence),
        ['newel.fork/1'],
      );
      assert.deepEqual([sizes(again)[0], again.standing().includes('checkpoint_invalid')], [300, true]);
    });
  }

  test('whose tiles are not served is an alert, and is not called proof', async () => {
    const log = new FollowedTestLog(300);
    await log.publish();
    const party = await open(log);
    await party.step();
    const other = log.fork(270).grow(230, 'other');
    await other.publish();
    // The forked head beside the tiles of the honest tree, which is large enough.
    log.grow(200);
    log.checkpoint = other.checkpoint;
    await party.step();
    assert.deepEqual([sizes(party), party.kept.length, party.standing()], [[300, 300], 0, ['tile_changed']]);
  });
});

describe('what is held against a head by itself', () => {
  test('its age: by the newest time in its lines', async () => {
    const log = new FollowedTestLog(5);
    const party = await open(log);
    await log.publish(5, { timeS: NOW_S });
    await party.step();
    party.clock.nowMs += 29 * 60_000;
    await party.step();
    assert.deepEqual(party.told, []);
    party.clock.nowMs += 2 * 60_000;
    await party.step();
    assert.deepEqual(party.standing(), ['stale']);
    await log.publish(5, { timeS: NOW_S + 31 * 60 });
    await party.step();
    assert.deepEqual(party.told, ['+stale', '-stale']);
    log.checkpoint = undefined;
    party.clock.nowMs += 31 * 60_000;
    await party.step();
    assert.deepEqual(party.standing(), ['stale', 'unreadable'], 'a log that is gone is stale too');
  });

  test('its age: by when it changed, where its lines have no time, after a restart too', async () => {
    const log = new FollowedTestLog(5);
    await log.publish();
    let party = await open(log, { isUntimed: true });
    await party.step();
    party.clock.nowMs += 23 * 3_600_000;
    party = await party.reopen();
    await party.step();
    assert.deepEqual(party.standing(), []);
    party.clock.nowMs += 2 * 3_600_000;
    await party.step();
    assert.deepEqual(party.standing(), ['stale']);
    log.grow(1);
    await log.publish();
    await party.step();
    assert.deepEqual(party.standing(), []);
    const strict = await open(log, { isUntimed: true, maxAgeMs: 60_000 });
    await strict.step();
    strict.clock.nowMs += 61_000;
    await strict.step();
    assert.deepEqual(strict.standing(), ['stale']);
  });

  test('a time that has not come yet', async () => {
    const log = new FollowedTestLog(5);
    await log.publish(5, { timeS: NOW_S + 299 });
    const party = await open(log);
    await party.step();
    assert.deepEqual(party.standing(), []);
    await log.publish(5, { timeS: NOW_S + 301 });
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[5, 5], ['clock']]);
  });

  test('the witness lines that the policy asks for', async () => {
    const log = new FollowedTestLog(5);
    const party = await open(log, { witnesses: [W1, W2], threshold: 2 });
    await log.publish(5, { witnesses: [[W1, NOW_S]] });
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[5, 5], ['quorum_missing']]);
    await log.publish(5, {
      witnesses: [
        [W1, NOW_S],
        [W2, NOW_S],
      ],
    });
    await party.step();
    assert.deepEqual(party.told, ['+quorum_missing', '-quorum_missing']);
  });
});

describe('a log of events', () => {
  const leaf = (n: number): Uint8Array => formatEventLeaf(hashBytes(encodeUtf8(`event ${n}`)));
  const statement = formatLogStatement({
    kind: 'init',
    origin: FOLLOWED_ORIGIN,
    issuer: 'https://log.example',
    statement_keys: ['5f1cPKkq6T0b0MEdq0HvhyTjSLe-8wOZh6dfBzIoPQM'],
    schemas: ['stepup/1'],
    max_publish_delay: 60,
  });
  const unknown = formatCbor(new Map<number, CborValue>([[1, 7]]));

  test('its leaves are counted by version, those that are not known too', async () => {
    const log = new FollowedTestLog().add(statement, leaf(1), unknown, leaf(2));
    await log.publish();
    const party = await open(log, { kind: 'events' });
    await party.step();
    log.add(leaf(3));
    await log.publish();
    await (await party.reopen()).step();
    const again = await party.reopen();
    const counted = { events: 3, statements: 1, unknown: 1, malformed: 0, firstMalformed: 0 };
    assert.deepEqual([again.follower.state?.leaves, again.told], [counted, []]);
  });

  test('an entry that is no leaf is said, is passed, and is said again by every process', async () => {
    const wrongs = [
      encodeUtf8('no leaf'),
      new Uint8Array(0),
      leaf(1).subarray(0, 39),
      concatBytes(leaf(1), Uint8Array.of(0)),
      formatCbor(new Map<number, CborValue>([[1, 1]])),
    ];
    const log = new FollowedTestLog().add(statement, leaf(1), ...wrongs, leaf(2));
    await log.publish();
    const party = await open(log, { kind: 'events' });
    await party.step();
    assert.deepEqual([sizes(party), party.standing()], [[8, 8], ['leaf_malformed']]);
    const again = await party.reopen();
    assert.deepEqual(again.standing(), ['leaf_malformed']);
    const counted = { events: 2, statements: 1, unknown: 0, malformed: 5, firstMalformed: 2 };
    assert.deepEqual(again.follower.state?.leaves, counted);
  });

  test('of a log of opaque entries no form is asked for', async () => {
    const log = new FollowedTestLog(3).add(new Uint8Array(0), leaf(1));
    await log.publish();
    const party = await open(log);
    await party.step();
    assert.deepEqual([sizes(party), party.told], [[5, 5], []]);
  });
});

describe('what is remembered', () => {
  const key = concatBytes(Uint8Array.of(0x40), hashBytes(encodeUtf8(FOLLOWED_ORIGIN)));

  async function remembered(): Promise<{ party: Party; row: Uint8Array; log: FollowedTestLog }> {
    const log = new FollowedTestLog(700);
    await log.publish();
    const party = await open(log);
    await party.step();
    const [row] = await party.store.getMany([key]);
    assert.ok(row);
    return { party, row, log };
  }

  test('a row with any byte changed is refused, or found out against the log', async () => {
    const { party, row } = await remembered();
    const changed = fc.tuple(fc.integer({ min: 0, max: row.length - 1 }), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(changed, async ([at, by]) => {
        const spoilt = row.slice();
        spoilt[at]! ^= by;
        await party.store.commit({ puts: [{ key, value: spoilt }] });
        try {
          const again = await party.reopen();
          // Counts and a time are ours alone; everything else is the log's, and is compared with it.
          await again.step();
          assert.deepEqual(sizes(again), [700, 700]);
        } catch (error) {
          assert.ok(error instanceof NewelError, String(error));
          assert.equal(error.code, 'log_refused');
        }
      }),
      { numRuns: SLOW ? 2000 : 150 },
    );
  });

  test('entries that were remembered as verified and are of another tree are found out', async () => {
    const { party, row, log } = await remembered();
    const map = parseCbor(row);
    assert.ok(map instanceof Map);
    const hashes = map.get(4);
    assert.ok(hashes instanceof Uint8Array);
    map.set(4, flip(hashes, 0));
    await party.store.commit({ puts: [{ key, value: formatCbor(map) }] });
    log.grow(1);
    await log.publish();
    const again = await party.reopen();
    await assert.rejects(again.step(), { code: 'log_refused' });
  });

  test('a head of keys that are not trusted any more is refused', async () => {
    const { party } = await remembered();
    const log = new FollowedTestLog(700);
    const stranger = await log.head(700, { seed: OTHER_SEED });
    const [row] = await party.store.getMany([key]);
    const map = parseCbor(row!);
    assert.ok(map instanceof Map);
    map.set(2, stranger);
    await party.store.commit({ puts: [{ key, value: formatCbor(map) }] });
    await assert.rejects(party.reopen(), { code: 'log_refused' });
  });
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at]! ^= 1;
  return changed;
}

test('nothing is written after a write that failed, and nothing is known that may not be kept', async () => {
  const log = new FollowedTestLog(10);
  await log.publish();
  const store = new FaultyStore(new MemoryStore());
  const party = await open(log, { store });
  await party.step();
  log.grow(5);
  await log.publish();
  store.failNext('not persisted');
  await assert.rejects(party.follower.poll(), { code: 'storage_failed' });
  const { commits } = store;
  for (let i = 0; i < 3; i++) await assert.rejects(party.follower.poll(), { code: 'storage_failed' });
  assert.deepEqual([store.commits, ...sizes(party)], [commits, 10, 10]);
  const again = await party.reopen();
  await again.step();
  assert.deepEqual(sizes(again), [15, 15]);
});
