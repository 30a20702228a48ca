/**
 * A log of events that a process of its own serves, and what it shows to anybody but the bearer of a token: events with
 * canaries go in, and what comes back is kept where no canary may be.
 */

import assert from 'node:assert/strict';
import { createToken } from '../../src/access/token-list.ts';
import type { Role } from '../../src/access/principal.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/formats/json.ts';
import type { Notice } from '../../src/event/notice.ts';
import type { Canary, CanaryEvent, CanaryMaker } from './canary-events.ts';
import { type Evidence, evidenceOf } from './canary-evidence.ts';
import { type RawRequest, type RawResponse, sendToPort } from './http-target.ts';
import { bearer, type Expected, type Headers, submission } from './wrong-requests.ts';

/** Those of `submit` are most; a `redact` source's secrets are replaced; a `strict` source's numbers have no gap. */
export type SourceName = 'submit' | 'other' | 'redact' | 'strict' | 'slow';
export type Sources = Readonly<Record<SourceName, readonly Canary[]>>;
export type TokenName = SourceName | 'audit' | 'admin';

export interface Stage {
  readonly maker: CanaryMaker;
  readonly port: number;
  readonly sources: Sources;
  readonly tokens: Readonly<Record<TokenName, string>>;
  /** Answers that are not for the bearer of a token alone, problems first of all. */
  readonly shown: Evidence[];
  /** How often each code of a problem was met. */
  readonly codes: Map<string, number>;
  /** What the log noticed, by code. */
  readonly notices: Map<string, Evidence[]>;
  readonly send: (request: RawRequest) => Promise<RawResponse>;
}

/** The same log, served anew. */
export function stageAt(stage: Omit<Stage, 'port' | 'send'>, port: number): Stage {
  return { ...stage, port, send: sendToPort(port) };
}

export function newSources(maker: CanaryMaker): Sources {
  const some = (count: number): readonly Canary[] => Array.from({ length: count }, () => newSource(maker));
  return { submit: some(8), other: some(1), redact: some(1), strict: some(1), slow: some(1) };
}

function newSource(maker: CanaryMaker): Canary {
  const random = maker.plain('stepup/1 source');
  maker.keep('stepup/1 source', `https://canary.example/${random}`, random);
  return maker.made.at(-1)!;
}

/** Tokens of every role, each a canary; those that submit are of sources that are canaries. */
export async function createTokens(
  path: string,
  { maker, sources }: Pick<Stage, 'maker' | 'sources'>,
): Promise<Stage['tokens']> {
  const create = async (name: string, role: Role, own: readonly Canary[], rate?: number): Promise<string> => {
    const nowMs = Date.now();
    const input = { name, role, sources: own.map(({ value }) => value), nowMs };
    const token = await createToken(path, { ...input, ...(rate !== undefined && { rate }) });
    return maker.keep(TOKEN_PLACE, token, token.slice('newel_'.length));
  };
  return {
    submit: await create('submitter', 'submit', sources.submit),
    other: await create('another', 'submit', sources.other),
    redact: await create('careless', 'submit', sources.redact),
    strict: await create('numbering', 'submit', sources.strict),
    slow: await create('slow', 'submit', sources.slow, 1),
    audit: await create('auditor', 'audit', []),
    admin: await create('operator', 'admin', []),
  };
}

/** The place of canaries that are tokens. */
export const TOKEN_PLACE = 'token';

/** Sends a request, and keeps of its answer what nothing may be in: of what is for its bearer alone, the headers. */
export async function ask({ shown, codes, notices, send }: Stage, request: RawRequest): Promise<RawResponse> {
  const response = await send(request);
  const where = `${request.method} ${request.target.slice(0, 60)} → ${response.status}`;
  const items = itemsOf(response);
  for (const { code } of [...items, bodyOf(response)]) {
    if (typeof code === 'string') codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const isPrivate = /^\/v1\/(?:events|disclosures)/.test(request.target) && response.status < 300;
  const body = isPrivate ? Buffer.from(JSON.stringify(publicPartOf(items))) : response.body;
  shown.push(evidenceOf(where, { ...response, body }));
  for (const answer of [...items, bodyOf(response)]) {
    for (const notice of (answer['notices'] ?? []) as unknown as Notice[]) {
      const kept = notices.get(notice.code) ?? [];
      notices.set(notice.code, kept);
      kept.push({ where: `notice ${notice.code}`, bytes: Buffer.from(JSON.stringify(notice)) });
    }
  }
  return response;
}

/** Sends a request that is answered as it says. */
export async function askFor(stage: Stage, { request, status }: Expected): Promise<RawResponse> {
  const response = await ask(stage, request);
  const what = `${request.method} ${request.target} ${Buffer.from(request.body ?? [])
    .toString()
    .slice(0, 200)}`;
  assert.equal(response.status, status, `${what}: ${textOf(response).slice(0, 1000)}`);
  return response;
}

/** Of the items of an answer that is for its bearer: those about what was not taken. */
function publicPartOf(items: readonly JsonObject[]): readonly JsonObject[] {
  return items.filter(({ status }) => typeof status === 'number' && status >= 300);
}

/** What an answer lists: items, or lines. */
export function itemsOf(response: RawResponse): readonly JsonObject[] {
  if (response.headers.get('content-type') === 'application/x-ndjson') {
    const lines = textOf(response)
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as JsonObject);
  }
  const { items } = bodyOf(response);
  return Array.isArray(items) ? items.filter(isJsonObject) : [];
}

/** The object that an answer is; one without members where it is none. */
export function bodyOf(response: RawResponse): JsonObject {
  if (!/^application\/(?:problem\+)?json$/.test(response.headers.get('content-type') ?? '')) return {};
  const body = JSON.parse(textOf(response)) as JsonValue;
  return isJsonObject(body) ? body : {};
}

/** The id of the event that an answer is about. */
export function eventIdOf(response: RawResponse): string {
  const { event_id } = bodyOf(response);
  if (typeof event_id === 'string') return event_id;
  assert.fail(`no event_id in ${textOf(response)}`);
}

export function textOf({ body }: RawResponse): string {
  return Buffer.from(body).toString();
}

/** An event that was taken, and all that its submitter and an auditor were given. */
export interface Taken extends CanaryEvent {
  readonly eventId: string;
  readonly given: Uint8Array;
}

/** Submits an event, whole and minimal, several times at once and after one another, with other content, and reads it. */
export async function submitAndRead(
  stage: Stage,
  { event, canaries }: CanaryEvent,
  { index = 0, as = 'submit' }: { readonly index?: number; readonly as?: SourceName } = {},
): Promise<Taken> {
  const { maker, tokens } = stage;
  const all = [...canaries];
  // A flat event may have its id in a header, or none.
  const key: Headers =
    event['id'] === undefined && index % 2 === 0
      ? [['Idempotency-Key', added(maker.plain('stepup/1 id'))]]
      : [];
  const minimal: Headers = [['Prefer', 'return=minimal']];
  const post = (body: JsonObject, headers: Headers = []): Promise<RawResponse> =>
    ask(stage, submission(tokens[as], body, [...key, ...headers]));

  const copies = await Promise.all([post(event), post(event, minimal)]);
  const created = copies.filter(({ status }) => status === 201).length;
  const hasId = event['id'] !== undefined || key.length > 0;
  const [first] = copies;
  assert.equal(created, hasId ? 1 : 2, textOf(first));
  if (hasId) {
    assert.equal((await post(event)).status, 200);
    const other = 'event_type' in event ? 'action' : 'tenant';
    assert.equal((await post({ ...event, [other]: maker.plain(`conflict ${other}`) })).status, 409);
  }

  const eventId = eventIdOf(first);
  const given = [first.body, ...(await readAsEach(stage, eventId, as))];
  return { event, canaries: all, eventId, given: Buffer.concat(given) };

  function added(value: string): string {
    all.push(maker.made.at(-1)!);
    return value;
  }
}

/** What an event and its receipt are read as, by whom they may be and by whom not. */
async function readAsEach(stage: Stage, eventId: string, as: SourceName): Promise<Uint8Array[]> {
  const { tokens } = stage;
  const path = `/v1/events/${eventId}`;
  const read = (target: string, token: string | undefined, status: number): Promise<RawResponse> =>
    askFor(stage, { request: getting(target, token), status });
  const given = [await read(path, tokens.audit, 200), await read(`${path}/receipt`, tokens[as], 200)];
  for (const target of [path, `${path}/receipt`]) {
    await read(target, tokens.other, 404);
    await read(target, tokens.admin, 403);
    await read(target, undefined, 401);
  }
  return given.map(({ body }) => body);
}

export function getting(target: string, token?: string): RawRequest {
  return { method: 'GET', target, headers: token === undefined ? [] : [bearer(token)] };
}

/** A POST of JSON, or of a text that is sent as it is. */
export function posting(
  target: string,
  token: string,
  body: JsonValue | Uint8Array,
  contentType = 'application/json',
): RawRequest {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
  return { method: 'POST', target, headers: [bearer(token), ['Content-Type', contentType]], body: bytes };
}

/** Asks again and again until an answer is as wanted. */
export async function askUntil(
  stage: Stage,
  request: RawRequest,
  isThere: (response: RawResponse) => boolean,
): Promise<RawResponse> {
  for (const endMs = performance.now() + 45_000; performance.now() < endMs;) {
    const response = await ask(stage, request);
    if (isThere(response)) return response;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.fail(`${request.target} does not come to be as it should`);
}
