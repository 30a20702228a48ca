/**
 * The JSON Schema (2020-12) of an event, made of the same tables as the validation. What it cannot say is in words: the
 * bytes and depth of `ext`, and that an Ed25519 key is not of small order.
 *
 *   x-class      who may see the member: public, internal, personal, sensitive
 *   x-disclose   how it is in a statement: `own` a disclosure, `parent` inside that of its object, `open` without one
 *   x-slot       the number of its disclosure
 */

import type { JsonObject, JsonValue } from '../formats/json.ts';
import {
  EXTENSION_NAME,
  LABEL_NAME,
  LABEL_TEXT,
  MAX_EXTENSION_BYTES,
  MAX_EXTENSION_DEPTH,
  MAX_LABEL,
} from './extension.ts';
import { FLAT_MEMBERS } from './flat.ts';
import { HOLDER_CURVES, MAX_KID } from './holder.ts';
import { MAX_TIME_MS } from './instant.ts';
import { classOf, MAX_ITEMS, type Member, type Members, type Value } from './member.ts';
import { EVENT_MEMBERS } from './members.ts';
import { ONE_OF_BY_TYPE, ONLY_FOR_TYPE, REASON_WITH_DETAIL, REQUIRED_BY_TYPE } from './rules.ts';
import { RESERVED_NAMES, SCHEMA } from './statement-names.ts';
import { MAX_ALIASES, SUBJECT_FORMATS } from './subject-identifier.ts';
import { TEXT_FORMS } from './text-form.ts';
import { namesOf } from './wording.ts';

/** How a member of an event is in a statement. */
export type Disclosure = 'own' | 'parent' | 'open';

/** How a member is disclosed; `isTop` where it is one of the event itself. */
export function disclosureOf(member: Member, isTop: boolean): Disclosure {
  if (member.slot !== undefined) return 'own';
  return isTop ? 'open' : 'parent';
}

/** The document that is published as spec/event.schema.json. */
export function eventJsonSchema(): JsonObject {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:newel:schema:event',
    title: 'A step-up authentication event',
    description: `An event of the schema ${SCHEMA}, or one of the flat profile, which has an event_type and no schema.`,
    ...when(
      { required: ['event_type'], not: { required: ['schema'] } },
      { $ref: '#/$defs/flat' },
      { $ref: '#/$defs/event' },
    ),
    $defs: {
      event: { $ref: '#/$defs/canonical', allOf: rulesByType() },
      canonical: {
        description:
          'The canonical form of an event of either profile, which the rules by type need not hold for.',
        ...objectSchema(EVENT_MEMBERS, (member) => annotated(member, true)),
      },
      flat: objectSchema(FLAT_MEMBERS, (member) => ({ ...described(member), ...memberSchema(member) })),
      subject_identifier: { oneOf: [...singleIdentifiers(), aliases()] },
      single_identifier: { oneOf: singleIdentifiers() },
      holder: { oneOf: holders() },
      labels: {
        type: 'object',
        maxProperties: MAX_ITEMS,
        propertyNames: { pattern: LABEL_NAME },
        additionalProperties: {
          type: ['string', 'number', 'boolean'],
          maxLength: MAX_LABEL,
          pattern: LABEL_TEXT,
        },
      },
      extension: {
        type: 'object',
        description: `At most ${MAX_EXTENSION_BYTES} bytes of JSON without white space, nested at most ${MAX_EXTENSION_DEPTH} deep.`,
        propertyNames: { maxLength: 255, pattern: EXTENSION_NAME },
        additionalProperties: { $ref: '#/$defs/extension_value' },
      },
      extension_value: {
        pattern: '^\\P{Cs}*$',
        propertyNames: { pattern: '^\\P{Cs}*$', not: { enum: [...RESERVED_NAMES] } },
        additionalProperties: { $ref: '#/$defs/extension_value' },
        items: { $ref: '#/$defs/extension_value' },
      },
    },
  };
}

function described(member: Member): JsonObject {
  return { description: member.about, 'x-class': classOf(member) };
}

function annotated(member: Member, isTop = false): JsonObject {
  return {
    ...described(member),
    'x-disclose': disclosureOf(member, isTop),
    ...(member.slot === undefined ? {} : { 'x-slot': member.slot }),
    ...memberSchema(member),
  };
}

function objectSchema(members: Members, schemaOf: (member: Member) => JsonObject): JsonObject {
  const required = Object.keys(members).filter((name) => members[name]!.required);
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(members).map(([name, member]) => [name, schemaOf(member)])),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

function memberSchema(member: Member): JsonObject {
  if (member.is === 'object') return objectSchema(member.members, (inner) => annotated(inner));
  if (member.is === 'list') return { type: 'array', maxItems: MAX_ITEMS, items: valueSchema(member.of) };
  const schema = valueSchema(member);
  return member.nullable ? { anyOf: [schema, { type: 'null' }] } : schema;
}

function valueSchema(value: Value): JsonObject {
  switch (value.is) {
    case 'constant':
      return { const: value.value };
    case 'text': {
      const { pattern, max = value.max } = TEXT_FORMS[value.form];
      return { type: 'string', ...(max === undefined ? {} : { maxLength: max }), pattern };
    }
    case 'choice':
      return { enum: [...namesOf(value)] };
    case 'integer':
    case 'number':
      return { type: value.is, minimum: value.min, maximum: value.max };
    case 'boolean':
      return { type: 'boolean' };
    case 'instant':
      return {
        anyOf: [
          valueSchema({ is: 'text', form: 'time' }),
          { type: 'integer', minimum: 0, maximum: MAX_TIME_MS },
        ],
      };
    case 'subject_identifier':
    case 'holder':
    case 'labels':
    case 'extension':
      return { $ref: `#/$defs/${value.is}` };
  }
}

function singleIdentifiers(): JsonObject[] {
  return Object.entries(SUBJECT_FORMATS).map(([format, members]) =>
    formatSchema(format, propertiesOf(members)),
  );
}

function propertiesOf(members: Members): JsonObject {
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, memberSchema(member)]));
}

function aliases(): JsonObject {
  const items = { $ref: '#/$defs/single_identifier' };
  return formatSchema('aliases', {
    identifiers: { type: 'array', minItems: 1, maxItems: MAX_ALIASES, items },
  });
}

function formatSchema(format: string, properties: JsonObject): JsonObject {
  return {
    type: 'object',
    properties: { format: { const: format }, ...properties },
    required: ['format', ...Object.keys(properties)],
    additionalProperties: false,
  };
}

function holders(): JsonObject[] {
  return Object.entries(HOLDER_CURVES).map(([crv, { kty, coordinates, bytes }]) => {
    const coordinate = { type: 'string', pattern: `^${base64Url(bytes)}$` };
    return {
      type: 'object',
      properties: {
        kty: { const: kty },
        crv: { const: crv },
        ...Object.fromEntries(coordinates.map((name) => [name, coordinate])),
        kid: { type: 'string', maxLength: MAX_KID, pattern: TEXT_FORMS.id.pattern },
      },
      required: ['kty', 'crv', ...coordinates],
      additionalProperties: false,
    };
  });
}

/** Expression for the base64url of so many bytes, a multiple of three or two more, in its one spelling. */
function base64Url(bytes: number): string {
  const whole = 4 * Math.floor(bytes / 3);
  return bytes % 3 === 0 ? `[A-Za-z0-9_-]{${whole}}` : `[A-Za-z0-9_-]{${whole + 2}}[AEIMQUYcgkosw048]`;
}

function rulesByType(): JsonValue[] {
  const required = Object.entries(REQUIRED_BY_TYPE).map(([type, paths]) => {
    const oneOf = ONE_OF_BY_TYPE[type]?.map((paths) => ({ allOf: paths.map((path) => having(path)) }));
    const all = paths.map((path: string) => having(path));
    return when(having('type', { const: type }), {
      allOf: oneOf === undefined ? all : [...all, { anyOf: oneOf }],
    });
  });
  const exclusive = Object.entries(ONLY_FOR_TYPE).map(([name, type]) =>
    when(having(name), { properties: { type: { const: type } } }),
  );
  const detail = when(having('trigger.reason', { const: REASON_WITH_DETAIL }), having('trigger.detail'));
  return [...required, ...exclusive, detail];
}

/** The names of JSON Schema for it. */
const CONDITIONAL = ['if', 'then', 'else'];

function when(...schemas: readonly JsonObject[]): JsonObject {
  return Object.fromEntries(schemas.map((schema, i) => [CONDITIONAL[i]!, schema]));
}

/** What an object matches that has a member at the path, matching `schema` if one is given. */
function having(path: string, schema?: JsonObject): JsonObject {
  const [name = '', ...rest] = path.split('.');
  const inner = rest.length > 0 ? having(rest.join('.'), schema) : schema;
  return { required: [name], ...(inner === undefined ? {} : { properties: { [name]: inner } }) };
}
