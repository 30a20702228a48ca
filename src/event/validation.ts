/**
 * Validation by valibot, its schema built from a table of members. All faults are found at once, one for each member at
 * most, and none says anything of a value. What comes out is a fresh object with its members in the order of the table.
 */

import * as v from 'valibot';
import type { Fault } from '../errors.ts';
import { flawOfExtension, flawOfLabels } from './extension.ts';
import { flawOfHolder } from './holder.ts';
import { timeUnitOf } from './instant.ts';
import { MAX_ITEMS, type Member, type Members, type Value } from './member.ts';
import { MAX_ALIASES, SUBJECT_FORMATS, type SubjectFormat } from './subject-identifier.ts';
import { TEXT_FORMS } from './text-form.ts';
import { flawOfUnlisted } from './unlisted.ts';
import { namesOf, ruleOf } from './wording.ts';

type Schema = v.GenericSchema<unknown>;

/** Either a value that is valid, or faults. */
export type Validated =
  | { readonly value: unknown; readonly faults?: undefined }
  | { readonly value?: undefined; readonly faults: readonly Fault[] };

/** A validation of objects with the members of a table. Built once, run often. */
export function validatorOf(members: Members): (value: unknown) => Validated {
  const schema = objectSchema(schemasOf(members));
  return (value) => {
    const result = v.safeParse(schema, value, { abortPipeEarly: true });
    return result.success ? { value: result.output } : { faults: result.issues.map(faultOf) };
  };
}

/** The pointer leads to the member; for one that is not listed, to the object that it is in. */
function faultOf(issue: v.BaseIssue<unknown>): Fault {
  const names = (issue.path ?? []).map(({ key }) => String(key));
  if (isUnlisted(issue)) names.pop();
  return { pointer: names.map((name) => `/${name}`).join(''), detail: issue.message };
}

function isUnlisted({ type, expected }: v.BaseIssue<unknown>): boolean {
  return type === 'strict_object' && expected === 'never';
}

/** The object that has a member which is not listed. */
function objectOf({ path }: v.BaseIssue<unknown>): Readonly<Record<string, unknown>> {
  const object = path?.at(-1)?.input;
  if (!isObject(object)) throw new Error('bug: a member of no object');
  return object;
}

function schemasOf(members: Members): Record<string, Schema> {
  return Object.fromEntries(
    Object.entries(members).map(([name, member]) => {
      const schema = member.nullable ? v.nullable(schemaOf(member)) : schemaOf(member);
      return [name, member.required ? schema : v.exactOptional(schema)];
    }),
  );
}

function schemaOf(member: Member): Schema {
  const rule = ruleOf(member);
  if (member.is === 'object') return objectSchema(schemasOf(member.members), rule);
  if (member.is === 'list')
    return listSchema(valueSchema(member.of, ruleOf({ ...member, ...member.of })), rule);
  return valueSchema(member, rule);
}

/** Valibot takes an array for an object, so that is asked first. */
function objectSchema(entries: Record<string, Schema>, rule = 'must be an object'): Schema {
  const listed = Object.keys(entries);
  return v.pipe(
    objectOnly(rule),
    v.strictObject(entries, (issue) =>
      isUnlisted(issue) ? flawOfUnlisted(objectOf(issue), listed) : 'is required',
    ),
  );
}

/** The length first: what comes after it is bounded by it. */
function listSchema(item: Schema, rule: string, min = 0, max = MAX_ITEMS): Schema {
  return v.pipe(
    v.custom<unknown[]>((value) => Array.isArray(value) && value.length >= min && value.length <= max, rule),
    v.array(item),
  );
}

function valueSchema(value: Value, rule: string): Schema {
  switch (value.is) {
    case 'constant':
      return v.literal(value.value, rule);
    case 'text': {
      const { pattern, max = value.max } = TEXT_FORMS[value.form];
      if (max === undefined) throw new Error('bug: a text without a bound');
      const isText = textCheck(new RegExp(pattern, 'u'), max);
      return v.custom(isText, value.form === 'time' ? withUnit(rule, 'write it as RFC 3339') : rule);
    }
    case 'instant': {
      const isTime = textCheck(new RegExp(TEXT_FORMS.time.pattern, 'u'), TEXT_FORMS.time.max!);
      return v.custom(
        (one) => (typeof one === 'number' ? timeUnitOf(one) !== undefined : isTime(one)),
        withUnit(rule, 'send the number as a number, not as text'),
      );
    }
    case 'choice':
      return v.picklist(namesOf(value), rule);
    case 'integer':
      return v.custom((one) => Number.isSafeInteger(one) && isWithin(one, value), rule);
    case 'number':
      return v.custom((one) => isWithin(one, value), rule);
    case 'boolean':
      return v.boolean(rule);
    case 'subject_identifier':
      return SUBJECT_IDENTIFIER;
    case 'holder':
      return flawSchema(flawOfHolder);
    case 'labels':
      return flawSchema(flawOfLabels);
    case 'extension':
      return flawSchema(flawOfExtension);
  }
}

/** Lengths are code points, as in JSON Schema, and looked at before the expression runs. */
function textCheck(pattern: RegExp, max: number): (value: unknown) => boolean {
  return (value) =>
    typeof value === 'string' &&
    (value.length <= max || (value.length <= 2 * max && Array.from(value).length <= max)) &&
    pattern.test(value);
}

const DIGITS = /^[0-9]{1,15}$/;

/** The rule, and for what may be a time in seconds or milliseconds which of them it looks like, and what to do. */
function withUnit(rule: string, advice: string): (issue: { readonly input: unknown }) => string {
  return ({ input }) => {
    const isDigits = typeof input === 'string' && DIGITS.test(input);
    const unit = isDigits || typeof input === 'number' ? timeUnitOf(Number(input)) : undefined;
    if (unit === undefined) return rule;
    return `${rule} (it looks like ${unit === 's' ? 'seconds' : 'milliseconds'} since 1970: ${advice})`;
  };
}

function isWithin(value: unknown, { min, max }: { readonly min: number; readonly max: number }): boolean {
  return typeof value === 'number' && value >= min && value <= max;
}

/** A value that is kept as it is, if nothing is wrong with it. */
function flawSchema(flawOf: (value: unknown) => string | undefined): Schema {
  return v.custom(
    (value) => flawOf(value) === undefined,
    ({ input }) => flawOf(input) ?? 'is not valid',
  );
}

const NO_IDENTIFIER = 'must be an object, a subject identifier (RFC 9493)';
const FORMATS = Object.keys(SUBJECT_FORMATS) as SubjectFormat[];

const SINGLE_BY_FORMAT = new Map<unknown, Schema>(
  FORMATS.map((format) => [
    format,
    objectSchema({ format: v.literal(format), ...schemasOf(SUBJECT_FORMATS[format]) }),
  ]),
);

const BY_FORMAT: ReadonlyMap<unknown, Schema> = new Map(SINGLE_BY_FORMAT).set(
  'aliases',
  objectSchema({
    format: v.literal('aliases'),
    identifiers: listSchema(
      byFormat(SINGLE_BY_FORMAT),
      `must be an array of 1 to ${MAX_ALIASES} subject identifiers`,
      1,
      MAX_ALIASES,
    ),
  }),
);

const SUBJECT_IDENTIFIER: Schema = byFormat(BY_FORMAT);

/** The schema that the value's `format` names; where it names none, that is the fault, and the only one. */
function byFormat(schemas: ReadonlyMap<unknown, Schema>): Schema {
  const formats = [...schemas.keys()].map(String);
  const formatOnly = v.object(
    { format: v.picklist(formats, `must be one of ${formats.join(', ')}`) },
    'is required',
  );
  const unknownFormat: Schema = v.pipe(objectOnly(NO_IDENTIFIER), formatOnly);
  return v.lazy((value) => (isObject(value) ? schemas.get(value['format']) : undefined) ?? unknownFormat);
}

function objectOnly(rule: string): v.GenericSchema<unknown, Readonly<Record<string, unknown>>> {
  return v.custom<Readonly<Record<string, unknown>>>(isObject, rule);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
