/**
 * What events are asked for: in the query of a URL, or in the body of a search. A URL is written down in many places, by
 * proxies, browsers and shells, so what names a person, a session, a device or a transaction is taken in a body alone.
 *
 *   GET /v1/events?source=https://bank.example/payments&type=stepup.completed&after=2026-11-20T00:00:00Z&limit=50
 *   POST /v1/events/search   {"subject":{"format":"opaque","id":"u-8841"},"type":"stepup.completed"}
 */

import type { Context } from 'hono';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonValue } from '../formats/json.ts';
import type { EventQuery } from '../vault/vault.ts';
import { readJsonRequest } from './json-request.ts';
import { numberOf, queryOf } from './target.ts';

/** Events in an answer where the request does not say, and at most. */
const DEFAULT_EVENTS = 20;
const MAX_EVENTS = 100;

/** Of a page: how long it is, and where it begins. */
export interface PageQuery {
  readonly limit: number;
  readonly cursor?: string;
}

export interface EventsAsked {
  readonly query: EventQuery;
  readonly page: PageQuery;
}

/** What may stand in a URL. */
const OPEN = [
  'source',
  'id',
  'type',
  'outcome',
  'system_action',
  'reason',
  'method',
  'after',
  'before',
  'limit',
  'cursor',
] as const;
/** What may not. */
const PRIVATE = ['subject', 'session', 'txn', 'ip', 'device', 'action_id', 'corrects'] as const;
const ALL = [...OPEN, ...PRIVATE, 'time_after', 'time_before'] as const;

type OpenName = (typeof OPEN)[number];
type Asked = Partial<Record<(typeof ALL)[number], JsonValue>>;

/** By the names that the vault has for them; it knows which of them have closed lists of values. */
const TERMS = [
  'source',
  'type',
  'outcome',
  'system_action',
  'reason',
  'method',
  'session',
  'txn',
  'ip',
  'device',
  'action_id',
  'corrects',
] as const;

const SOURCE = /^[\x21-\x7e]{1,255}$/;
const ID = /^[\x21-\x7e]{1,128}$/;
/** As a member of an event that is a term: none is longer. */
const TEXT = /^[^\p{Cc}\p{Cs}]{1,1024}$/u;
const CURSOR = /^[A-Za-z0-9_-]{1,1024}$/;

/** Throws `malformed`, naming the key, and for what names somebody the route that takes it. */
export function eventsAskedInUrl(c: Context): EventsAsked {
  const query = queryOf(c, OPEN, PRIVATE);
  for (const name of PRIVATE) {
    if (query[name] === undefined) continue;
    throw new NewelError(
      'malformed',
      `${name} is not asked for in a URL, which others write down: send it in the body of POST /v1/events/search`,
    );
  }
  const asked: Partial<Record<OpenName, string>> = {};
  for (const name of OPEN) {
    const text = query[name];
    if (text !== undefined) asked[name] = unescaped(text, name);
  }
  return { query: eventQueryOf(asked), page: pageOf(query) };
}

/** Throws what `readJsonRequest` throws, and `malformed`, naming the member. */
export async function eventsAskedInBody(c: Context): Promise<EventsAsked> {
  queryOf(c, []);
  const asked = await readJsonRequest(c, ALL);
  const { limit = DEFAULT_EVENTS, cursor } = asked;
  if (typeof limit !== 'number' || !Number.isSafeInteger(limit)) throw flaw('limit', 'is not a whole number');
  if (cursor !== undefined && typeof cursor !== 'string') throw flaw('cursor', 'is none of a page');
  return { query: eventQueryOf(asked), page: checkedPage(limit, cursor) };
}

/** `limit` and `cursor` of a URL. Throws `malformed`. */
export function pageOf(query: { readonly limit?: string; readonly cursor?: string }): PageQuery {
  return checkedPage(numberOf(query.limit, 'limit', DEFAULT_EVENTS), query.cursor);
}

function checkedPage(limit: number, cursor: string | undefined): PageQuery {
  if (limit < 1) throw flaw('limit', 'is at least 1');
  if (cursor !== undefined && !CURSOR.test(cursor)) throw flaw('cursor', 'is none of a page');
  return { limit: Math.min(limit, MAX_EVENTS), ...(cursor !== undefined && { cursor }) };
}

function eventQueryOf(asked: Asked): EventQuery {
  const terms: Record<string, string> = {};
  for (const name of TERMS) {
    const value = asked[name];
    if (value !== undefined) terms[name] = textOf(value, name, name === 'source' ? SOURCE : TEXT);
  }
  const { id, subject } = asked;
  if (id !== undefined && terms['source'] === undefined) {
    throw flaw('id', 'is unique within a source: give source beside it');
  }
  if (subject !== undefined && !isJsonObject(subject)) throw flaw('subject', 'is not an object');
  return {
    terms,
    ...(id !== undefined && { id: textOf(id, 'id', ID) }),
    ...(subject !== undefined && { subject }),
    ...timeOf(asked, 'after', 'afterMs'),
    ...timeOf(asked, 'before', 'beforeMs'),
    ...timeOf(asked, 'time_after', 'timeAfterMs'),
    ...timeOf(asked, 'time_before', 'timeBeforeMs'),
  };
}

function textOf(value: JsonValue, name: string, form: RegExp): string {
  if (typeof value === 'string' && form.test(value)) return value;
  throw flaw(name, 'is not a text that an event can have there');
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/;

function timeOf<Key extends string>(
  asked: Asked,
  name: 'after' | 'before' | 'time_after' | 'time_before',
  key: Key,
): Partial<Record<Key, number>> {
  const value = asked[name];
  if (value === undefined) return {};
  if (typeof value === 'string' && TIME.test(value)) {
    const timeMs = Date.parse(value);
    // Not a day that the calendar does not have.
    const isExact = Number.isFinite(timeMs) && new Date(timeMs).toISOString().startsWith(value.slice(0, 19));
    if (isExact) return { [key]: timeMs } as Record<Key, number>;
  }
  throw flaw(name, 'is not an RFC 3339 time in UTC, like 2026-11-20T12:00:08.123Z');
}

/**
 * A value of the query: octets may be escaped (RFC 3986 §2.1), since a source is often a URI and a client's library escapes
 * it. A plus is a plus.
 */
function unescaped(text: string, name: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw flaw(name, 'has a percent sign that escapes nothing');
  }
}

function flaw(name: string, found: string): NewelError {
  return new NewelError('malformed', `${name} ${found}`);
}
