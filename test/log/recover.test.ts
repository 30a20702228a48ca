/** Open = prove: every row of the database, damaged or missing, is a refusal that says what was found. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import { openLog } from '../../src/log/open.ts';
import type { LogSignal } from '../../src/log/signals.ts';
import {
  entriesKey,
  headKey,
  identityKey,
  provedMarkKey,
  roundKey,
  slotKey,
  tileKey,
} from '../../src/storage/keys.ts';
import { ed25519Signer, ed25519Verifier } from '../../src/formats/note.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import { openTestLog, type TestLog, testEntry } from '../support/test-log.ts';

/** Rounds 1 … 4 of 1, 300, 1 and 300 entries, then some that only publish; closed. */
async function closedLog(): Promise<TestLog> {
  const t = await openTestLog();
  let index = 0;
  for (const entries of [1, 300, 1, 300]) {
    await Promise.all(Array.from({ length: entries }, () => t.append(testEntry(index++))));
  }
  await t.log.close();
  return t;
}

async function refusal(t: TestLog, overrides: Partial<Parameters<typeof openLog>[0]> = {}): Promise<string> {
  const { signer, verifier, clock, guard, store } = t;
  const identity = t.log.identity;
  try {
    const log = await openLog({ store, guard, identity, signer, verifier, clock, ...overrides });
    await log.close();
  } catch (error) {
    assert.ok(error instanceof NewelError);
    assert.equal(error.code, 'log_refused');
    return error.message;
  }
  return assert.fail('the log opened');
}

async function change(
  t: TestLog,
  key: Uint8Array,
  edit: (value: Uint8Array) => Uint8Array | undefined,
): Promise<void> {
  const [value] = await t.store.getMany([key]);
  assert.ok(value, 'the row to damage is there');
  const edited = edit(value.slice());
  await t.store.commit(edited ? { puts: [{ key, value: edited }] } : { puts: [], deletes: [key] });
}

const flip = (at: number) => (value: Uint8Array) => {
  value[at < 0 ? value.length + at : at]! ^= 1;
  return value;
};
const remove = () => undefined;
const cut = (value: Uint8Array) => value.subarray(0, value.length - 1);

const DAMAGES: {
  what: string;
  key: Uint8Array;
  edit: (value: Uint8Array) => Uint8Array | undefined;
  says: RegExp;
}[] = [
  { what: 'no identity', key: identityKey, edit: remove, says: /round 0 .*identity/ },
  { what: 'an unreadable identity', key: identityKey, edit: cut, says: /identity .*round 0.* not readable/ },
  { what: 'no signed head', key: headKey, edit: remove, says: /round 0 .*signed head/ },
  { what: 'a changed signed head', key: headKey, edit: flip(-5), says: /signed head .* does not verify/ },
  { what: 'no proved mark', key: provedMarkKey, edit: remove, says: /round 0 .*mark/ },
  { what: 'a mark of no round', key: provedMarkKey, edit: flip(0), says: /./ },
  { what: 'no publication', key: slotKey('none'), edit: remove, says: /published checkpoint is missing/ },
  {
    what: 'a changed publication',
    key: slotKey('none'),
    edit: flip(-9),
    says: /published checkpoint .* does not verify.*bring back/,
  },
  {
    what: 'a cut publication',
    key: slotKey('none'),
    edit: (value) => value.subarray(0, 4),
    says: /bring back/,
  },
  { what: 'a missing round', key: roundKey(2), edit: remove, says: /round 2 .*missing/ },
  { what: 'a changed first index', key: roundKey(3), edit: flip(7), says: /round 3 / },
  { what: 'a changed root', key: roundKey(2), edit: flip(30), says: /round (2|3) / },
  {
    what: 'a changed time',
    key: roundKey(1),
    edit: flip(20),
    says: /round 2 does not follow|round 2 .*follow/,
  },
  { what: 'a broken chain', key: roundKey(3), edit: flip(-1), says: /round 3 .*follow/ },
  { what: 'a cut round record', key: roundKey(1), edit: cut, says: /round 1 / },
  {
    what: 'missing entries at the front',
    key: entriesKey(0),
    edit: remove,
    says: /round 1 .*entries from leaf 0/,
  },
  {
    what: 'missing entries in the middle',
    key: entriesKey(256),
    edit: remove,
    says: /round 2 .*entries from leaf 256/,
  },
  {
    what: 'missing entries at the end',
    key: entriesKey(512),
    edit: remove,
    says: /round 4 .*entries from leaf 512/,
  },
  { what: 'a changed entry', key: entriesKey(1), edit: flip(5), says: /round 2 .*another root/ },
  { what: 'a changed length of an entry', key: entriesKey(302), edit: flip(1), says: /round 4 .*entries/ },
  { what: 'a changed full tile', key: tileKey(0, 0), edit: flip(100), says: /round 2 .*tile 0\/0/ },
  { what: 'a missing full tile', key: tileKey(0, 1), edit: remove, says: /round 4 .*tile 0\/1/ },
  { what: 'a cut full tile', key: tileKey(0, 1), edit: cut, says: /round 4 .*tile 0\/1/ },
  { what: 'a changed edge tile', key: tileKey(0, 2), edit: flip(-1), says: /edge tile 0\/2/ },
  { what: 'a changed upper edge tile', key: tileKey(1, 0), edit: flip(0), says: /edge tile 1\/0/ },
  { what: 'a missing edge tile', key: tileKey(1, 0), edit: remove, says: /tile 1\/0/ },
];

describe('a damaged database is refused', () => {
  for (const { what, key, edit, says } of DAMAGES) {
    test(what, async () => {
      const t = await closedLog();
      // The mark goes back to round 0, so that every round is proven again.
      await change(t, provedMarkKey, (value) => value.fill(0));
      await change(t, key, edit);
      assert.match(await refusal(t), says);
    });
  }

  test('and an undamaged one opens, from any mark', async () => {
    const t = await closedLog();
    for (let mark = 0; mark <= 4; mark++) {
      await change(t, provedMarkKey, (value) => value.fill(0).fill(mark, 7));
      const last = t.guard.head.sequence;
      const proved: LogSignal[] = [];
      const { signer, verifier, clock, guard, store } = t;
      const log = await openLog({
        signer,
        verifier,
        clock,
        guard,
        identity: t.log.identity,
        store: { ...pick(store), close: async () => {} },
        onSignal: (signal) => proved.push(signal),
      });
      const opened = proved.find((signal) => signal.event === 'opened');
      assert.equal(opened?.event === 'opened' && opened.provedRounds, last - mark);
      assert.equal(log.revealed.size, 602);
    }
  });
});

function pick(store: TestLog['store']) {
  return {
    commit: store.commit.bind(store),
    getMany: store.getMany.bind(store),
    scan: store.scan.bind(store),
    compact: store.compact.bind(store),
  };
}

describe('another log is refused', () => {
  test('of another origin, kind or instance', async () => {
    const t = await closedLog();
    const { identity } = t.log;
    assert.match(
      await refusal(t, { identity: { ...identity, origin: 'log.example/other' } }),
      /origin .*another log/,
    );
    assert.match(await refusal(t, { identity: { ...identity, kind: 'events' } }), /kind "opaque"/);
    assert.match(await refusal(t, { identity: { ...identity, instance: 'ff'.repeat(16) } }), /instance/);
  });

  test('under another key', async () => {
    const t = await closedLog();
    const seed = new Uint8Array(32).fill(9);
    const key = newVkey(t.origin, KEY_TYPE.ed25519, nobleEd25519.publicKey(seed));
    const other = { signer: ed25519Signer(t.origin, seed), verifier: ed25519Verifier(key) };
    const identity = { ...t.log.identity, vkey: formatVkey(key) };
    assert.match(await refusal(t, { ...other, identity }), /vkey .*wrong key/);
    assert.match(await refusal(t, other), /signed head .* does not verify/);
  });

  test('of another on-disk version', async () => {
    const t = await closedLog();
    const text = JSON.stringify({ ...t.log.identity, format: 2 });
    await change(t, identityKey, () => new TextEncoder().encode(text));
    assert.match(await refusal(t), /format 2.*configuration 1.*UPGRADING/);
  });
});

describe('the guard', () => {
  test('of another log is refused', async () => {
    const t = await closedLog();
    t.guard.head = { ...t.guard.head, identity: '{}' };
    assert.match(await refusal(t), /guard is of another log/);
  });

  test('ahead of the database is refused: an older copy', async () => {
    const t = await closedLog();
    const { sequence } = t.guard.head;
    t.guard.head = { ...t.guard.head, sequence: sequence + 1, size: 603 };
    assert.match(await refusal(t), new RegExp(`round ${sequence + 1} \\(size 603\\).*older copy`));
  });

  test('two rounds behind is refused: the guard was restored', async () => {
    const t = await closedLog();
    t.guard.head = { ...t.guard.head, sequence: t.guard.head.sequence - 2 };
    assert.match(await refusal(t), /guard was restored or replaced/);
  });

  test('that knows another root or size of the same round is refused: two copies have been running', async () => {
    const t = await closedLog();
    t.guard.head = { ...t.guard.head, root: new Uint8Array(32) };
    assert.match(await refusal(t), /Two copies/);
  });

  test('one round behind is what a crash leaves: caught up', async () => {
    const t = await openTestLog({ entries: 3 });
    const before = t.guard.head;
    await t.append(testEntry(3));
    const after = t.guard.head;
    t.guard.head = before;
    const { signer, verifier, clock, guard, store } = t;
    const log = await openLog({ store, guard, identity: t.log.identity, signer, verifier, clock });
    // The mark that the proof moved is a round of its own.
    assert.deepEqual(t.guard.head, { ...after, sequence: after.sequence + 1, kind: 'published' });
    await log.close();
  });
});

describe('the clock', () => {
  test('a little behind the last head: waited for', async () => {
    const t = await closedLog();
    t.clock.set(t.clock.now() - 9_000);
    const signals: LogSignal[] = [];
    const { signer, verifier, clock, guard, store } = t;
    const opening = openLog({
      store,
      guard,
      identity: t.log.identity,
      signer,
      verifier,
      clock,
      onSignal: (signal) => signals.push(signal),
    });
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(signals, []);
    t.clock.advance(9_000);
    const log = await opening;
    assert.deepEqual(signals[0], { event: 'clock_waited', waitedMs: 9_000 });
    await log.close();
  });

  test('that was accepted once is accepted again, until heads have moved on', async () => {
    const t = await closedLog();
    const { signer, verifier, clock, guard, store } = t;
    const parts = { guard, identity: t.log.identity, signer, verifier, clock };
    const kept = { ...pick(store), close: async () => {} };
    clock.set(clock.now() - 3_600_000);
    const first = await openLog({ ...parts, store: kept, acceptClock: true });
    await first.append({ entry: testEntry(602) });
    clock.advance(2_000);
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(first.published.size, 603, 'it publishes although the last head is of later');
    await first.close();
    await (await openLog({ ...parts, store: kept })).close();
    clock.set(clock.now() + 7_200_000);
    const later = await openLog({ ...parts, store: kept });
    await later.append({ entry: testEntry(603) });
    await later.close();
    clock.set(clock.now() - 3_600_000);
    assert.match(await refusal(t), /clock is/);
  });

  test('far behind: refused, unless it is accepted', async () => {
    const t = await closedLog();
    t.clock.set(t.clock.now() - 3_600_000);
    assert.match(await refusal(t), /clock is 3600 s behind .*--accept-clock/);
    const signals: LogSignal[] = [];
    const { signer, verifier, clock, guard, store } = t;
    const log = await openLog({
      store,
      guard,
      identity: t.log.identity,
      signer,
      verifier,
      clock,
      acceptClock: true,
      onSignal: (signal) => signals.push(signal),
    });
    assert.deepEqual(signals[0], { event: 'clock_accepted', behindMs: 3_600_000 });
    await log.close();
  });
});
