/** Events to test with: the examples of spec/, and generated ones with anything in them that the schema allows. */

import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { ENUMERATIONS, type EventType } from '../../src/event/enumerations.ts';
import { FLAT_MEMBERS, type FlatEvent, faultOfFlat } from '../../src/event/flat.ts';
import { MAX_TIME_MS, MAX_TIME_S } from '../../src/event/instant.ts';
import type { Member, Members, Value } from '../../src/event/member.ts';
import { EVENT_MEMBERS } from '../../src/event/members.ts';
import { ONE_OF_BY_TYPE, ONLY_FOR_TYPE, REQUIRED_BY_TYPE } from '../../src/event/rules.ts';
import { type SubjectFormat, SUBJECT_FORMATS } from '../../src/event/subject-identifier.ts';
import { TEXT_FORMS, type TextFormName } from '../../src/event/text-form.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { namesOf } from '../../src/event/wording.ts';

export const EXAMPLES: URL = new URL('../../spec/examples/', import.meta.url);

/** Every event in spec/examples, in the order of files and lines. */
export function readExamples(): JsonObject[] {
  return readdirSync(EXAMPLES)
    .sort()
    .flatMap((name) => {
      const text = readFileSync(new URL(name, EXAMPLES), 'utf8');
      const events = name.endsWith('.ndjson') ? text.trimEnd().split('\n') : [text];
      return events.map((event) => JSON.parse(event) as JsonObject);
    });
}

/** One event of spec/examples that is a file of its own. */
export function readExample(name: 'flat' | 'full'): JsonObject {
  return JSON.parse(readFileSync(new URL(`${name}.json`, EXAMPLES), 'utf8')) as JsonObject;
}

/** Events of `stepup/1` that are accepted, without a holder. */
export function canonicalEvents(): fc.Arbitrary<JsonObject> {
  const { schema: _schema, holder: _holder, type: _type, ...rest } = EVENT_MEMBERS;
  return fc.constantFrom<EventType[]>(...ENUMERATIONS.type).chain((type) => {
    const required: Record<string, readonly string[]> = REQUIRED_BY_TYPE;
    const paths = [...(required[type] ?? []), ...(ONE_OF_BY_TYPE[type]?.flat() ?? [])];
    const members = Object.fromEntries(
      Object.entries(rest).filter(([name]) => !(name in ONLY_FOR_TYPE) || ONLY_FOR_TYPE[name] === type),
    );
    return objects(members, paths).map((event) => {
      const { trigger } = event as { trigger?: JsonObject };
      if (trigger?.['reason'] === 'other') trigger['detail'] ??= 'a reason';
      return { schema: 'stepup/1', type, ...event };
    });
  });
}

/** Events of `flat/1` that are accepted. */
export function flatEvents(): fc.Arbitrary<JsonObject> {
  return objects(FLAT_MEMBERS, []).filter(
    (event) => faultOfFlat(event as unknown as FlatEvent) === undefined,
  );
}

function objects(members: Members, paths: readonly string[]): fc.Arbitrary<JsonObject> {
  const heads = paths.map((path) => path.split('.')[0]!);
  const inside = (name: string): string[] =>
    paths.filter((path) => path.startsWith(`${name}.`)).map((path) => path.slice(name.length + 1));
  const model = Object.fromEntries(
    Object.entries(members).map(([name, member]) => [name, valuesOf(member, inside(name))]),
  );
  const requiredKeys = Object.keys(members).filter((name) => members[name]!.required || heads.includes(name));
  // Through JSON, as events come: objects with a prototype.
  return fc.record(model, { requiredKeys }).map((event) => JSON.parse(JSON.stringify(event)) as JsonObject);
}

function valuesOf(member: Member, paths: readonly string[]): fc.Arbitrary<JsonValue> {
  if (member.is === 'object') return objects(member.members, paths);
  if (member.is === 'list') return fc.array(values(member.of), { maxLength: 4 });
  return member.nullable ? fc.oneof(values(member), fc.constant(null)) : values(member);
}

function values(value: Value): fc.Arbitrary<JsonValue> {
  switch (value.is) {
    case 'constant':
      return fc.constant(value.value);
    case 'text':
      return texts(value.form, TEXT_FORMS[value.form].max ?? value.max!);
    case 'choice':
      return fc.constantFrom(...namesOf(value));
    case 'integer':
      return fc.oneof(fc.integer(value), fc.constantFrom(value.min, value.max));
    case 'number':
      return fc.oneof(
        fc.double({ ...value, noNaN: true }).map((one) => one + 0),
        fc.integer(value),
      );
    case 'boolean':
      return fc.boolean();
    case 'instant':
      return fc.oneof(
        texts('time', 24),
        fc.integer({ min: 0, max: MAX_TIME_MS }),
        fc.constantFrom(0, MAX_TIME_S),
      );
    case 'subject_identifier':
      return fc.oneof(identifiers(), aliases());
    case 'holder':
      throw new Error('bug: no holder is generated');
    case 'labels':
      return fc.dictionary(names(/^[A-Za-z]$/), fc.oneof(texts('line', 255), fc.boolean(), fc.integer()), {
        maxKeys: 4,
      });
    case 'extension':
      return fc.dictionary(
        names(/^[a-z]$/).map((name) => `com.example.${name}`),
        fc
          .jsonValue({ maxDepth: 3 })
          .filter((json) => !JSON.stringify(json).includes('"__proto__":')) as fc.Arbitrary<JsonValue>,
        { maxKeys: 3 },
      );
  }
}

function names(first: RegExp): fc.Arbitrary<string> {
  return fc
    .tuple(fc.stringMatching(first), fc.stringMatching(/^[A-Za-z0-9_]{0,10}$/))
    .map(([head, tail]) => head + tail);
}

function identifiers(): fc.Arbitrary<JsonObject> {
  const formats = Object.keys(SUBJECT_FORMATS) as SubjectFormat[];
  return fc.oneof(
    ...formats.map((format) => objects(SUBJECT_FORMATS[format], []).map((rest) => ({ format, ...rest }))),
  );
}

function aliases(): fc.Arbitrary<JsonObject> {
  return fc
    .array(identifiers(), { minLength: 1, maxLength: 3 })
    .map((list) => ({ format: 'aliases', identifiers: list }));
}

/** Characters of one to four bytes of UTF-8, and all that JSON and SD-JWT give a meaning. */
const CHARACTERS = fc.oneof(
  fc.constantFrom(...Array.from('abcXYZ019 "\\/~.,:{}[]_éß字🙂\u2028')),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
);
const HEX = fc.integer({ min: 0, max: 15 }).map((digit) => digit.toString(16));
const LETTERS = fc.stringMatching(/^[a-z0-9]{1,12}$/);

function texts(form: TextFormName, max: number): fc.Arbitrary<string> {
  switch (form) {
    case 'line':
      return fc
        .array(CHARACTERS, { minLength: 1, maxLength: 20 })
        .map((all) => Array.from(all.join('')).filter((one) => /^[^\p{Cc}\p{Cs}]$/u.test(one)))
        .filter((all) => all.length > 0)
        .map((all) => all.slice(0, max).join(''));
    case 'id':
      return fc
        .string({ minLength: 1, maxLength: Math.min(max, 24) })
        .map((text) => text.replaceAll(' ', '_'));
    case 'uri':
      return LETTERS.map((name) => `https://${name}.example/%7Ea?b=c#part`);
    case 'did_url':
      return LETTERS.map((name) => `did:example:${name}#key-1`);
    case 'acct':
      return LETTERS.map((name) => `acct:${name}@example.com`);
    case 'email':
      return LETTERS.map((name) => `${name}@éxample.com`);
    case 'phone':
      return fc.stringMatching(/^\+[1-9][0-9]{1,14}$/);
    case 'time':
      return fc
        .tuple(
          fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
          fc.boolean(),
        )
        .map(([date, ms]) => (ms ? date.toISOString() : `${date.toISOString().slice(0, 19)}Z`));
    case 'hash':
      return fc
        .uint8Array({ minLength: 32, maxLength: 32 })
        .map((bytes) => `sha-256:${Buffer.from(bytes).toString('base64url')}`);
    case 'ip':
      return fc.oneof(fc.ipV4(), fc.ipV6());
    case 'trace_id':
      return fc.array(HEX, { minLength: 31, maxLength: 31 }).map((digits) => `${digits.join('')}1`);
    case 'country':
      return fc.stringMatching(/^[A-Z]{2}$/);
    case 'http_method':
      return fc.constantFrom('GET', 'POST', 'PATCH', 'M-SEARCH');
    case 'route':
      return LETTERS.map((name) => `/${name}/:id`);
    case 'adapter':
      return LETTERS.map((name) => `${name}/1.2`);
  }
}
