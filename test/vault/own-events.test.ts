/** What the log says itself, while others fill its queue. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OWN_ROOM } from '../../src/log/pool.ts';
import type { Reservation } from '../../src/log/log.ts';
import {
  type CrashVault,
  erasing,
  erasureIn,
  eventAbout,
  openCrashVault,
  ownEvents,
  subjectOf,
} from '../support/vault-crash.ts';

const LIMITS = { maxRoundEntries: 8, maxRoundBytes: 4e6, maxQueueEntries: 8, maxQueueBytes: 1e6 };
const ACCESS = { principal: 'auditor', role: 'audit', route: 'POST /v1/disclosures', eventIds: [] };
/** Of the time that waiting for room would take, a small part. */
const SOON_MS = 3000;

/** Takes all room there is for others. */
function fillQueue(crash: CrashVault): readonly Reservation[] {
  const { vault } = crash.now();
  const taken: Reservation[] = [];
  for (const bodyBytes of [50_000, 0]) {
    try {
      for (;;) taken.push(vault.reserve(bodyBytes));
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'queue_full');
    }
  }
  return taken;
}

test('is said at once though the queue is full: accesses, and an erasure from its acceptance to its end', async () => {
  const crash = await openCrashVault({ open: { limits: LIMITS } });
  for (let i = 0; i < 5; i++) await crash.now().submit(eventAbout('anna', `e-${i}`));
  const taken = fillQueue(crash);
  const { vault } = crash.now();
  assert.throws(() => vault.reserve(1), { code: 'queue_full' });
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: 20 }, () => vault.logAccess(ACCESS)));
  const { erasureId } = await vault.erase(erasing({ subject: subjectOf('anna') }));
  assert.equal((await erasureIn(crash.now(), erasureId, 'compacting', 'done')).erased, 5);
  assert.ok(performance.now() - startedMs < SOON_MS);
  assert.throws(() => vault.reserve(1), { code: 'queue_full' }, 'others have no more room for it');
  assert.equal((await ownEvents(crash.now(), 'log.accessed')).length, 20);
  for (const one of taken) one.release();
  await crash.now().submit(eventAbout('bert', 'later'));
  assert.deepEqual(await crash.findings(), []);
});

test('waits where even its own room is taken, and gives back what it took', async () => {
  const crash = await openCrashVault({ open: { limits: LIMITS } });
  const taken = [...fillQueue(crash)];
  const { log } = crash.now().test;
  for (let i = 0; i < OWN_ROOM.entries; i++) taken.push(log.reserve(1, { isOwn: true }));
  const said = crash.now().vault.logAccess(ACCESS);
  let isSaid = false;
  said.then(
    () => (isSaid = true),
    () => {},
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(isSaid, false);
  taken.pop()!.release();
  await said;
  for (let i = 0; i < 3 * OWN_ROOM.entries; i++) await crash.now().vault.logAccess(ACCESS);
});
