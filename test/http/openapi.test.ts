/** `spec/openapi.yaml` itself: it lists what the server has and nothing else, and the check that all tests use can fail. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verifyReceipt } from '../../src/client/index.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { createApp } from '../../src/http/app.ts';
import { PROBLEMS } from '../../src/http/problems.ts';
import {
  assertDescribed,
  assertValid,
  type DescribedResponse,
  describedExamples,
  describedRoutes,
  EVENT_SCHEMA,
  OPENAPI,
  references,
  resolve,
} from '../support/openapi.ts';
import { openTestSite } from '../support/test-site.ts';
import { exampleEvents } from '../support/test-vault.ts';

test('every route of the server is in the document, and every route of the document in the server', async () => {
  const served = new Set<string>();
  for (const kind of ['opaque', 'events'] as const) {
    const { site, write, test: log } = await openTestSite({ kind });
    for (const { method, path } of createApp(site, write).routes) served.add(`${method} ${path}`);
    await log.log.close();
  }
  assert.ok(served.size > 15);
  assert.deepEqual(describedRoutes().sort(), [...served].sort());
});

test('its codes are those of the server, each with its status', () => {
  const { enum: codes } = resolve('/components/schemas/ProblemCode') as { enum: string[] };
  assert.deepEqual(codes.toSorted(), Object.keys(PROBLEMS).toSorted());
  const schemas = Object.values(resolve('/components/schemas') as Record<string, Schema>);
  for (const [code, { status }] of Object.entries(PROBLEMS)) {
    const own = schemas.filter(({ properties }) => properties?.['code']?.const === code);
    assert.equal(own.length, 1, code);
    assert.equal(own[0]!.properties!['status']!.const, status, code);
  }
});

interface Schema {
  readonly properties?: Record<string, { readonly const?: unknown }>;
}

test('every reference leads somewhere, and everything named is referred to', () => {
  const used = new Set(references().filter((reference) => reference.startsWith('#')));
  for (const reference of used) assert.ok(resolve(reference.slice(1)), reference);
  assert.deepEqual(
    references().filter((reference) => !reference.startsWith('#')),
    ['event.schema.json', 'event.schema.json#/$defs/canonical'],
  );
  assert.ok('canonical' in (EVENT_SCHEMA['$defs'] as object));
  // What holds for every path is referred to by the check alone.
  const everywhere = ['options', 'method_not_allowed', 'nothing_here', 'bad_target', 'starting'];
  const common = [...everywhere, 'private_options', 'private_method_not_allowed'];
  for (const [room, components] of Object.entries(OPENAPI['components'] as Record<string, object>)) {
    if (room === 'securitySchemes') continue;
    const unused = Object.keys(components).filter((name) => !used.has(`#/components/${room}/${name}`));
    assert.deepEqual(unused.sort(), room === 'responses' ? common.sort() : [], room);
  }
});

describe('its examples', () => {
  const examples = describedExamples();

  test('are valid against their schemas', () => {
    assert.ok(examples.length >= 12);
    for (const { pointer, value } of examples) assertValid(`${pointer}/schema`, value, 'an example');
  });

  test('hold: the receipt is verified under the trust file', async () => {
    const find = (schema: string, member: string): unknown =>
      examples.find(({ pointer, value }) => pointer.includes(schema) && isMap(value) && member in value)
        ?.value;
    const trust = find('/paths/~1v1~1log/', 'jwks') as JsonObject;
    const receipt = find('/paths/~1v1~1events/', 'statement');
    const { eventId, event } = await verifyReceipt(receipt, { trust });
    const stored = find('/paths/~1v1~1events~1{event_id}/', 'event') as Record<string, unknown>;
    assert.equal(eventId, stored['event_id']);
    assert.deepEqual(event, stored['event']);
  });

  test('are events that the log takes', () => {
    const media = resolve('/paths/~1v1~1events/post/requestBody/content/application~1json');
    const { examples: sent } = media as { examples: Record<string, { value: unknown }> };
    assert.deepEqual(sent['flat']!.value, exampleEvents('flat.json')[0]);
  });
});

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

describe('the check', () => {
  const PUBLIC = {
    'Cache-Control': 'no-store',
    'Access-Control-Allow-Origin': '*',
    'X-Content-Type-Options': 'nosniff',
  };
  const problem = (code: keyof typeof PROBLEMS, more: object = {}): string => {
    const { title, status } = PROBLEMS[code];
    const type = `https://log.example/problems/${code}`;
    return `${JSON.stringify({ type, title, status, detail: 'x', code, ...more })}\n`;
  };
  const answer = (
    status: number,
    type: string | undefined,
    text: string,
    headers: Record<string, string | undefined> = PUBLIC,
  ): DescribedResponse => {
    const all = { ...headers, 'Content-Type': type };
    const given = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
    return { status, headers: given, body: encodeUtf8(text) };
  };
  const PROBLEM = 'application/problem+json';
  const PRIVATE = { ...PUBLIC, 'Access-Control-Allow-Origin': undefined };
  const RETRY = { ...PRIVATE, 'Retry-After': '1' };
  const json = (status: number, text: string, headers?: typeof PUBLIC): DescribedResponse =>
    answer(status, 'application/json', text, headers);

  /** The event of the example, with other members. */
  const stored = (members: object): DescribedResponse => {
    const media = resolve('/paths/~1v1~1events~1{event_id}/get/responses/200/content/application~1json');
    const { example } = media as { example: { event: object } };
    const body = { ...example, event: { ...example.event, ...members } };
    const headers = { ...PRIVATE, 'Cache-Control': 'private, no-store', Vary: 'Authorization' };
    return answer(200, 'application/json', `${JSON.stringify(body)}\n`, headers);
  };

  const TRUE: [method: string, target: string, response: DescribedResponse][] = [
    ['GET', '/healthz', json(200, '{"status":"alive"}\n')],
    ['HEAD', '/healthz', json(200, '')],
    ['GET', '/v1/leaves/x', answer(400, PROBLEM, problem('malformed'))],
    ['POST', '/add', answer(503, PROBLEM, problem('queue_full', { limit: 1, unit: 'bytes' }), RETRY)],
    ['POST', '/add', answer(503, PROBLEM, problem('storage_failed'), RETRY)],
    ['OPTIONS', '/add', answer(204, undefined, '', { Allow: 'POST, OPTIONS' })],
    [
      'DELETE',
      '/add',
      answer(405, PROBLEM, problem('method_not_allowed'), { ...PRIVATE, Allow: 'POST, OPTIONS' }),
    ],
    [
      'GET',
      '/nothing',
      answer(404, PROBLEM, problem('not_found', { detail: 'there is nothing at this path' })),
    ],
    ['GET', '/v1/events/x', stored({})],
  ];
  for (const [method, target, response] of TRUE) {
    test(`passes ${method} ${target} ${response.status}`, () =>
      assertDescribed({ method, target }, response));
  }

  const FALSE: [what: string, method: string, target: string, response: DescribedResponse][] = [
    ['a status that is not listed', 'GET', '/healthz', json(202, '{"status":"alive"}\n')],
    ['a value that is not listed', 'GET', '/healthz', json(200, '{"status":"well"}\n')],
    ['a member that is not listed', 'GET', '/healthz', json(200, '{"status":"alive","since":1}\n')],
    ['a missing member', 'GET', '/healthz', json(200, '{}\n')],
    ['no newline', 'GET', '/healthz', json(200, '{"status":"alive"}')],
    ['another media type', 'GET', '/healthz', answer(200, 'text/plain', '{"status":"alive"}\n')],
    ['no media type', 'GET', '/healthz', answer(200, undefined, '{"status":"alive"}\n')],
    [
      'a header that is not listed',
      'GET',
      '/healthz',
      json(200, '{"status":"alive"}\n', with_({ ETag: '"x"' })),
    ],
    [
      'a header of another value',
      'GET',
      '/healthz',
      json(200, '{"status":"alive"}\n', with_({ 'Cache-Control': 'public' })),
    ],
    ['a missing header', 'GET', '/healthz', answer(200, 'application/json', '{"status":"alive"}\n', PRIVATE)],
    ['a body of HEAD', 'HEAD', '/healthz', json(200, '{"status":"alive"}\n')],
    ['another path', 'GET', '/health', json(200, '{"status":"alive"}\n')],
    ['a code of another status', 'GET', '/v1/leaves/x', answer(400, PROBLEM, problem('not_found'))],
    [
      'a member of another problem',
      'GET',
      '/v1/leaves/x',
      answer(400, PROBLEM, problem('malformed', { limit: 1 })),
    ],
    [
      'a code that is none',
      'GET',
      '/v1/leaves/x',
      answer(400, PROBLEM, problem('malformed', { code: 'odd' })),
    ],
    ['a problem of another route', 'GET', '/healthz', answer(404, PROBLEM, problem('not_found'))],
    ['another origin’s page', 'POST', '/add', answer(401, PROBLEM, problem('unauthenticated'))],
    [
      'a limit without a unit',
      'POST',
      '/add',
      answer(503, PROBLEM, problem('queue_full', { limit: 1 }), RETRY),
    ],
    ['a method that is listed', 'POST', '/add', answer(405, PROBLEM, problem('method_not_allowed'), RETRY)],
    [
      'a method too many',
      'OPTIONS',
      '/add',
      answer(204, undefined, '', { Allow: 'GET, HEAD, POST, OPTIONS' }),
    ],
    [
      'a preflight of a private route',
      'OPTIONS',
      '/add',
      answer(204, undefined, '', { ...PUBLIC, Allow: 'POST, OPTIONS' }),
    ],
    ['an event of a source that none has', 'GET', '/v1/events/x', stored({ source: 'an app' })],
    ['an event with a member that none has', 'GET', '/v1/events/x', stored({ risk: 1 })],
    ['a body of 204', 'OPTIONS', '/add', answer(204, undefined, 'x', { Allow: 'POST, OPTIONS' })],
  ];
  for (const [what, method, target, response] of FALSE) {
    test(`fails ${what}`, () =>
      assert.throws(() => assertDescribed({ method, target }, response), assert.AssertionError));
  }

  function with_(headers: Record<string, string>): typeof PUBLIC {
    return { ...PUBLIC, ...headers };
  }
});
