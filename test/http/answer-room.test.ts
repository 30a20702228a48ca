import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { MAX_ENTRY_BYTES } from '../../src/formats/entry-bundle.ts';
import {
  ANSWER_LIMITS,
  type AnswerLimits,
  AnswerRoom,
  type Client,
  type Lease,
} from '../../src/http/answer-room.ts';
import { createPublicApp } from '../../src/http/app.ts';
import { listen } from '../../src/http/listen.ts';
import { openTestSite } from '../support/test-site.ts';
import { until } from '../support/until.ts';

function roomOf(limits: Partial<AnswerLimits>): AnswerRoom {
  return new AnswerRoom({ ...ANSWER_LIMITS, ...limits });
}

/** Whether a promise has resolved by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const mark = (): void => void (settled = true);
  promise.then(mark, mark);
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return settled;
}

test('who finds no room waits in order, behind larger ones too', async () => {
  const room = roomOf({ maxBytes: 100 });
  const first = await room.take(70);
  const large = room.take(60);
  const small = room.take(10);
  assert.equal(await isSettled(large), false);
  assert.equal(await isSettled(small), false, 'there is room, and somebody before it');
  first.shrink(40);
  await large;
  assert.equal(await isSettled(small), false);
  first.release();
  first.release();
  (await small).release();
  (await large).release();
  assert.equal(room.heldBytes, 0);
});

test('an answer larger than all room has it for itself', async () => {
  const room = roomOf({ maxBytes: 100 });
  const lease = await room.take(1000);
  assert.equal(room.heldBytes, 100);
  const next = room.take(1);
  assert.equal(await isSettled(next), false);
  lease.release();
  (await next).release();
});

test('a line that is full, and a wait that is too long, are said', async () => {
  const room = roomOf({ maxBytes: 10, maxWaiting: 2, maxWaitMs: 50 });
  const held = await room.take(10);
  const waiting: Promise<Lease>[] = [room.take(1), room.take(1)];
  const ended = Promise.allSettled(waiting);
  await assert.rejects(room.take(1), { code: 'queue_full', limit: 10, unit: 'bytes' });
  // The timer keeps no process alive.
  const alive = setInterval(() => {}, 100);
  assert.deepEqual(
    (await ended).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  clearInterval(alive);
  held.release();
  assert.equal(room.heldBytes, 0);
});

interface Served {
  readonly room: AnswerRoom;
  readonly port: number;
  readonly errors: unknown[];
  readonly close: () => Promise<void>;
}

/** A log with a full bundle of 16 MiB, and room for one such answer. */
async function openServed(limits: Partial<AnswerLimits> = {}): Promise<Served> {
  const entries = Array.from({ length: 260 }, (_, i) => new Uint8Array(MAX_ENTRY_BYTES).fill(i));
  const { site, test: log, errors } = await openTestSite({ entries });
  const room = roomOf({ maxBytes: ANSWER_LIMITS.maxBytes / 4, ...limits });
  const listening = await listen({ host: '127.0.0.1', port: 0 });
  listening.serve(createPublicApp({ ...site, answerRoom: room }));
  return {
    room,
    port: listening.port,
    errors,
    async close() {
      await listening.close(0);
      await log.log.close();
    },
  };
}

/** A client that asks and never reads. */
function ask(port: number, target: string, times: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(times));
  return socket;
}

async function fetchLength(port: number, target: string): Promise<[status: number, length: number]> {
  const response = await fetch(`http://127.0.0.1:${port}${target}`);
  return [response.status, (await response.arrayBuffer()).byteLength];
}

const BUNDLE = '/tile/entries/000';
const BUNDLE_BYTES = 256 * (2 + MAX_ENTRY_BYTES);

test('clients that ask for much and read nothing hold no more than there is room for, and give it back', async () => {
  const { room, port, errors, close } = await openServed();
  const socket = ask(port, BUNDLE, 30);
  await until(() => room.heldBytes === BUNDLE_BYTES);
  const waiting = fetchLength(port, BUNDLE);
  const small = await fetch(`http://127.0.0.1:${port}/checkpoint`);
  assert.equal(small.status, 200, 'what needs no room does not wait');
  await small.text();
  socket.destroy();
  assert.deepEqual(await waiting, [200, BUNDLE_BYTES]);
  await until(() => room.heldBytes === 0);
  assert.deepEqual(errors, []);
  await close();
});

test('who does not take an answer is cut off while others wait', async () => {
  const { room, port, close } = await openServed({ maxHeldMs: 100 });
  const socket = ask(port, BUNDLE, 2);
  await until(() => room.heldBytes === BUNDLE_BYTES);
  let isClosed = false;
  socket.once('close', () => (isClosed = true));
  assert.deepEqual(await fetchLength(port, BUNDLE), [200, BUNDLE_BYTES]);
  socket.resume();
  await until(() => isClosed);
  await until(() => room.heldBytes === 0);
  await close();
});

test('what is held is what the answer has, and nothing after HEAD or an error', async () => {
  const { room, port, close } = await openServed();
  const leaves = await fetchLength(port, '/v1/leaves/255');
  assert.equal(leaves[0], 200);
  const head = await fetch(`http://127.0.0.1:${port}${BUNDLE}`, { method: 'HEAD' });
  assert.equal(head.headers.get('Content-Length'), String(BUNDLE_BYTES));
  assert.deepEqual((await fetchLength(port, '/tile/entries/002'))[0], 404);
  await until(() => room.heldBytes === 0);
  const socket = ask(port, '/v1/leaves?limit=1000', 1);
  await until(() => room.heldBytes > 0);
  socket.destroy();
  await until(() => room.heldBytes === 0);
  await close();
});

test('a client that leaves while its answer is being made does not give its room back before that is done', async () => {
  const room = roomOf({ maxBytes: 100 });
  const socket = new PassThrough();
  const outgoing = new PassThrough();
  const lease = await room.take(60, { incoming: { socket }, outgoing } as unknown as Client);
  outgoing.emit('close');
  socket.emit('close');
  assert.equal(room.heldBytes, 60, 'the work goes on');
  const next = room.take(60);
  assert.equal(await isSettled(next), false);
  lease.shrink(10);
  assert.equal(await isSettled(next), true);
  (await next).release();
  assert.equal(room.heldBytes, 0);
});
