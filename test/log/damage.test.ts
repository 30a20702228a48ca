/** LevelDB drops damaged batches without a word. Opening the log must say which round is gone, and refuse. */

import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import type { GuardedHead } from '../../src/log/guard.ts';
import type { Log } from '../../src/log/log.ts';
import { openLog } from '../../src/log/open.ts';
import { openLevelStore } from '../../src/storage/level.ts';
import { MemoryGuard, openTestLog, type TestLog, testEntry } from '../support/test-log.ts';
import { parseWal, recordOfRound, walPath } from '../support/wal.ts';

let folder: string;
let copies = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newel-damage-'));
});
after(() => rm(folder, { recursive: true, force: true }));

interface OnDisk {
  readonly log: Log;
  readonly guard: MemoryGuard;
  readonly close: () => Promise<void>;
}

/** A log on LevelDB whose rounds after round 0 are all in the write-ahead log; closed. The last one only publishes. */
async function closedLog(
  rounds: readonly number[],
): Promise<{ test: TestLog; path: string; guarded: GuardedHead }> {
  const path = join(folder, `log${copies++}`);
  const created = await openTestLog({ store: await openLevelStore(path, { create: true }) });
  await created.log.close();
  await created.store.close();
  // Opening moves round 0 out of the write-ahead log, into a table.
  const { log, guard, close } = await open(created, path, created.guard.head);
  let index = 0;
  for (const entries of rounds) {
    const batch = Array.from({ length: entries }, () => testEntry(index++));
    await Promise.all(batch.map((entry) => log.append({ entry })));
  }
  await close();
  return { test: created, path, guarded: guard.head };
}

async function open(test: TestLog, path: string, guarded: GuardedHead): Promise<OnDisk> {
  const store = await openLevelStore(path, { create: false });
  const guard = new MemoryGuard(guarded);
  const { signer, verifier, clock } = test;
  try {
    const log = await openLog({ store, guard, identity: test.log.identity, signer, verifier, clock });
    return { log, guard, close: () => log.close() };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function flipped(path: string, at: number): Promise<string> {
  const copy = join(folder, `copy${copies++}`);
  await cp(path, copy, { recursive: true });
  const wal = await walPath(copy);
  const bytes = await readFile(wal);
  bytes[at]! ^= 0x01;
  await writeFile(wal, bytes);
  return copy;
}

describe('one flipped byte in the write-ahead log', () => {
  const ROUNDS = [1, 3, 300, 1, 1, 40, 2, 600, 5, 1, 7, 1];

  test('of any round: refused at open, and the round is named', async () => {
    const { test: t, path, guarded } = await closedLog(ROUNDS);
    const records = parseWal(await readFile(await walPath(path)));
    const last = guarded.sequence;
    assert.equal(last, ROUNDS.length + 1);
    for (let round = 1; round <= last; round++) {
      const { fragments } = recordOfRound(records, round);
      const [first] = fragments;
      const end = fragments.at(-1)!.to;
      const header = 7;
      for (const at of [first!.from + header, Math.floor((first!.from + header + first!.to) / 2), end - 1]) {
        const copy = await flipped(path, at);
        await assert.rejects(open(t, copy, guarded), (error) => {
          assert.ok(error instanceof NewelError);
          assert.equal(error.code, 'log_refused');
          // Damage takes the rest of its block with it, so a round before this one is never the one that is named.
          const named = [...error.message.matchAll(/round (\d+)/g)].map((match) => Number(match[1]));
          assert.ok(named.includes(round), `round ${round} is not named: ${error.message}`);
          return true;
        });
      }
    }
  });

  test('in a header of a fragment: refused, whatever else goes with it', async () => {
    const { test: t, path, guarded } = await closedLog([2, 400, 3, 5]);
    const records = parseWal(await readFile(await walPath(path)));
    for (const { fragments } of records) {
      for (const { from } of fragments) {
        for (let at = from; at < from + 7; at++) {
          const copy = await flipped(path, at);
          await assert.rejects(open(t, copy, guarded), { code: 'log_refused' });
        }
      }
    }
  });

  test('a torn tail, of a round that nobody was told of: opens without it, wherever it is torn', async () => {
    const { test: t, path, guarded } = await closedLog([3, 300]);
    const { log, guard, close } = await open(t, path, guarded);
    const before = guard.head;
    // A crash after the commit and before the guard: the guard keeps the round before.
    guard.write = () => Promise.reject(new Error('crashed'));
    await assert.rejects(log.append({ entry: testEntry(303) }), { code: 'storage_failed' });
    await close();
    const wal = await walPath(path);
    const bytes = await readFile(wal);
    const { fragments } = recordOfRound(parseWal(bytes), before.sequence + 1);
    const [{ from, to }] = [fragments[0]!];
    for (const length of [from, from + 1, from + 7, Math.floor((from + to) / 2), to - 1, to]) {
      const copy = join(folder, `copy${copies++}`);
      await cp(path, copy, { recursive: true });
      await writeFile(await walPath(copy), bytes.subarray(0, length));
      const torn = await open(t, copy, before);
      assert.equal(torn.log.revealed.size, length === to ? 304 : 303);
      assert.equal((await torn.log.append({ entry: testEntry(500) })).index, length === to ? 304 : 303);
      await torn.close();
    }
  });

  test('an undamaged copy opens, and goes on', async () => {
    const { test: t, path, guarded } = await closedLog([1, 300, 2]);
    const { log, close } = await open(t, path, guarded);
    assert.equal(log.published.size, 303);
    assert.equal((await log.append({ entry: testEntry(303) })).index, 303);
    await close();
  });
});

describe('an older copy of the folder', () => {
  test('under the newer guard: refused, naming what is lost', async () => {
    const { test: t, path, guarded } = await closedLog([5, 5]);
    const older = join(folder, `older${copies++}`);
    await cp(path, older, { recursive: true });
    const { log, guard, close } = await open(t, path, guarded);
    await log.append({ entry: testEntry(10) });
    await close();
    await assert.rejects(open(t, older, guard.head), (error) => {
      assert.ok(error instanceof NewelError);
      assert.match(
        error.message,
        /guard knows of round 6 \(size 11\).*ends at round 3 \(size 10\).*older copy/s,
      );
      return error.code === 'log_refused';
    });
  });

  test('under its own old guard opens: with neither guard nor witness a log cannot know', async () => {
    const { test: t, path, guarded } = await closedLog([5]);
    const older = join(folder, `older${copies++}`);
    await cp(path, older, { recursive: true });
    const { log, close } = await open(t, older, guarded);
    assert.equal(log.published.size, 5);
    await close();
  });
});
