import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  createGuard,
  formatGuardSlot,
  GUARD_SLOT_BYTES,
  type GuardedHead,
  openGuard,
  parseGuardSlot,
} from '../../src/log/guard.ts';

let folder: string;
let made = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newel-guard-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const head = (sequence: number): GuardedHead => ({
  identity: '{"format":1,"origin":"log.example/test"}',
  sequence,
  kind: sequence % 2 ? 'signed' : 'published',
  size: sequence * 3,
  root: new Uint8Array(32).fill(sequence),
  timeMs: 1_763_640_008_123 + sequence,
});

async function guardWith(...sequences: number[]): Promise<string> {
  const path = join(folder, `guard${made++}`);
  const [first, ...rest] = sequences;
  await createGuard(path, head(first!));
  const guard = await openGuard(path);
  await guard.read();
  for (const sequence of rest) await guard.write(head(sequence));
  await guard.close();
  return path;
}

async function read(path: string): Promise<GuardedHead> {
  const guard = await openGuard(path);
  try {
    return await guard.read();
  } finally {
    await guard.close();
  }
}

describe('guard slot', () => {
  test('is 4,096 bytes and comes back as it went in', () => {
    const slot = formatGuardSlot(head(7));
    assert.equal(slot.length, GUARD_SLOT_BYTES);
    assert.deepEqual(parseGuardSlot(slot), head(7));
  });

  test('with any byte changed is torn', () => {
    const slot = formatGuardSlot(head(7));
    for (let at = 0; at < slot.length; at++) {
      slot[at]! ^= 0x01;
      assert.equal(parseGuardSlot(slot), undefined, `byte ${at}`);
      slot[at]! ^= 0x01;
    }
  });

  test('that is empty, short or long is torn', () => {
    const slot = formatGuardSlot(head(7));
    assert.equal(parseGuardSlot(new Uint8Array(0)), undefined);
    assert.equal(parseGuardSlot(new Uint8Array(GUARD_SLOT_BYTES)), undefined);
    assert.equal(parseGuardSlot(slot.subarray(0, 4095)), undefined);
    assert.equal(parseGuardSlot(Uint8Array.of(...slot, 0x0a)), undefined);
  });

  test('an origin of 255 bytes and its key still fit', () => {
    const identity = JSON.stringify({ origin: 'x'.repeat(255), vkey: 'x'.repeat(255 + 54) });
    assert.equal(formatGuardSlot({ ...head(1), identity, size: 2 ** 53 - 1 }).length, GUARD_SLOT_BYTES);
  });
});

describe('guard file', () => {
  test('is 0600 and never replaced', async () => {
    const path = await guardWith(0);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await assert.rejects(createGuard(path, head(1)), { code: 'log_exists' });
    assert.deepEqual(await read(path), head(0));
  });

  test('gives the newest of its two slots', async () => {
    for (const sequences of [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]) {
      assert.deepEqual(await read(await guardWith(...sequences)), head(sequences.at(-1)!));
    }
  });

  test('with its newest slot torn gives the one before', async () => {
    const path = await guardWith(0, 1, 2, 3);
    const bytes = await readFile(path);
    bytes.fill(0, GUARD_SLOT_BYTES + 40, GUARD_SLOT_BYTES + 512);
    await writeFile(path, bytes);
    assert.deepEqual(await read(path), head(2));
  });

  test('with both slots torn, or missing: refused', async () => {
    const path = await guardWith(0, 1);
    await writeFile(path, new Uint8Array(2 * GUARD_SLOT_BYTES));
    await assert.rejects(read(path), { code: 'log_refused' });
    await assert.rejects(openGuard(join(folder, 'nowhere')), { code: 'log_refused' });
  });
});

describe('two processes on one guard', () => {
  test('the second to write finds out, and then the first', async () => {
    const path = await guardWith(0);
    const [a, b] = [await openGuard(path), await openGuard(path)];
    await a.read();
    await b.read();
    await a.write(head(1));
    await assert.rejects(b.write({ ...head(1), size: 99 }), /two copies of this log are running/);
    await assert.rejects(a.write(head(2)), /two copies of this log are running/);
    for (const guard of [a, b]) await guard.close();
    await assert.rejects(read(path), { code: 'log_refused', message: /two copies .* truncate -s 8192/s });
    await truncate(path, 2 * GUARD_SLOT_BYTES);
    assert.deepEqual(await read(path), head(1), 'what was told apart before goes on');
  });

  test('nothing is written before the guard was read', async () => {
    const guard = await openGuard(await guardWith(0));
    await assert.rejects(guard.write(head(1)), /bug/);
    await guard.close();
  });

  test('a guard that cannot be written is not called missing', async () => {
    await assert.rejects(openGuard(folder), (error) => {
      return error instanceof Error && /cannot be opened for writing/.test(error.message);
    });
  });
});
