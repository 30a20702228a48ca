/**
 * Holds answers against `spec/openapi.yaml`: the status and the media type are listed for that route and method, every
 * header is listed and has a value that it may have, and the body is valid against its schema, events in it against
 * `spec/event.schema.json`. Objects may have listed members only: what a client has to pass over, a test has to see.
 *
 *   const app = described(createApp(site, write));            every `app.request()` is checked
 *   await fetchDescribed(`${url}/v1/log`);                     over a socket
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Hono } from 'hono';
import { parse } from 'yaml';
import { incomingOf, pathOf } from '../../src/http/target.ts';

/** A JSON value of which nothing is known. */
type Json = null | boolean | number | string | readonly Json[] | JsonMap;
interface JsonMap {
  readonly [name: string]: Json | undefined;
}

export interface Asked {
  readonly method: string;
  /** The request target, in any form. */
  readonly target: string;
}

export interface DescribedResponse {
  readonly status: number;
  readonly headers: Iterable<readonly [name: string, value: string]>;
  readonly body: Uint8Array;
}

const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;
const FILE = fileURLToPath(new URL('../../spec/openapi.yaml', import.meta.url));

/** The document, as it stands. */
export const OPENAPI: JsonMap = mapOf(parse(readFileSync(FILE, 'utf8'), { strict: true }) as Json);

/** The file beside it that it refers to. */
const EVENT_SCHEMA_NAME = 'event.schema.json';
export const EVENT_SCHEMA: JsonMap = mapOf(
  JSON.parse(readFileSync(new URL(`../../spec/${EVENT_SCHEMA_NAME}`, import.meta.url), 'utf8')) as Json,
);

const METHODS = ['get', 'post'] as const;

/** A JSON text a line: the schema is that of each. */
const NDJSON = 'application/x-ndjson';

/** Of the transport, or of the connection: said by whoever carries an answer. */
const CARRIED = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length']);

/** The routes of the document, as Hono writes them: `GET /v1/leaves/:leaf`, `GET /tile/*`. */
export function describedRoutes(): string[] {
  return entriesOf(OPENAPI['paths']).flatMap(([path, item]) =>
    METHODS.filter((method) => method in mapOf(item)).map(
      (method) => `${method.toUpperCase()} ${routeOf(path, item)}`,
    ),
  );
}

/** Examples of media types, each with the pointer of its media type. */
export function describedExamples(): { readonly pointer: string; readonly value: unknown }[] {
  const found: { pointer: string; value: unknown }[] = [];
  const visit = (node: Json | undefined, pointer: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { schema, example, examples } = node as JsonMap;
    if (schema !== undefined && example !== undefined) found.push({ pointer, value: example });
    if (schema !== undefined && examples !== undefined) {
      for (const [, one] of entriesOf(examples)) found.push({ pointer, value: mapOf(one)['value'] });
    }
    for (const [name, child] of Object.entries(node)) visit(child, `${pointer}/${escaped(name)}`);
  };
  visit(OPENAPI, '');
  return found;
}

/** Every `$ref` of the document. */
export function references(): string[] {
  const found: string[] = [];
  const visit = (node: Json | undefined): void => {
    if (typeof node !== 'object' || node === null) return;
    const { $ref } = node as JsonMap;
    if (typeof $ref === 'string') found.push($ref);
    for (const child of Object.values(node)) visit(child);
  };
  visit(OPENAPI);
  return found;
}

/** The same app; every answer to `app.request()` is checked before the test sees it. */
export function described<A extends Hono>(app: A): A {
  const request = app.request;
  app.request = async (input, init, env, ...rest) => {
    const response = await request(input, init, env, ...rest);
    const isRequest = input instanceof Request;
    const { pathname } = new URL(isRequest ? input.url : String(input), 'http://test.invalid');
    const method = (isRequest ? input.method : init?.method) ?? 'GET';
    await assertFetched({ method, target: incomingOf(env)?.url ?? pathname }, response);
    return response;
  };
  return app;
}

/** `fetch`, whose answer is checked before the test sees it. */
export async function fetchDescribed(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  await assertFetched({ method: init?.method ?? 'GET', target: new URL(url).pathname }, response);
  return response;
}

async function assertFetched(asked: Asked, response: Response): Promise<void> {
  const body = new Uint8Array(await response.clone().arrayBuffer());
  const { status, headers } = response;
  assertDescribed(asked, { status, headers, body });
}

/** Throws `AssertionError`, saying what the document does not know. */
export function assertDescribed(
  { method, target }: Asked,
  { status, headers, body }: DescribedResponse,
): void {
  const received = new Map([...headers].map(([name, value]) => [name.toLowerCase(), value]));
  const text = new TextDecoder().decode(body);
  const where = `${method} ${target} → ${status}`;
  const pointer = responseOf(method, pathOf(target.replace(ABSOLUTE_FORM, '')), {
    status,
    text,
    allow: received.get('allow'),
    where,
  });
  const response = mapOf(resolve(pointer));
  assertHeaders(pointer, response, received, where);
  const type = received.get('content-type');
  const content = entriesOf(response['content']);
  if (content.length === 0) {
    assert.equal(type, undefined, `${where}: no body is listed`);
    assert.equal(text, '', `${where}: no body is listed`);
    return;
  }
  const media = content.find(([name]) => name === type);
  assert.ok(media, `${where}: ${type} is not listed, ${content.map(([name]) => name).join(', ')} is`);
  if (method === 'HEAD') return assert.equal(text, '', `${where}: HEAD has a body`);
  if (!('schema' in mapOf(media[1]))) return;
  if (media[0] === NDJSON) {
    assert.ok(text.endsWith('}\n'), `${where}: NDJSON ends in a newline`);
    const schema = `${pointer}/content/${escaped(media[0])}/schema`;
    for (const line of text.slice(0, -1).split('\n')) assertValid(schema, JSON.parse(line), where);
    return;
  }
  const isJson = /[/+]json$/.test(media[0]);
  if (isJson) assert.ok(text.endsWith('}\n'), `${where}: JSON ends in a newline`);
  const value: Json = isJson ? (JSON.parse(text) as Json) : text;
  assertValid(`${pointer}/content/${escaped(media[0])}/schema`, value, where);
}

/** Throws unless `value` is valid against the schema at `pointer`, listed members only. */
export function assertValid(pointer: string, value: unknown, where: string): void {
  const validate = validatorOf(pointer);
  if (validate(value)) return;
  const flaws = (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
  );
  assert.fail(`${where} is not as ${pointer} says: ${flaws.join('; ')}`);
}

/** The value at a JSON pointer, `$ref` followed where it leads into the document. */
export function resolve(pointer: string): Json {
  return find(pointer).value;
}

/** Where the answer is described. What is the same everywhere stands in `components/responses`. */
function responseOf(
  method: string,
  path: string,
  seen: {
    readonly status: number;
    readonly text: string;
    readonly allow: string | undefined;
    readonly where: string;
  },
): string {
  const { status, text, allow, where } = seen;
  const common = (name: string): string => `/components/responses/${name}`;
  if (text.startsWith('{"type":"about:blank"')) return common(status === 503 ? 'starting' : 'bad_target');
  if (path === '*') return common('private_options');
  const named = method === 'HEAD' ? 'get' : method.toLowerCase();
  // A path of fixed words may be one of a template too, for another method.
  const all = entriesOf(OPENAPI['paths']).filter(([template, item]) => patternOf(template, item).test(path));
  const listed = all.find(([, item]) => named in mapOf(item)) ?? all[0];
  const isNothing = status === 404 && (method === 'HEAD' ? !listed : text.includes(NOTHING_HERE));
  if (!listed || isNothing) {
    assert.equal(status, 404, `${where}: the path is not listed`);
    return common('nothing_here');
  }
  const [template, item] = listed;
  const operation = mapOf(item)[named];
  if (operation === undefined) {
    assert.equal(allow, allowOf(all.map(([, one]) => one)), `${where}: Allow`);
    const isPrivate = METHODS.every((name) => isPrivateOperation(mapOf(item)[name]));
    const prefix = isPrivate ? 'private_' : '';
    if (method === 'OPTIONS') {
      assert.equal(status, 204, where);
      return common(`${prefix}options`);
    }
    assert.equal(status, 405, `${where}: the method is not listed`);
    return common(`${prefix}method_not_allowed`);
  }
  const responses = mapOf(mapOf(operation)['responses']);
  assert.ok(String(status) in responses, `${where} is not listed; ${Object.keys(responses).join(', ')} are`);
  return find(`/paths/${escaped(template)}/${named}/responses/${status}`).pointer;
}

const NOTHING_HERE = '"detail":"there is nothing at this path"';

function allowOf(items: readonly (Json | undefined)[]): string {
  const methods = METHODS.filter((method) => items.some((item) => method in mapOf(item))).map(
    (method) => ALLOWED[method],
  );
  return [...methods, 'OPTIONS'].join(', ');
}

const ALLOWED = { get: 'GET, HEAD', post: 'POST' } as const;

function isPrivateOperation(operation: Json | undefined): boolean {
  if (operation === undefined) return true;
  const { security } = mapOf(operation);
  return Array.isArray(security) && security.every((way: Json) => Object.keys(mapOf(way)).length > 0);
}

function assertHeaders(
  pointer: string,
  response: JsonMap,
  received: ReadonlyMap<string, string>,
  where: string,
): void {
  const listed = new Map(entriesOf(response['headers']).map(([name]) => [name.toLowerCase(), name]));
  for (const [name, value] of received) {
    if (CARRIED.has(name) || name === 'content-type') continue;
    const spelled = listed.get(name);
    assert.ok(spelled, `${where}: the header ${name} is not listed`);
    const header = find(`${pointer}/headers/${escaped(spelled)}`).pointer;
    assertValid(`${header}/schema`, value, `${where}: ${name}`);
  }
  for (const [lower, name] of listed) {
    const header = mapOf(resolve(`${pointer}/headers/${escaped(name)}`));
    if (header['required'] === true) assert.ok(received.has(lower), `${where}: no header ${name}`);
  }
}

/** `/v1/leaves/{leaf}` is `/v1/leaves/:leaf`, and a parameter that has slashes is the rest of the path. */
function routeOf(path: string, item: Json | undefined): string {
  return path.replaceAll(/\{([a-z_]+)\}/g, (_, name: string) => (hasSlashes(item, name) ? '*' : `:${name}`));
}

function patternOf(path: string, item: Json | undefined): RegExp {
  const source = routeOf(path, item)
    .replaceAll('.', String.raw`\.`)
    .replace(/\/\*$/, '(/.*)?')
    .replaceAll(/:[a-z_]+/g, '[^/]+');
  return new RegExp(`^${source}$`);
}

function hasSlashes(item: Json | undefined, name: string): boolean {
  return METHODS.some((method) => {
    const operation = mapOf(item)[method];
    const parameters = operation === undefined ? [] : (mapOf(operation)['parameters'] ?? []);
    return (
      Array.isArray(parameters) &&
      parameters.some((parameter: Json) => {
        const { name: own, 'x-has-slashes': flag } = mapOf(parameter);
        return own === name && flag === true;
      })
    );
  });
}

/** The schema of events has parts for values of any type, and rules that name members listed elsewhere. */
const LAX = { strictTypes: false, strictRequired: false };
const ajv = new Ajv2020({ strict: true, ...LAX, allErrors: true });
for (const keyword of ['x-class', 'x-disclose', 'x-slot']) ajv.addKeyword(keyword);
ajv.addSchema(EVENT_SCHEMA, EVENT_SCHEMA_NAME);
const SCHEMAS = '/components/schemas';
const named = entriesOf(resolve(SCHEMAS));
ajv.addSchema({
  $id: 'newel',
  $defs: Object.fromEntries(
    named.flatMap(([name, schema]) => [
      [name, closed(schema, false)],
      [`${name}.open`, closed(schema, true)],
    ]),
  ),
});
const validators = new Map<string, ValidateFunction>();

function validatorOf(pointer: string): ValidateFunction {
  const known = validators.get(pointer);
  if (known) return known;
  const validator = ajv.compile(mapOf(closed(resolve(pointer), false)));
  validators.set(pointer, validator);
  return validator;
}

/**
 * The schema, with every object in it closed: only listed members, unless it says itself what else there may be. A part
 * of an `allOf` is left open, for the whole is closed.
 */
function closed(schema: Json | undefined, isPart: boolean): Json | undefined {
  if (Array.isArray(schema)) return (schema as readonly Json[]).map((item) => closed(item, false)!);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy: Record<string, Json | undefined> = {};
  for (const [name, value] of Object.entries(schema)) {
    if (name === '$ref')
      copy[name] = isOfEvents(value) ? value : `newel#/$defs/${nameOf(value)}${isPart ? '.open' : ''}`;
    else if (name === 'allOf' && Array.isArray(value)) {
      copy[name] = (value as readonly Json[]).map((part) => closed(part, true)!);
    } else copy[name] = closed(value, false);
  }
  const isObject = copy['type'] === 'object' && typeof copy['properties'] === 'object';
  if (isObject && !isPart && !('unevaluatedProperties' in copy)) copy['unevaluatedProperties'] = false;
  return copy;
}

/** Whether it is a schema of events, which is closed as it stands. */
function isOfEvents($ref: Json | undefined): boolean {
  return typeof $ref === 'string' && $ref.split('#')[0] === EVENT_SCHEMA_NAME;
}

function nameOf($ref: Json | undefined): string {
  const prefix = `#${SCHEMAS}/`;
  assert.ok(typeof $ref === 'string' && $ref.startsWith(prefix), 'schemas refer to named schemas');
  return $ref.slice(prefix.length);
}

function find(pointer: string): { readonly pointer: string; readonly value: Json } {
  let value: Json | undefined = OPENAPI;
  let at = '';
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    assert.ok(typeof value === 'object' && value !== null && name in value, `nothing is at ${pointer}`);
    value = (value as JsonMap)[name];
    at += `/${part}`;
    const $ref = typeof value === 'object' && value !== null ? (value as JsonMap)['$ref'] : undefined;
    if (typeof $ref === 'string' && !isOfEvents($ref)) ({ pointer: at, value } = find($ref.slice(1)));
  }
  return { pointer: at, value: value ?? null };
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function mapOf(value: Json | undefined): JsonMap {
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), 'a map is expected');
  return value as JsonMap;
}

function entriesOf(value: Json | undefined): [string, Json | undefined][] {
  return value === undefined ? [] : Object.entries(mapOf(value));
}
