import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OWN_ROOM, Pool, QueueFullError } from '../../src/log/pool.ts';

const limits = { maxRoundEntries: 3, maxRoundBytes: 100, maxQueueEntries: 5, maxQueueBytes: 200 };
const entry = (bytes: number) => ({ entry: new Uint8Array(bytes), companions: undefined, companionBytes: 0 });

describe('Pool', () => {
  test('entries gather in groups of a round: by count and by bytes', () => {
    const pool = new Pool<string>({ ...limits, maxQueueEntries: 100, maxQueueBytes: 1000 });
    const sizes = [1, 1, 1, 1, 60, 60, 1];
    const places = sizes.map((bytes) => pool.add(entry(bytes), pool.reserve(bytes)).place);
    assert.deepEqual(places, [0, 1, 2, 0, 1, 0, 1]);
    assert.deepEqual(
      [pool.take(), pool.take(), pool.take(), pool.take()].map((group) => group?.entries.length),
      [3, 2, 2, undefined],
    );
  });

  test("companions' bytes count like those of the entry", () => {
    const pool = new Pool<string>(limits);
    const withCompanions = {
      entry: new Uint8Array(10),
      companions: () => ({ puts: [] }),
      companionBytes: 50,
    };
    pool.add(withCompanions, pool.reserve(60));
    pool.add(withCompanions, pool.reserve(60));
    assert.throws(() => pool.add(withCompanions, pool.reserve(59)), RangeError);
    assert.equal(pool.take()?.entries.length, 1, 'two of 60 are more than a round of 100');
    assert.equal(pool.take()?.bytes, 60);
  });

  test('one entry larger than a round is a round', () => {
    const pool = new Pool<string>(limits);
    pool.add(entry(150), pool.reserve(150));
    assert.equal(pool.take()?.bytes, 150);
  });

  test('room is counted in entries and in bytes, and the refusal says which', () => {
    const byEntries = new Pool<string>(limits);
    for (let i = 0; i < 5; i++) byEntries.reserve(1);
    assert.throws(
      () => byEntries.reserve(1),
      (error) => error instanceof QueueFullError && error.unit === 'entries' && error.limit === 5,
    );
    const byBytes = new Pool<string>(limits);
    byBytes.reserve(150);
    assert.throws(
      () => byBytes.reserve(51),
      (error) => error instanceof QueueFullError && error.unit === 'bytes' && error.limit === 200,
    );
    byBytes.reserve(50);
  });

  test("the log's own entries have room over the limits, that much and no more, which others have not", () => {
    const pool = new Pool<string>(limits);
    const others = Array.from({ length: 5 }, () => pool.reserve(1));
    const own = Array.from({ length: OWN_ROOM.entries }, () => pool.reserve(1, { isOwn: true }));
    const isFull = (unit: string, limit: number) => (error: unknown) =>
      error instanceof QueueFullError && error.unit === unit && error.limit === limit;
    assert.throws(() => pool.reserve(1, { isOwn: true }), isFull('entries', 5));
    own[0]!.release();
    assert.throws(() => pool.reserve(1), isFull('entries', 5));
    pool.reserve(1, { isOwn: true });
    for (const one of [...others, ...own]) one.release();
    pool.reserve(1);

    const byBytes = new Pool<string>(limits);
    byBytes.reserve(200);
    assert.throws(() => byBytes.reserve(1), isFull('bytes', 200));
    byBytes.reserve(OWN_ROOM.bytes, { isOwn: true });
    assert.throws(() => byBytes.reserve(1, { isOwn: true }), isFull('bytes', 200));
  });

  test('a reservation is given back once, by release or by add', () => {
    const pool = new Pool<string>(limits);
    const held = Array.from({ length: 5 }, () => pool.reserve(10));
    held[0]!.release();
    held[0]!.release();
    pool.add(entry(4), pool.reserve(10));
    assert.throws(() => pool.reserve(1), QueueFullError);
    pool.take();
    pool.reserve(1);
    assert.throws(() => pool.reserve(1), QueueFullError);
  });

  test('an entry must fit its reservation', () => {
    const pool = new Pool<string>(limits);
    assert.throws(() => pool.add(entry(11), pool.reserve(10)), RangeError);
  });

  test('fail rejects all that waits, and leaves room', async () => {
    const pool = new Pool<string>(limits);
    const groups = [1, 2, 3, 4].map(() => pool.add(entry(1), pool.reserve(1)).group);
    pool.fail(new Error('stopped'));
    for (const group of groups) await assert.rejects(group.done, /stopped/);
    assert.ok(pool.isEmpty);
    for (let i = 0; i < 5; i++) pool.reserve(1);
  });
});
