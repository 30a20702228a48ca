import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/formats/json.ts';
import { correctedEvent } from '../../src/vault/vault.ts';
import {
  erasing,
  erasureIn,
  eventAbout,
  eventOf,
  openCrashVault,
  submitGroup,
} from '../support/vault-crash.ts';

function correction(id: string, corrects: string, members: JsonObject = {}): JsonObject {
  return eventOf(id, { type: 'correction', corrects, ...members });
}

const BANK = 'https://bank.example/payments';

describe('corrections of an event', () => {
  test('name it by either of its ids, and are in the order of the log, before and after a start', async () => {
    const crash = await openCrashVault();
    const { submit } = crash.now();
    const { event } = await submit(eventAbout('anna', 'e', { outcome: 'success' }));
    await submit(correction('c1', 'e', { outcome: 'failure' }));
    await submit(correction('c2', event.eventId, { labels: { checked: true } }));
    await submit(correction('other', 'no-such-event'));
    await submit(correction('c3', 'e', { outcome: 'success' }));
    for (let opening = 0; opening < 2; opening++) {
      const { vault } = crash.now();
      const found = (await vault.find(event.eventId))!;
      const corrections = await vault.correctionsOf(found);
      assert.deepEqual(
        corrections.map(({ id }) => id),
        ['c1', 'c2', 'c3'],
      );
      const corrected = correctedEvent(
        found.content,
        corrections.map(({ content }) => content),
      );
      assert.deepEqual([corrected['outcome'], corrected['labels']], ['success', { checked: true }]);
      assert.equal(found.content['labels'], undefined, 'what was logged stays what it was');
      await crash.recover();
    }
  });

  test('are of its own source, whatever others say, however often', async () => {
    const crash = await openCrashVault();
    const { vault, submit } = crash.now();
    const { event } = await submit(eventOf('e'));
    await submit(correction('mine', 'e', { outcome: 'failure' }));
    const flood = Array.from({ length: 1200 }, (_, i) =>
      correction(`flood-${i}`, event.eventId, { source: BANK }),
    );
    for (let at = 0; at < flood.length; at += 400) await submitGroup(crash.now(), flood.slice(at, at + 400));
    await submit(eventOf('no-correction', { type: 'logout' }));
    assert.deepEqual(
      (await vault.correctionsOf(event)).map(({ id }) => id),
      ['mine'],
    );
    const { event: own } = await submit(eventOf('e', { source: BANK }));
    assert.deepEqual(
      (await vault.correctionsOf(own)).map(({ id }) => id),
      [],
    );
  });

  test('that are erased are no more', async () => {
    const crash = await openCrashVault();
    const { vault, submit } = crash.now();
    const { event } = await submit(eventAbout('anna', 'e'));
    const { event: one } = await submit(correction('c1', 'e'));
    await submit(correction('c2', 'e'));
    const { erasureId } = await vault.erase(erasing({ eventIds: [one.eventId] }));
    await erasureIn(crash.now(), erasureId, 'done');
    assert.deepEqual(
      (await vault.correctionsOf(event)).map(({ id }) => id),
      ['c2'],
    );
  });

  test('of a person who is erased go too, those of corrections as well; those of another source stay', async () => {
    const crash = await openCrashVault();
    const { vault, submit } = crash.now();
    await submit(eventAbout('anna', 'e'));
    const { event: one } = await submit(correction('c1', 'e', { src: { ip: '198.51.100.77' } }));
    await submit(correction('c2', one.eventId, { src: { ip: '198.51.100.77' } }));
    const { event: foreign } = await submit(correction('c3', 'e', { source: BANK }));
    const subject = { format: 'opaque', id: 'anna' };
    const { erasureId } = await vault.erase(erasing({ subject }));
    const { erased, tombstones } = await erasureIn(crash.now(), erasureId, 'done');
    assert.deepEqual([erased, tombstones.map((said) => said.erased)], [3, [3]]);
    const left = await vault.list({ terms: { type: 'correction' } }, { limit: 10 });
    assert.deepEqual(
      left.events.map(({ eventId }) => eventId),
      [foreign.eventId],
    );
    assert.deepEqual((await vault.list({ terms: { ip: '198.51.100.77' } }, { limit: 10 })).events, []);
    assert.deepEqual(await crash.findings(), []);
  });
});
