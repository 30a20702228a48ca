import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { EventInvalidError } from '../../src/errors.ts';
import { parseSdJwt } from '../../src/formats/sd-jwt.ts';
import { commitmentOf } from '../../src/event/leaf.ts';
import { PreparePool } from '../../src/vault/prepare-pool.ts';
import { type Draft, preparer } from '../../src/vault/prepare.ts';
import { decodeRecord } from '../../src/vault/record.ts';
import { keysOfSeed } from '../../src/vault/seed.ts';
import { exampleEvents } from '../support/test-vault.ts';

const PREPARING = {
  issuer: 'https://log.example/test',
  origin: 'log.example/test',
  indexKey: new Uint8Array(32).fill(0x49),
  redacting: [],
};
const prepareHere = preparer(PREPARING);
const THREAD = new URL('../support/tsx-thread.mjs', import.meta.url);
const ENTRY = new URL('../../src/cli/prepare-worker.ts', import.meta.url).href;
const EVENTS = ['flat.json', 'full.json', 'wire-transfer.ndjson', 'denied-push.ndjson'].flatMap(
  exampleEvents,
);

function draftOf(text: string): Draft {
  return {
    text,
    sources: ['test', 'https://bank.example/payments'],
    idempotencyKey: undefined,
    submitter: 'app',
    receivedTimeMs: 1_700_000_000_123,
  };
}

interface Started {
  readonly pool: PreparePool;
  readonly workers: Worker[];
  readonly failures: unknown[];
}

function startPool(t: TestContext): Started {
  const workers: Worker[] = [];
  const start = (): Worker => {
    const worker = new Worker(THREAD, { workerData: { ...PREPARING, entry: ENTRY } });
    workers.push(worker);
    return worker;
  };
  const failures: unknown[] = [];
  const pool = new PreparePool(start, PREPARING, (error) => failures.push(error));
  t.after(() => pool.close());
  return { pool, workers, failures };
}

/** Gives the pool two at a time until its thread is there. */
async function untilOnline({ pool, workers }: Started): Promise<void> {
  const draft = draftOf(JSON.stringify(EVENTS[0]));
  await Promise.all([pool.prepare(draft), pool.prepare(draft)]);
  await new Promise((resolve) => workers[0]!.once('message', resolve));
}

test('what the thread makes holds together, event by event, in their order', async (t) => {
  const started = startPool(t);
  await untilOnline(started);
  let messages = 0;
  started.workers[0]!.on('message', () => messages++);
  const texts = Array.from({ length: 40 }, (_, i) => JSON.stringify(EVENTS[i % EVENTS.length]));
  const prepared = await Promise.all(texts.map((text) => started.pool.prepare(draftOf(text))));
  assert.deepEqual([messages, started.failures.length], [3, 0], 'sixteen at a time');
  prepared.forEach((made, i) => {
    const here = prepareHere(draftOf(texts[i]!));
    const isFlat = here.id.startsWith('evt_');
    assert.deepEqual([made.source, made.subject], [here.source, here.subject]);
    if (!isFlat) assert.equal(made.id, here.id);
    const keys = keysOfSeed(made.seed);
    assert.deepEqual(Buffer.from(made.recordKey), Buffer.from(keys.recordKey));
    assert.deepEqual(Buffer.from(made.contentKey), Buffer.from(keys.contentKey));
    const encoded = Buffer.from(made.payload).toString('base64url');
    assert.deepEqual(Buffer.from(made.commitment), Buffer.from(commitmentOf(encoded)));
    const record = decodeRecord(made.encodedRecord);
    assert.equal(record.receivedTimeMs, 1_700_000_000_123);
    assert.equal(record.profile, isFlat ? 'flat/1' : 'stepup/1');
    assert.equal(record.disclosures.length, decodeRecord(here.encodedRecord).disclosures.length);
    const disclosures = record.disclosures.map(({ json }) => Buffer.from(json).toString('base64url'));
    assert.equal(
      parseSdJwt(`e30.${encoded}.AA~${disclosures.join('~')}~`.replace('e30', 'eyJhbGciOiJFZDI1NTE5In0'))
        .disclosures.length,
      disclosures.length,
    );
  });
  assert.equal(new Set(prepared.map(({ seed }) => Buffer.from(seed).toString('hex'))).size, 40);
});

test('what is refused in the thread is refused as it is here, and its neighbours are not', async (t) => {
  const started = startPool(t);
  await untilOnline(started);
  const good = JSON.stringify(EVENTS[1]);
  const texts = ['{', good, '{"schema":"stepup/9"}', '{"schema":"stepup/1","type":"login.failed"}', good];
  const results = await Promise.allSettled(texts.map((text) => started.pool.prepare(draftOf(text))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
  );
  results.forEach((result, i) => {
    if (result.status === 'fulfilled') return;
    let here: unknown;
    try {
      prepareHere(draftOf(texts[i]!));
    } catch (error) {
      here = error;
    }
    assert.ok(here instanceof Error && result.reason instanceof Error);
    assert.equal(result.reason.constructor, here.constructor);
    assert.deepEqual(partsOf(result.reason), partsOf(here));
    if (i === 3) assert.ok(result.reason instanceof EventInvalidError && result.reason.faults.length > 1);
  });
});

test('an event that comes alone starts no thread', async (t) => {
  const started = startPool(t);
  for (const event of EVENTS) await started.pool.prepare(draftOf(JSON.stringify(event)));
  assert.equal(started.workers.length, 0);
});

test('a thread that dies takes no more with it than what it was at, and its work is done here from then on', async (t) => {
  const started = startPool(t);
  await untilOnline(started);
  const drafts = Array.from({ length: 100 }, (_, i) => draftOf(JSON.stringify(EVENTS[i % EVENTS.length])));
  const preparing = Promise.allSettled(drafts.map((draft) => started.pool.prepare(draft)));
  await new Promise((resolve) => setImmediate(resolve));
  await started.workers[0]!.terminate();
  const lost = (await preparing).filter(({ status }) => status === 'rejected');
  assert.ok(lost.length <= 16, `${lost.length} were refused`);
  await Promise.all(drafts.map((draft) => started.pool.prepare(draft)));
  assert.equal(started.workers.length, 1);
});

test('after close the work is done here', async (t) => {
  const started = startPool(t);
  await untilOnline(started);
  await started.pool.close();
  const text = JSON.stringify(EVENTS[0]);
  const both = await Promise.all([started.pool.prepare(draftOf(text)), started.pool.prepare(draftOf(text))]);
  assert.equal(both.length, 2);
});

function partsOf(error: Error): unknown {
  return [error.message, 'code' in error && error.code, error instanceof EventInvalidError && error.faults];
}
