/** The thread that signs with ML-DSA-44: the signatures are those of plain JavaScript, whatever becomes of the thread. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { MldsaThread } from '../../src/cli/mldsa-node.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';

const THREAD = new URL('../support/tsx-thread.mjs', import.meta.url);
const ENTRY = new URL('../../src/cli/mldsa-worker.ts', import.meta.url).href;
const seeds = [1, 2].map((n) => new Uint8Array(32).fill(n));
const messages = ['a', 'b', 'c'].map((text) => new TextEncoder().encode(text));
const want = seeds.map((seed) => messages.map((message) => nobleMldsa44.sign(seed, message)));

function started(): { thread: MldsaThread; workers: Worker[] } {
  const workers: Worker[] = [];
  const thread = new MldsaThread(() => {
    const worker = new Worker(THREAD, { workerData: { entry: ENTRY } });
    workers.push(worker);
    return worker;
  });
  return { thread, workers };
}

const signAll = ({ thread }: { thread: MldsaThread }): Promise<Uint8Array[][]> =>
  Promise.all(seeds.map((seed) => Promise.all(messages.map((message) => thread.sign(seed, message)))));

test('signs in a thread, which is one for all, and takes no seed from whoever gave it', async () => {
  const all = started();
  assert.deepEqual(await signAll(all), want);
  assert.equal(all.workers.length, 1);
  assert.deepEqual(seeds[0], new Uint8Array(32).fill(1));
  await all.thread.close();
  assert.equal(all.workers[0]!.threadId, -1);
});

test('what is with a thread that dies is signed here, and so is what comes soon after', async () => {
  const all = started();
  const signing = signAll(all);
  await all.workers[0]!.terminate();
  assert.deepEqual(await signing, want);
  assert.deepEqual(await signAll(all), want);
  assert.equal(all.workers.length, 1);
  await all.thread.close();
});

test('a thread that cannot start costs nothing but itself', async () => {
  const thread = new MldsaThread(() => new Worker('throw new Error("no")', { eval: true }));
  assert.deepEqual(await thread.sign(seeds[0]!, messages[0]!), want[0]![0]);
  await thread.close();
});

test('a seed of a wrong length is a RangeError, in the thread and without one', async () => {
  const { thread } = started();
  for (const one of [thread, new MldsaThread(undefined)]) {
    await assert.rejects(one.sign(new Uint8Array(31), messages[0]!), RangeError);
    assert.deepEqual(await one.sign(seeds[0]!, messages[0]!), want[0]![0]);
    await one.close();
    await assert.rejects(one.sign(seeds[0]!, messages[0]!), /closed/);
  }
});

test('what is with the thread when it is closed is rejected', async () => {
  const all = started();
  const signing = all.thread.sign(seeds[0]!, messages[0]!);
  const rejected = assert.rejects(signing, /closed/);
  const exit = once(all.workers[0]!, 'exit');
  await all.thread.close();
  await Promise.all([rejected, exit]);
});
