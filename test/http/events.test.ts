import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verifyReceipt } from '../../src/client/index.ts';
import { hashLeaf } from '../../src/core/hash.ts';
import { formatBase64 } from '../../src/formats/base64.ts';
import { parseCheckpoint } from '../../src/formats/checkpoint.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { parseNote } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parseTlogProof } from '../../src/formats/tlog-proof.ts';
import { createApp } from '../../src/http/app.ts';
import type { Batch, Store } from '../../src/storage/store.ts';
import {
  type Answer,
  answerOf,
  FLAT,
  FULL,
  get,
  openEvents,
  post,
  textOf,
  trustOf,
} from '../support/event-requests.ts';
import { described } from '../support/openapi.ts';
import { bearer, openTestSite, TEST_URL } from '../support/test-site.ts';
import { exampleEvents } from '../support/test-vault.ts';

const CANARY = 'canary-8f3a5c17e9b24d60';
const RECEIPT_MEMBERS = [
  'event_id',
  'id',
  'source',
  'log',
  'leaf_index',
  'leaf_hash',
  'tree_size',
  'level',
  'received_time',
  'proof_url',
  'statement',
  'proof',
];

/** Names of members; what the log noticed is in some receipts only. */
function membersOf(json: object): string[] {
  return Object.keys(json).filter((name) => name !== 'notices');
}

/** The size of the tree whose checkpoint a receipt's proof stands on. */
function sizeOfProof({ json }: Answer): number {
  const { checkpoint } = parseTlogProof(encodeUtf8(textOf(json, 'proof')));
  return parseCheckpoint(parseNote(checkpoint).text).size;
}

describe('a submission', () => {
  test('is answered with a receipt that a client verifies under the trust file', async () => {
    const site = await openEvents();
    const trust = await trustOf(site);
    const names = ['full.json', 'flat.json', 'denied-push.ndjson', 'wire-transfer.ndjson'];
    const events = names.flatMap(exampleEvents) as JsonObject[];
    for (const [i, event] of events.entries()) {
      const answer = await post(site, event);
      assert.equal(answer.status, 201, answer.text);
      const { json, headers } = answer;
      assert.deepEqual(membersOf(json), RECEIPT_MEMBERS);
      assert.equal(headers.get('Location'), `/v1/events/${textOf(json, 'event_id')}`);
      assert.equal(headers.get('Cache-Control'), 'no-store');
      assert.equal(headers.get('Preference-Applied'), null);
      assert.equal(headers.get('Access-Control-Allow-Origin'), null);
      // Leaf 0 is the log statement.
      assert.equal(json['leaf_index'], i + 1);
      assert.equal(json['tree_size'], i + 2);
      assert.equal(sizeOfProof(answer), i + 2, 'it stands on the head of its round');
      assert.equal(json['level'], 'signed');
      assert.equal(json['log'], 'log.example/test');
      assert.equal(json['proof_url'], `${TEST_URL}/v1/leaves/${i + 1}/proof`);
      const verified = await verifyReceipt(json, { trust });
      assert.equal(verified.eventId, json['event_id']);
      assert.equal(verified.leafIndex, i + 1);
      if ('schema' in event) assert.deepEqual(verified.event, event);
      assert.equal(json['id'], 'schema' in event ? event['id'] : json['event_id']);
    }
    assert.deepEqual(site.errors, []);
    await site.test.log.close();
  });

  test('with return=minimal has no statement and no proof, new or known', async () => {
    const site = await openEvents();
    for (const status of [201, 200]) {
      for (const Prefer of ['return=minimal', 'wait=2; x, RETURN="minimal"']) {
        const answer = await post(site, { ...FULL, id: Prefer.slice(0, 6) }, { headers: { Prefer } });
        assert.equal(answer.status, status);
        assert.equal(answer.headers.get('Preference-Applied'), 'return=minimal');
        assert.deepEqual(membersOf(answer.json), RECEIPT_MEMBERS.slice(0, -2));
      }
    }
    await site.test.log.close();
  });

  for (const Prefer of [
    'return=representation',
    'return=nothing',
    'return minimal',
    'return="minimal',
    'wait=11',
    'wait=-1',
    'wait=soon',
    'respond-async, handling=strict',
    `${CANARY}=${CANARY}`,
    'return=representation, return=minimal',
  ]) {
    test(`with Prefer: ${Prefer} is answered as without`, async () => {
      const site = await openEvents();
      const { status, headers, json, text } = await post(site, FULL, { headers: { Prefer } });
      assert.equal(status, 201);
      assert.equal(headers.get('Preference-Applied'), null);
      assert.deepEqual(membersOf(json), RECEIPT_MEMBERS);
      assert.ok(!text.includes(CANARY));
      await site.test.log.close();
    });
  }

  test('names its algorithm as it was asked to', async () => {
    const site = await openEvents();
    const trust = await trustOf(site);
    const headerOf = ({ json }: Answer): unknown =>
      JSON.parse(Buffer.from(textOf(json, 'statement').split('.')[0]!, 'base64url').toString());
    const { kid } = ((trust['jwks'] as JsonObject)['keys'] as JsonObject[])[0]!;
    const typ = 'stepup-event+sd-jwt';
    const first = await post(site, FULL, { query: '?alg=EdDSA' });
    assert.deepEqual(headerOf(first), { alg: 'EdDSA', kid, typ });
    await verifyReceipt(first.json, { trust });
    assert.deepEqual(headerOf(await post(site, FULL)), { alg: 'Ed25519', kid, typ });
    const receipt = `/v1/events/${textOf(first.json, 'event_id')}/receipt`;
    assert.deepEqual(headerOf(await get(site, receipt)), { alg: 'Ed25519', kid, typ });
    assert.deepEqual(headerOf(await get(site, `${receipt}?level=signed&alg=EdDSA`)), {
      alg: 'EdDSA',
      kid,
      typ,
    });
    await site.test.log.close();
  });

  test('that comes again is answered 200 with the first one’s receipt, in any spelling', async () => {
    const site = await openEvents();
    const first = await post(site, FULL);
    const reversed = Object.fromEntries(Object.entries(FULL).toReversed());
    const again = [
      await post(site, FULL),
      await post(site, reversed),
      await post(site, encodeUtf8(JSON.stringify(FULL, undefined, 2))),
    ];
    for (const answer of again) {
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('Location'), null);
      assert.deepEqual(answer.json, first.json, 'down to statement and proof');
    }
    assert.equal(site.test.log.revealed.size, 2);
    await site.test.log.close();
  });

  test('that comes many times at once is one leaf', async () => {
    const site = await openEvents();
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(site, FULL)));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    assert.deepEqual(statuses, [...Array.from({ length: 19 }, () => 200), 201]);
    assert.equal(new Set(answers.map(({ json }) => json['event_id'])).size, 1);
    assert.equal(site.test.log.revealed.size, 2);
    await site.test.log.close();
  });

  test('takes its id from Idempotency-Key, as it stands', async () => {
    const site = await openEvents();
    const key = '"8e03978e-40d5"!~,;=';
    const headers = { 'Idempotency-Key': key };
    const { id: _, ...anonymous } = FULL;
    for (const event of [FLAT, anonymous]) {
      const first = await post(site, event, { headers });
      assert.equal(first.status, 201, first.text);
      assert.equal(first.json['id'], key);
      const again = await post(site, event, { headers });
      assert.equal(again.status, 200);
      assert.equal(again.json['event_id'], first.json['event_id']);
      assert.equal((await post(site, { ...event, id: key }, { headers })).status, 200, 'both may say it');
    }
    const longest = { 'Idempotency-Key': '~'.repeat(128) };
    assert.equal((await post(site, FLAT, { headers: longest })).status, 201);
    assert.equal(site.test.log.revealed.size, 4);
    await site.test.log.close();
  });

  test('is one source’s own: other sources may use the same id', async () => {
    const site = await openEvents();
    const headers = { 'Idempotency-Key': 'same' };
    const mine = await post(site, FLAT, { headers });
    const theirs = await post(site, FLAT, { headers, as: 'other' });
    assert.deepEqual([mine.status, theirs.status], [201, 201]);
    assert.deepEqual([mine.json['source'], theirs.json['source']], ['test', 'other']);
    await site.test.log.close();
  });

  test('may say charset=utf-8, and that nothing is encoded', async () => {
    const site = await openEvents();
    for (const type of [
      'application/json;charset=UTF-8',
      'Application/JSON ; charset="utf-8"',
      'application/json',
    ]) {
      const { status } = await post(site, FULL, {
        headers: { 'Content-Type': type, 'Content-Encoding': 'identity' },
      });
      assert.ok(status === 201 || status === 200, type);
    }
    await site.test.log.close();
  });
});

describe('an event', () => {
  test('is read by its source and by auditors, and by others it is not there', async () => {
    const site = await openEvents();
    const { json } = await post(site, FULL);
    const path = `/v1/events/${textOf(json, 'event_id')}`;
    const absent = '/v1/events/evt_AAAAAAAAAAAAAAAAAAAAAA';
    for (const as of ['submit', 'audit'] as const) {
      const { status, headers, json: stored } = await get(site, path, as);
      assert.equal(status, 200);
      assert.equal(headers.get('Cache-Control'), 'private, no-store');
      assert.equal(headers.get('Vary'), 'Authorization');
      assert.equal(headers.get('Access-Control-Allow-Origin'), null);
      const { event_id, id, source, log, leaf_index, leaf_hash, received_time } = json;
      assert.deepEqual(stored, {
        event_id,
        id,
        source,
        profile: 'stepup/1',
        log,
        leaf_index,
        leaf_hash,
        received_time,
        clock_skew_ms: Date.parse(textOf(json, 'received_time')) - Date.parse(textOf(FULL, 'time')),
        event: FULL,
      });
      assert.equal((await get(site, `${path}/receipt`, as)).status, 200);
      assert.equal((await get(site, absent, as)).status, 404);
    }
    for (const suffix of ['', '/receipt', '/receipt?alg=EdDSA']) {
      const hidden = await get(site, path + suffix, 'other');
      const missing = await get(site, absent + suffix, 'other');
      assert.equal(hidden.status, 404);
      assert.equal(hidden.text, missing.text, 'in the same words');
      assert.deepEqual([...hidden.headers], [...missing.headers]);
      const admin = await get(site, path + suffix, 'admin');
      assert.equal(admin.status, 403);
      assert.equal(admin.json['code'], 'forbidden');
      const stranger = await answerOf(site.app.request(path + suffix));
      assert.equal(stranger.status, 401);
      assert.equal(stranger.headers.get('WWW-Authenticate'), 'Bearer');
      for (const { text } of [hidden, admin, stranger]) {
        assert.ok(!text.includes('bank.example') && !text.includes(textOf(json, 'event_id')));
      }
    }
    await site.test.log.close();
  });

  test('that was sent flat is shown in its canonical form', async () => {
    const site = await openEvents();
    const { json } = await post(site, FLAT);
    const { json: stored } = await get(site, `/v1/events/${textOf(json, 'event_id')}`);
    assert.equal(stored['profile'], 'flat/1');
    const event = stored['event'] as JsonObject;
    assert.equal(event['schema'], 'stepup/1');
    assert.deepEqual(event['subject'], { sub_id: { format: 'opaque', id: FLAT['user_id'] } });
    assert.equal(event['outcome'], 'success');
    await site.test.log.close();
  });

  test('has one spelling of its id', async () => {
    const site = await openEvents();
    const { json } = await post(site, FULL);
    const id = textOf(json, 'event_id');
    const others = [
      id.toUpperCase(),
      id.slice(0, -1),
      `${id}A`,
      id.slice(4),
      `EVT_${id.slice(4)}`,
      `%65vt_${id.slice(4)}`,
      `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'z'}`,
      textOf(FULL, 'id'),
      '..',
      CANARY,
    ];
    for (const other of others) {
      const { status, text } = await get(site, `/v1/events/${other}/receipt`);
      assert.equal(status, 404, other);
      assert.ok(!text.includes(CANARY));
    }
    await site.test.log.close();
  });

  test('takes no query, and its receipt those that are listed', async () => {
    const site = await openEvents();
    const { json } = await post(site, FULL);
    const path = `/v1/events/${textOf(json, 'event_id')}`;
    for (const target of [
      `${path}?${CANARY}=1`,
      `${path}?level=signed`,
      `${path}?&`,
      `${path}/receipt?${CANARY}`,
      `${path}/receipt?level=${CANARY}`,
      `${path}/receipt?level=`,
      `${path}/receipt?alg=${CANARY}`,
      `${path}/receipt?alg=eddsa`,
      `${path}/receipt?alg=EdDSA&alg=EdDSA`,
      `${path}/receipt?level=signed&level=signed`,
    ]) {
      const { status, json: problem, text } = await get(site, target);
      assert.equal(status, 400, target);
      assert.equal(problem['code'], 'malformed');
      assert.ok(!text.includes(CANARY));
    }
    const witnessed = await get(site, `${path}/receipt?level=witnessed`);
    assert.deepEqual([witnessed.status, witnessed.json['code']], [422, 'no_witnesses']);
    await site.test.log.close();
  });

  test('answers HEAD like GET, and nothing but reading', async () => {
    const site = await openEvents();
    const { json } = await post(site, FULL);
    const path = `/v1/events/${textOf(json, 'event_id')}`;
    for (const target of [path, `${path}/receipt`]) {
      const { text } = await get(site, target);
      const head = await site.app.request(target, { method: 'HEAD', headers: bearer('submit') });
      assert.equal(head.status, 200);
      assert.equal(head.headers.get('Content-Length'), String(Buffer.byteLength(text)));
      assert.equal(await head.text(), '');
      const options = await site.app.request(target, { method: 'OPTIONS' });
      assert.equal(options.status, 204);
      assert.equal(options.headers.get('Allow'), 'GET, HEAD, OPTIONS');
      assert.equal(options.headers.get('Access-Control-Allow-Origin'), null);
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const refused = await site.app.request(target, { method, headers: bearer('submit') });
        assert.equal(refused.status, 405, method);
      }
    }
    const listing = await site.app.request('/v1/events', { method: 'DELETE', headers: bearer('audit') });
    assert.equal(listing.status, 405);
    assert.equal(listing.headers.get('Allow'), 'GET, HEAD, POST, OPTIONS');
    await site.test.log.close();
  });

  test('commits the leaf that its receipt names, and the tree has it', async () => {
    const site = await openEvents();
    const { json } = await post(site, FULL);
    await site.test.publish();
    const { json: leaf } = await answerOf(site.app.request('/v1/leaves/1'));
    const entry = Buffer.from(textOf(leaf, 'leaf_input'), 'base64');
    assert.equal(entry.length, 40);
    assert.equal(leaf['leaf_hash'], json['leaf_hash']);
    assert.equal(formatBase64(hashLeaf(entry)), json['leaf_hash']);
    await site.test.log.close();
  });
});

describe('a receipt that is fetched', () => {
  test('stands on the signed head, then on the earliest kept checkpoint, for ever the same', async () => {
    const site = await openEvents();
    const trust = await trustOf(site);
    const { json } = await post(site, FULL);
    await post(site, FLAT);
    const path = `/v1/events/${textOf(json, 'event_id')}/receipt`;
    const signed = await get(site, path);
    assert.equal(sizeOfProof(signed), 3, 'nothing is published yet');
    await site.test.publish();
    const published = await get(site, path);
    assert.equal(sizeOfProof(published), 3);
    await post(site, FLAT);
    await site.test.publish();
    const later = await get(site, path);
    assert.equal(sizeOfProof(later), 3);
    assert.equal(later.text, published.text);
    const again = await post(site, FULL);
    assert.equal(again.status, 200);
    assert.equal(again.text, later.text, 'and so is the answer to the same event');
    for (const receipt of [signed, published, later]) {
      assert.equal(receipt.json['tree_size'], sizeOfProof(receipt));
      await verifyReceipt(receipt.json, { trust });
    }
    await site.test.log.close();
  });

  test('survives the log’s closing and opening', async () => {
    const site = await openEvents();
    const { json } = await post(site, FULL);
    await site.test.publish();
    const path = `/v1/events/${textOf(json, 'event_id')}/receipt`;
    const before = await get(site, path);
    const { vault, test: log } = await site.vault!.reopen();
    const reopened = { ...site.site, log: log.log };
    const app = described(createApp(reopened, { ...site.write, vault }));
    const after = await answerOf(app.request(path, { headers: bearer('submit') }));
    assert.equal(after.text, before.text);
    await log.log.close();
  });

  test('never leaves on a path that does not lead to the signed root', async () => {
    const site = await openEvents();
    await post(site, FULL);
    const { json } = await post(site, FLAT);
    const { log } = site.site;
    const lying = {
      ...site.site,
      log: Object.create(log, {
        hashes: {
          value: (size: number) => async (ids: Parameters<ReturnType<typeof log.hashes>>[0]) =>
            (await log.hashes(size)(ids)).map((hash) => hash.map((byte) => byte ^ 1)),
        },
      }) as typeof log,
    };
    const app = described(createApp(lying, site.write));
    const target = `/v1/events/${textOf(json, 'event_id')}/receipt`;
    const { status, json: problem } = await answerOf(app.request(target, { headers: bearer('submit') }));
    assert.deepEqual([status, problem['code']], [500, 'internal']);
    assert.equal(site.errors.length, 1);
    await log.close();
  });

  test('never leaves on a head that does not verify under the log’s key', async () => {
    const site = await openEvents();
    const { json } = await post(site, FULL);
    const verifier = { ...site.site.verifier, verify: () => false };
    const app = described(createApp({ ...site.site, verifier }, site.write));
    for (const asked of [
      app.request(`/v1/events/${textOf(json, 'event_id')}/receipt`, { headers: bearer('submit') }),
      app.request('/v1/events', {
        method: 'POST',
        headers: { ...bearer('submit'), 'Content-Type': 'application/json' },
        body: JSON.stringify(FULL),
      }),
    ]) {
      const { status, json: problem } = await answerOf(asked);
      assert.deepEqual([status, problem['code']], [503, 'storage_failed']);
    }
    await site.test.log.close();
  });
});
test('an opaque log has none of these routes', async () => {
  const site = await openTestSite();
  for (const [method, target] of [
    ['POST', '/v1/events'],
    ['GET', '/v1/events/evt_AAAAAAAAAAAAAAAAAAAAAA'],
    ['GET', '/v1/events/evt_AAAAAAAAAAAAAAAAAAAAAA/receipt'],
  ] as const) {
    assert.equal((await site.app.request(target, { method, headers: bearer('submit') })).status, 404);
  }
  await site.test.log.close();
});

test('a write that fails is a 503 of unknown outcome', async () => {
  let isBroken = false;
  const wrapStore = (store: Store): Store => ({
    ...store,
    commit: async (batch: Batch) => {
      if (isBroken) throw new Error('the disk /dev/sda1 is gone');
      await store.commit(batch);
    },
  });
  const site = await openEvents({ wrapStore });
  const { json } = await post(site, FULL);
  await site.test.publish();
  isBroken = true;
  for (let i = 0; i < 3; i++) {
    const { status, headers, json: problem, text } = await post(site, { ...FULL, id: `b${i}` });
    assert.deepEqual([status, problem['code']], [503, 'storage_failed']);
    assert.equal(headers.get('Retry-After'), '10');
    assert.ok(!text.includes('sda1'));
  }
  assert.deepEqual(site.errors, [], 'the log has told it when it stopped');
  const read = await get(site, `/v1/events/${textOf(json, 'event_id')}/receipt`);
  assert.equal(read.status, 200, 'what is published stays readable');
});
