import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from 'hono';
import fc from 'fast-check';
import { equalBytes } from '../../src/core/bytes.ts';
import { NewelError } from '../../src/errors.ts';
import { MAX_ENTRY_BYTES, parseEntries } from '../../src/formats/entry-bundle.ts';
import { createApp, type WriteSite } from '../../src/http/app.ts';
import { declaredLength, readBody } from '../../src/http/body.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { POOL_LIMITS } from '../../src/log/limits.ts';
import type { Batch, Store } from '../../src/storage/store.ts';
import { exchange, openSocket as open, parseResponse } from '../support/http-target.ts';
import { described } from '../support/openapi.ts';
import { SLOW } from '../support/slow.ts';
import type { TestLogOptions } from '../support/test-log.ts';
import { bearer, openTestSite, type TestSite } from '../support/test-site.ts';
import { until } from '../support/until.ts';

const ONE_ENTRY: TestLogOptions = { open: { limits: { ...POOL_LIMITS, maxQueueEntries: 1 } } };

interface Served extends TestSite {
  readonly listening: Listening;
  close(): Promise<void>;
}

async function openServed(options: TestLogOptions = {}, write?: WriteSite): Promise<Served> {
  const opened = await openTestSite(options);
  const app = write ? described(createApp(opened.site, write)) : opened.app;
  const listening = await listen({ host: '127.0.0.1', port: 0 });
  listening.serve(app);
  return {
    ...opened,
    app,
    listening,
    async close() {
      await listening.close(1000);
      await opened.test.log.close();
    },
  };
}

/** Every header is a token of its own that may add. */
const EVERYONE: WriteSite = {
  authenticate: (authorization = '') => ({ name: authorization, role: 'submit', sources: [] }),
  charge: () => {},
};

const HEAD = 'POST /add HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer newel_submit\r\n';

function hasRoom({ test: { log } }: TestSite, bytes = 1): boolean {
  try {
    log.reserve(bytes).release();
    return true;
  } catch (error) {
    assert.ok(error instanceof NewelError && error.code === 'queue_full');
    return false;
  }
}

test('what goes in comes out of the tree, whatever its bytes', async () => {
  const { app, test: log } = await openTestSite();
  const entries: Uint8Array[] = [];
  const runs = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 });
  const property = fc.asyncProperty(runs, async (bodies) => {
    const answers = await Promise.all(
      bodies.map(async (body) => app.request('/add', { method: 'POST', headers: bearer('submit'), body })),
    );
    for (const [i, answer] of answers.entries()) {
      assert.equal(answer.status, 200);
      const index = Number(await answer.text());
      assert.equal(entries[index], undefined, 'an index is given once');
      entries[index] = bodies[i]!;
    }
  });
  await fc.assert(property, { numRuns: SLOW ? 100 : 15 });
  assert.equal(entries.length, log.log.revealed.size);
  for (let first = 0; first < entries.length; first += 256) {
    const width = Math.min(256, entries.length - first);
    const bundle = parseEntries(await log.log.readBundle(first / 256, width), width);
    bundle.forEach((entry, i) => assert.ok(equalBytes(entry, entries[first + i]!), `entry ${first + i}`));
  }
  await log.log.close();
});

test('answers when a signed, durable head covers the entry, never before', async () => {
  let release: () => void = () => {};
  let mayCommit = Promise.resolve();
  const wrapStore = (store: Store): Store => ({
    ...store,
    commit: async (batch: Batch) => {
      await mayCommit;
      await store.commit(batch);
    },
  });
  const { app, test: log } = await openTestSite({ wrapStore });
  mayCommit = new Promise((resolve) => (release = resolve));
  let answered = false;
  const answer = Promise.resolve(
    app.request('/add', { method: 'POST', headers: bearer('submit'), body: 'x' }),
  ).then((response) => {
    answered = true;
    assert.equal(log.log.revealed.size, 1);
    return response;
  });
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
  release();
  assert.equal(await (await answer).text(), '0\n');
  await log.log.close();
});

test('a full queue is said before a byte of the body is read', async () => {
  const served = await openServed(ONE_ENTRY);
  const held = served.test.log.reserve(1);
  const response = parseResponse(
    await exchange(
      served.listening.port,
      Buffer.from(`${HEAD}Connection: close\r\nContent-Length: 10\r\n\r\n`),
    ),
    'POST',
  );
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '1');
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const problem = JSON.parse(Buffer.from(response.body).toString()) as Record<string, unknown>;
  assert.equal(problem['code'], 'queue_full');
  assert.equal(problem['limit'], 1);
  assert.equal(problem['unit'], 'entries');
  held.release();
  const again = await served.app.request('/add', { method: 'POST', headers: bearer('submit'), body: 'x' });
  assert.equal(again.status, 200);
  assert.deepEqual(served.errors, [], 'a full queue is no fault of the server');
  await served.close();
});

test('room is reserved by Content-Length, and by the maximum without one', async () => {
  const maxQueueBytes = 100_000;
  const served = await openServed({ open: { limits: { ...POOL_LIMITS, maxQueueBytes } } }, EVERYONE);
  const declared = await open(served.listening.port, `${HEAD}Content-Length: 34000\r\n\r\n`);
  await until(() => !hasRoom(served, maxQueueBytes));
  assert.ok(hasRoom(served, maxQueueBytes - 34_000));
  assert.ok(!hasRoom(served, maxQueueBytes - 34_000 + 1));
  const chunked = await open(
    served.listening.port,
    `${HEAD.replace('submit', 'other')}Transfer-Encoding: chunked\r\n\r\n`,
  );
  await until(() => !hasRoom(served, maxQueueBytes - 34_000));
  assert.ok(hasRoom(served, maxQueueBytes - 34_000 - MAX_ENTRY_BYTES));
  assert.ok(!hasRoom(served, maxQueueBytes - 34_000 - MAX_ENTRY_BYTES + 1));
  declared.destroy();
  chunked.destroy();
  await until(() => hasRoom(served, maxQueueBytes));
  await served.close();
});

for (const [how, first] of [
  ['before its body', `${HEAD}Content-Length: 10\r\n\r\n`],
  ['within its body', `${HEAD}Content-Length: 10\r\n\r\nabc`],
  ['within a chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nab`],
  ['between two chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n`],
] as const) {
  test(`a client that goes away ${how} gives its room back, and adds nothing`, async () => {
    const served = await openServed(ONE_ENTRY);
    const socket = await open(served.listening.port, first);
    await until(() => !hasRoom(served));
    socket.destroy();
    await until(() => hasRoom(served));
    assert.equal(served.test.log.revealed.size, 0);
    const after = await served.app.request('/add', { method: 'POST', headers: bearer('submit'), body: 'x' });
    assert.equal(await after.text(), '0\n');
    assert.deepEqual(served.errors, []);
    await served.close();
  });
}

test('a client that goes away after its body has added its entry', async () => {
  const served = await openServed();
  const socket = await open(served.listening.port, `${HEAD}Content-Length: 3\r\n\r\nabc`);
  await until(() => served.requests.length > 0 || served.test.log.revealed.size > 0);
  socket.destroy();
  await until(() => served.test.log.revealed.size === 1);
  await served.close();
});

test('an endless body is refused at the first byte too many', async () => {
  const served = await openServed(ONE_ENTRY);
  const socket = await open(served.listening.port, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
  socket.write(`10000\r\n${'x'.repeat(0x10000)}`);
  await until(() => socket.received().includes('too_large'));
  assert.match(socket.received(), /^HTTP\/1\.1 413 /);
  assert.ok(hasRoom(served), 'its room is free again');
  socket.destroy();
  await served.close();
});

test('a declared length over the maximum is refused unread', async () => {
  const served = await openServed(ONE_ENTRY);
  for (const length of ['65536', '9007199254740991', '99999999999999999']) {
    const socket = await open(served.listening.port, `${HEAD}Content-Length: ${length}\r\n\r\n`);
    await until(() => socket.received().includes('"code"'));
    assert.match(socket.received(), /^HTTP\/1\.1 4(00|13) /);
    assert.ok(hasRoom(served));
    socket.destroy();
  }
  await served.close();
});

test('a body that is longer than its declared length is not read as one', async () => {
  const served = await openServed();
  const bytes = Buffer.from(`${HEAD}Content-Length: 3\r\n\r\nabcdef`);
  const answer = (await exchange(served.listening.port, bytes)).toString('latin1');
  // The three bytes are an entry. What follows is no request, and ends the connection, maybe before the answer.
  assert.match(answer, /HTTP\/1\.1 400 Bad Request\r\n/);
  await until(() => served.test.log.revealed.size === 1);
  assert.equal(Buffer.from(await served.test.log.readBundle(0, 1)).toString('latin1'), '\0\x03abc');
  const { app } = served;
  const headers = { ...bearer('submit'), 'Content-Length': '3' };
  const lied = await app.request('/add', { method: 'POST', headers, body: 'abcdef' });
  assert.equal(lied.status, 413, 'where nothing cuts the body, it is counted');
  const absurd = { ...bearer('submit'), 'Content-Length': '1e3' };
  assert.equal((await app.request('/add', { method: 'POST', headers: absurd, body: 'a' })).status, 400);
  await served.close();
});

async function problemOf(response: Response): Promise<{ code: string; limit?: number; unit?: string }> {
  return (await response.json()) as { code: string; limit?: number; unit?: string };
}

test('idle uploads of one token hold at most a quarter of the queue', async () => {
  const limits = { ...POOL_LIMITS, maxQueueEntries: 8 };
  const served = await openServed({ open: { limits } }, EVERYONE);
  const add = async (name: string): Promise<Response> =>
    served.app.request('/add', { method: 'POST', headers: { Authorization: name }, body: 'x' });
  const { port } = served.listening;
  const idle: Awaited<ReturnType<typeof open>>[] = [];
  for (let i = 0; i < 2; i++) {
    idle.push(await open(port, `${HEAD.replace('Bearer newel_submit', 'a')}Content-Length: 1\r\n\r\n`));
  }
  let refused: Response | undefined;
  for (let turn = 0; refused?.status !== 503; turn++) {
    assert.ok(turn < 1000, 'the third upload is never refused');
    refused = await add('a');
  }
  const { code, limit, unit } = await problemOf(refused);
  assert.deepEqual({ code, limit, unit }, { code: 'queue_full', limit: 2, unit: 'entries' });
  assert.equal((await add('b')).status, 200, 'others are not kept waiting');
  idle[0]!.write('x');
  await until(() => idle[0]!.received().includes('200 OK'));
  assert.equal((await add('a')).status, 200, 'what was read is no longer on its share');
  for (const socket of idle) socket.destroy();
  await served.close();
});

test('a share is counted in bytes too, and given back when a body is refused', async () => {
  const limits = { ...POOL_LIMITS, maxQueueBytes: 8 * MAX_ENTRY_BYTES };
  const served = await openServed({ open: { limits } }, EVERYONE);
  const { port } = served.listening;
  const idle: Awaited<ReturnType<typeof open>>[] = [];
  for (let i = 0; i < 2; i++) {
    idle.push(
      await open(port, `${HEAD.replace('Bearer newel_submit', 'a')}Transfer-Encoding: chunked\r\n\r\n`),
    );
  }
  await until(() => !hasRoom(served, 6 * MAX_ENTRY_BYTES + 1));
  const add = async (body: BodyInit): Promise<Response> =>
    served.app.request('/add', { method: 'POST', headers: { Authorization: 'a' }, body });
  const refused = await add('x');
  assert.equal(refused.status, 503);
  const { limit, unit } = await problemOf(refused);
  assert.deepEqual({ limit, unit }, { limit: 2 * MAX_ENTRY_BYTES, unit: 'bytes' });
  assert.ok(hasRoom(served, 6 * MAX_ENTRY_BYTES), 'a refusal holds no room in the queue');
  idle[0]!.write('zz\r\n');
  await until(() => hasRoom(served, 7 * MAX_ENTRY_BYTES));
  for (let i = 0; i < 3; i++) assert.equal((await add(new Uint8Array(MAX_ENTRY_BYTES + 1))).status, 413);
  assert.equal((await add('x')).status, 200);
  for (const socket of idle) socket.destroy();
  await served.close();
});

test('two Authorization headers are no token', async () => {
  const served = await openServed();
  const twice = `${HEAD}Authorization: Bearer newel_submit\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`;
  const answer = (await exchange(served.listening.port, Buffer.from(twice))).toString('latin1');
  assert.match(answer, /^HTTP\/1\.1 401 /);
  assert.equal(served.test.log.revealed.size, 0);
  await served.close();
});

test('no failure of this route is for a page of another origin', async () => {
  const { app, test: log } = await openTestSite(ONE_ENTRY);
  const held = log.log.reserve(1);
  const requests: [status: number, init: RequestInit, target?: string][] = [
    [401, { method: 'POST', body: 'x' }],
    [403, { method: 'POST', headers: bearer('audit'), body: 'x' }],
    [405, { method: 'PUT', body: 'x' }],
    [413, { method: 'POST', headers: { ...bearer('submit'), 'Content-Length': '70000' }, body: 'x' }],
    [503, { method: 'POST', headers: bearer('submit'), body: 'x' }],
    [400, { method: 'POST', headers: bearer('submit'), body: 'x' }, '/add?index=1'],
  ];
  for (const [status, init, target = '/add'] of requests) {
    const response = await app.request(target, init);
    assert.equal(response.status, status);
    assert.equal(response.headers.get('Access-Control-Allow-Origin'), null, String(status));
    assert.equal(response.headers.get('X-Content-Type-Options'), 'nosniff');
  }
  held.release();
  await log.log.close();
});

test('requests of one connection are answered in order', async () => {
  const served = await openServed();
  const one = (body: string): string => `${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`;
  const last = `${HEAD}Connection: close\r\nContent-Length: 1\r\n\r\nc`;
  const answer = await exchange(served.listening.port, Buffer.from(one('a') + one('bb') + last));
  const bodies = [...answer.toString('latin1').matchAll(/\r\n\r\n([0-9]+)\n/g)].map(([, index]) => index);
  assert.deepEqual(bodies, ['0', '1', '2']);
  await served.close();
});

test('a write that fails is a 503 of unknown outcome, and so is all after it', async () => {
  let isBroken = false;
  const wrapStore = (store: Store): Store => ({
    ...store,
    commit: async (batch: Batch) => {
      if (isBroken) throw new Error('the disk /dev/sda1 is gone');
      await store.commit(batch);
    },
  });
  const { app, test: log, errors } = await openTestSite({ entries: 3, wrapStore });
  assert.equal((await app.request('/readyz')).status, 200);
  isBroken = true;
  for (let i = 0; i < 3; i++) {
    const response = await app.request('/add', { method: 'POST', headers: bearer('submit'), body: 'x' });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('Retry-After'), '10');
    const text = await response.text();
    assert.equal((JSON.parse(text) as { code: string }).code, 'storage_failed');
    assert.ok(!text.includes('sda1'), 'what failed is for the operator');
  }
  assert.deepEqual(errors, [], 'the log has told it when it stopped');
  const ready = await app.request('/readyz');
  assert.equal(ready.status, 503);
  assert.equal(((await ready.json()) as { code: string }).code, 'storage_failed');
  assert.equal((await app.request('/healthz')).status, 200);
  assert.equal((await app.request('/v1/leaves/2/proof')).status, 200, 'what is published stays readable');
  assert.equal(log.log.revealed.size, 3);
});

test('a log that is closing takes no entries and is not ready', async () => {
  const { app, test: log, errors } = await openTestSite();
  await log.log.close();
  assert.equal((await app.request('/readyz')).status, 503);
  const response = await app.request('/add', { method: 'POST', headers: bearer('submit'), body: 'x' });
  assert.equal(response.status, 503);
  assert.deepEqual(errors, [], 'to be told to end is no failure');
});

test('a log that was stopped from outside refuses, and each refusal is no failure of its own', async () => {
  const { app, test: log, errors } = await openTestSite();
  log.log.halt(new NewelError('log_refused', 'a witness knows of another tree'));
  for (let i = 0; i < 3; i++) {
    const response = await app.request('/add', { method: 'POST', headers: bearer('submit'), body: 'x' });
    assert.equal(response.status, 503);
  }
  assert.deepEqual(errors, []);
  await log.log.close();
});

test('a log of events has no such route, nor has the public app', async () => {
  const { app, test: log } = await openTestSite({ kind: 'events' });
  const response = await app.request('/add', { method: 'POST', headers: bearer('submit'), body: 'x' });
  assert.equal(response.status, 404);
  await log.log.close();
});

test('what authentication throws unexpectedly is a 500 that says nothing', async () => {
  const { site, test: log, errors } = await openTestSite();
  const cause = new Error('tokens.json is unreadable');
  const app = createApp(site, {
    authenticate: () => {
      throw cause;
    },
    charge: () => {},
  });
  const response = await app.request('/add', { method: 'POST', body: 'x' });
  assert.equal(response.status, 500);
  const text = await response.text();
  assert.equal((JSON.parse(text) as { code: string }).code, 'internal');
  assert.ok(!text.includes('tokens.json'));
  assert.deepEqual(errors, [cause]);
  await log.log.close();
});

test('readBody: a stream that fails ended early, one that is too long is cancelled', async () => {
  const contextOf = (body: ReadableStream<Uint8Array> | null): Context =>
    ({ env: undefined, req: { raw: { body }, header: () => undefined } }) as unknown as Context;
  const failing = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error('reset')),
  });
  await assert.rejects(readBody(contextOf(failing), 10), { code: 'malformed' });
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(4)),
    cancel: () => {
      cancelled = true;
    },
  });
  await assert.rejects(readBody(contextOf(endless), 10), { code: 'too_large' });
  assert.ok(cancelled);
  assert.equal((await readBody(contextOf(null), 10)).length, 0);
  assert.equal(declaredLength(contextOf(null), 10), 10);
});
