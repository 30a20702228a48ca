import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { commitmentOf, formatEventLeaf } from '../../src/event/leaf.ts';
import { parseEvent } from '../../src/event/parse-event.ts';
import type { EventMembers } from '../../src/event/schema.ts';
import { TOP_LEVEL_DIGESTS } from '../../src/event/statement-names.ts';
import {
  encodeStatement,
  formatPayload,
  type OpenClaims,
  STATEMENT_RANDOM_BYTES,
} from '../../src/event/statement.ts';
import { formatBase64Url } from '../../src/formats/base64url.ts';
import { type JsonObject, type JsonValue, parseJson } from '../../src/formats/json.ts';
import { processPayload } from '../../src/formats/sd-jwt-verify.ts';
import { digestOf, encodeDisclosure, formatDisclosure } from '../../src/formats/sd-jwt.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { fromHex, runCases, toHex } from '../formats/cases.ts';
import { canonicalEvents, flatEvents, readExample } from '../support/events.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 5000 : 200;

const OPEN: OpenClaims = {
  iss: 'https://log.example/bank',
  log: 'log.example/bank',
  iat: 1_795_176_008,
  jti: 'evt_q83vEjRWeJCrze8SNFZ4kA',
  schema: 'stepup/1',
};
const RANDOM = Uint8Array.from({ length: STATEMENT_RANDOM_BYTES }, (_, i) => (i * 31 + (i >> 8)) & 255);
/** As much as is needed, each a keystream of its own: like the randomness in use, never twice the same bytes in it. */
const randomBytes = fc.nat().map((key) => {
  const stream = createCipheriv('aes-256-ctr', Buffer.alloc(32, String(key)), Buffer.alloc(16));
  return new Uint8Array(stream.update(new Uint8Array(STATEMENT_RANDOM_BYTES)));
});

const events: fc.Arbitrary<EventMembers> = fc
  .oneof(canonicalEvents(), flatEvents())
  .map((sent) => parseEvent(sent, { source: 'urn:example:app', fallbackId: 'f' }).event);

runCases<{ event: EventMembers; open: OpenClaims; random: string }>(
  'statement/encode.json',
  ({ event, open, random }) => {
    const { payload, disclosures } = encodeStatement(open, event, fromHex(random));
    const encodedPayload = formatBase64Url(encodeUtf8(payload));
    const commitment = commitmentOf(encodedPayload);
    return {
      disclosures,
      payload,
      encodedPayload,
      commitment: toHex(commitment),
      leaf: toHex(formatEventLeaf(commitment)),
    };
  },
);

/** What the holder of all disclosures reads. */
function disclosed(payload: string, disclosures: readonly { json: string }[]): JsonObject {
  return processPayload({
    payload: parseJson(payload) as JsonObject,
    disclosures: disclosures.map(({ json }) => {
      const encoded = encodeDisclosure(json);
      const [, name, value] = parseJson(json) as [string, string, JsonValue];
      return { encoded, digest: digestOf(encoded), name, value };
    }),
  });
}

test('all disclosures together give the event back, and nothing else', () => {
  fc.assert(
    fc.property(events, randomBytes, (event, random) => {
      const { payload, disclosures } = encodeStatement(OPEN, event, random);
      assert.deepEqual(disclosed(payload, disclosures), { ...OPEN, ...event });
    }),
    { numRuns },
  );
});

test('the payload is built again from what is kept of it', () => {
  fc.assert(
    fc.property(events, randomBytes, fc.boolean(), (event, random, hasHolder) => {
      const open: OpenClaims = hasHolder ? { ...OPEN, cnf: { jwk: { kty: 'OKP' } } } : OPEN;
      const { payload, disclosures } = encodeStatement(open, event, random);
      assert.equal(formatPayload(open, disclosures, random), payload);
      assert.equal(formatPayload(open, disclosures.toReversed(), random), payload);
    }),
    { numRuns },
  );
});

test('a kept disclosure that was changed gives another payload', () => {
  const { payload, disclosures } = encodeStatement(OPEN, eventOf(readExample('full')), RANDOM);
  const top = disclosures.filter(({ slot }) => slot < TOP_LEVEL_DIGESTS);
  assert.ok(top.length > 20);
  for (const changed of top) {
    const others = disclosures.filter((one) => one !== changed);
    assert.notEqual(formatPayload(OPEN, others, RANDOM), payload);
    assert.notEqual(
      formatPayload(OPEN, [...others, { ...changed, json: `${changed.json} ` }], RANDOM),
      payload,
    );
  }
});

test('a disclosure is what formatDisclosure writes', () => {
  fc.assert(
    fc.property(events, (event) => {
      for (const { slot, json } of encodeStatement(OPEN, event, RANDOM).disclosures) {
        const [, name, value] = parseJson(json) as [string, string, JsonValue];
        assert.equal(json, formatDisclosure(RANDOM.subarray(16 * slot, 16 * slot + 16), name, value));
      }
    }),
    { numRuns },
  );
});

test('members and claims stand in the order of the profile', () => {
  const event = eventOf(readExample('full'));
  const { payload } = encodeStatement({ ...OPEN, cnf: { jwk: { kty: 'OKP' } } }, event, RANDOM);
  assert.deepEqual(Object.keys(parseJson(payload) as JsonObject), [
    'iss',
    'log',
    'iat',
    'jti',
    'schema',
    'cnf',
    '_sd_alg',
    '_sd',
  ]);
});

test('neither type nor content shows in the number or the order of digests', () => {
  const counts = new Map<string, Set<number>>();
  const count = (path: string, value: JsonValue): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    const { _sd: digests } = value;
    if (digests !== undefined) {
      assert.ok(Array.isArray(digests));
      const texts = digests.filter((digest) => typeof digest === 'string');
      assert.deepEqual(digests, texts.toSorted());
      for (const text of texts) assert.match(text, /^[A-Za-z0-9_-]{43}$/);
      counts.set(path, (counts.get(path) ?? new Set()).add(digests.length));
    }
  };
  fc.assert(
    fc.property(events, randomBytes, (event, random) => {
      const { payload, disclosures } = encodeStatement(OPEN, event, random);
      count('', parseJson(payload));
      for (const { json } of disclosures) {
        const [, name, value] = parseJson(json) as [string, string, JsonValue];
        if (name !== 'ext') count(name, value);
      }
    }),
    { numRuns },
  );
  const found = Object.fromEntries([...counts].map(([path, sizes]) => [path, [...sizes]]));
  assert.deepEqual(found, {
    '': [TOP_LEVEL_DIGESTS],
    subject: [1],
    session: [1],
    src: [3],
    location: [1],
    device: [2],
    http_request: [1],
    trigger: [3],
    challenge: [2],
    authentication: [1],
    action: [3],
  });
});

test('nothing of the event is in the payload, not even hashed', () => {
  fc.assert(
    fc.property(events, randomBytes, (event, random) => {
      const { payload } = encodeStatement(OPEN, event, random);
      for (const text of textsIn(event)) {
        if (text.length < 12) continue;
        const hash = createHash('sha256').update(text).digest();
        for (const trace of [
          text,
          hash.toString('hex'),
          hash.toString('base64url'),
          hash.toString('base64'),
        ]) {
          assert.ok(!payload.includes(trace));
        }
      }
    }),
    { numRuns },
  );
});

test('other randomness changes every digest, and no salt is used twice', () => {
  const event = eventOf(readExample('full'));
  const other = RANDOM.map((byte) => byte ^ 0xff);
  const [first, second] = [RANDOM, other].map((random) => {
    const { payload, disclosures } = encodeStatement(OPEN, event, random);
    const digests = (parseJson(payload) as { _sd: string[] })._sd;
    const salts = disclosures.map(({ json }) => (parseJson(json) as string[])[0]!);
    assert.equal(new Set(salts).size, salts.length);
    return digests;
  });
  assert.deepEqual(
    first!.filter((digest) => second!.includes(digest)),
    [],
  );
});

test('every byte of randomness counts for a statement with everything in it or nothing', () => {
  const nothing = eventOf({
    schema: 'stepup/1',
    id: '1',
    source: 'urn:x:y',
    type: 'source.heartbeat',
    time: '2026-11-20T12:00:00Z',
  });
  const { payload } = encodeStatement(OPEN, nothing, RANDOM);
  const present = new Set([0, 1, 3, 4]);
  for (let slot = 0; slot < TOP_LEVEL_DIGESTS; slot++) {
    const salted = RANDOM.slice();
    salted[16 * slot]! ^= 1;
    const decoyed = RANDOM.slice();
    decoyed[16 * 50 + 32 * slot]! ^= 1;
    assert.equal(encodeStatement(OPEN, nothing, salted).payload === payload, !present.has(slot));
    assert.equal(encodeStatement(OPEN, nothing, decoyed).payload === payload, present.has(slot));
  }
});

test('another amount of randomness is an error of ours', () => {
  const event = eventOf(readExample('full'));
  assert.equal(STATEMENT_RANDOM_BYTES, 2400);
  for (const size of [0, STATEMENT_RANDOM_BYTES - 1, STATEMENT_RANDOM_BYTES + 1]) {
    assert.throws(() => encodeStatement(OPEN, event, new Uint8Array(size)), RangeError);
    assert.throws(() => formatPayload(OPEN, [], new Uint8Array(size)), RangeError);
  }
});

function eventOf(sent: JsonObject): EventMembers {
  return parseEvent(sent, { source: 'urn:example:app', fallbackId: 'f' }).event;
}

function textsIn(value: JsonValue): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}
