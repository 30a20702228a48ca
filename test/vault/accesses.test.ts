import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import type { EventMembers } from '../../src/event/schema.ts';
import { Accesses } from '../../src/vault/accesses.ts';
import { Keyring } from '../../src/vault/keyring.ts';
import type { SayEvent } from '../../src/vault/own-events.ts';
import type { Access } from '../../src/vault/vault.ts';
import { TEST_MASTER, type TestVault } from '../support/test-vault.ts';
import { until } from '../support/until.ts';
import { openCrashVault, ownEvents } from '../support/vault-crash.ts';

/** Within a minute of a read something says so. */
const MINUTE_MS = 60_000;

function access(principal: string, route: string, ...eventIds: string[]): Access {
  return { principal, role: 'audit', route, eventIds };
}

async function said(vault: TestVault): Promise<JsonObject[]> {
  const events = await ownEvents(vault, 'log.accessed');
  return events.map(({ content }) => (content['ext'] as JsonObject)['newel:access'] as JsonObject);
}

describe('reads', () => {
  test('of a minute are one event a principal, with how often, by which routes, and a keyed hash of which', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const crash = await openCrashVault();
    const { vault, test: log } = crash.now();
    const firstMs = log.clock.now();
    vault.noteAccess(access('anna', 'GET /v1/events', 'evt_b', 'evt_a'));
    vault.noteAccess(access('bert', 'GET /v1/events'));
    log.clock.set(firstMs + 5000);
    vault.noteAccess(access('anna', 'GET /v1/events/:event_id', 'evt_a'));
    vault.noteAccess(access('anna', 'GET /v1/events', 'evt_c'));
    assert.deepEqual(await said(crash.now()), []);
    t.mock.timers.tick(MINUTE_MS);
    const all = await until(async () =>
      (await said(crash.now())).length === 2 ? said(crash.now()) : undefined,
    );
    const { indexKey } = await Keyring.open(crash.store, TEST_MASTER, await crash.epochs.read());
    const hash = createHmac('sha256', indexKey).update('accessed evt_a evt_b evt_c').digest('base64url');
    const anna = all.find(({ principal }) => principal === 'anna');
    assert.deepEqual(anna, {
      principal: 'anna',
      role: 'audit',
      routes: { 'GET /v1/events': 2, 'GET /v1/events/:event_id': 1 },
      count: 3,
      event_ids_hash: `hmac-sha256:${hash}`,
      first_time: new Date(firstMs).toISOString(),
      last_time: new Date(firstMs + 5000).toISOString(),
    });
    assert.equal(JSON.stringify(all).includes('evt_'), false);
    t.mock.timers.tick(MINUTE_MS);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal((await said(crash.now())).length, 2, 'nothing more is said where nothing more was read');
  });

  test('that are gathered are said when the vault is closed', async () => {
    const crash = await openCrashVault();
    for (let i = 0; i < 25; i++)
      crash.now().vault.noteAccess(access(`p${i % 5}`, 'GET /v1/events', `evt_${i}`));
    await crash.recover();
    const all = await said(crash.now());
    assert.deepEqual(
      all.map(({ count }) => count),
      [5, 5, 5, 5, 5],
    );
  });

  test('by more principals than are gathered are said at once', async () => {
    const crash = await openCrashVault();
    for (let i = 0; i < 1026; i++) crash.now().vault.noteAccess(access(`p${i}`, 'GET /v1/events'));
    await until(async () => crash.now().test.log.revealed.size >= 1026);
    await crash.recover();
    assert.equal((await said(crash.now())).length, 1026);
  });

  test('of a role are not those of another, whatever the names are', async () => {
    const crash = await openCrashVault();
    crash.now().vault.noteAccess({ ...access('a b', 'GET /v1/events'), role: 'submit' });
    crash.now().vault.noteAccess({ ...access('a b', 'GET /v1/events'), role: 'audit' });
    await crash.recover();
    const roles = (await said(crash.now())).map(({ role }) => role as string);
    assert.deepEqual(roles.toSorted(), ['audit', 'submit']);
  });

  test('by somebody whose name looks like a secret are said all the same', async () => {
    const crash = await openCrashVault();
    for (const principal of ['4111111111111111', 'password=hunter2-is-it', 'AKIAIOSFODNN7EXAMPLE']) {
      crash.now().vault.noteAccess(access(principal, 'GET /v1/events'));
      await crash.now().vault.logAccess(access(principal, 'POST /v1/disclosures'));
    }
    await crash.recover();
    assert.equal((await said(crash.now())).length, 6);
  });
});

describe('what hands out or changes something', () => {
  test('is said before the answer leaves: durable when it resolves, and not resolved where it is not', async () => {
    const crash = await openCrashVault();
    await crash.now().vault.logAccess(access('anna', 'POST /v1/disclosures', 'evt_a'));
    assert.equal((await said(crash.now())).length, 1);
    crash.faulty().failNext('not persisted');
    await assert.rejects(crash.now().vault.logAccess(access('anna', 'POST /v1/erasures')), {
      code: 'storage_failed',
    });
    await crash.recover();
    assert.equal((await said(crash.now())).length, 1);
  });
});

describe('what cannot be said', () => {
  /** A `say` that refuses so often, and what it said then. */
  function refusing(times: number): { say: SayEvent; said: EventMembers[] } {
    const events: EventMembers[] = [];
    let left = times;
    const say = (async (event: EventMembers) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (left-- > 0) throw new NewelError('queue_full', 'no');
      events.push(event);
      return undefined;
    }) as unknown as SayEvent;
    return { say, said: events };
  }

  test('stays gathered, with what comes meanwhile, and is said later: nothing twice, nothing lost', async () => {
    const { say, said: events } = refusing(3);
    let nowMs = 1000;
    const failures: unknown[] = [];
    const onFailure = (error: unknown): unknown => failures.push(error);
    const accesses = new Accesses({ indexKey: new Uint8Array(32), say, now: () => nowMs, onFailure });
    accesses.note(access('anna', 'GET /v1/events', 'evt_a'));
    accesses.note(access('bert', 'GET /v1/events', 'evt_b'));
    const first = accesses.sayAll();
    await new Promise((resolve) => setImmediate(resolve));
    nowMs = 2000;
    accesses.note(access('anna', 'GET /v1/events/:event_id', 'evt_c'));
    await first;
    await accesses.sayAll();
    await accesses.sayAll();
    await accesses.sayAll();
    const all = events.map(({ ext }) => (ext as JsonObject)['newel:access'] as JsonObject);
    assert.equal(all.length, 2);
    const anna = all.find(({ principal }) => principal === 'anna')!;
    assert.deepEqual(
      [anna['count'], anna['routes'], anna['first_time'], anna['last_time']],
      [
        2,
        { 'GET /v1/events': 1, 'GET /v1/events/:event_id': 1 },
        '1970-01-01T00:00:01.000Z',
        '1970-01-01T00:00:02.000Z',
      ],
    );
  });
});
