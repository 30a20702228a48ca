import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryStore } from '../../src/storage/memory.ts';
import { Clearing } from '../../src/vault/clearing.ts';
import { type ErasureRow, ErasureRows, newErasureId } from '../../src/vault/erasure-row.ts';
import { Sealing } from '../../src/vault/states.ts';
import { TEST_TIME_MS } from '../support/test-log.ts';
import { until } from '../support/until.ts';
import { WatchedStore } from '../support/watched-store.ts';

const DELAY_MS = 60;
const AGAIN_MS = 90;
/** A timer may fire that much early. */
const EARLY_MS = 2;
const DONE_MS = TEST_TIME_MS + 5;

interface Fixture {
  readonly clearing: Clearing;
  readonly failures: unknown[];
  /** When each clearing of the files began, of one slice after the other. */
  readonly begun: number[];
  /** What fails of the next clearings: clearing the files, or saying so. */
  readonly faults: ('compact' | 'write')[];
  /** An erasure that is to be cleared. */
  make(): Promise<string>;
  stateOf(erasureId: string): Promise<ErasureRow['state'] | undefined>;
  end(): Promise<void>;
}

function open(): Fixture {
  const store = new WatchedStore(new MemoryStore());
  const rows = new ErasureRows(store, new Sealing(new Uint8Array(32).fill(7)));
  const failures: unknown[] = [];
  const begun: number[] = [];
  const faults: Fixture['faults'] = [];
  let isBegun = false;
  store.onCompact = () => {
    if (!isBegun) begun.push(performance.now());
    isBegun = true;
    if (faults[0] === 'compact') throw new Error(`injected fault: ${faults.shift()!}`);
  };
  let running: Promise<void> = Promise.resolve();
  const clearing = new Clearing({
    store,
    erasures: rows,
    log: {
      async write(batch) {
        if (faults[0] === 'write') throw new Error(`injected fault: ${faults.shift()!}`);
        await store.commit(batch);
      },
    },
    now: () => DONE_MS,
    inTurn: (work) => {
      running = running.then(work).finally(() => (isBegun = false));
    },
    compactDelayMs: DELAY_MS,
    clearAgainMs: AGAIN_MS,
    onFailure: (error) => failures.push(error),
  });
  return {
    clearing,
    failures,
    begun,
    faults,
    async make() {
      const erasureId = newErasureId();
      const row: ErasureRow = {
        erasureId,
        reason: 'other',
        requestedBy: 'operator',
        requestedTimeMs: TEST_TIME_MS,
        scope: { leafIndexes: [1] },
        state: 'compacting',
        events: 1,
        erased: 1,
        slices: [[0, 0]],
        epoch: 1,
        doneTimeMs: undefined,
        failure: undefined,
      };
      await store.commit({ puts: [rows.row(row)] });
      return erasureId;
    },
    async stateOf(erasureId) {
      const row = await rows.find(erasureId);
      if (row?.state === 'done') assert.equal(row.doneTimeMs, DONE_MS);
      return row?.state;
    },
    async end() {
      clearing.close();
      await running;
    },
  };
}

async function whenDone(fixture: Fixture, erasureId: string): Promise<void> {
  await until(async () => (await fixture.stateOf(erasureId)) === 'done');
}

describe('a clearing', () => {
  test('waits for more, and then for the reads that began before', async () => {
    const fixture = open();
    const erasureId = await fixture.make();
    const addedMs = performance.now();
    fixture.clearing.add([erasureId]);
    await whenDone(fixture, erasureId);
    assert.equal(fixture.begun.length, 1);
    assert.ok(fixture.begun[0]! - addedMs >= 2 * (DELAY_MS - EARLY_MS));
    assert.deepEqual(fixture.failures, []);
  });

  test('at a start waits for those reads alone', async () => {
    const fixture = open();
    const erasureId = await fixture.make();
    const addedMs = performance.now();
    fixture.clearing.add([erasureId], 0);
    await whenDone(fixture, erasureId);
    const waitedMs = fixture.begun[0]! - addedMs;
    assert.ok(waitedMs >= DELAY_MS - EARLY_MS);
  });

  test('is one for all that are erased by then; who comes later has another', async () => {
    const fixture = open();
    const early = [await fixture.make(), await fixture.make(), await fixture.make()];
    for (const erasureId of early) fixture.clearing.add([erasureId]);
    await until(async () => fixture.begun[0]);
    const late = await fixture.make();
    fixture.clearing.add([late]);
    for (const erasureId of early) await whenDone(fixture, erasureId);
    await whenDone(fixture, late);
    assert.equal(fixture.begun.length, 2);
    assert.ok(fixture.begun[1]! - fixture.begun[0]! >= DELAY_MS - EARLY_MS);
  });

  for (const fault of ['compact', 'write'] as const) {
    test(`that failed (${fault}) is told, and tried again after a while until it is done`, async () => {
      const fixture = open();
      fixture.faults.push(fault, fault);
      const erasureId = await fixture.make();
      fixture.clearing.add([erasureId]);
      await until(async () => fixture.failures.length === 1);
      const failedMs = performance.now();
      assert.match(String(fixture.failures[0]), new RegExp(fault));
      assert.equal(await fixture.stateOf(erasureId), 'compacting');
      await whenDone(fixture, erasureId);
      assert.equal(fixture.failures.length, 2);
      assert.equal(fixture.begun.length, 3);
      assert.ok(fixture.begun[1]! - failedMs >= AGAIN_MS - DELAY_MS);
      assert.ok(fixture.begun[2]! - fixture.begun[1]! >= AGAIN_MS - EARLY_MS);
    });
  }

  test('of nothing is none', async () => {
    const fixture = open();
    fixture.clearing.add([], 0);
    await new Promise((resolve) => setTimeout(resolve, 2 * DELAY_MS));
    assert.deepEqual(fixture.begun, []);
  });

  test('is left to the next start where it is closed, before it or in the middle of it', async () => {
    const fixture = open();
    const erasureId = await fixture.make();
    fixture.clearing.add([erasureId]);
    await fixture.end();
    await new Promise((resolve) => setTimeout(resolve, 3 * DELAY_MS));
    assert.deepEqual([fixture.begun, await fixture.stateOf(erasureId)], [[], 'compacting']);

    const other = open();
    const second = await other.make();
    other.clearing.add([second], 0);
    await until(async () => other.begun[0]);
    await other.end();
    assert.equal(await other.stateOf(second), 'compacting');
    assert.deepEqual(other.failures, []);
  });
});
