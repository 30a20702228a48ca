/**
 * spec/event.schema.json is what the code says, and says what the code does: ajv, given the file, and `parseEvent` take
 * and refuse the same events. After a change of the tables: UPDATE_SPEC=1 node --import tsx --test test/event/json-schema.test.ts
 */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { format } from 'prettier';
import { NewelError } from '../../src/errors.ts';
import { faultOfFlat, type FlatEvent } from '../../src/event/flat.ts';
import { eventJsonSchema } from '../../src/event/json-schema.ts';
import { parseEvent } from '../../src/event/parse-event.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { canonicalEvents, flatEvents, readExample, readExamples } from '../support/events.ts';
import { SLOW } from '../support/slow.ts';

const FILE = new URL('../../spec/event.schema.json', import.meta.url);
const numRuns = SLOW ? 5000 : 300;

if (process.env['UPDATE_SPEC']) {
  const text = JSON.stringify(eventJsonSchema());
  writeFileSync(FILE, await format(text, { parser: 'json', printWidth: 110, singleQuote: true }));
}

const published = JSON.parse(readFileSync(FILE, 'utf8')) as JsonObject;
const ajv = new Ajv2020({ allErrors: false, strict: true, strictRequired: false, strictTypes: false });
for (const keyword of ['x-class', 'x-disclose', 'x-slot']) ajv.addKeyword(keyword);
const matches = ajv.compile(published);

function isAccepted(event: JsonValue): boolean {
  try {
    parseEvent(event, { source: 'urn:example:source', fallbackId: 'fallback' });
    return true;
  } catch (error) {
    assert.ok(error instanceof NewelError, String(error));
    return false;
  }
}

test('the published file is what the code makes, in the same order', () => {
  assert.equal(JSON.stringify(published), JSON.stringify(eventJsonSchema()));
});

test('every member has a class and says how it is disclosed', () => {
  let members = 0;
  const visit = (schema: JsonObject, isTop: boolean): void => {
    for (const member of Object.values((schema['properties'] ?? {}) as JsonObject) as JsonObject[]) {
      members++;
      assert.ok(['public', 'internal', 'personal', 'sensitive'].some((one) => one === member['x-class']));
      assert.ok(['own', 'parent', 'open'].some((one) => one === member['x-disclose']));
      assert.equal('x-slot' in member, member['x-disclose'] === 'own');
      assert.equal(member['x-disclose'] === 'parent' && isTop, false);
      assert.notEqual(member['description'], undefined);
      visit(member, false);
    }
  };
  visit((published['$defs'] as Record<string, JsonObject>)['canonical']!, true);
  assert.ok(members > 90);
});

test('the examples match it', () => {
  for (const event of readExamples()) assert.ok(matches(event), JSON.stringify(matches.errors));
});

test('it takes what the code takes', () => {
  fc.assert(
    fc.property(fc.oneof(canonicalEvents(), flatEvents()), (event) => {
      assert.ok(isAccepted(event));
      assert.ok(matches(event), JSON.stringify(matches.errors));
    }),
    { numRuns },
  );
});

test('the canonical form of what the code takes is one, whatever the source that a token gives a flat event', () => {
  const isCanonical = ajv.compile({ $ref: 'urn:newel:schema:event#/$defs/canonical' });
  const sources = fc.stringMatching(/^[!-~]{1,255}$/);
  fc.assert(
    fc.property(fc.oneof(canonicalEvents(), flatEvents()), sources, (sent, source) => {
      const { event } = parseEvent(sent, { source, fallbackId: 'fallback' });
      assert.ok(isCanonical(event), JSON.stringify(isCanonical.errors));
    }),
    { numRuns },
  );
  const { event } = parseEvent(readExample('flat'), { source: 'app', fallbackId: 'fallback' });
  for (const source of ['an app', 'äpp', '', 'a'.repeat(256)]) assert.ok(!isCanonical({ ...event, source }));
});

const WRONG: JsonValue[] = [
  null,
  true,
  -1,
  0.5,
  1e300,
  '',
  ' ',
  'x',
  '\u0000',
  '\ud800',
  '\u{1f600}'.repeat(300),
  'a'.repeat(2000),
  '2026-02-29T00:00:00Z',
  '1.2.3.256',
  'sha-256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB',
  [],
  ['x'],
  [1],
  Array.from({ length: 33 }, () => 'totp'),
  {},
  { x: 1 },
  { format: 'opaque' },
  { format: 'nonsense', id: 'x' },
  { 'com.example': { _sd: [] } },
  { 'com.example': ['\udfff'] },
];

test('it refuses what the code refuses: one thing changed anywhere in an event', () => {
  const changed = fc
    .tuple(fc.oneof(canonicalEvents(), flatEvents()), fc.nat(), fc.constantFrom('drop', 'add', ...WRONG))
    .map(([event, at, change]) => {
      const copy: JsonObject = structuredClone(event);
      const places = placesIn(copy);
      const [object, name] = places[at % places.length]!;
      if (change === 'drop') delete object[name];
      else if (change === 'add') object[`${name}x`] = 1;
      else object[name] = change;
      return copy;
    });
  let refused = 0;
  fc.assert(
    fc.property(changed, (event) => {
      const accepted = isAccepted(event);
      if (!accepted) refused++;
      // Which types may be pending, and which status contradicts a login, is no form: the code alone knows.
      const isFlat = 'event_type' in event && !('schema' in event);
      if (isFlat && matches(event) && faultOfFlat(event as unknown as FlatEvent)) return;
      assert.equal(matches(event), accepted, JSON.stringify(matches.errors));
    }),
    { numRuns: 3 * numRuns },
  );
  assert.ok(refused > numRuns, 'most changes are refused');
});

/** Every member at every depth, as its object and its name. */
function placesIn(value: JsonValue): [JsonObject, string][] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(placesIn);
  return Object.entries(value).flatMap(([name, inner]) => [
    [value, name] as [JsonObject, string],
    ...placesIn(inner),
  ]);
}
