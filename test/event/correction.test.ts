import assert from 'node:assert/strict';
import { test } from 'node:test';
import { correctedEvent, correctedMembers } from '../../src/event/correction.ts';
import { EVENT_MEMBERS } from '../../src/event/members.ts';
import type { JsonObject } from '../../src/formats/json.ts';

const EVENT: JsonObject = {
  schema: 'stepup/1',
  id: 'e-1',
  source: 'test',
  type: 'stepup.completed',
  time: '2026-11-20T12:00:08.000Z',
  seq: 7,
  txn: 't-1',
  subject: { sub_id: { format: 'email', email: 'a@bank.example' }, roles: ['a', 'b'] },
  challenge: { method: 'totp', duration_ms: 4100 },
  outcome: 'success',
  ext: { 'bank.example': { a: 1, b: 2 } },
};
const CORRECTION: JsonObject = {
  schema: 'stepup/1',
  id: 'e-9',
  source: 'test',
  type: 'correction',
  time: '2026-11-21T12:00:08.000Z',
  corrects: 'e-1',
};

test('an event without corrections is what was logged', () => {
  assert.deepEqual(correctedEvent(EVENT, []), EVENT);
  assert.deepEqual(correctedEvent(EVENT, [CORRECTION]), EVENT);
  assert.deepEqual(correctedMembers(CORRECTION), []);
});

test('of an object the members that are given are replaced, each whole', () => {
  const corrected = correctedEvent(EVENT, [
    {
      ...CORRECTION,
      subject: { sub_id: { format: 'opaque', id: 'u-1' } },
      challenge: { method: 'push' },
      ext: { 'bank.example': { b: 3 }, 'other.example': { c: 4 } },
    },
  ]);
  assert.deepEqual(corrected, {
    ...EVENT,
    subject: { sub_id: { format: 'opaque', id: 'u-1' }, roles: ['a', 'b'] },
    challenge: { method: 'push', duration_ms: 4100 },
    ext: { 'bank.example': { b: 3 }, 'other.example': { c: 4 } },
  });
});

test('arrays and single values are replaced, and members that were not there are added in the order of the schema', () => {
  const corrected = correctedEvent(EVENT, [
    { ...CORRECTION, subject: { roles: ['c'] }, system_action: 'granted', session: { uid: 'sha-256:x' } },
    { ...CORRECTION, outcome: 'failure' },
  ]);
  assert.deepEqual(corrected, {
    ...EVENT,
    subject: { sub_id: { format: 'email', email: 'a@bank.example' }, roles: ['c'] },
    session: { uid: 'sha-256:x' },
    outcome: 'failure',
    system_action: 'granted',
  });
  const order = Object.keys(EVENT_MEMBERS).filter((name) => name in corrected);
  assert.deepEqual(Object.keys(corrected), order);
});

test('the later correction wins', () => {
  const corrections = ['failure', 'unknown'].map((outcome) => ({ ...CORRECTION, outcome }));
  assert.equal(correctedEvent(EVENT, corrections)['outcome'], 'unknown');
  assert.equal(correctedEvent(EVENT, corrections.toReversed())['outcome'], 'failure');
});

test('what a correction says of itself is not said of the event', () => {
  const itself: JsonObject = {
    ...CORRECTION,
    seq: 99,
    causation_id: 'e-8',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    clock: { sync: 'ntp' },
    raw_hash: 'sha-256:x',
    adapter: 'okta/1',
    holder: { kty: 'OKP' },
  };
  assert.deepEqual(correctedMembers({ ...itself, outcome: 'failure' }), ['outcome']);
  assert.deepEqual(correctedEvent(EVENT, [itself]), EVENT);
});

test('nothing that it is given is changed, and no name is special', () => {
  const event = structuredClone(EVENT);
  const correction = JSON.parse(
    '{"corrects":"e-1","labels":{"__proto__":"a"},"challenge":{"method":"push"}}',
  ) as JsonObject;
  const before = JSON.stringify([event, correction]);
  const corrected = correctedEvent(event, [correction]);
  assert.equal(JSON.stringify([event, correction]), before);
  assert.equal(JSON.stringify(corrected['labels']), '{"__proto__":"a"}');
  assert.equal(Object.getPrototypeOf(corrected['labels']), Object.prototype);
});
