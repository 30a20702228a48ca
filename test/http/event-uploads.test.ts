/** Submissions over a socket: slow, broken off, endless, in pieces. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verifyReceipt } from '../../src/client/index.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { BATCH_LIMITS } from '../../src/http/batch-limits.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { POOL_LIMITS } from '../../src/log/limits.ts';
import { FLAT, FULL, openEvents, post, trustOf } from '../support/event-requests.ts';
import { exchange, openSocket, parseResponse, type RawResponse } from '../support/http-target.ts';
import { assertDescribed } from '../support/openapi.ts';
import type { TestLogOptions } from '../support/test-log.ts';
import type { TestSite } from '../support/test-site.ts';
import { until } from '../support/until.ts';

const CANARY = 'canary-8f3a5c17e9b24d60';
const HEAD = `POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer newel_submit\r\nContent-Type: application/json\r\n`;
const BODY = JSON.stringify(FULL);

interface Served extends TestSite {
  readonly port: number;
  close(): Promise<void>;
}

async function openServed(options: TestLogOptions = {}): Promise<Served> {
  const site = await openEvents(options);
  const listening: Listening = await listen({ host: '127.0.0.1', port: 0 });
  listening.serve(site.app);
  return {
    ...site,
    port: listening.port,
    async close() {
      await listening.close(1000);
      await site.test.log.close();
    },
  };
}

const ONE: TestLogOptions = { open: { limits: { ...POOL_LIMITS, maxQueueEntries: 1 } } };

function hasRoom({ test: { log } }: TestSite): boolean {
  try {
    log.reserve(1).release();
    return true;
  } catch {
    return false;
  }
}

/** What is answered to the bytes of one submission. */
async function send({ port }: Served, request: string): Promise<RawResponse> {
  const response = parseResponse(await exchange(port, Buffer.from(request)), 'POST');
  assertDescribed({ method: 'POST', target: '/v1/events' }, response);
  return response;
}

describe('over a socket', () => {
  for (const [how, first] of [
    ['before its body', `${HEAD}Content-Length: 900\r\n\r\n`],
    ['within its body', `${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY.slice(0, 300)}`],
    ['one byte before its end', `${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY.slice(0, -1)}`],
    ['within a chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n400\r\n${BODY.slice(0, 300)}`],
  ] as const) {
    test(`a client that goes away ${how} gives its room back, and adds nothing`, async () => {
      const served = await openServed(ONE);
      const socket = await openSocket(served.port, first);
      await until(() => !hasRoom(served));
      socket.destroy();
      await until(() => hasRoom(served));
      assert.equal(served.test.log.revealed.size, 1);
      assert.equal((await post(served, FULL)).status, 201);
      assert.deepEqual(served.errors, []);
      await served.close();
    });
  }

  test('a client that goes away after its body has added its event', async () => {
    const served = await openServed();
    const socket = await openSocket(served.port, `${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}`);
    await until(() => served.requests.length > 0 || served.test.log.revealed.size > 1);
    socket.destroy();
    await until(() => served.test.log.revealed.size === 2);
    assert.equal((await post(served, FULL)).status, 200, 'sent again, it is the same');
    await served.close();
  });

  test('a full queue is said before a byte of the body is read', async () => {
    const served = await openServed(ONE);
    const held = served.test.log.reserve(1);
    const request = `${HEAD}Connection: close\r\nContent-Length: ${BODY.length}\r\n\r\n`;
    const response = await send(served, request);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
    const problem = JSON.parse(Buffer.from(response.body).toString()) as Record<string, unknown>;
    assert.deepEqual([problem['code'], problem['limit'], problem['unit']], ['queue_full', 1, 'entries']);
    held.release();
    assert.equal((await post(served, FULL)).status, 201);
    assert.deepEqual(served.errors, []);
    await served.close();
  });

  test('a body without a length is read to its end, in whatever pieces', async () => {
    const served = await openServed();
    const bytes = BODY.split('')
      .map((character) => `1\r\n${character}\r\n`)
      .join('');
    const request = `${HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n${bytes}0\r\n\r\n`;
    const response = await send(served, request);
    assert.equal(response.status, 201);
    const receipt: unknown = JSON.parse(Buffer.from(response.body).toString());
    await verifyReceipt(receipt, { trust: await trustOf(served) });
    await served.close();
  });

  test('an endless body is refused at the first byte too many', async () => {
    const served = await openServed(ONE);
    const { maxEventBytes } = served.site.statements!;
    const socket = await openSocket(served.port, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    const size = (maxEventBytes + 1).toString(16);
    socket.write(`${size}\r\n{"a":"${CANARY}${' '.repeat(maxEventBytes + 1)}`);
    await until(() => socket.received().includes('too_large'));
    assert.match(socket.received(), /^HTTP\/1\.1 413 /);
    assert.ok(!socket.received().includes(CANARY));
    assert.ok(hasRoom(served), 'its room is free again');
    socket.destroy();
    await served.close();
  });

  test('a declared length over the maximum is refused at the first byte that is no array’s', async () => {
    const served = await openServed(ONE);
    const { maxEventBytes } = served.site.statements!;
    const socket = await openSocket(served.port, `${HEAD}Content-Length: ${maxEventBytes + 1}\r\n\r\n \n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(socket.received(), '', 'it may be an array yet');
    socket.write('{');
    await until(() => socket.received().includes('too_large'));
    assert.ok(hasRoom(served));
    socket.destroy();
    await served.close();
  });

  test('a declared length over that of any batch is refused unread', async () => {
    const served = await openServed(ONE);
    const length = `Content-Length: ${BATCH_LIMITS.maxBytes + 1}\r\n\r\n`;
    for (const head of [HEAD, HEAD.replace('application/json', 'application/x-ndjson')]) {
      const socket = await openSocket(served.port, `${head}${length}`);
      await until(() => socket.received().includes('too_large'));
      assert.match(socket.received(), /"limit":16777216,"unit":"bytes"/);
      socket.destroy();
    }
    assert.ok(hasRoom(served));
    await served.close();
  });

  test('the largest event that is taken is taken', async () => {
    const served = await openServed();
    const { maxEventBytes } = served.site.statements!;
    const padded = encodeUtf8(BODY.padEnd(maxEventBytes, ' '));
    assert.equal((await post(served, padded)).status, 201);
    const { status } = await post(served, encodeUtf8(BODY.padEnd(maxEventBytes + 1, ' ')));
    assert.equal(status, 413);
    await served.close();
  });

  test('what follows a body is no part of it', async () => {
    const served = await openServed();
    const bytes = Buffer.from(`${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}${CANARY}`);
    const answer = (await exchange(served.port, bytes)).toString('latin1');
    assert.match(answer, /HTTP\/1\.1 400 Bad Request\r\n/);
    assert.ok(!answer.includes(CANARY));
    await until(() => served.test.log.revealed.size === 2);
    await served.close();
  });

  test('two of a header that there is one of are neither', async () => {
    const served = await openServed();
    for (const [header, status] of [
      ['Authorization: Bearer newel_submit', 401],
      ['Content-Type: application/json', 415],
      ['Idempotency-Key: a\r\nIdempotency-Key: a', 400],
    ] as const) {
      const request = `${HEAD}${header}\r\nConnection: close\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
      const response = await send(served, request);
      assert.equal(response.status, status, header);
    }
    assert.equal(served.test.log.revealed.size, 1);
    await served.close();
  });

  test('two Prefer headers are one list', async () => {
    const served = await openServed();
    const request = `${HEAD}Prefer: wait=1\r\nPrefer: return=minimal\r\nConnection: close\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
    const response = await send(served, request);
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('preference-applied'), 'return=minimal');
    await served.close();
  });

  test('idle uploads of one token hold at most a quarter of the queue', async () => {
    const served = await openServed({ open: { limits: { ...POOL_LIMITS, maxQueueEntries: 8 } } });
    const idle = [];
    for (let i = 0; i < 2; i++) {
      idle.push(await openSocket(served.port, `${HEAD}Content-Length: ${BODY.length}\r\n\r\n`));
    }
    await until(() => {
      const held = Array.from({ length: 7 }, () => tryReserve(served));
      for (const one of held) one?.release();
      return held.filter(Boolean).length === 6;
    });
    const refused = await post(served, FULL);
    assert.deepEqual([refused.status, refused.json['limit'], refused.json['unit']], [503, 2, 'entries']);
    assert.equal((await post(served, FLAT, { as: 'other' })).status, 201, 'others are not kept waiting');
    for (const socket of idle) socket.destroy();
    await until(() => served.requests.length >= 4);
    assert.equal((await post(served, FULL)).status, 201);
    await served.close();
  });
});

function tryReserve({ test: { log } }: TestSite): { release(): void } | undefined {
  try {
    return log.reserve(1);
  } catch {
    return undefined;
  }
}
