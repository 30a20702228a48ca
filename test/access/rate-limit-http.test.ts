/** Rate limits as callers meet them: at the routes, and at a log that is served. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createToken } from '../../src/access/token-list.ts';
import { RateLimits } from '../../src/access/rate-limit.ts';
import { createApp } from '../../src/http/app.ts';
import { type Answer, FLAT, get, post, textOf } from '../support/event-requests.ts';
import { described, fetchDescribed } from '../support/openapi.ts';
import { newDiskLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { bearer, openTestSite } from '../support/test-site.ts';
import type { TestSite } from '../support/test-site.ts';

interface Limited extends TestSite {
  nowMs: number;
}

/** One a second, and so two at once. */
async function openLimited(kind: 'events' | 'opaque'): Promise<Limited> {
  const opened = await openTestSite({ kind });
  const limited: Limited = { ...opened, nowMs: 0 };
  const limits = new RateLimits({ rate: 1, elapsed: () => limited.nowMs });
  const charge: RateLimits['charge'] = (principal, count, unit) => limits.charge(principal, count, unit);
  return Object.assign(limited, { app: described(createApp(opened.site, { ...opened.write, charge })) });
}

function refusal({ status, headers, json }: Answer): unknown[] {
  return [status, headers.get('Retry-After'), json['code'], json['limit'], json['unit']];
}

test('an event too many is a 429 that stores nothing, and passes after Retry-After', async () => {
  const site = await openLimited('events');
  for (const id of ['1', '2']) assert.equal((await post(site, { ...FLAT, id })).status, 201);
  const { size } = site.test.log.revealed;
  const third = { ...FLAT, id: '3' };
  assert.deepEqual(refusal(await post(site, third)), [429, '1', 'rate_limited', 1, 'events']);
  assert.equal(site.test.log.revealed.size, size);
  assert.equal(
    (await post(site, third, { as: 'other' })).status,
    201,
    'another caller has a bucket of its own',
  );
  site.nowMs += 1000;
  assert.equal((await post(site, third)).status, 201);
  assert.deepEqual(site.errors, []);
  await site.test.log.close();
});

test('reads are requests, and come out of the same bucket', async () => {
  const site = await openLimited('events');
  const { json } = await post(site, { ...FLAT, id: '1' });
  const path = `/v1/events/${textOf(json, 'event_id')}`;
  assert.equal((await get(site, path)).status, 200);
  const refused = [429, '1', 'rate_limited', 1, 'requests'];
  assert.deepEqual(refusal(await get(site, path)), refused);
  assert.deepEqual(refusal(await get(site, `${path}/receipt`)), refused);
  assert.deepEqual(refusal(await post(site, FLAT)), [429, '1', 'rate_limited', 1, 'events']);
  assert.equal((await get(site, path, 'audit')).status, 200);
  assert.equal((await get(site, path, 'admin')).status, 403);
  await site.test.log.close();
});

test('a request that may not be is not charged, and one that is wrong is', async () => {
  const site = await openLimited('events');
  for (let i = 0; i < 5; i++) assert.equal((await post(site, FLAT, { as: 'audit' })).status, 403);
  assert.equal((await get(site, '/v1/events/x', 'audit')).status, 404);
  assert.equal((await get(site, '/v1/events/x', 'audit')).status, 404);
  assert.equal((await get(site, '/v1/events/x', 'audit')).status, 429);
  for (let i = 0; i < 2; i++) assert.equal((await post(site, {})).status, 422);
  assert.equal((await post(site, {})).status, 429);
  await site.test.log.close();
});

test('entries of an opaque log are requests', async () => {
  const { app, test: log, ...site } = await openLimited('opaque');
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) {
    const response = await app.request('/add', { method: 'POST', headers: bearer('submit'), body: `${i}` });
    statuses.push(response.status);
  }
  assert.deepEqual(statuses, [200, 200, 429, 429]);
  assert.equal(log.log.revealed.size, 2);
  assert.deepEqual(site.errors, []);
  await log.log.close();
});

test('a log that is served holds its rate limit, and a token its own', async (t) => {
  const { dir, folder, token } = await newDiskLog(await tempFolder(t));
  const input = { role: 'submit', sources: ['s'], nowMs: Date.now() } as const;
  const own = await createToken(folder.paths.tokens, { ...input, name: 'own', rate: 2 });
  const { url } = await serveDiskLog(t, dir, { flags: { 'rate-limit': '4' } });
  /** How many of 40 at once are let in, and how many may be: the bucket's two seconds, and what flows in meanwhile. */
  const accepted = async (
    bearerToken: string,
    ratePerS: number,
  ): Promise<{ count: number; most: number }> => {
    const headers = { Authorization: `Bearer ${bearerToken}` };
    const startMs = performance.now();
    const sent = Array.from({ length: 40 }, async () => {
      const response = await fetchDescribed(`${url}/add`, { method: 'POST', body: 'x', headers });
      await response.text();
      return response.status;
    });
    const statuses = await Promise.all(sent);
    const elapsedS = (performance.now() - startMs) / 1000;
    assert.deepEqual(new Set(statuses), new Set([200, 429]));
    const count = statuses.filter((status) => status === 200).length;
    return { count, most: Math.ceil(ratePerS * (2 + elapsedS)) };
  };
  const [byRate, byOwn] = [await accepted(token, 4), await accepted(own, 2)];
  assert.ok(byRate.count >= 8 && byRate.count <= byRate.most, `${byRate.count} of ${byRate.most}`);
  assert.ok(byOwn.count >= 4 && byOwn.count <= byOwn.most, `${byOwn.count} of ${byOwn.most}`);
});
