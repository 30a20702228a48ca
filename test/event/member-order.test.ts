import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { orderEvent } from '../../src/event/member-order.ts';
import type { Members } from '../../src/event/member.ts';
import { EVENT_MEMBERS } from '../../src/event/members.ts';
import { parseEvent } from '../../src/event/parse-event.ts';
import type { EventMembers } from '../../src/event/schema.ts';
import { encodeStatement, STATEMENT_RANDOM_BYTES } from '../../src/event/statement.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../src/formats/json.ts';
import { digestOf, encodeDisclosure } from '../../src/formats/sd-jwt.ts';
import { processPayload } from '../../src/formats/sd-jwt-verify.ts';
import { canonicalEvents, flatEvents, readExamples } from '../support/events.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 5000 : 200;

function canonical(sent: JsonObject): EventMembers {
  return parseEvent(sent, { source: 'app', fallbackId: 'e-0' }).event;
}

/** The event with the members of every object of the schema the other way round. */
function reversed(object: JsonObject, members: Members = EVENT_MEMBERS): JsonObject {
  const turned = Object.entries(object).reverse();
  return Object.fromEntries(
    turned.map(([name, value]) => {
      const member = members[name];
      const isNested = member?.is === 'object' && isJsonObject(value);
      return [name, isNested ? reversed(value, member.members) : value];
    }),
  );
}

test('it is the order that the canonical form has, at every depth', () => {
  let moved = 0;
  const check = (sent: JsonObject): void => {
    const event = canonical(sent);
    const turned = reversed(event);
    const before = JSON.stringify(turned);
    if (before !== JSON.stringify(event)) moved++;
    assert.equal(JSON.stringify(orderEvent(turned)), JSON.stringify(event));
    assert.equal(JSON.stringify(turned), before);
  };
  for (const sent of readExamples()) check(sent);
  fc.assert(fc.property(fc.oneof(canonicalEvents(), flatEvents()), check), { numRuns });
  assert.ok(moved > numRuns);
});

test('what is read back from a statement is in it again', () => {
  const open = {
    iss: 'https://log.example',
    log: 'log.example',
    iat: 1_795_176_008,
    jti: 'evt_AAAAAAAAAAAAAAAAAAAAAA',
    schema: 'stepup/1',
  } as const;
  let mixed = 0;
  for (const sent of readExamples()) {
    const event = canonical(sent);
    const random = crypto.getRandomValues(new Uint8Array(STATEMENT_RANDOM_BYTES));
    const { payload, disclosures } = encodeStatement(open, event, random);
    const { iss, log, iat, jti, ...shown } = processPayload({
      payload: parseJson(payload) as JsonObject,
      disclosures: disclosures.map(({ json }) => {
        const [, name, value] = JSON.parse(json) as [string, string, JsonObject];
        const encoded = encodeDisclosure(json);
        return { encoded, digest: digestOf(encoded), name, value };
      }),
    });
    assert.deepEqual({ iss, log, iat, jti, schema: shown['schema'] }, open);
    if (JSON.stringify(shown) !== JSON.stringify(event)) mixed++;
    assert.equal(JSON.stringify(orderEvent(shown)), JSON.stringify(event));
  }
  assert.ok(mixed > 10, 'a statement has another order');
});

test('nothing is lost: what the schema does not list comes last, a value of another kind stays', () => {
  const event = parseJson(
    '{"later":1,"__proto__":{"x":1},"subject":"u-1","src":{"later":{"b":1,"a":2},"ip":"192.0.2.1"},"schema":"stepup/2"}',
  ) as JsonObject;
  assert.equal(
    JSON.stringify(orderEvent(event)),
    '{"schema":"stepup/2","subject":"u-1","src":{"ip":"192.0.2.1","later":{"b":1,"a":2}},"later":1,"__proto__":{"x":1}}',
  );
  const inner = parseJson('{"ext":{"com.b":{"z":1,"a":2},"com.a":1},"labels":{"z":1,"a":2}}') as JsonObject;
  assert.equal(
    JSON.stringify(orderEvent(inner)),
    '{"labels":{"z":1,"a":2},"ext":{"com.b":{"z":1,"a":2},"com.a":1}}',
  );
});
