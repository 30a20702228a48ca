import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { NewelError } from '../../src/errors.ts';
import { type ProblemCode, PROBLEMS, respondError } from '../../src/http/problems.ts';
import { addRoute } from '../../src/http/route.ts';
import type { Site } from '../../src/http/site.ts';
import { QueueFullError } from '../../src/log/pool.ts';
import { openTestSite, TEST_URL } from '../support/test-site.ts';

/** The statuses of the design's table. */
const STATUSES: Record<ProblemCode, number> = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  issuer_unavailable: 503,
  not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  id_conflict: 409,
  sequence_conflict: 409,
  event_erased: 410,
  too_large: 413,
  unsupported_media_type: 415,
  event_invalid: 422,
  secret_found: 422,
  schema_unknown: 422,
  no_witnesses: 422,
  rate_limited: 429,
  internal: 500,
  queue_full: 503,
  not_ready: 503,
  storage_failed: 503,
};

/** Throws `error` on a path of its own, and returns what is answered. */
async function answerTo(site: Site, error: unknown): Promise<{ response: Response; text: string }> {
  const app = new Hono();
  addRoute(app, site, '/', () => {
    throw error;
  });
  addRoute(app, site, '/later', () => Promise.reject(error));
  const response = await app.request('/');
  const text = await response.text();
  const later = await app.request('/later');
  assert.equal(await later.text(), text, 'a rejection is answered like an exception');
  return { response, text };
}

test('every code has its status, its title, and a page where its type leads', async () => {
  const { app, site, test: log } = await openTestSite();
  assert.deepEqual(Object.keys(PROBLEMS).sort(), Object.keys(STATUSES).sort());
  for (const [code, status] of Object.entries(STATUSES) as [ProblemCode, number][]) {
    const error = code === 'internal' ? new Error('x') : new NewelError(code, 'what was found');
    const { response, text } = await answerTo(site, error);
    assert.equal(response.status, status, code);
    assert.equal(response.headers.get('Content-Type'), 'application/problem+json');
    assert.equal(response.headers.get('Cache-Control'), 'no-store');
    const problem = JSON.parse(text) as Record<string, unknown>;
    assert.equal(problem['type'], `${TEST_URL}/problems/${code}`);
    assert.equal(problem['title'], PROBLEMS[code].title);
    assert.equal(problem['status'], status);
    assert.equal(problem['code'], code);
    if (code !== 'internal') assert.equal(problem['detail'], 'what was found');
    assert.equal(response.headers.has('Retry-After'), status === 503, code);
    const page = await app.request(`/problems/${code}`);
    assert.equal(page.status, 200, code);
    assert.ok((await page.text()).includes(PROBLEMS[code].title));
  }
  await log.log.close();
});

test('a full queue says which bound was met', async () => {
  const { site, test: log } = await openTestSite();
  const { text } = await answerTo(site, new QueueFullError(8192, 'entries'));
  const problem = JSON.parse(text) as Record<string, unknown>;
  assert.equal(problem['limit'], 8192);
  assert.equal(problem['unit'], 'entries');
  await log.log.close();
});

test('whatever else is thrown says nothing, and is reported once', async () => {
  const { site, errors, test: log } = await openTestSite();
  const thrown = [
    new Error('secret path'),
    new RangeError('secret path'),
    new NewelError('log_refused', 'secret path'),
    new NewelError('root_mismatch', 'secret path'),
    new NewelError('internal', 'secret path'),
  ];
  for (const error of thrown) {
    const { response, text } = await answerTo(site, error);
    assert.equal(response.status, 500);
    assert.ok(!text.includes('secret'));
  }
  assert.deepEqual(errors, thrown, 'each once, though it was thrown twice');
  await answerTo(site, 'a string');
  assert.equal(errors.length, thrown.length + 2, 'what is no object cannot be remembered');
  await log.log.close();
});

test('faults of the client are not reported', async () => {
  const { app, site, errors, test: log } = await openTestSite();
  await answerTo(site, new NewelError('malformed', 'x'));
  await answerTo(site, new QueueFullError(1, 'bytes'));
  await app.request('/nothing');
  await app.request('/v1/leaves?start=x');
  assert.deepEqual(errors, []);
  await log.log.close();
});

test('without a listener, failures go to the console', async (t) => {
  const { site, test: log } = await openTestSite();
  const { onError: _, ...quiet } = site;
  const logged = t.mock.method(console, 'error', () => {});
  const error = new Error('seen by the operator');
  await answerTo(quiet, error);
  assert.deepEqual(
    logged.mock.calls.map((call) => call.arguments),
    [[error]],
  );
  await log.log.close();
});

test('requests are signalled by route, with the status that was answered', async () => {
  const { app, requests, test: log } = await openTestSite({ entries: 3 });
  const asked: [method: string, target: string, route: string, status: number][] = [
    ['GET', '/checkpoint', '/checkpoint', 200],
    ['HEAD', '/checkpoint', '/checkpoint', 200],
    ['GET', '/tile/0/000.p/3', '/tile/*', 200],
    ['GET', '/tile/0/000', '/tile/*', 404],
    ['GET', '/v1/leaves/2', '/v1/leaves/:leaf', 200],
    ['GET', '/v1/leaves/2/proof', '/v1/leaves/:leaf/proof', 200],
    ['GET', '/v1/leaves?start=x', '/v1/leaves', 400],
    ['POST', '/add', '/add', 401],
    ['DELETE', '/checkpoint', '*', 405],
    ['OPTIONS', '/checkpoint', '*', 204],
    ['GET', '/nothing/secret', '*', 404],
  ];
  for (const [method, target] of asked) await app.request(target, { method });
  assert.deepEqual(
    requests.map(({ method, route, status }) => [method, route, status]),
    asked.map(([method, , route, status]) => [method, route, status]),
  );
  assert.ok(requests.every(({ durationMs }) => durationMs >= 0 && durationMs < 10_000));
  await log.log.close();
});

test('respondError answers HEAD without a body', async () => {
  const { site, test: log } = await openTestSite();
  const app = new Hono();
  app.get('/', (c) => respondError(c, site, new NewelError('not_found', 'nothing')));
  const get = await app.request('/');
  const head = await app.request('/', { method: 'HEAD' });
  assert.equal(head.headers.get('Content-Length'), String((await get.text()).length));
  assert.equal(await head.text(), '');
  await log.log.close();
});
