/** Batches over a socket: answered while they are sent, slow in either direction, broken off. */

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createApp } from '../../src/http/app.ts';
import type { BatchLimits } from '../../src/http/batch-limits.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { POOL_LIMITS } from '../../src/log/limits.ts';
import type { PoolLimits } from '../../src/log/log.ts';
import { flat } from '../support/batch-requests.ts';
import { FLAT, openEvents, post } from '../support/event-requests.ts';
import { openSocket, parseResponse } from '../support/http-target.ts';
import type { TestSite } from '../support/test-site.ts';
import { until } from '../support/until.ts';

const HEAD =
  'POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer newel_submit\r\n' +
  'Content-Type: application/x-ndjson\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;

interface Served extends TestSite {
  readonly port: number;
  close(): Promise<void>;
}

/** Closed at the end, whatever failed: a socket that is left open would keep the process. */
const opened: Listening[] = [];
after(() => Promise.all(opened.map((listening) => listening.close(0))));

async function openServed(
  limits: Partial<BatchLimits> = {},
  {
    limits: poolLimits,
    ...options
  }: { readonly requestTimeoutMs?: number; readonly limits?: PoolLimits } = {},
): Promise<Served> {
  const site = await openEvents(poolLimits && { open: { limits: poolLimits } });
  const listening: Listening = await listen({ host: '127.0.0.1', port: 0, ...options });
  opened.push(listening);
  listening.serve(createApp(site.site, { ...site.write, batchLimits: limits }));
  return {
    ...site,
    port: listening.port,
    async close() {
      await listening.close(1000);
      await site.test.log.close();
    },
  };
}

function line(id: string): string {
  return `${JSON.stringify(flat(id))}\n`;
}

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => line(`e-${from + i}`)).join('');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The body of the one answer that came. */
function bodyOf(socket: { received(): string }): string {
  return Buffer.from(parseResponse(Buffer.from(socket.received(), 'latin1'), 'POST').body).toString();
}

function leaves({ test: { log } }: Served): number {
  return log.revealed.size - 1;
}

test('an event is answered while the next ones are still to be sent', async () => {
  const served = await openServed({ idleMs: 10 });
  const socket = await openSocket(served.port, CHUNKED);
  for (let i = 0; i < 3; i++) {
    socket.write(chunk(line(`e-${i}`)));
    await until(() => socket.received().includes(`{"n":${i},"status":201`));
  }
  assert.match(socket.received(), /^HTTP\/1\.1 200 OK\r\n/);
  socket.write('0\r\n\r\n');
  await until(() => socket.received().endsWith('\r\n0\r\n\r\n'));
  socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await until(() => socket.received().includes('alive'));
  await served.close();
});

describe('a client that goes away', () => {
  for (const [how, rest] of [
    ['within a line', JSON.stringify(FLAT).slice(0, 20)],
    ['behind a line that has no end yet', JSON.stringify(flat('unsent'))],
    ['between two lines', ''],
  ] as const) {
    test(`${how}: what was read is logged, and no more`, async () => {
      const served = await openServed({ groupEvents: 4, maxAtOnceOfOne: 1 });
      const socket = await openSocket(served.port, `${CHUNKED}${chunk(lines(0, 10) + rest)}`);
      await until(() => leaves(served) >= 4);
      socket.destroy();
      await until(() => leaves(served) === 10);
      await pause(50);
      assert.equal(leaves(served), 10);
      await until(() => hasRoomForAll(served));
      assert.equal((await postLines(served, line('next'))).status, 200, 'its place is free again');
      assert.deepEqual(served.errors, []);
      await served.close();
    });
  }

  test('of a batch that is to be taken whole: nothing is logged', async () => {
    const served = await openServed({ maxAtOnceOfOne: 1 });
    const atomic = CHUNKED.replace('/v1/events', '/v1/events?atomic=true');
    const socket = await openSocket(served.port, `${atomic}${chunk(lines(0, 10))}`);
    const statusOfNext = async (): Promise<number> => (await postLines(served, 'no event\n')).status;
    while ((await statusOfNext()) !== 503) await pause(5);
    socket.destroy();
    while ((await statusOfNext()) === 503) await pause(5);
    assert.equal(leaves(served), 0);
    assert.deepEqual(served.errors, []);
    await served.close();
  });

  test('and has never taken an answer is no reason to hold any', async () => {
    const served = await openServed({ groupEvents: 50, maxHeldBytes: 20_000 });
    const socket = await openSocket(served.port, '');
    socket.pause();
    const representation = CHUNKED.replace('\r\n\r\n', '\r\nPrefer: return=representation\r\n\r\n');
    socket.write(`${representation}${chunk(lines(0, 3000))}0\r\n\r\n`);
    await until(() => leaves(served) >= 50);
    socket.destroy();
    await until(() => hasRoomForAll(served));
    await served.close();
  });
});

/** Whether nothing of the queue is held. */
function hasRoomForAll({ test: { log } }: Served): boolean {
  const held = [];
  try {
    for (let i = 0; i < log.limits.maxQueueEntries; i++) held.push(log.reserve(1));
    return true;
  } catch {
    return false;
  } finally {
    for (const one of held) one.release();
  }
}

function postLines(served: Served, body: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${served.port}/v1/events`, {
    method: 'POST',
    headers: { Authorization: 'Bearer newel_submit', 'Content-Type': 'application/x-ndjson' },
    body,
  });
}

test('batches that are to be taken whole and never end keep nobody else out', async () => {
  const served = await openServed({}, { limits: { ...POOL_LIMITS, maxQueueEntries: 16 } });
  const atomic = CHUNKED.replace('/v1/events', '/v1/events?atomic=true');
  const stalled = await Promise.all(
    [0, 8].map((from) => openSocket(served.port, `${atomic}${chunk(lines(from, from + 8))}`)),
  );
  const submit = (id: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${served.port}/v1/events`, {
      method: 'POST',
      headers: { Authorization: 'Bearer newel_other', 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...FLAT, id }),
    });
  // For long enough that both are read as far as they go.
  for (const startMs = performance.now(), n = { sent: 0 }; performance.now() - startMs < 300; n.sent++) {
    assert.equal((await submit(`other-${n.sent}`)).status, 201);
    assert.ok(hasRoomForAll(served));
  }
  for (const socket of stalled) socket.write('0\r\n\r\n');
  for (const socket of stalled) {
    await until(() => socket.received().endsWith('\r\n0\r\n\r\n'));
    assert.equal(socket.received().match(/"status":201/g)?.length, 8);
    socket.destroy();
  }
  await served.close();
});

test('who does not take the answer is not read from, and all is done when it is taken', async () => {
  const served = await openServed({ groupEvents: 50, maxHeldBytes: 50_000 });
  const socket = await openSocket(served.port, '');
  socket.pause();
  const events = 3000;
  const representation = CHUNKED.replace('\r\n\r\n', '\r\nPrefer: return=representation\r\n\r\n');
  socket.write(`${representation}${chunk(lines(0, events))}0\r\n\r\n`);
  await until(() => leaves(served) >= 50);
  let before = -1;
  while (before !== leaves(served)) {
    before = leaves(served);
    await pause(400);
  }
  assert.ok(before < events, `${before} events were answered to nobody`);
  socket.resume();
  await until(() => leaves(served) === events);
  await until(() => socket.received().endsWith('\r\n0\r\n\r\n'));
  assert.equal(bodyOf(socket).match(/\{"n":\d+,"status":201/g)?.length, events);
  assert.deepEqual(served.errors, []);
  socket.destroy();
  await served.close();
});

test('who does not take the answer for long is cut off', async () => {
  const pace = { graceMs: 300, bytesPerS: 1e9, maxIdleMs: 300 };
  const served = await openServed({ groupEvents: 50, maxHeldBytes: 50_000, pace });
  const socket = await openSocket(served.port, '');
  socket.pause();
  let isClosed = false;
  served.requests.length = 0;
  const representation = CHUNKED.replace('\r\n\r\n', '\r\nPrefer: return=representation\r\n\r\n');
  socket.write(`${representation}${chunk(lines(0, 3000))}0\r\n\r\n`);
  await until(() => leaves(served) >= 50);
  // It stops when nothing more of its answer is taken, and then gives the client up.
  for (let before = -1; before !== leaves(served);) {
    before = leaves(served);
    await pause(1000);
  }
  socket.once('close', () => (isClosed = true));
  socket.resume();
  await until(() => isClosed);
  assert.ok(!socket.received().endsWith('\r\n0\r\n\r\n'));
  await until(() => hasRoomForAll(served));
  await served.close();
});

test('who sends too slowly is told so after what came', async () => {
  const pace = { graceMs: 200, bytesPerS: 1e9, maxIdleMs: 200 };
  const served = await openServed({ idleMs: 10, pace });
  const socket = await openSocket(served.port, `${CHUNKED}${chunk(line('a') + '{"half":')}`);
  await until(() => socket.received().includes('"n":1,"status":400'));
  assert.match(socket.received(), /\{"n":0,"status":201.*too slowly/s);
  assert.equal(leaves(served), 1);
  await until(() => socket.destroyed || socket.readableEnded);
  await served.close();

  const drip = await openServed({ pace: { graceMs: 300, bytesPerS: 100, maxIdleMs: 200 } });
  const slow = await openSocket(drip.port, CHUNKED);
  const startMs = performance.now();
  let isClosed = false;
  slow.once('close', () => (isClosed = true));
  while (!isClosed && performance.now() - startMs < 10_000) {
    slow.write(chunk(' '));
    await pause(50);
  }
  assert.ok(isClosed, 'however often a byte comes');
  assert.match(slow.received(), /^HTTP\/1\.1 400 .*too slowly/s);
  await drip.close();
});

test('a batch that comes fast enough may take longer than a request, and nothing else may', async () => {
  const served = await openServed({ idleMs: 10 }, { requestTimeoutMs: 500 });
  const socket = await openSocket(served.port, CHUNKED);
  const single = await openSocket(
    served.port,
    `${HEAD.replace('x-ndjson', 'json')}Content-Length: 100\r\n\r\n{`,
  );
  const startMs = performance.now();
  let sent = 0;
  for (; performance.now() - startMs < 3000; sent++) {
    socket.write(chunk(line(`e-${sent}`)));
    await pause(50);
  }
  socket.write('0\r\n\r\n');
  await until(() => socket.received().endsWith('\r\n0\r\n\r\n'));
  assert.equal(socket.received().match(/"status":201/g)?.length, sent);
  assert.match(single.received(), /^HTTP\/1\.1 408 Request Timeout\r\n/);
  // On the same connection the time counts again for what comes next.
  socket.write(`${HEAD.replace('x-ndjson', 'json')}Content-Length: 100\r\n\r\n{`);
  let isClosed = false;
  socket.once('close', () => (isClosed = true));
  await until(() => isClosed);
  await served.close();
});

test('an array is told by its first byte, however late it comes and however long it is said to be', async () => {
  const served = await openServed();
  const json = HEAD.replace('x-ndjson', 'json');
  const body = `[${lines(0, 300).trim().replaceAll('\n', ',')}]`;
  for (const [head, first] of [
    [`${json}Content-Length: ${body.length + 5}\r\nConnection: close\r\n\r\n`, ' \r\n\t '],
    [`${json}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`, chunk('  ')],
  ] as const) {
    const socket = await openSocket(served.port, head + first);
    await pause(20);
    assert.equal(socket.received(), '');
    socket.write(head.includes('chunked') ? `${chunk(body)}0\r\n\r\n` : body);
    await until(() => socket.received().includes(']}\n'));
    await until(() => socket.destroyed);
    assert.equal(bodyOf(socket).match(/"n":\d+,"status":20[01]/g)?.length, 300);
  }
  assert.equal((await post(served, flat('e-1'))).status, 200);
  await served.close();
});
