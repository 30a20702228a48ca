import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDisclosure } from '../../src/client/disclosure.ts';
import { verifyPresentation } from '../../src/client/presentation.ts';
import { chooseClaims, PRESETS } from '../../src/event/claims.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { NewelError } from '../../src/errors.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { createApp } from '../../src/http/app.ts';
import { described } from '../support/openapi.ts';
import { openEvents, post, textOf, trustOf, FULL, FLAT, answerOf } from '../support/event-requests.ts';
import { AUDIENCE, NONCE, postDisclosure } from '../support/evidence.ts';
import { bearer, type TestSite } from '../support/test-site.ts';
import { exampleEvents } from '../support/test-vault.ts';

const CANARY = 'canary-8f3a5c17e9b24d60';
const UNKNOWN = `evt_${'A'.repeat(22)}`;

async function submitAll(site: TestSite, events: readonly JsonValue[]): Promise<string[]> {
  const ids: string[] = [];
  for (const event of events) ids.push(textOf((await post(site, event)).json, 'event_id'));
  return ids;
}

function asking(eventIds: readonly string[], more: JsonObject = { preset: 'auditor' }): JsonObject {
  return { event_ids: [...eventIds], audience: AUDIENCE, nonce: NONCE, ...more };
}

describe('a disclosure', () => {
  test('of the examples is verified by a client, each preset, on one checkpoint', async () => {
    const site = await openEvents();
    const events = ['full.json', 'flat.json', 'wire-transfer.ndjson'].flatMap(exampleEvents);
    const eventIds = await submitAll(site, events);
    const trust = await trustOf(site);
    const nowMs = site.test.clock.now();
    for (const preset of Object.keys(PRESETS)) {
      const { size } = site.test.log.revealed;
      const answer = await postDisclosure(site, asking(eventIds.toReversed(), { preset }));
      assert.equal(answer.status, 200, answer.text);
      const { claims, travelsAlong, open } = chooseClaims({ preset });
      assert.deepEqual(answer.json['discloses'], { claims, travels_along: travelsAlong, open });
      assert.equal(answer.json['tree_size'], size);
      const { items, checkpoint } = parseDisclosure(encodeUtf8(answer.text));
      assert.deepEqual(
        items.map(({ eventId }) => eventId),
        eventIds.toReversed(),
      );
      for (const { eventId, leafIndex, statement, presentation, proof } of items) {
        const verified = await verifyPresentation(
          { eventId, statement, presentation, proof: `${proof}${checkpoint}` },
          { trust, audience: AUDIENCE, nonce: NONCE, nowMs },
        );
        assert.deepEqual([verified.eventId, verified.leafIndex], [eventId, leafIndex]);
        assert.equal('subject' in verified.event, preset === 'subject-request');
        assert.equal('src' in verified.event && preset === 'auditor', false);
      }
    }
    assert.deepEqual(site.errors, []);
    await site.test.log.close();
  });

  test('names what is not shown nowhere, neither id nor source nor the milliseconds', async () => {
    const site = await openEvents();
    const [eventId] = await submitAll(site, [FULL]);
    const { json, text } = await postDisclosure(site, asking([eventId!], { claims: ['type'] }));
    const [item] = json['items'] as JsonObject[];
    assert.deepEqual(Object.keys(item!), [
      'event_id',
      'leaf_index',
      'leaf_hash',
      'statement',
      'presentation',
      'proof',
    ]);
    for (const name of ['id', 'source', 'txn'] as const) assert.ok(!text.includes(textOf(FULL, name)), name);
    await site.test.log.close();
  });

  test('stands on the published checkpoint where that covers all, else on the signed head', async () => {
    const site = await openEvents();
    const [first] = await submitAll(site, [FULL]);
    const { log } = site.test;
    const standsOn = async (head: 'published' | 'revealed', ids: readonly string[]): Promise<void> => {
      const { size } = log[head];
      assert.ok(head === 'revealed' || size < log.revealed.size || ids.length > 1);
      assert.equal((await postDisclosure(site, asking(ids))).json['tree_size'], size);
    };
    await standsOn('revealed', [first!]);
    await site.test.publish();
    const [second] = await submitAll(site, [FLAT]);
    await standsOn('published', [first!]);
    await standsOn('revealed', [first!, second!]);
    await site.test.publish();
    await standsOn('published', [first!, second!]);
    await site.test.log.close();
  });

  test('that is only asked about discloses nothing', async () => {
    const site = await openEvents();
    const eventIds = await submitAll(site, [FULL, FLAT]);
    const answer = await postDisclosure(site, asking(eventIds, { preset: 'fraud', dry_run: true }));
    assert.equal(answer.status, 200);
    assert.deepEqual(Object.keys(answer.json), ['dry_run', 'events', 'discloses']);
    assert.deepEqual([answer.json['dry_run'], answer.json['events']], [true, 2]);
    const refused = await postDisclosure(
      site,
      asking([...eventIds, UNKNOWN], { preset: 'fraud', dry_run: true }),
    );
    assert.equal(refused.status, 404);
    await site.test.log.close();
  });

  test('of a thousand events is one answer', async () => {
    const site = await openEvents();
    const eventIds = await submitAll(
      site,
      Array.from({ length: 1000 }, (_, i) => ({ ...FULL, id: `e-${i}` })),
    );
    const { status, text } = await postDisclosure(site, asking(eventIds));
    assert.equal(status, 200);
    const { items, checkpoint } = parseDisclosure(encodeUtf8(text));
    assert.equal(items.length, 1000);
    const { statement, presentation, proof } = items[999]!;
    await verifyPresentation(
      { statement, presentation, proof: `${proof}${checkpoint}` },
      { trust: await trustOf(site), nowMs: site.test.clock.now() },
    );
    await site.test.log.close();
  });

  test('that would be too large is refused, and says what to do', async () => {
    const site = await openEvents();
    const ext = { 'com.example.note': 'x'.repeat(7000) };
    const eventIds = await submitAll(
      site,
      Array.from({ length: 1000 }, (_, i) => ({ ...FULL, id: `e-${i}`, ext })),
    );
    const all = await postDisclosure(site, asking(eventIds, { claims: ['*'] }));
    assert.deepEqual([all.status, all.json['code']], [413, 'too_large']);
    assert.match(textOf(all.json, 'detail'), /name fewer events/);
    assert.equal((await postDisclosure(site, asking(eventIds.slice(0, 500), { claims: ['*'] }))).status, 200);
    await site.test.log.close();
  });
});

test('the log says who disclosed or asked, before the answer leaves, and where it cannot, nothing leaves', async () => {
  const site = await openEvents();
  const [eventId] = await submitAll(site, [FULL]);
  const { vault } = site.vault!;
  for (const more of [{ preset: 'auditor', dry_run: true }, { preset: 'auditor' }]) {
    const { size } = site.test.log.revealed;
    assert.equal((await postDisclosure(site, asking([eventId!], more))).status, 200);
    assert.equal(site.test.log.revealed.size, size + 1);
    const [said] = (await vault.list({ terms: { type: 'log.accessed' } }, { limit: 1 })).events;
    const { ext } = said!.content as { ext: Record<string, JsonObject> };
    assert.deepEqual(ext['newel:access']!['routes'], { 'POST /v1/disclosures': 1 });
    assert.equal(ext['newel:access']!['principal'], 'test submit');
    assert.ok(!JSON.stringify(ext).includes(eventId!));
  }
  const failing = {
    ...vault,
    logAccess: () => Promise.reject(new NewelError('storage_failed', 'the log has stopped')),
  };
  const app = described(createApp(site.site, { ...site.write, vault: failing }));
  const answer = await postDisclosure({ ...site, app }, asking([eventId!]));
  assert.deepEqual([answer.status, answer.json['code']], [503, 'storage_failed']);
  assert.ok(!answer.text.includes('~'));
  await site.test.log.close();
});

describe('who may disclose what', () => {
  test('submit events of its own sources, audit all, admin none; others are as if they did not exist', async () => {
    const site = await openEvents();
    const [own] = await submitAll(site, [FULL]);
    const statusOf = async (as: Parameters<typeof bearer>[0]): Promise<number> =>
      (await postDisclosure(site, asking([own!]), as)).status;
    assert.deepEqual(
      [await statusOf('submit'), await statusOf('audit'), await statusOf('other'), await statusOf('admin')],
      [200, 200, 404, 403],
    );
    const foreign = await postDisclosure(site, asking([own!]), 'other');
    for (const ids of [[UNKNOWN], [own!, UNKNOWN]]) {
      const unknown = await postDisclosure(site, asking(ids));
      assert.deepEqual([unknown.status, unknown.text], [404, foreign.text], String(ids));
      assert.deepEqual([...unknown.headers], [...foreign.headers]);
    }
    const stranger = await answerOf(
      site.app.request('/v1/disclosures', { method: 'POST', body: JSON.stringify(asking([own!])) }),
    );
    assert.equal(stranger.status, 401);
    await site.test.log.close();
  });
});

describe('a request', () => {
  const bad: [what: string, body: JsonValue][] = [
    ['is no object', ['x']],
    ['has a member that is not known', { ...asking([UNKNOWN]), alg: 'EdDSA' }],
    ['has no event_ids', { preset: 'auditor', audience: AUDIENCE, nonce: NONCE }],
    ['has event_ids that are no list', asking([], { event_ids: UNKNOWN, preset: 'auditor' })],
    ['has none', asking([])],
    ['has one twice', asking([UNKNOWN, UNKNOWN])],
    ['has one that is no event_id', asking([CANARY])],
    ['has an event_id in another spelling', asking([`evt_${'A'.repeat(21)}B`])],
    ['has a number for one', asking([], { event_ids: [7], preset: 'auditor' })],
    ['has more than a thousand', asking(Array.from({ length: 1001 }, (_, i) => `evt_${i}`))],
    ['has neither claims nor preset', asking([UNKNOWN], {})],
    ['has both', asking([UNKNOWN], { preset: 'auditor', claims: ['type'] })],
    ['has an unknown preset', asking([UNKNOWN], { preset: CANARY })],
    ['has a preset that is no text', asking([UNKNOWN], { preset: ['auditor'] })],
    ['has no claims', asking([UNKNOWN], { claims: [] })],
    ['has claims that are no list', asking([UNKNOWN], { claims: 'type' })],
    ['has a claim that is no text', asking([UNKNOWN], { claims: [null] })],
    ['has a path that is none', asking([UNKNOWN], { claims: [CANARY] })],
    ['has a path of a prototype', asking([UNKNOWN], { claims: ['constructor'] })],
    ['has 101 paths', asking([UNKNOWN], { claims: Array<string>(101).fill('type') })],
    ['has no audience', { event_ids: [UNKNOWN], preset: 'auditor', nonce: NONCE }],
    ['has an empty audience', { ...asking([UNKNOWN]), audience: '' }],
    ['has an audience with a space', { ...asking([UNKNOWN]), audience: 'an auditor' }],
    ['has an audience of 256 characters', { ...asking([UNKNOWN]), audience: 'a'.repeat(256) }],
    ['has an audience with a line end', { ...asking([UNKNOWN]), audience: 'auditor\n' }],
    ['has no nonce', { event_ids: [UNKNOWN], preset: 'auditor', audience: AUDIENCE }],
    ['has a nonce of 129 characters', { ...asking([UNKNOWN]), nonce: 'n'.repeat(129) }],
    ['has a nonce beyond ASCII', { ...asking([UNKNOWN]), nonce: 'é' }],
    ['has a dry_run that is neither', { ...asking([UNKNOWN]), dry_run: 'yes' }],
  ];
  for (const [what, body] of bad) {
    test(`that ${what} is malformed`, async () => {
      const site = await openEvents();
      const { status, json, text } = await postDisclosure(site, body);
      assert.deepEqual([status, json['code']], [400, 'malformed'], text);
      assert.ok(!text.includes(CANARY));
      await site.test.log.close();
    });
  }

  test('that is no JSON, not of its type, or too long is refused', async () => {
    const site = await openEvents();
    const codeOf = async (body: Uint8Array, headers: Record<string, string> = {}): Promise<JsonValue> =>
      (await postDisclosure(site, body, 'submit', headers)).json['code']!;
    assert.equal(await codeOf(encodeUtf8('{')), 'malformed');
    assert.equal(await codeOf(encodeUtf8('{"nonce":"a","nonce":"b"}')), 'malformed');
    assert.equal(await codeOf(Uint8Array.of(0xff)), 'malformed');
    assert.equal(await codeOf(encodeUtf8(' '.repeat(64 * 1024 + 1))), 'too_large');
    const good = encodeUtf8(JSON.stringify(asking([UNKNOWN])));
    assert.equal(await codeOf(good, { 'Content-Type': 'text/plain' }), 'unsupported_media_type');
    assert.equal(await codeOf(good, { 'Content-Encoding': 'gzip' }), 'unsupported_media_type');
    assert.equal(await codeOf(good, { Accept: 'text/html' }), 'not_acceptable');
    assert.equal(await codeOf(good), 'not_found');
    await site.test.log.close();
  });
});

test('an event that was erased is 410, and the others are not disclosed either', async () => {
  const site = await openEvents();
  const [kept, erased] = await submitAll(site, [FULL, FLAT]);
  const { vault } = site.vault!;
  const accepted = await vault.erase({
    target: { eventIds: [erased!] },
    reason: 'other',
    requestedBy: 'test admin',
  });
  for (let erasure = accepted; erasure.erased < 1;) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    erasure = (await vault.findErasure(accepted.erasureId))!;
    assert.notEqual(erasure.state, 'failed');
  }
  const answer = await postDisclosure(site, asking([kept!, erased!]));
  assert.deepEqual([answer.status, answer.json['code']], [410, 'event_erased']);
  assert.equal((await postDisclosure(site, asking([kept!]))).status, 200);
  await vault.close();
  await site.test.log.close();
});

test('a record that is damaged is disclosed by nobody', async () => {
  const site = await openEvents();
  const [eventId] = await submitAll(site, [FULL]);
  const { store } = site.test;
  const getMany = store.getMany.bind(store);
  store.getMany = async (keys) =>
    (await getMany(keys)).map((value) => {
      // What is so long is a record.
      if (!value || value.length < 1000) return value;
      const damaged = value.slice();
      damaged[damaged.length - 40]! ^= 1;
      return damaged;
    });
  const answer = await postDisclosure(site, asking([eventId!]));
  assert.deepEqual([answer.status, answer.json['code']], [503, 'storage_failed']);
  assert.ok(!answer.text.includes('~'));
  await site.test.log.close();
});
