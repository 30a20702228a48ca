import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/formats/json.ts';
import { ROTATION_MS } from '../../src/vault/describe-erasure.ts';
import type { Epoch, EpochFile } from '../../src/vault/epochs.ts';
import { formatEpochs, parseEpochs } from '../../src/vault/epochs.ts';
import { parseDataKeyRow } from '../../src/vault/rows.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { StoredEvent } from '../../src/vault/vault.ts';
import { FAULTS } from '../support/faulty-store.ts';
import { SlowStore } from '../support/slow-store.ts';
import { TEST_TIME_MS } from '../support/test-log.ts';
import { TEST_MASTER } from '../support/test-vault.ts';
import { until } from '../support/until.ts';
import {
  type CrashVault,
  erasing,
  erasureIn,
  eventAbout,
  openCrashVault,
  rowsOf,
  subjectOf,
  submitGroup,
} from '../support/vault-crash.ts';

const EPOCH_MS = 3_600_000;
/** How often the upkeep looks whether an epoch is over. */
const CHECK_MS = 60_000;

/** An epoch file in memory whose replacing can be made to fail, and that remembers what it had. */
class TestEpochs implements EpochFile {
  readonly had: (readonly Epoch[])[] = [
    [{ number: 1, createdMs: TEST_TIME_MS, key: new Uint8Array(32).fill(0x45) }],
  ];
  #fault: 'not persisted' | 'persisted' | undefined;
  #after = 0;
  #times = 0;

  get newest(): readonly Epoch[] {
    return this.had.at(-1)!;
  }

  /** The write after `after` more fails, and those that follow it until it was so many `times`. */
  failNext(fault: 'not persisted' | 'persisted' | undefined, after = 0, times = 1): void {
    this.#fault = fault;
    this.#after = after;
    this.#times = times;
  }

  async read(): Promise<readonly Epoch[]> {
    return this.newest;
  }

  async replace(epochs: readonly Epoch[]): Promise<void> {
    const fault = this.#fault !== undefined && this.#after-- <= 0 ? this.#fault : undefined;
    if (fault && --this.#times === 0) this.#fault = undefined;
    if (fault !== 'not persisted') this.had.push(epochs);
    if (fault) throw new Error(`injected fault: ${fault}`);
  }
}

async function openRotating(): Promise<{ crash: CrashVault; epochs: TestEpochs; slow: SlowStore }> {
  const epochs = new TestEpochs();
  const slow = new SlowStore(new MemoryStore());
  const crash = await openCrashVault({ store: slow, vault: { epochs, epochMs: EPOCH_MS } });
  return { crash, epochs, slow };
}

async function take(crash: CrashVault, subjects: readonly string[], prefix: string): Promise<StoredEvent[]> {
  // Of a transaction each, so that more is read for them than their data key.
  const events: JsonObject[] = subjects.map((subject) =>
    eventAbout(subject, `${prefix}-${subject}`, { type: 'stepup.bypassed', txn: `${prefix}-${subject}` }),
  );
  return (await submitGroup(crash.now(), events)).map(({ submitted, error }) => {
    if (!submitted) throw error!;
    return submitted.event;
  });
}

function people(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `person-${i}`);
}

async function epochsOfKeys(crash: CrashVault): Promise<number[]> {
  const rows = await rowsOf(crash.store, 0x85);
  return [...new Set(rows.map(({ value }) => parseDataKeyRow(value).epoch))].sort((a, b) => a - b);
}

/** Lets the time of an epoch pass, and the upkeep notice it. */
function passEpoch(crash: CrashVault, timers: { tick(ms: number): void }): void {
  crash.now().test.clock.set(crash.now().test.clock.now() + EPOCH_MS);
  timers.tick(CHECK_MS);
}

async function settled(): Promise<void> {
  for (let i = 0; i < 300; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('an epoch that is over', () => {
  test('is followed by the next: keys are sealed anew, the old one is nowhere, and everything opens', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { crash, epochs } = await openRotating();
    const all = await take(crash, people(30), 'a');
    t.mock.timers.tick(CHECK_MS);
    await settled();
    assert.deepEqual(
      epochs.newest.map(({ number }) => number),
      [1],
      'not before its time',
    );
    for (const number of [2, 3]) {
      passEpoch(crash, t.mock.timers);
      await until(async () => epochs.newest.length === 1 && epochs.newest[0]!.number === number);
      assert.deepEqual(await epochsOfKeys(crash), [number]);
    }
    for (let opening = 0; opening < 2; opening++) {
      for (const { eventId, id } of all) assert.equal((await crash.now().vault.find(eventId))?.id, id);
      await crash.recover();
    }
    assert.deepEqual(await crash.findings(), []);
  });

  test('while no process ran, is followed by the next at the start', async () => {
    const { crash, epochs } = await openRotating();
    const [event] = await take(crash, ['anna'], 'a');
    crash.now().test.clock.set(crash.now().test.clock.now() + EPOCH_MS);
    await crash.recover();
    await until(async () => epochs.newest.length === 1 && epochs.newest[0]!.number === 2);
    assert.ok(await crash.now().vault.find(event!.eventId));
    assert.deepEqual(await epochsOfKeys(crash), [2]);
  });

  test('while events come, of people who are known and of others: each opens, before and after a start', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { crash, epochs, slow } = await openRotating();
    const all = await take(crash, people(40), 'a');
    slow.maxTurns = 25;
    slow.maxCommitTurns = 25;
    for (let round = 0; round < 6; round++) {
      passEpoch(crash, t.mock.timers);
      const coming = Array.from({ length: 25 }, async (_, i) => {
        for (let wait = 0; wait < i; wait++) await new Promise((resolve) => setImmediate(resolve));
        return take(crash, [`person-${i}`, `new-${round}-${i}`], `r${round}`);
      });
      all.push(...(await Promise.all(coming)).flat());
      await until(async () => epochs.newest.length === 1 && epochs.newest[0]!.number === round + 2);
      assert.deepEqual(await epochsOfKeys(crash), [round + 2]);
    }
    slow.maxTurns = 0;
    slow.maxCommitTurns = 0;
    await crash.recover();
    for (const { eventId } of all) assert.ok(await crash.now().vault.find(eventId));
    assert.deepEqual(await crash.findings(), []);
  });

  test('while people are being erased: no key of theirs comes back', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { crash, epochs, slow } = await openRotating();
    slow.maxTurns = 25;
    for (let round = 0; round < 6; round++) {
      const names = people(12);
      await take(crash, names, `a${round}`);
      const before = await rowsOf(crash.store, 0x85);
      passEpoch(crash, t.mock.timers);
      const erasures = [];
      for (const [i, name] of names.slice(0, 6).entries()) {
        for (let wait = 0; wait < i * round; wait++) await new Promise((resolve) => setImmediate(resolve));
        erasures.push(await crash.now().vault.erase(erasing({ subject: subjectOf(name) })));
      }
      for (const { erasureId } of erasures) await erasureIn(crash.now(), erasureId, 'done');
      await until(async () => epochs.newest.length === 1 && epochs.newest[0]!.number === round + 2);
      const after = await rowsOf(crash.store, 0x85);
      assert.equal(
        after.length,
        before.length - 6 + (round === 0 ? 1 : 0),
        'the log’s own key came in the first',
      );
      assert.deepEqual(await crash.findings(), []);
    }
    await crash.recover();
    assert.deepEqual(await crash.findings(), []);
  });

  test('says until when erased keys can be opened, and no longer than that, nor shorter', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { crash, epochs } = await openRotating();
    await take(crash, ['anna', 'bert'], 'a');
    const { erasureId } = await crash.now().vault.erase(erasing({ subject: subjectOf('anna') }));
    assert.equal(
      (await erasureIn(crash.now(), erasureId, 'done')).keysDestroyedByMs,
      TEST_TIME_MS + EPOCH_MS,
    );
    // The new epoch is begun, and the old one's key is still in the file.
    epochs.failNext('not persisted', 1);
    passEpoch(crash, t.mock.timers);
    await until(async () => epochs.newest.length === 2 && crash.failures.length === 1);
    const { vault } = crash.now();
    assert.equal((await vault.findErasure(erasureId))?.keysDestroyedByMs, TEST_TIME_MS + EPOCH_MS);
    // It is not left there until the next one is over.
    t.mock.timers.tick(CHECK_MS);
    await until(async () => epochs.newest.length === 1);
    assert.equal(epochs.newest[0]!.number, 2);
    await until(async () => (await vault.findErasure(erasureId))?.keysDestroyedByMs === undefined);
    assert.deepEqual(await crash.findings(), []);
  });
});

describe('a rotation that cannot be written', () => {
  /** An erasure of a person, in an epoch whose end the file does not take: nothing of it, or not the second write. */
  async function openStuck(
    timers: { tick(ms: number): void },
    write: 0 | 1,
  ): Promise<{ crash: CrashVault; epochs: TestEpochs; erasureId: string }> {
    const { crash, epochs } = await openRotating();
    await take(crash, ['anna', 'bert'], 'a');
    const { erasureId } = await crash.now().vault.erase(erasing({ subject: subjectOf('anna') }));
    await erasureIn(crash.now(), erasureId, 'done');
    epochs.failNext('not persisted', write);
    passEpoch(crash, timers);
    await until(async () => crash.failures.length === 1);
    return { crash, epochs, erasureId };
  }

  for (const write of [0, 1] as const) {
    test(`(write ${write}) is told, and once it is overdue each answer about the erasure says so`, async (t) => {
      t.mock.timers.enable({ apis: ['setInterval'] });
      const { crash, epochs, erasureId } = await openStuck(t.mock.timers, write);
      const { vault, test: log } = crash.now();
      const answers = async (): Promise<(readonly [number | undefined, boolean])[]> =>
        [await vault.findErasure(erasureId), ...(await vault.listErasures({ limit: 10 })).erasures].map(
          (erasure) => [erasure!.keysDestroyedByMs, erasure!.areKeysOverdue],
        );
      const dueMs = TEST_TIME_MS + EPOCH_MS;
      const failed = 'the rotation of the epochs failed, and is tried again in a minute';
      assert.equal((crash.failures[0] as Error).message, failed);
      log.clock.set(dueMs + ROTATION_MS);
      assert.deepEqual(await answers(), [
        [dueMs, false],
        [dueMs, false],
      ]);
      log.clock.advance(1);
      assert.deepEqual(await answers(), [
        [dueMs, true],
        [dueMs, true],
      ]);
      epochs.failNext('not persisted');
      t.mock.timers.tick(CHECK_MS);
      await until(async () => crash.failures.length === 2);
      const { message, cause } = crash.failures[1] as Error;
      assert.ok(
        message.startsWith(`${failed}: the key that was to be destroyed by ${new Date(dueMs).toISOString()}`),
      );
      assert.match(message, /overdue.*keys\//);
      assert.match(String(cause), /injected fault/);
      // As soon as it can be written again, nothing is overdue.
      t.mock.timers.tick(CHECK_MS);
      await until(async () => epochs.newest.length === 1 && epochs.newest[0]!.number === 2);
      await until(async () => (await vault.findErasure(erasureId))?.keysDestroyedByMs === undefined);
      assert.deepEqual(await answers(), [
        [undefined, false],
        [undefined, false],
      ]);
      assert.deepEqual(await crash.findings(), []);
    });
  }

  test('keeps no log from being opened, and is gone on with', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { crash, epochs } = await openStuck(t.mock.timers, 1);
    assert.equal(epochs.newest.length, 2);
    for (let i = 0; i < 2; i++) {
      // At the opening, and when the upkeep begins.
      epochs.failNext('not persisted', 0, 2);
      await crash.recover();
      await until(async () => crash.failures.length === 2 + i);
      assert.ok((await crash.now().submit(eventAbout('bert', `later-${i}`))).created);
    }
    t.mock.timers.tick(CHECK_MS);
    await until(async () => epochs.newest.length === 1);
    assert.deepEqual(await crash.findings(), []);
  });
});

describe('a crash in a rotation', () => {
  for (const fault of FAULTS) {
    test(`at any commit (${fault}): the next start ends it, and everything opens`, async (t) => {
      t.mock.timers.enable({ apis: ['setInterval'] });
      for (let commit = 0; commit < 4; commit++) {
        const { crash, epochs } = await openRotating();
        const all = await take(crash, people(1010), 'a');
        crash.faulty().failNext(fault, commit);
        passEpoch(crash, t.mock.timers);
        await settled();
        crash.faulty().failNext(fault, Infinity);
        await ended(crash, epochs, all);
      }
    });

    test(`at any write of the epochs (${fault})`, async (t) => {
      t.mock.timers.enable({ apis: ['setInterval'] });
      for (let write = 0; write < 2; write++) {
        const { crash, epochs } = await openRotating();
        const all = await take(crash, people(20), 'a');
        epochs.failNext(fault, write);
        passEpoch(crash, t.mock.timers);
        await settled();
        all.push(...(await take(crash, ['later'], 'b')));
        await ended(crash, epochs, all);
      }
    });
  }

  async function ended(crash: CrashVault, epochs: TestEpochs, all: readonly StoredEvent[]): Promise<void> {
    await crash.recover();
    await until(async () => epochs.newest.length === 1 && epochs.newest[0]!.number > 1);
    const [{ number }] = epochs.newest as [Epoch];
    assert.deepEqual(await epochsOfKeys(crash), [number]);
    for (const { eventId } of all) assert.ok(await crash.now().vault.find(eventId));
    assert.deepEqual(await crash.findings(), []);
  }
});

describe('epochs that are not the newest', () => {
  test('an older copy of the file is refused at open, before anything is sealed under it', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { crash, epochs } = await openRotating();
    await take(crash, ['anna', 'bert'], 'a');
    passEpoch(crash, t.mock.timers);
    await until(async () => epochs.had.length === 3);
    await settled();
    const [first, both, newest] = epochs.had as [Epoch[], Epoch[], Epoch[]];
    epochs.had.push(first);
    await assert.rejects(crash.recover(), { code: 'log_refused', message: /keys\/epochs/ });
    const foreign = newest.map((epoch) => ({ ...epoch, key: new Uint8Array(32).fill(1) }));
    epochs.had.push(foreign);
    await assert.rejects(crash.recover(), { code: 'log_refused', message: /keys\/epochs/ });
    // Of the middle of the rotation: it has the newest, and the older one goes again.
    epochs.had.push(both);
    await crash.recover();
    assert.deepEqual(
      epochs.newest.map(({ number }) => number),
      [2],
    );
    assert.deepEqual(await crash.findings(), []);
  });
});

describe('the text of the epochs', () => {
  const epoch: Epoch = { number: 7, createdMs: TEST_TIME_MS, key: new Uint8Array(32).fill(9) };

  test('comes back, and has no key in clear', () => {
    const text = formatEpochs([epoch, { ...epoch, number: 8 }], TEST_MASTER);
    assert.deepEqual(
      parseEpochs(text, TEST_MASTER),
      [epoch, { ...epoch, number: 8 }].map((one) => ({ ...one, key: Buffer.from(one.key) })),
    );
    assert.equal(text.includes(Buffer.from(epoch.key).toString('base64url')), false);
  });

  test('of another master key, another number, or no such text is refused', () => {
    const text = formatEpochs([epoch], TEST_MASTER);
    assert.throws(() => parseEpochs(text, new Uint8Array(32)), { code: 'storage_failed' });
    assert.throws(() => parseEpochs(text.replace('"epoch": 7', '"epoch": 8'), TEST_MASTER), {
      code: 'storage_failed',
    });
    const item = text.trim().slice(1, -1);
    for (const wrong of [
      '',
      '{}',
      '[]',
      '[1]',
      `[${item},${item}]`,
      `[${item},${item},${item}]`,
      text.replace('7', '0'),
    ]) {
      assert.throws(() => parseEpochs(wrong, TEST_MASTER), { code: /malformed|storage_failed/ }, wrong);
    }
  });
});
