import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hashLeaf } from '../../src/core/hash.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { parseSdJwt } from '../../src/formats/sd-jwt.ts';
import { verifySdJwt } from '../../src/formats/sd-jwt-verify.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { exampleEvents, openTestVault, TEST_ISSUER } from '../support/test-vault.ts';

const [FLAT] = exampleEvents('flat.json') as [JsonObject];
const [FULL] = exampleEvents('full.json') as [JsonObject];
const FILES = ['flat.json', 'full.json', 'wire-transfer.ndjson', 'denied-push.ndjson'];

describe('an event goes in', () => {
  test('every example is taken as it is, and read back as it was', async () => {
    const { submit, vault, test: log } = await openTestVault();
    let leaves = 1;
    for (const name of FILES) {
      for (const example of exampleEvents(name)) {
        const { created, event, head } = await submit(example);
        assert.equal(created, true);
        assert.equal(event.leafIndex, leaves++);
        assert.equal(head?.size, leaves);
        assert.match(event.eventId, /^evt_[A-Za-z0-9_-]{22}$/);
        if (event.profile === 'stepup/1') assert.deepEqual(event.content, example);
        const found = await vault.find(event.eventId);
        assert.ok(found);
        assert.deepEqual(found.content, event.content);
        assert.equal(await found.statement('Ed25519'), await event.statement('Ed25519'));
        assert.deepEqual([found.id, found.source], [event.id, event.source]);
        const [entry] = await log.log.readEntries(event.leafIndex, 1);
        assert.deepEqual(hashLeaf(event.leaf), hashLeaf(entry!));
      }
    }
    assert.equal(log.log.revealed.size, leaves);
  });

  test('the flat example becomes what the profile says', async () => {
    const { submit } = await openTestVault();
    const { event } = await submit(FLAT);
    assert.equal(event.profile, 'flat/1');
    assert.equal(event.source, 'test');
    assert.equal(event.id, event.eventId);
    assert.equal(event.content['type'], 'stepup.completed');
    assert.equal(event.content['outcome'], 'success');
    assert.deepEqual(event.content['subject'], { sub_id: { format: 'opaque', id: '12345' } });
  });

  test('the statement is an SD-JWT of the event, with nothing else open', async () => {
    const { submit, vault, test: log } = await openTestVault();
    const { event } = await submit(FULL);
    const statement = parseSdJwt(await event.statement('Ed25519'));
    assert.deepEqual(statement.header, {
      alg: 'Ed25519',
      kid: vault.jwks.keys[0]!.kid,
      typ: 'stepup-event+sd-jwt',
    });
    assert.deepEqual(Object.keys(statement.payload), [
      'iss',
      'log',
      'iat',
      'jti',
      'schema',
      '_sd_alg',
      '_sd',
    ]);
    const { claims } = verifySdJwt(statement, () => {});
    const { iss, log: origin, iat, jti, ...content } = claims;
    assert.deepEqual([iss, origin, jti], [TEST_ISSUER, log.origin, event.eventId]);
    assert.equal(iat, Math.floor(event.receivedTimeMs / 1000));
    assert.deepEqual(content, FULL);
    assert.equal(parseSdJwt(await event.statement('EdDSA')).header['alg'], 'EdDSA');
  });

  test('a holder is in the claim cnf, in what is read back, and in what a copy is compared by', async () => {
    const { submit, vault } = await openTestVault();
    const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
    const event = { ...FULL, holder: { kty: 'OKP', crv: 'Ed25519', x } };
    const { event: stored } = await submit(event);
    assert.deepEqual((await vault.find(stored.eventId))?.content, event);
    assert.deepEqual(parseSdJwt(await stored.statement('Ed25519')).payload['cnf'], { jwk: event.holder });
    await assert.rejects(submit(FULL), { code: 'id_conflict' });
    assert.equal((await submit(encodeUtf8(JSON.stringify(event, undefined, 1)))).created, false);
  });

  test("another's source is refused", async () => {
    const { submit, test: log } = await openTestVault();
    await assert.rejects(submit(FULL, { sources: ['https://other.example'] }), { code: 'forbidden' });
    await assert.rejects(submit(FULL, { sources: [] }), { code: 'forbidden' });
    assert.equal(log.log.revealed.size, 1);
  });

  test('what is refused leaves its place in the queue', async () => {
    const { submit, test: log } = await openTestVault({
      open: { limits: { maxRoundEntries: 8, maxRoundBytes: 1e6, maxQueueEntries: 1, maxQueueBytes: 1e6 } },
    });
    for (let i = 0; i < 3; i++) {
      await assert.rejects(submit(encodeUtf8('{')), { code: 'malformed' });
      await assert.rejects(submit({ schema: 'stepup/1' }), { code: 'event_invalid' });
      await assert.rejects(submit({ schema: 'stepup/9' }), { code: 'schema_unknown' });
      await assert.rejects(submit(FULL, { sources: ['x'] }), { code: 'forbidden' });
      await submit({ ...FULL, id: 'one' });
    }
    assert.equal(log.log.revealed.size, 2);
  });
});

describe('the same event again', () => {
  test('is the first one, now and after a restart', async () => {
    let vault = await openTestVault();
    const first = await vault.submit(FULL);
    const turned = Object.fromEntries(Object.entries(FULL).reverse());
    for (let opening = 0; opening < 2; opening++) {
      for (const copy of [FULL, turned, encodeUtf8(JSON.stringify(FULL, undefined, 4))]) {
        const again = await vault.submit(copy);
        assert.equal(again.created, false);
        assert.equal(again.head, undefined);
        assert.equal(again.event.eventId, first.event.eventId);
        assert.equal(again.event.leafIndex, first.event.leafIndex);
        assert.equal(await again.event.statement('Ed25519'), await first.event.statement('Ed25519'));
      }
      vault = await vault.reopen();
    }
    assert.equal(vault.test.log.revealed.size, 2);
  });

  test('with other content is a conflict, whatever it is that differs', async () => {
    const { submit, test: log } = await openTestVault();
    await submit(FULL);
    const others: JsonObject[] = [
      { ...FULL, outcome: 'failure' },
      { ...FULL, labels: { env: 'prod', drill: true } },
      without(FULL, 'labels'),
      { ...FULL, time: '2026-11-20T12:00:08.124Z' },
    ];
    for (const other of others) await assert.rejects(submit(other), { code: 'id_conflict' });
    assert.equal(log.log.revealed.size, 2);
  });

  test('at the same moment is one leaf', async () => {
    const { submit, test: log } = await openTestVault();
    const answers = await Promise.all(Array.from({ length: 50 }, () => submit(FULL)));
    assert.equal(answers.filter(({ created }) => created).length, 1);
    assert.equal(new Set(answers.map(({ event }) => event.eventId)).size, 1);
    const [one, two] = await Promise.allSettled([
      submit({ ...FULL, id: 'two' }),
      submit({ ...FULL, id: 'two', outcome: 'failure' }),
    ]);
    assert.equal(one.status, 'fulfilled');
    assert.ok(two.status === 'rejected' && isCode(two.reason, 'id_conflict'));
    assert.equal(log.log.revealed.size, 3);
  });

  test('under another source is another event', async () => {
    const { submit } = await openTestVault();
    const first = await submit({ ...FLAT, id: 'same' }, { sources: ['one'] });
    const second = await submit({ ...FLAT, id: 'same' }, { sources: ['two'] });
    assert.equal(second.created, true);
    assert.notEqual(first.event.eventId, second.event.eventId);
    const through = await submit({ ...FLAT, id: 'same' }, { sources: ['one', 'two'] });
    assert.equal(through.event.eventId, first.event.eventId);
  });

  test('10,000 copies of 100 events are 100 leaves, half of them after a restart', async () => {
    let vault = await openTestVault();
    const events = Array.from({ length: 100 }, (_, i) => ({ ...FULL, id: `event-${i}`, seq: i }));
    const ids = new Map<string, string>();
    for (let half = 0; half < 2; half++) {
      for (let batch = 0; batch < 10; batch++) {
        const answers = await Promise.all(
          Array.from({ length: 500 }, (_, i) => vault.submit(events[(i * 7 + batch) % 100]!)),
        );
        for (const { event } of answers) {
          assert.equal(event.eventId, ids.get(event.id) ?? event.eventId);
          ids.set(event.id, event.eventId);
        }
      }
      vault = await vault.reopen();
    }
    assert.equal(ids.size, 100);
    assert.equal(vault.test.log.revealed.size, 101);
  });
});

describe('Idempotency-Key', () => {
  test('is the id where the event has none', async () => {
    const { submit } = await openTestVault();
    const flat = await submit(FLAT, { idempotencyKey: 'key-1' });
    assert.equal(flat.event.id, 'key-1');
    assert.equal((await submit(FLAT, { idempotencyKey: 'key-1' })).event.eventId, flat.event.eventId);
    assert.equal((await submit({ ...FLAT, id: 'key-1' })).event.eventId, flat.event.eventId);
    const full = await submit(without(FULL, 'id'), { idempotencyKey: 'key-2' });
    assert.equal(full.event.content['id'], 'key-2');
  });

  test('that is not the id of the event is refused', async () => {
    const { submit } = await openTestVault();
    await assert.rejects(submit(FULL, { idempotencyKey: 'another' }), { code: 'malformed' });
    assert.equal((await submit(FULL, { idempotencyKey: '01JD4XB0000000000000000001' })).created, true);
  });

  test('a canonical event without id and without key is refused, a flat one is new each time', async () => {
    const { submit } = await openTestVault();
    await assert.rejects(submit(without(FULL, 'id')), { code: 'event_invalid' });
    const [first, second] = [await submit(FLAT), await submit(FLAT)];
    assert.notEqual(first.event.eventId, second.event.eventId);
  });
});

function without(event: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(event).filter(([member]) => member !== name));
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
