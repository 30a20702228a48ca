import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventInvalidError, type Fault } from '../../src/errors.ts';
import { parseEvent } from '../../src/event/parse-event.ts';
import { flawOfUnlisted } from '../../src/event/unlisted.ts';
import { type JsonObject, parseJson } from '../../src/formats/json.ts';
import { readExample } from '../support/events.ts';

const LISTED = ['tenant', 'type', 'ip', 'created_time'];
const ALL = 'listed are: tenant, type, ip, created_time';

function objectOf(...names: string[]): JsonObject {
  return parseJson(`{${names.map((name) => `${JSON.stringify(name)}:1`).join(',')}}`) as JsonObject;
}

function faultsOf(event: JsonObject): readonly Fault[] {
  try {
    parseEvent(event, { source: 's', fallbackId: 'e' });
  } catch (error) {
    assert.ok(error instanceof EventInvalidError, String(error));
    return error.faults;
  }
  return assert.fail('the event was accepted');
}

test('members are told by how many and where they are, and by the listed name that each is near', () => {
  const cases: readonly [names: string[], flaw: string][] = [
    [['type', 'hunter2'], `has a member that the schema does not list, its 2nd; ${ALL}`],
    [['tennant'], `has a member that the schema does not list, its 1st: did you mean tenant? ${ALL}`],
    [
      ['type', 'Tenant', 'secret', 'createdTime'],
      `has 3 members that the schema does not list, its 2nd, 3rd and 4th: did you mean tenant, created_time? ${ALL}`,
    ],
    [
      Array.from({ length: 12 }, (_, i) => `hunter${i}`),
      `has 12 members that the schema does not list, its 1st, 2nd, 3rd, 4th, 5th and 7 more; ${ALL}`,
    ],
    // What is like an index of an array comes first in an object, so nothing is known of places.
    [['type', 'hunter', '7'], `has 2 members that the schema does not list; ${ALL}`],
  ];
  for (const [names, flaw] of cases) assert.equal(flawOfUnlisted(objectOf(...names), LISTED), flaw);
});

test('a name is near within two edits, and a short one within half its length', () => {
  const hintOf = (name: string): string | undefined =>
    /did you mean (.*)\?/.exec(flawOfUnlisted(objectOf(name), LISTED))?.[1];
  for (const name of ['tenan', 'tenants', 'tneant', 'TENANT', 'tenantId', 'tena'])
    assert.equal(hintOf(name), 'tenant', name);
  for (const name of ['ten', 'tnatnet', 'xyz', 'token', 'x'.repeat(60_000), '', '__proto__'])
    assert.equal(hintOf(name), undefined, name);
  assert.equal(hintOf('ips'), 'ip');
  assert.equal(hintOf('os'), undefined);
});

test('ordinals are written as they are said', () => {
  for (const [place, ordinal] of [
    [1, '1st'],
    [11, '11th'],
    [12, '12th'],
    [13, '13th'],
    [21, '21st'],
    [22, '22nd'],
    [103, '103rd'],
    [111, '111th'],
  ] as const) {
    const listed = Array.from({ length: place - 1 }, (_, i) => `listed${i}-${'x'.repeat(9)}`);
    const flaw = flawOfUnlisted(objectOf(...listed, '!'), listed);
    assert.match(flaw, new RegExp(`its ${ordinal}[;:]`));
  }
});

test('in an event, one fault an object leads to the member that was mistyped', () => {
  const { tenant = 'x', ...full } = readExample('full');
  const names = Object.keys(full).length;
  const [fault, ...others] = faultsOf({ ...full, tennant: tenant });
  assert.deepEqual(others, []);
  assert.equal(fault!.pointer, '');
  assert.ok(fault!.detail.includes(`does not list, its ${names + 1}`), fault!.detail);
  assert.match(fault!.detail, /: did you mean tenant\? spec\/event\.md lists them all$/);

  const nested = faultsOf({ ...full, src: { ip: '192.0.2.1', regoin: 1, isproxy: true } });
  assert.deepEqual(
    nested.map(({ pointer }) => pointer),
    ['/src'],
  );
  assert.match(
    nested[0]!.detail,
    /^has 2 members that the schema does not list, its 2nd and 3rd: did you mean .*is_proxy\?/,
  );

  const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
  assert.match(
    faultsOf({ ...full, holder: { kty: 'OKP', crv: 'Ed25519', x, kidd: 'k' } })[0]!.detail,
    /^has a member that the schema does not list, its 4th: did you mean kid\? listed are: kty, crv, x, kid$/,
  );
});
