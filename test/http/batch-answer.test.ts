import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchAnswer, type Framing } from '../../src/http/batch-answer.ts';
import { BatchesFullError, BatchSlots } from '../../src/http/batch-limits.ts';
import { Pace } from '../../src/http/pace.ts';

const ARRAY: Framing = { type: 'application/json', begin: '{"items":[', between: ',', end: ']}\n' };
const LINES: Framing = { type: 'application/x-ndjson', begin: '', between: '\n', end: '\n' };

async function read(answer: BatchAnswer): Promise<string> {
  return new Response(answer.stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

test('items stand in their frame, however they come', async () => {
  for (const [framing, text] of [
    [ARRAY, '{"items":[1,2,3]}\n'],
    [LINES, '1\n2\n3\n'],
  ] as const) {
    const answer = new BatchAnswer({ framing, maxHeldBytes: 1000, cut: undefined });
    const reading = read(answer);
    await answer.add(['1', '2']);
    await later(1);
    await answer.add([]);
    await answer.add(['3']);
    answer.end();
    assert.equal(await reading, text);
    await answer.done;
  }
});

test('what is not taken is held up to a bound, and whoever adds more waits', async () => {
  const answer = new BatchAnswer({ framing: LINES, maxHeldBytes: 100, cut: undefined });
  const item = 'x'.repeat(60);
  await answer.add([item]);
  let isAdded = false;
  const adding = answer.add([item]).then(() => (isAdded = true));
  await later(5);
  assert.equal(isAdded, false);
  const reader = answer.stream.getReader();
  assert.equal((await reader.read()).value?.length, 60);
  await adding;
  const large = answer.add(['y'.repeat(200_000)]);
  assert.equal((await reader.read()).value?.length, 61);
  await large;
  answer.end();
  const lengths: number[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read())
    lengths.push(next.value.length);
  assert.equal(
    lengths.reduce((sum, length) => sum + length, 0),
    200_002,
    'one that is larger than the bound goes alone',
  );
  assert.ok(lengths.every((length) => length <= 64 * 1024));
  await answer.done;
});

test('a client that is gone holds nothing, and keeps nobody waiting', async () => {
  const answer = new BatchAnswer({ framing: LINES, maxHeldBytes: 100, cut: undefined });
  await answer.add(['x'.repeat(90)]);
  const waiting = answer.add(['x'.repeat(90)]);
  await answer.stream.cancel();
  await waiting;
  await answer.done;
  assert.ok(answer.isGone);
  await answer.add(['x'.repeat(200)]);
  answer.end();

  const idle = new BatchAnswer({ framing: LINES, maxHeldBytes: 100, cut: undefined });
  const reading = idle.stream.getReader().read();
  idle.leave();
  await idle.done;
  void reading;
});

test('a client is cut off when it asks for nothing for too long, and not while there is nothing to ask for', async () => {
  let cuts = 0;
  const pace = { graceMs: 60, bytesPerS: 1000, maxIdleMs: 1000 };
  const answer = new BatchAnswer({ framing: LINES, maxHeldBytes: 1e6, cut: () => cuts++, pace });
  const reader = answer.stream.getReader();
  await later(100);
  assert.equal(cuts, 0);
  for (let i = 0; i < 5; i++) {
    await answer.add(['x'.repeat(100)]);
    await later(30);
    await reader.read();
  }
  assert.equal(cuts, 0, 'each piece earns time for the next');
  await answer.add(['x'.repeat(10)]);
  await later(700);
  assert.equal(cuts, 1);
  answer.leave();
});

test('a pace: some time, then what the bytes are worth, and never long without one', () => {
  const pace = new Pace({ graceMs: 1000, bytesPerS: 100, maxIdleMs: 800 });
  assert.equal(pace.leftMs, 800);
  pace.moved(600, 10);
  assert.equal(pace.leftMs, 500);
  pace.moved(500, 0);
  assert.equal(pace.leftMs, 0);
  pace.moved(0, 1000);
  assert.equal(pace.leftMs, 800);
});

test('so many batches at once, and of one caller; each ends once', () => {
  const slots = new BatchSlots({ maxAtOnce: 3, maxAtOnceOfOne: 2 });
  const first = slots.take('a');
  const second = slots.take('a');
  assert.throws(
    () => slots.take('a'),
    (error) => error instanceof BatchesFullError && error.limit === 2,
  );
  slots.take('b');
  assert.throws(
    () => slots.take('c'),
    (error) => error instanceof BatchesFullError && error.limit === 3,
  );
  first();
  first();
  slots.take('c');
  assert.throws(() => slots.take('d'), { code: 'queue_full', unit: 'batches' });
  second();
  slots.take('a');
});
