/** The rhythm of asking: one head at a time, the newest there is, never sooner than the interval, until it is met. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Publication } from '../../src/log/kept.ts';
import { SlotAsking } from '../../src/log/slot-asking.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { SLOW } from '../support/slow.ts';

const INTERVAL_MS = 250;
/** How soon an unmet head is asked for again where the interval is shorter. */
const AGAIN_MS = 1000;

function headOf(size: number): Publication {
  return { size, root: new Uint8Array(32), timeMs: size, checkpoint: new Uint8Array() };
}

interface Asked {
  readonly size: number;
  readonly atMs: number;
  readonly end: (error?: Error) => void;
}

/** Witnesses that answer when the test says so. */
class Slot {
  readonly clock = new ManualClock(0);
  readonly asked: Asked[] = [];
  readonly unmet: number[] = [];
  readonly failures: unknown[] = [];
  readonly met: Set<number> = new Set();
  readonly asking: SlotAsking;
  open = 0;
  mostOpen = 0;

  constructor(intervalMs = INTERVAL_MS) {
    this.asking = new SlotAsking({
      clock: this.clock,
      intervalMs,
      ask: ({ size }) => this.#ask(size),
      isMet: ({ size }) => this.met.has(size),
      onUnmet: ({ size }) => this.unmet.push(size),
      onFailure: (error) => this.failures.push(error),
    });
  }

  get sizes(): number[] {
    return this.asked.map(({ size }) => size);
  }

  offer(...sizes: number[]): void {
    for (const size of sizes) this.asking.offer(headOf(size));
  }

  /** The asking under way ends: met, or not. */
  async end(how: 'met' | 'unmet' | Error = 'met'): Promise<void> {
    const { size, end } = this.asked.at(-1)!;
    if (how === 'met') this.met.add(size);
    end(how instanceof Error ? how : undefined);
    await settled();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settled();
  }

  #ask(size: number): Promise<void> {
    this.mostOpen = Math.max(this.mostOpen, ++this.open);
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        this.open--;
        if (error) reject(error);
        else resolve();
      };
      this.asked.push({ size, atMs: this.clock.elapsed(), end });
    });
  }
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('a head', () => {
  test('is asked for at once where nothing was before, and once where it is met', async () => {
    const slot = new Slot();
    slot.offer(1);
    assert.deepEqual(slot.sizes, [1]);
    await slot.end('met');
    await slot.pass(60_000);
    assert.deepEqual([slot.sizes, slot.unmet], [[1], []]);
  });

  test('waits for the interval since the last asking began, and gives way to a newer one', async () => {
    const slot = new Slot();
    slot.offer(1);
    await slot.end('met');
    await slot.pass(100);
    slot.offer(2, 3);
    await slot.pass(100);
    slot.offer(4);
    await slot.pass(49);
    assert.deepEqual(slot.sizes, [1]);
    await slot.pass(1);
    assert.deepEqual(slot.sizes, [1, 4]);
    await slot.end('met');
    await slot.pass(10 * INTERVAL_MS);
    slot.offer(5);
    assert.deepEqual(slot.sizes, [1, 4, 5], 'the interval is over');
  });

  test('waits for the asking under way, however long that takes, and follows it at once', async () => {
    const slot = new Slot();
    slot.offer(1);
    slot.offer(2);
    await slot.pass(10 * INTERVAL_MS);
    slot.offer(3);
    assert.deepEqual(slot.sizes, [1]);
    await slot.end('met');
    assert.deepEqual([slot.sizes, slot.unmet], [[1, 3], []]);
  });

  test('that a late line has met is not asked for', async () => {
    const slot = new Slot();
    slot.offer(1);
    await slot.end('met');
    slot.offer(2);
    slot.met.add(2);
    await slot.pass(60_000);
    assert.deepEqual([slot.sizes, slot.unmet], [[1], []]);
    slot.offer(3);
    assert.deepEqual(slot.sizes, [1, 3], 'and the next one is');
  });
});

describe('a head that is not met', () => {
  test('is said to be so and asked for again, a second after it was, until it is', async () => {
    const slot = new Slot();
    slot.offer(1);
    await slot.pass(300);
    await slot.end('unmet');
    assert.deepEqual(slot.unmet, [1]);
    await slot.pass(AGAIN_MS - 300 - 1);
    assert.deepEqual(slot.sizes, [1]);
    await slot.pass(1);
    assert.deepEqual(slot.sizes, [1, 1]);
    await slot.end('unmet');
    await slot.pass(AGAIN_MS);
    await slot.end('met');
    await slot.pass(60_000);
    assert.deepEqual(
      [slot.sizes, slot.unmet],
      [
        [1, 1, 1],
        [1, 1],
      ],
    );
  });

  test('is asked for no sooner than the interval, where that is longer: its witnesses count requests', async () => {
    const slot = new Slot(60_000);
    slot.offer(1);
    await slot.end('unmet');
    await slot.pass(59_999);
    assert.deepEqual(slot.sizes, [1]);
    await slot.pass(1);
    assert.deepEqual(slot.sizes, [1, 1]);
  });

  test('gives way to a newer one, which waits for the interval alone', async () => {
    const slot = new Slot();
    slot.offer(1);
    await slot.end('unmet');
    await slot.pass(100);
    slot.offer(2);
    await slot.pass(INTERVAL_MS - 100);
    assert.deepEqual(slot.sizes, [1, 2]);
    await slot.end('met');
    await slot.pass(60_000);
    assert.deepEqual(slot.sizes, [1, 2], 'the older one is not asked for any more');
  });

  test('gives way to one that came while it was asked for', async () => {
    const slot = new Slot();
    slot.offer(1);
    slot.offer(2);
    await slot.pass(INTERVAL_MS);
    await slot.end('unmet');
    assert.deepEqual([slot.sizes, slot.unmet], [[1, 2], [1]]);
  });

  test('is not asked for again once a late line has met it', async () => {
    const slot = new Slot();
    slot.offer(1);
    await slot.end('unmet');
    slot.met.add(1);
    await slot.pass(60_000);
    assert.deepEqual([slot.sizes, slot.unmet], [[1], [1]]);
  });

  test('because something of ours failed is asked for again, and the failure is told', async () => {
    const slot = new Slot();
    const failure = new Error('no proof');
    slot.offer(1);
    await slot.end(failure);
    assert.deepEqual([slot.failures, slot.unmet], [[failure], [1]]);
    await slot.pass(AGAIN_MS);
    assert.deepEqual(slot.sizes, [1, 1]);
    await slot.end('met');
    await slot.pass(60_000);
    assert.deepEqual([slot.sizes.length, slot.failures.length], [2, 1]);
  });
});

describe('once it is stopped', () => {
  test('nothing is asked for, neither what waits nor what is offered', async () => {
    const slot = new Slot();
    slot.offer(1);
    await slot.end('met');
    slot.offer(2);
    slot.asking.stop();
    slot.offer(3);
    await slot.pass(60_000);
    assert.deepEqual(slot.sizes, [1]);
  });

  test('the asking under way ends without a word, and without another', async () => {
    const slot = new Slot();
    slot.offer(1);
    slot.offer(2);
    slot.asking.stop();
    await slot.end('unmet');
    await slot.pass(60_000);
    assert.deepEqual([slot.sizes, slot.unmet], [[1], []]);
  });
});

test('whatever comes when: one asking at a time, never too soon, of the newest head, until that is met', async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant({ kind: 'offer' } as const) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 700 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('end' as const),
        how: fc.constantFrom('met' as const, 'unmet' as const, 'failed' as const),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'late' } as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const slot = new Slot();
      /** The newest head when each asking began. */
      const newest: number[] = [];
      let offered = 0;
      const look = (): void => {
        while (newest.length < slot.asked.length) newest.push(offered);
      };
      for (const taken of steps) {
        if (taken.kind === 'offer') slot.offer(++offered);
        else if (taken.kind === 'pass') await slot.pass(taken.ms);
        else if (taken.kind === 'late') slot.met.add(offered);
        else if (slot.open > 0) await slot.end(taken.how === 'failed' ? new Error('failed') : taken.how);
        look();
      }
      for (let i = 0; i < 4; i++) {
        if (slot.open > 0) await slot.end('met');
        look();
        await slot.pass(AGAIN_MS);
        look();
      }
      assert.ok(slot.mostOpen <= 1);
      assert.deepEqual(slot.sizes, newest);
      slot.asked.slice(1).forEach(({ atMs, size }, i) => {
        const before = slot.asked[i]!;
        const leastMs = size === before.size ? AGAIN_MS : INTERVAL_MS;
        assert.ok(atMs - before.atMs >= leastMs, `${atMs - before.atMs} ms after the last`);
      });
      assert.ok(offered === 0 || slot.met.has(offered), 'the newest is met in the end');
      assert.equal(slot.open, 0);
    }),
    { numRuns: SLOW ? 3000 : 150 },
  );
});
