/**
 * The fault matrix: each durable step of a round fails, having been persisted or not. What was acknowledged is there
 * afterwards, what was refused may or may not be, and no head that anybody saw is contradicted.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { proveConsistency, verifyConsistency } from '../../src/core/proof.ts';
import { fsck } from '../../src/log/fsck.ts';
import type { SignedHead } from '../../src/log/round-record.ts';
import type { LogSignal } from '../../src/log/signals.ts';
import { storeSource } from '../../src/log/store-source.ts';
import { checkpointKey } from '../../src/storage/keys.ts';
import { FaultyStore, type Fault } from '../support/faulty-store.ts';
import { openTestLog, type TestLog, type TestLogOptions, testEntry } from '../support/test-log.ts';

async function faultyLog(
  options: TestLogOptions = {},
): Promise<{ t: TestLog; faulty: FaultyStore; signals: LogSignal[] }> {
  const wrapped: FaultyStore[] = [];
  const signals: LogSignal[] = [];
  const t = await openTestLog({
    ...options,
    wrapStore: (store) => {
      const faulty = new FaultyStore(store);
      wrapped.push(faulty);
      return faulty;
    },
    open: { onSignal: (signal) => signals.push(signal) },
  });
  return { t, faulty: wrapped.at(-1)!, signals };
}

/** Opens what the failure left behind, checks it whole and against every head seen, and appends to it. */
async function recovered(t: TestLog, seen: readonly SignedHead[]): Promise<number> {
  const again = await t.reopen();
  const { revealed } = again.log;
  for (const head of seen) {
    assert.ok(head.size <= revealed.size, 'a head that was seen is lost');
    if (head.size === 0) continue;
    const proof = await proveConsistency(head.size, revealed.size, again.log.hashes(revealed.size));
    verifyConsistency(head.size, revealed.size, head.root, revealed.root, proof);
  }
  const size = revealed.size;
  assert.equal(await again.append(testEntry(size)), size);
  await again.publish();
  await again.log.close();
  const report = await fsck(storeSource(t.store), { verifiers: [t.verifier], origin: t.origin });
  assert.deepEqual(report.findings, []);
  return size;
}

describe('a commit fails', () => {
  for (const fault of ['not persisted', 'persisted'] as const satisfies readonly Fault[]) {
    for (const before of [0, 3, 255, 256, 600]) {
      test(`${fault}, after ${before} entries: the log stops, and opens again with all that was acknowledged`, async () => {
        const { t, faulty, signals } = await faultyLog({ entries: before });
        const seen = [t.log.revealed];
        faulty.failNext(fault);
        const doomed = Promise.allSettled([0, 1, 2].map((i) => t.append(testEntry(before + i))));
        const outcomes = await doomed;
        assert.ok(outcomes.every(({ status }) => status === 'rejected'));
        assert.equal(t.log.revealed.size, before, 'nothing is revealed that was not answered');
        assert.equal(t.log.accepting, false);
        assert.throws(() => t.log.reserve(1), { code: 'storage_failed' });
        await assert.rejects(t.append(testEntry(0)), { code: 'storage_failed' });
        assert.ok(signals.some(({ event }) => event === 'fatal'));
        assert.equal(await recovered(t, seen), fault === 'persisted' ? before + 3 : before);
      });
    }
  }

  test('while a publication rides: the slot does not move, and catches up after reopening', async () => {
    for (const fault of ['not persisted', 'persisted'] as const) {
      const { t, faulty } = await faultyLog({ entries: 10 });
      await t.append(testEntry(10));
      faulty.failNext(fault);
      await assert.rejects(t.publish(), /stopped/);
      assert.equal(t.log.published.size, 10);
      const again = await t.reopen();
      assert.equal(again.log.published.size, fault === 'persisted' ? 11 : 10);
      await again.publish();
      assert.equal(again.log.published.size, 11);
      await again.log.close();
    }
  });

  test('entries of later rounds in the queue are refused with it', async () => {
    const { t, faulty } = await faultyLog({ entries: 1 });
    faulty.failNext('not persisted');
    const many = Array.from({ length: 5000 }, (_, i) => t.append(testEntry(1 + i)));
    const outcomes = await Promise.allSettled(many);
    assert.ok(outcomes.every(({ status }) => status === 'rejected'));
    assert.equal(await recovered(t, [t.log.revealed]), 1);
  });
});

describe('the guard fails', () => {
  for (const persisted of [false, true]) {
    test(`${persisted ? 'having written' : 'without writing'}: the log stops unrevealed, and recovery catches the guard up`, async () => {
      const { t } = await faultyLog({ entries: 5 });
      const write = t.guard.write.bind(t.guard);
      t.guard.write = async (head) => {
        t.guard.write = write;
        if (persisted) await write(head);
        throw new Error('injected fault');
      };
      await assert.rejects(t.append(testEntry(5)), { code: 'storage_failed' });
      assert.equal(t.log.revealed.size, 5);
      assert.equal(await recovered(t, [t.log.revealed]), 6);
    });
  }
});

describe('a read fails', () => {
  test('among the kept checkpoints: publishing goes on, and says so', async () => {
    const { t, faulty, signals } = await faultyLog({ entries: 3 });
    faulty.failScan = ({ from }) => from[0] === checkpointKey(0)[0];
    await t.append(testEntry(3));
    await t.publish();
    assert.equal(t.log.published.size, 4);
    assert.ok(signals.some((signal) => signal.event === 'damage_read' && signal.what === 'kept checkpoints'));
    await assert.rejects(t.log.checkpointCovering(0), { code: 'storage_failed' });
    await t.log.close();
  });
});

describe('a listener fails', () => {
  test('and nobody who waits for a round is left waiting', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const t = await openTestLog({
      open: {
        onSignal: () => {
          throw new Error('a listener of ours is broken');
        },
      },
    });
    assert.equal(await t.append(testEntry(0)), 0);
    assert.equal(await t.append(testEntry(1)), 1);
    await t.publish();
    await t.log.close();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    assert.ok(warnings.some(({ message }) => /listener of ours/.test(message)));
  });
});

describe('close', () => {
  test('lets go of the store and the guard, whatever else fails', async () => {
    const closed: string[] = [];
    const { t } = await faultyLog({ entries: 1 });
    const guardClose = t.guard.close.bind(t.guard);
    t.guard.close = () => {
      closed.push('guard');
      return guardClose();
    };
    t.guard.write = () => Promise.reject(new Error('injected fault'));
    await assert.rejects(t.append(testEntry(1)), { code: 'storage_failed' });
    await t.log.close();
    assert.deepEqual(closed, ['guard']);
  });

  test('a reservation from before it is refused after it, and given back', async () => {
    const { t } = await faultyLog({ entries: 1 });
    const reservation = t.log.reserve(10);
    await t.log.close();
    await assert.rejects(t.log.append({ entry: testEntry(1), reservation }), /shutting down/);
    const report = await fsck(storeSource(t.store), { verifiers: [t.verifier], origin: t.origin });
    assert.deepEqual([report.size, report.findings], [1, []]);
  });
});
