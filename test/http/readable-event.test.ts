import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '../../src/formats/json.ts';
import { bearer, openTestSite } from '../support/test-site.ts';
import { exampleEvents } from '../support/test-vault.ts';

test('an erased event is 410 to whom it was open, and to others 404 in the words of one that never was', async () => {
  const { app, vault } = await openTestSite({ kind: 'events' });
  const [full] = exampleEvents('full.json') as [JsonValue];
  const { event } = await vault!.submit(full);
  const target = { eventIds: [event.eventId] };
  const { erasureId } = await vault!.vault.erase({ target, reason: 'other', requestedBy: 'test' });
  for (let turn = 0; turn < 1000; turn++) {
    if ((await vault!.vault.findErasure(erasureId))!.erased === 1) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const ask = async (path: string, name: 'submit' | 'audit' | 'other'): Promise<[number, string]> => {
    const response = await app.request(path, { headers: bearer(name) });
    return [response.status, await response.text()];
  };
  const never = await ask('/v1/events/evt_AAAAAAAAAAAAAAAAAAAAAA', 'other');
  assert.equal(never[0], 404);
  for (const path of [`/v1/events/${event.eventId}`, `/v1/events/${event.eventId}/receipt`]) {
    assert.equal((await ask(path, 'submit'))[0], 410);
    assert.equal((await ask(path, 'audit'))[0], 410);
    assert.deepEqual(await ask(path, 'other'), never);
  }
});
