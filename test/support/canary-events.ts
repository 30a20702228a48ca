/**
 * Events with a canary in every text that the schema lists: at least 16 random characters that stand nowhere else, so
 * that bytes in which they, or a hash of them, occur have them from the event.
 *
 * The events are made of the tables of members themselves: a member that is added is filled without a change here, and a
 * form or a kind that is added does not compile until it is said how it is filled.
 *
 *   const maker = new CanaryMaker(1);
 *   const { event, canaries } = canaryEvent(maker, { type: 'stepup.completed', isWhole: true, source });
 */

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { ENUMERATIONS, type EventType } from '../../src/event/enumerations.ts';
import { FLAT_MEMBERS, faultOfFlat, type FlatEvent } from '../../src/event/flat.ts';
import { HOLDER_CURVES, type HolderJwk } from '../../src/event/holder.ts';
import type { Member, Members, Value } from '../../src/event/member.ts';
import { EVENT_MEMBERS } from '../../src/event/members.ts';
import { ONE_OF_BY_TYPE, ONLY_FOR_TYPE, REQUIRED_BY_TYPE } from '../../src/event/rules.ts';
import { SUBJECT_FORMATS, type SubjectFormat } from '../../src/event/subject-identifier.ts';
import type { TextFormName } from '../../src/event/text-form.ts';
import { namesOf } from '../../src/event/wording.ts';
import { formatBase64Url } from '../../src/formats/base64url.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';

/** Kinds of members that are no free text, and forms of text that have no room for 16 random characters. */
export const EXEMPT_KINDS: readonly Value['is'][] = [
  'constant',
  'choice',
  'integer',
  'number',
  'boolean',
  'instant',
];
export const EXEMPT_FORMS: readonly TextFormName[] = ['time', 'country'];

export const MIN_CANARY_CHARS = 16;

export interface Canary {
  /** Which member it is in: `stepup/1 src.ip`, `stepup/1 subject.sub_id email.email`. */
  readonly place: string;
  /** The member's value, or the name that stands for a member. */
  readonly value: string;
  /** What of it is random, without a break. Lower case where the form lets it be, and never escaped or encoded. */
  readonly random: string;
  /** The bytes that the value spells, where it spells any. */
  readonly bytes?: Uint8Array;
}

export interface CanaryEvent {
  readonly event: JsonObject;
  /** All that are in it. */
  readonly canaries: readonly Canary[];
}

const LOWER_CASE = 'abcdefghijklmnopqrstuvwxyz0123456789';
const UPPER_CASE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const DIGITS = '0123456789';
const HEX = '0123456789abcdef';
const CANARY_CHARS = 24;

/** Makes canaries, which are random, and choices, which a seed decides. */
export class CanaryMaker {
  readonly made: Canary[] = [];
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number below `count`. */
  below(count: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * count);
  }

  one<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** Keeps a canary and returns its value. */
  keep(place: string, value: string, random: string = value, bytes?: Uint8Array): string {
    if (random.length < MIN_CANARY_CHARS)
      throw new Error(`${place} has no room for a canary: exempt it by name`);
    this.made.push({ place, value, random, ...(bytes && { bytes }) });
    return value;
  }

  /** A canary of the plainest form. */
  plain(place: string): string {
    return this.keep(place, randomText(LOWER_CASE, CANARY_CHARS));
  }
}

function randomText(alphabet: string, length: number): string {
  return Array.from(randomBytes(4 * length))
    .slice(0, length)
    .map((byte) => alphabet[byte % alphabet.length])
    .join('');
}

/** What is around the random part of a text: things that are escaped, and characters of two, three and four bytes. */
const LINE_ENDS = ['', ' é水😀', ' "quoted\\" <b>&amp;'];

type MakeText = (maker: CanaryMaker, place: string) => string;

/** How a text of each form is made. One that is exempt holds a constant. */
const TEXTS: Readonly<Record<TextFormName, MakeText>> = {
  line: (maker, place) => around(maker, place, (random) => `${random}${maker.one(LINE_ENDS)}`),
  id: (maker, place) => around(maker, place, (random) => `${random}${maker.one(['', '!"\\~', '%20/../'])}`),
  uri: (maker, place) =>
    around(
      maker,
      place,
      (random) => `${maker.one(['urn:canary:', 'https://canary.example/?q=%41#'])}${random}`,
    ),
  did_url: (maker, place) => around(maker, place, (random) => `did:example:${random}#key-1`),
  acct: (maker, place) => around(maker, place, (random) => `acct:${random}@canary.example`),
  email: (maker, place) => around(maker, place, (random) => `${random}@canary.example`),
  phone: (maker, place) => maker.keep(place, `+1${randomText(DIGITS, 14)}`),
  time: () => '2026-11-20T12:00:08.123Z',
  hash: (maker, place) => {
    const bytes = new Uint8Array(randomBytes(32));
    const random = formatBase64Url(bytes);
    return maker.keep(place, `sha-256:${random}`, random, bytes);
  },
  ip: (maker, place) => {
    const groups = Array.from(
      { length: 8 },
      () => `${randomText('123456789abcdef', 1)}${randomText(HEX, 3)}`,
    );
    const ip = groups.join(':');
    return maker.keep(place, ip, ip, new Uint8Array(Buffer.from(groups.join(''), 'hex')));
  },
  trace_id: (maker, place) => {
    const bytes = new Uint8Array(randomBytes(16));
    const hex = Buffer.from(bytes).toString('hex');
    return maker.keep(place, hex, hex, bytes);
  },
  country: () => 'FR',
  http_method: (maker, place) => maker.keep(place, randomText(UPPER_CASE, CANARY_CHARS)),
  route: (maker, place) => around(maker, place, (random) => `/${random}/:id`),
  adapter: (maker, place) => around(maker, place, (random) => `${random}/1`),
};

function around(maker: CanaryMaker, place: string, text: (random: string) => string): string {
  const random = randomText(LOWER_CASE, CANARY_CHARS);
  return maker.keep(place, text(random), random);
}

/** Which members there are to be: what is required is there in any case. */
type Wanted = (path: string) => boolean;

function fill(
  maker: CanaryMaker,
  members: Members,
  at: { root: string; path: string },
  wanted: Wanted,
): JsonObject {
  const object: JsonObject = {};
  for (const [name, member] of Object.entries(members)) {
    const path = at.path === '' ? name : `${at.path}.${name}`;
    if (!member.required && !wanted(path)) continue;
    object[name] = valueOf(maker, member, { root: at.root, path }, wanted);
  }
  return object;
}

function valueOf(
  maker: CanaryMaker,
  member: Member,
  at: { root: string; path: string },
  wanted: Wanted,
): JsonValue {
  if (member.is === 'object') return fill(maker, member.members, at, wanted);
  const place = `${at.root} ${at.path}`;
  if (member.is !== 'list')
    return member.nullable && maker.below(4) === 0 ? null : leafOf(maker, member, place);
  return Array.from({ length: 1 + maker.below(3) }, () => leafOf(maker, member.of, place));
}

function leafOf(maker: CanaryMaker, value: Value, place: string): JsonValue {
  switch (value.is) {
    case 'constant':
      return value.value;
    case 'text':
      return TEXTS[value.form](maker, place);
    case 'choice':
      return maker.one(namesOf(value));
    case 'integer':
      return value.min + maker.below(Math.min(value.max - value.min + 1, 1000));
    case 'number':
      return value.min + maker.below(value.max - value.min);
    case 'boolean':
      return maker.below(2) === 0;
    case 'instant':
      return maker.below(3) === 0 ? 1_795_176_008_123 : TEXTS.time(maker, place);
    case 'subject_identifier':
      return subjectOf(maker, place);
    case 'holder':
      return holderOf(maker, place);
    case 'labels':
      return { [named(maker, place, 'l')]: TEXTS.line(maker, place), count: 1, drill: false };
    case 'extension':
      return extensionOf(maker, place);
  }
}

const FORMATS = Object.keys(SUBJECT_FORMATS) as SubjectFormat[];

/** One of some format, or one of each as aliases. */
function subjectOf(maker: CanaryMaker, place: string): JsonObject {
  const single = (format: SubjectFormat): JsonObject => ({
    format,
    ...fill(maker, SUBJECT_FORMATS[format], { root: `${place} ${format}`, path: '' }, () => true),
  });
  const format = FORMATS[maker.below(FORMATS.length + 1)];
  return format === undefined ? { format: 'aliases', identifiers: FORMATS.map(single) } : single(format);
}

function holderOf(maker: CanaryMaker, place: string): JsonObject {
  const crv = maker.one(Object.keys(HOLDER_CURVES) as HolderJwk['crv'][]);
  const { kty, coordinates } = HOLDER_CURVES[crv];
  const fresh =
    crv === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: crv });
  const key = fresh.publicKey.export({ format: 'jwk' });
  const jwk: JsonObject = { kty, crv };
  for (const name of coordinates) {
    const text = String(key[name]);
    jwk[name] = maker.keep(place, text, text, Uint8Array.from(Buffer.from(text, 'base64url')));
  }
  return { ...jwk, kid: TEXTS.id(maker, place) };
}

function extensionOf(maker: CanaryMaker, place: string): JsonObject {
  return {
    [named(maker, place, 'com.')]: { [named(maker, place, '')]: [TEXTS.line(maker, place), null, 0.5] },
    [named(maker, place, 'https://canary.example/')]: { deep: { deeper: TEXTS.line(maker, place) } },
  };
}

/** The name of a member, where the submitter chooses it. */
function named(maker: CanaryMaker, place: string, prefix: string): string {
  return around(maker, `${place} (name)`, (random) => `${prefix}${random}`);
}

/** An event of a type: with every member that such an event can have, or with some of them. */
export function canaryEvent(
  maker: CanaryMaker,
  { type, isWhole, source }: { readonly type: EventType; readonly isWhole: boolean; readonly source: Canary },
): CanaryEvent {
  const first = maker.made.length;
  const oneOf = ONE_OF_BY_TYPE[type];
  const required: readonly string[] = [
    ...(type in REQUIRED_BY_TYPE ? REQUIRED_BY_TYPE[type as keyof typeof REQUIRED_BY_TYPE] : []),
    ...(oneOf === undefined ? [] : maker.one(oneOf)),
  ];
  const wanted = (path: string): boolean => {
    const only = ONLY_FOR_TYPE[path];
    if (only !== undefined) return only === type;
    // Where there is a trigger its reason may be `other`, which has to have one.
    if (path === 'trigger.detail') return true;
    if (required.some((one) => one === path || one.startsWith(`${path}.`))) return true;
    return isWhole || maker.below(2) === 0;
  };
  const made = fill(maker, EVENT_MEMBERS, { root: 'stepup/1', path: '' }, wanted);
  return eventOf(maker, first, { ...made, type, source: source.value }, [source]);
}

/** An event of the flat profile. */
export function canaryFlatEvent(
  maker: CanaryMaker,
  { isWhole, source }: { readonly isWhole: boolean; readonly source: Canary },
): CanaryEvent {
  for (;;) {
    const first = maker.made.length;
    const wanted = (): boolean => isWhole || maker.below(2) === 0;
    const event = fill(maker, FLAT_MEMBERS, { root: 'flat/1', path: '' }, wanted);
    if (faultOfFlat(event as unknown as FlatEvent) === undefined)
      return eventOf(maker, first, event, [source]);
    maker.made.length = first;
  }
}

function eventOf(
  maker: CanaryMaker,
  first: number,
  event: JsonObject,
  given: readonly Canary[],
): CanaryEvent {
  const text = JSON.stringify(event);
  // What was made for a member that has been given another value is in no event.
  const canaries = maker.made.slice(first).filter(({ random }) => text.includes(random));
  maker.made.splice(first, Infinity, ...canaries);
  return { event, canaries: [...canaries, ...given] };
}

/** Every place of the tables that has to hold a canary, and the kinds and forms of members that are there. */
export function canaryPlaces(): { places: Set<string>; kinds: Set<Value['is']>; forms: Set<TextFormName> } {
  const found = { places: new Set<string>(), kinds: new Set<Value['is']>(), forms: new Set<TextFormName>() };
  walk(EVENT_MEMBERS, 'stepup/1', '');
  walk(FLAT_MEMBERS, 'flat/1', '');
  return found;

  function walk(members: Members, root: string, within: string): void {
    for (const [name, member] of Object.entries(members)) {
      const path = within === '' ? name : `${within}.${name}`;
      if (member.is === 'object') walk(member.members, root, path);
      else look(member.is === 'list' ? member.of : member, `${root} ${path}`);
    }
  }

  function look(value: Value, place: string): void {
    found.kinds.add(value.is);
    if (value.is === 'text') found.forms.add(value.form);
    if (value.is === 'subject_identifier') {
      for (const format of FORMATS) walk(SUBJECT_FORMATS[format], `${place} ${format}`, '');
      return;
    }
    const isExempt =
      value.is === 'text' ? EXEMPT_FORMS.includes(value.form) : EXEMPT_KINDS.includes(value.is);
    if (isExempt) return;
    found.places.add(place);
    if (value.is === 'labels' || value.is === 'extension') found.places.add(`${place} (name)`);
  }
}

/** Types of events, in the order of the schema. */
export const EVENT_TYPES: readonly EventType[] = ENUMERATIONS.type;
