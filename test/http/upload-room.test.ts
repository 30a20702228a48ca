/** Who has room among strangers, by network: of bodies that are waited for, and of requests whose bodies are whole. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Hono } from 'hono';
import { NewelError } from '../../src/errors.ts';
import { UploadRoom, type UploadRoomLimits } from '../../src/http/upload-room.ts';
import { type PlayedRequest, requestFrom } from '../support/request-from.ts';

const LIMITS: UploadRoomLimits = {
  maxRequests: 4,
  maxRequestsEach: 2,
  maxBytes: 400,
  maxWaiting: 8,
  maxWaitingEach: 3,
  maxBodyBytes: 100,
};

/** A room whose requests are answered when they are told to be. */
function playedRoom(limits: Partial<UploadRoomLimits> = {}) {
  const room = new UploadRoom({ ...LIMITS, ...limits });
  const app = new Hono();
  const answers: ((how: 'answered' | 'thrown') => void)[] = [];
  const call = async (body: Uint8Array): Promise<string> => {
    const how = await new Promise((resolve) => answers.push(resolve));
    if (how === 'thrown') throw new NewelError('storage_failed', 'a write failed');
    return `${body.length} bytes`;
  };
  app.post('/', async (c) => {
    try {
      return c.text((await room.run(c, call)) ?? 'no room');
    } catch (error) {
      assert.ok(error instanceof NewelError);
      return c.text(error.code);
    }
  });
  const begin = (address: string): PlayedRequest => requestFrom(app, address, '/');
  const send = async (address: string, bytes: number): Promise<string> => {
    const { incoming, response } = begin(address);
    incoming.end(Buffer.alloc(bytes));
    return (await response).text();
  };
  /** Until so many wait for their answer. */
  const answering = async (count: number): Promise<void> => {
    while (answers.length < count) await setImmediate();
  };
  return { begin, send, answers, answering };
}

const textOf = async ({ response }: PlayedRequest): Promise<string> => (await response).text();

test('whole bodies have places, so many of a network and of all, until they are answered', async () => {
  const { send, answers, answering } = playedRoom();
  const first = [send('203.0.113.1', 50), send('203.0.113.2', 60)];
  await answering(2);
  assert.equal(await send('::ffff:203.0.113.3', 1), 'no room', 'two of a network');
  assert.equal(await send('203.0.113.3', 101), 'too_large');
  const others = [send('2001:db8:1::1', 70), send('198.51.100.1', 80)];
  await answering(4);
  assert.equal(await send('192.0.2.1', 1), 'no room', 'four of all');
  answers.shift()!('answered');
  answers.shift()!('thrown');
  assert.deepEqual(await Promise.all(first), ['50 bytes', 'storage_failed']);
  const again = [send('203.0.113.4', 1), send('203.0.113.5', 2)];
  await answering(4);
  for (const answer of answers) answer('answered');
  assert.deepEqual(await Promise.all([...others, ...again]), ['70 bytes', '80 bytes', '1 bytes', '2 bytes']);
});

test('where the network is not known there is no share of one, only that of all', async () => {
  const { send, answers, answering } = playedRoom();
  const nearby = ['127.0.0.1', '10.0.0.1', '::1', '192.168.1.1'].map((address) => send(address, 100));
  await answering(4);
  assert.equal(await send('127.0.0.1', 0), 'no room');
  for (const answer of answers) answer('answered');
  assert.deepEqual(new Set(await Promise.all(nearby)), new Set(['100 bytes']));
});

test('whole bodies stay: what is over the bytes is what comes, once nothing more can be cut off', async () => {
  const { begin, send, answers, answering } = playedRoom({ maxBytes: 200 });
  const whole = [send('203.0.113.1', 90), send('198.51.100.1', 90)];
  await answering(2);
  const slow = begin('192.0.2.1');
  slow.incoming.write(Buffer.alloc(15));
  await setImmediate();
  const other = send('2001:db8:1::1', 20);
  assert.equal(await textOf(slow), 'no room', 'the one that held most of what waits');
  await answering(3);
  assert.equal(await send('2001:db8:2::1', 1), 'no room');
  for (const answer of answers) answer('answered');
  assert.deepEqual(await Promise.all([...whole, other]), ['90 bytes', '90 bytes', '20 bytes']);
  const last = send('203.0.113.1', 100);
  await answering(4);
  answers[3]!('answered');
  assert.equal(await last, '100 bytes', 'all bytes were given back');
});

test('who begins many bodies and ends none takes nobody’s place', async () => {
  const { begin, send, answers, answering } = playedRoom();
  const honest = begin('198.51.100.1');
  honest.incoming.write('a');
  const idle = Array.from({ length: 40 }, (_, i) => begin(`203.0.113.${i}`));
  assert.deepEqual(new Set(await Promise.all(idle.slice(0, 37).map(textOf))), new Set(['no room']));
  honest.incoming.end('b');
  const other = send('192.0.2.1', 100);
  await answering(2);
  for (const answer of answers) answer('answered');
  assert.deepEqual(await Promise.all([textOf(honest), other]), ['2 bytes', '100 bytes']);
  for (const { incoming } of idle) incoming.destroy();
  assert.deepEqual(new Set(await Promise.all(idle.slice(37).map(textOf))), new Set(['malformed']));
});

test('what is counted is what is held: a buffer that has doubled counts with what is empty of it', async () => {
  const { begin, send, answers, answering } = playedRoom({ maxBodyBytes: 350 });
  const grown = begin('203.0.113.1');
  for (const bytes of [50, 1]) {
    grown.incoming.write(Buffer.alloc(bytes));
    for (let turn = 0; turn < 5; turn++) await setImmediate();
  }
  const other = send('198.51.100.1', 310);
  assert.equal(await textOf(grown), 'no room', '100 and 310 bytes are more than 400');
  await answering(1);
  answers[0]!('answered');
  assert.equal(await other, '310 bytes');
});

test('a body of 130,000 pieces is a body', async () => {
  const PIECES = 130_000;
  const room = new UploadRoom({ ...LIMITS, maxBytes: PIECES, maxBodyBytes: PIECES });
  const app = new Hono();
  app.post('/', async (c) => c.text(String(await room.run(c, async (body) => body.length))));
  let left = PIECES;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    if (left === 0) return controller.close();
    left -= 1;
    controller.enqueue(Uint8Array.of(97));
  };
  const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
  assert.equal(await (await app.request('/', init)).text(), String(PIECES));
});
