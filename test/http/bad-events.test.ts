/** Bad submissions: each has its code, none leaks a value, none leaves anything behind. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { POOL_LIMITS } from '../../src/log/limits.ts';
import { createLines } from '../../src/telemetry/lines.ts';
import { FLAT, FULL, get, openEvents, post, type Sent, textOf } from '../support/event-requests.ts';

const CANARY = 'canary-8f3a5c17e9b24d60';

/** Bad inputs, each with a canary where it is bad, and the answer to each. */
interface Bad extends Sent {
  readonly what: string;
  readonly status: number;
  readonly code: string;
  readonly body?: JsonValue | Uint8Array;
  /** Where the faults of an invalid event are. */
  readonly pointers?: readonly string[];
}

function bytesOf(...parts: (string | number[])[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Buffer.from(part as string)));
}

const SECRET: JsonObject = { ...FULL, txn: CANARY };
const TEXT = JSON.stringify(SECRET);
const typed = (type: string): Bad => ({
  what: `Content-Type: ${type}`,
  status: 415,
  code: 'unsupported_media_type',
  headers: { 'Content-Type': type },
});
const malformed = (what: string, body: Uint8Array): Bad => ({ what, status: 400, code: 'malformed', body });
const invalid = (what: string, body: JsonValue | Uint8Array, ...pointers: string[]): Bad => ({
  what,
  status: 422,
  code: 'event_invalid',
  body,
  ...(pointers.length > 0 && { pointers }),
});
const queried = (query: string, status = 400, code = 'malformed'): Bad => ({
  what: query,
  status,
  code,
  query,
});
const keyed = (what: string, key: string): Bad => ({
  what: `an Idempotency-Key that ${what}`,
  status: 400,
  code: 'malformed',
  headers: { 'Idempotency-Key': key },
});

const BAD: readonly Bad[] = [
  { what: 'no token', status: 401, code: 'unauthenticated', headers: { Authorization: '' } },
  {
    what: 'an unknown token',
    status: 401,
    code: 'unauthenticated',
    headers: { Authorization: `Bearer ${CANARY}` },
  },
  {
    what: 'another scheme',
    status: 401,
    code: 'unauthenticated',
    headers: { Authorization: `Basic ${CANARY}` },
  },
  { what: 'a token for reading', status: 403, code: 'forbidden', as: 'audit' },
  { what: 'a token for running the log', status: 403, code: 'forbidden', as: 'admin' },
  { what: 'a source of others', status: 403, code: 'forbidden', as: 'other' },
  {
    what: 'a source of nobody',
    status: 403,
    code: 'forbidden',
    body: { ...SECRET, source: `https://${CANARY}.example/x` },
  },

  queried(`?${CANARY}=1`),
  queried(`?${CANARY}`),
  queried(`?level=${CANARY}`),
  queried('?level='),
  queried('?level'),
  queried('?level=Signed'),
  queried('?level=signed&level=signed'),
  queried('?level=signed&'),
  queried('?&'),
  queried(`?alg=${CANARY}`),
  queried('?alg='),
  queried('?alg=ed25519'),
  queried('?alg=none'),
  queried('?alg=EdDSA&alg=Ed25519'),
  queried('?level=witnessed', 422, 'no_witnesses'),
  queried('?alg=EdDSA&level=witnessed', 422, 'no_witnesses'),

  keyed('is empty', ''),
  keyed('has a space', `${CANARY} ${CANARY}`),
  keyed('is too long', CANARY.padEnd(129, 'x')),
  keyed('is not ASCII', `${CANARY}é`),
  keyed('is not the event’s id', CANARY),

  { what: 'an Accept for pages', status: 406, code: 'not_acceptable', headers: { Accept: `text/${CANARY}` } },

  typed('text/plain'),
  typed(`text/${CANARY}`),
  typed('application/ndjson'),
  typed('application/x-ndjson; charset=latin1'),
  typed('application/x-www-form-urlencoded'),
  typed('application/merge-patch+json'),
  typed('application/jsonx'),
  typed('application/json, application/json'),
  typed('application/json; charset=utf-16'),
  typed('application/json; charset=utf-8; charset=utf-8'),
  typed(`application/json; profile="${CANARY}"`),
  typed(''),
  {
    what: 'a body that is compressed',
    status: 415,
    code: 'unsupported_media_type',
    headers: { 'Content-Encoding': 'gzip' },
  },
  {
    what: 'an unknown encoding',
    status: 415,
    code: 'unsupported_media_type',
    headers: { 'Content-Encoding': CANARY },
  },
  ...[`[${CANARY}]`, ` \r\n\t[${CANARY},${TEXT}]`, `[${TEXT}`, '[', '[]', `[,${TEXT}]`].map((text) => ({
    what: `an array: ${text.slice(0, 8)}`,
    status: 400,
    code: 'malformed',
    body: encodeUtf8(text),
  })),

  malformed('nothing', bytesOf('')),
  malformed('white space', bytesOf(' \n')),
  malformed('half an object', bytesOf(TEXT.slice(0, -1))),
  malformed('two objects', bytesOf(TEXT, TEXT)),
  malformed('lines of objects', bytesOf(TEXT, '\n', TEXT, '\n')),
  malformed('something behind it', bytesOf(TEXT, CANARY)),
  malformed('no JSON', bytesOf(CANARY)),
  malformed('single quotes', bytesOf(`{'schema':'${CANARY}'}`)),
  malformed('a comment', bytesOf(`/* ${CANARY} */`, TEXT)),
  malformed('a comma too many', bytesOf(`{"a":"${CANARY}",}`)),
  malformed('NaN', bytesOf(`{"${CANARY}":NaN}`)),
  malformed('a line end in a string', bytesOf(`{"a":"${CANARY}\n"}`)),
  malformed('an unknown escape', bytesOf(`{"a":"${CANARY}\\x41"}`)),
  malformed('a byte order mark', bytesOf([0xef, 0xbb, 0xbf], TEXT)),
  malformed('bytes that are not UTF-8', bytesOf(`{"a":"${CANARY}`, [0xff], '"}')),
  malformed('an overlong encoding', bytesOf(`{"a":"${CANARY}`, [0xc0, 0xaf], '"}')),
  malformed('an encoded surrogate', bytesOf(`{"a":"${CANARY}`, [0xed, 0xa0, 0x80], '"}')),
  malformed('UTF-16', new Uint8Array(Buffer.from(TEXT, 'utf16le'))),
  malformed('a member twice', bytesOf(TEXT.slice(0, -1), `,"txn":"${CANARY}"}`)),
  malformed('a member twice, once escaped', bytesOf(TEXT.slice(0, -1), `,"\\u0074xn":"${CANARY}"}`)),
  malformed('a member twice, further in', bytesOf(`{"ext":{"${CANARY}":1,"${CANARY}":1}}`)),
  malformed('a number that no double has', bytesOf(`{"${CANARY}":9007199254740993}`)),
  malformed('a number beyond all doubles', bytesOf(`{"${CANARY}":1e400}`)),
  malformed('a number below all doubles', bytesOf(`{"${CANARY}":1e-400}`)),
  malformed('a number with a leading zero', bytesOf(`{"${CANARY}":01}`)),
  malformed('too much inside one another', bytesOf('{"a":'.repeat(40), `"${CANARY}"`, '}'.repeat(40))),

  ...[CANARY, 7, true, null].map((value) =>
    invalid(`not an object: ${typeof value}`, encodeUtf8(JSON.stringify(value)), ''),
  ),
  invalid('an object without members', {}),
  invalid('a member that is not listed', { ...SECRET, [CANARY]: CANARY }, ''),
  invalid('a time that is none', { ...SECRET, time: CANARY }, '/time'),
  invalid('a type that is none', { ...SECRET, type: CANARY }),
  invalid('a number for a text', { ...SECRET, txn: { [CANARY]: CANARY } }),
  invalid('an id with a space', { ...SECRET, id: `${CANARY} x` }, '/id'),
  invalid('an open claim as a member', { ...SECRET, iss: CANARY }),
  invalid('a member of SD-JWT', { ...SECRET, _sd: [CANARY] }),
  invalid('a member of SD-JWT, further in', { ...SECRET, ext: { 'x.example': { '...': CANARY } } }),
  invalid('a prototype', encodeUtf8(`${TEXT.slice(0, -1)},"__proto__":{"${CANARY}":1}}`)),
  invalid(
    'a lone surrogate',
    encodeUtf8(`${JSON.stringify({ ...FULL, txn: undefined }).slice(0, -1)},"txn":"${CANARY}\\ud800"}`),
  ),
  invalid('a flat member that is not listed', { ...FLAT, [CANARY]: CANARY }),
  invalid('a flat status that is none', { ...FLAT, status: CANARY }, '/status'),
  invalid('many faults', {
    schema: 'stepup/1',
    ext: CANARY,
    src: { ip: CANARY },
    outcome: CANARY,
    seq: CANARY,
  }),

  {
    what: 'another schema',
    status: 422,
    code: 'schema_unknown',
    body: { ...SECRET, schema: `stepup/${CANARY}` },
  },
  { what: 'the next schema', status: 422, code: 'schema_unknown', body: { ...SECRET, schema: 'stepup/2' } },

  {
    what: 'an id that has other content',
    status: 409,
    code: 'id_conflict',
    body: { ...SECRET, id: 'taken' },
  },
  {
    what: 'a body that is too large',
    status: 413,
    code: 'too_large',
    body: { ...SECRET, ext: CANARY.repeat(3000) },
  },
  {
    what: 'a body that says that it is too large',
    status: 413,
    code: 'too_large',
    headers: { 'Content-Length': '9007199254740991' },
  },
  {
    what: 'a length that is no number',
    status: 400,
    code: 'malformed',
    headers: { 'Content-Length': `0x${CANARY}` },
  },
  { what: 'a body longer than it says', status: 413, code: 'too_large', headers: { 'Content-Length': '10' } },
];

test('every bad input has its code, leaks no value, stores nothing and gives its room back', async (t) => {
  const said: string[] = [];
  const lines = createLines({ level: 'debug', write: (line) => said.push(line) });
  // Room for one: whatever keeps its room, the next one meets queue_full.
  const site = await openEvents({ open: { limits: { ...POOL_LIMITS, maxQueueEntries: 1 } } });
  const { status } = await post(site, { ...FULL, id: 'taken' });
  assert.equal(status, 201);
  for (const { what, body = SECRET, ...bad } of BAD) {
    await t.test(`${what} → ${bad.status} ${bad.code}`, async () => {
      const before = site.requests.length;
      const answer = await post(site, body, bad);
      assert.equal(answer.status, bad.status, answer.text);
      assert.equal(answer.json['code'], bad.code);
      assert.equal(answer.headers.get('Content-Type'), 'application/problem+json');
      assert.equal(answer.headers.get('Cache-Control'), 'no-store');
      assert.equal(answer.headers.get('Access-Control-Allow-Origin'), null);
      const { errors } = answer.json;
      assert.equal(errors !== undefined, bad.code === 'event_invalid');
      if (bad.pointers) {
        assert.deepEqual(
          (errors as JsonObject[]).map(({ pointer }) => pointer),
          bad.pointers,
        );
      }
      assert.equal(site.test.log.revealed.size, 2, 'nothing was stored');
      assert.equal(site.requests.length, before + 1);
      for (const request of site.requests.slice(before)) lines.request(request);
      for (const error of site.errors) lines.say('error', 'x', { error: inspect(error, { depth: 9 }) });
      const signals = inspect([site.requests.slice(before), site.errors, said], { depth: 9 });
      const headers = JSON.stringify([...answer.headers]);
      for (const [where, text] of Object.entries({ answer: answer.text, headers, signals })) {
        assert.ok(!text.includes(CANARY), `the ${where} holds a value`);
      }
    });
  }
  assert.deepEqual(site.errors, [], 'none is a fault of the server');
  assert.ok(said.length >= BAD.length, 'there are lines to look at');
  const taken = await post(site, SECRET);
  assert.equal(taken.status, 201, 'the same event, put right, is taken');
  const { text } = await get(site, `/v1/events/${textOf(taken.json, 'event_id')}`);
  assert.ok(text.includes(CANARY), 'the value was on its way, and is found where it may be');
  await site.test.log.close();
});

test('the faults of an event are told all at once, at most 20, each with pointer and rule', async () => {
  const site = await openEvents();
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`member_${i}`, CANARY]));
  const { json } = await post(site, { ...FULL, time: CANARY, seq: -1, src: { ip: CANARY, ...many } });
  const faults = json['errors'] as { pointer: string; detail: string }[];
  assert.ok(faults.length >= 3 && faults.length <= 20);
  for (const fault of faults) assert.deepEqual(Object.keys(fault), ['pointer', 'detail']);
  const pointers = faults.map(({ pointer }) => pointer);
  for (const pointer of ['/time', '/seq', '/src/ip', '/src']) assert.ok(pointers.includes(pointer), pointer);
  await site.test.log.close();
});
