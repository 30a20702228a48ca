import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Hono } from 'hono';
import { type Listening, listen } from '../../src/http/listen.ts';
import { exchange, parseResponse, sendToPort } from '../support/http-target.ts';
import { openTestSite } from '../support/test-site.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };

async function send(listening: Listening, lines: string): Promise<string> {
  return (await exchange(listening.port, Buffer.from(lines, 'latin1'))).toString('latin1');
}

/** An app whose answers wait until the test lets them go. */
function slowApp(): { app: Hono; started: Promise<void>; release: () => void } {
  let start: () => void = () => {};
  let release: () => void = () => {};
  const started = new Promise<void>((resolve) => (start = resolve));
  const released = new Promise<void>((resolve) => (release = resolve));
  const app = new Hono();
  app.get('/slow', async () => {
    start();
    await released;
    return new Response('done');
  });
  app.get('/fast', () => new Response('fast'));
  return { app, started, release: () => release() };
}

test('until an app is served, requests are told to come back', async () => {
  const listening = await listen(LOCAL);
  const early = await sendToPort(listening.port)({ method: 'GET', target: '/', headers: [] });
  assert.equal(early.status, 503);
  assert.equal(early.headers.get('retry-after'), '1');
  assert.equal(early.headers.get('x-content-type-options'), 'nosniff');
  assert.equal((JSON.parse(Buffer.from(early.body).toString()) as { code: string }).code, 'storage_failed');
  const app = new Hono();
  app.get('/', () => new Response('here'));
  listening.serve(app);
  const later = await sendToPort(listening.port)({ method: 'GET', target: '/', headers: [] });
  assert.equal(Buffer.from(later.body).toString(), 'here');
  assert.equal(listening.url, `http://127.0.0.1:${listening.port}`);
  await listening.close(1000);
});

test('what is said until then may be a line of text', async () => {
  const listening = await listen({ ...LOCAL, starting: 'wait\n' });
  const early = await sendToPort(listening.port)({ method: 'GET', target: '/', headers: [] });
  assert.deepEqual(
    [early.status, early.headers.get('content-type'), early.headers.get('retry-after')],
    [503, 'text/plain; charset=utf-8', '1'],
  );
  assert.equal(Buffer.from(early.body).toString(), 'wait\n');
  await listening.close(0);
});

test('a port that is taken is said, or the next one is tried', async () => {
  const first = await listen(LOCAL);
  const { port } = first;
  await assert.rejects(listen({ host: '127.0.0.1', port }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'usage');
    assert.match(
      error.message,
      new RegExp(`port ${port} of 127.0.0.1 is taken: end what has it, or listen elsewhere`),
    );
    return true;
  });
  if (port < 65_530) {
    const next = await listen({ host: '127.0.0.1', port, tryNextPorts: 5 });
    assert.ok(next.port > port && next.port <= port + 5);
    assert.equal(next.url, `http://127.0.0.1:${next.port}`);
    await next.close(0);
  }
  await first.close(0);
  const again = await listen({ host: '127.0.0.1', port });
  await again.close(0);
});

test('an address that is not ours, or no port, is a usage error', async () => {
  await assert.rejects(listen({ host: '192.0.2.1', port: 0 }), { code: 'usage' });
  await assert.rejects(listen({ host: '127.0.0.1', port: 65_536 }), { code: 'usage' });
});

test('hosts are named as this machine reaches them', async () => {
  const all = await listen({ host: '0.0.0.0', port: 0 });
  assert.equal(all.url, `http://127.0.0.1:${all.port}`);
  await all.close(0);
});

test('odd requests are answered or dropped, and the next one is served', async () => {
  const { app, test: log, errors } = await openTestSite({ entries: 3 });
  const listening = await listen(LOCAL);
  listening.serve(app);
  const close = 'Connection: close\r\n';
  const odd: [request: string, answer: RegExp][] = [
    [`GET /checkpoint HTTP/1.1\r\nHost: a b\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET /checkpoint HTTP/1.1\r\nHost: ]\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET /checkpoint HTTP/1.1\r\nHost: x/../y\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET /checkpoint HTTP/1.1\r\nHost: user@x\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET /checkpoint HTTP/1.1\r\nHost: x\r\nHost: y\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET /checkpoint HTTP/1.1\r\nHost: x\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`OPTIONS * HTTP/1.1\r\nHost: x\r\nHost: y\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET * HTTP/1.1\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET HTTP://other.example/checkpoint HTTP/1.1\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 200 /],
    [`GET /checkpoint HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET /checkpoint HTTP/1.0\r\n\r\n`, /^HTTP\/1\.1 200 /],
    [`GET /check\\point HTTP/1.1\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET checkpoint HTTP/1.1\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [
      `OPTIONS * HTTP/1.1\r\nHost: x\r\n${close}\r\n`,
      /^HTTP\/1\.1 204 .*\r\nAllow: GET, HEAD, POST, OPTIONS\r\n/,
    ],
    [`GET http:/// HTTP/1.1\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`TRACE /checkpoint HTTP/1.1\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 405 /],
    [`BREW /checkpoint HTTP/1.1\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 431 /],
    [`GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(20_000)}\r\n${close}\r\n`, /^HTTP\/1\.1 431 /],
    [`GET /\xff HTTP/1.1\r\nHost: x\r\n${close}\r\n`, /^HTTP\/1\.1 40[04] /],
    [
      `GET /checkpoint HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade, close\r\n\r\n`,
      /^HTTP\/1\.1 200 /,
    ],
    [`GET /checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n${close}\r\nhello`, /^HTTP\/1\.1 200 /],
    [`CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n`, /^$/],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc', /^HTTP\/1\.1 400 /],
  ];
  for (const [request, answer] of odd)
    assert.match(await send(listening, request), answer, request.slice(0, 80));
  const after = await sendToPort(listening.port)({ method: 'GET', target: '/checkpoint', headers: [] });
  assert.equal(after.status, 200);
  assert.deepEqual(errors, []);
  await listening.close(1000);
  await log.log.close();
});

test('what the adapter refuses is a problem too', async () => {
  const { app, test: log } = await openTestSite();
  const listening = await listen(LOCAL);
  listening.serve(app);
  const bytes = await exchange(
    listening.port,
    Buffer.from('GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n'),
  );
  const { headers, body } = parseResponse(bytes, 'GET');
  assert.equal(headers.get('content-type'), 'application/problem+json');
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.equal((JSON.parse(Buffer.from(body).toString()) as { code: string }).code, 'malformed');
  await listening.close(1000);
  await log.log.close();
});

test('close lets a request under way finish, and takes no other', async () => {
  const { app, started, release } = slowApp();
  const listening = await listen(LOCAL);
  listening.serve(app);
  const answer = send(listening, 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
  await started;
  let isClosed = false;
  const closed = listening.close(10_000).then(() => {
    isClosed = true;
  });
  await assert.rejects(exchange(listening.port, Buffer.from('GET /fast HTTP/1.1\r\nHost: x\r\n\r\n')));
  assert.equal(isClosed, false);
  release();
  // The connection would be kept alive; it is closed all the same, long before that ends.
  assert.match(await answer, /done$/);
  await closed;
  await listening.close(0);
});

test('close does not wait for idle connections', async () => {
  const { app } = slowApp();
  const listening = await listen(LOCAL);
  listening.serve(app);
  const answer = send(listening, 'GET /fast HTTP/1.1\r\nHost: x\r\n\r\n');
  const silent = connect(listening.port, '127.0.0.1');
  await new Promise((resolve) => silent.once('connect', resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const startMs = performance.now();
  await listening.close(10_000);
  assert.ok(performance.now() - startMs < 5000);
  assert.match(await answer, /fast$/);
  silent.destroy();
});

test('close cuts off what does not finish in time', async () => {
  const { app, started } = slowApp();
  const listening = await listen(LOCAL);
  listening.serve(app);
  const answer = send(listening, 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n').catch(() => '');
  await started;
  const startMs = performance.now();
  await listening.close(100);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs >= 90 && tookMs < 5000, `${tookMs} ms`);
  assert.equal(await answer, '');
});

test('a connection with more than 64 requests unanswered is cut off; no other is', async () => {
  const { app, started, release } = slowApp();
  const listening = await listen(LOCAL);
  listening.serve(app);
  const slow = 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n';
  const fast = 'GET /fast HTTP/1.1\r\nHost: x\r\n\r\n';
  const last = 'GET /fast HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const many = send(listening, slow + fast.repeat(62) + last);
  await started;
  assert.equal(await send(listening, slow + fast.repeat(64)).catch(() => ''), '', 'one too many');
  release();
  assert.equal((await many).match(/HTTP\/1\.1 200 OK/g)?.length, 64, 'so many may wait');
  // Those that were answered no longer count.
  const socket = connect(listening.port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  for (let answered = 60; answered <= 180; answered += 60) {
    socket.write(fast.repeat(60));
    while ((received.match(/fast/g)?.length ?? 0) < answered) {
      assert.ok(!socket.destroyed);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  socket.destroy();
  await listening.close(0);
});
