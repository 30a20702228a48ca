import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeldRows } from '../../src/vault/held.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Cell {
  n: number;
}

function stored(): { load: () => Promise<Cell>; value: { n: number }; loads: () => number } {
  const value = { n: 0 };
  let loads = 0;
  const load = async (): Promise<Cell> => {
    loads += 1;
    await turn();
    return { n: value.n };
  };
  return { load, value, loads: () => loads };
}

describe('a row that is held', () => {
  test('is one copy for all who hold it, loaded once', async () => {
    const rows = new HeldRows<Cell>(8);
    const { load, loads } = stored();
    const holds = await Promise.all(Array.from({ length: 20 }, () => rows.hold('a', load)));
    assert.equal(new Set(holds.map(({ value }) => value)).size, 1);
    assert.equal(loads(), 1);
    for (const hold of holds) hold.release();
  });

  test('is never loaded again while somebody holds it, however many others come', async () => {
    const rows = new HeldRows<Cell>(2);
    const { load, loads } = stored();
    const first = await rows.hold('a', load);
    first.value.n = 7;
    for (let i = 0; i < 50; i++) (await rows.hold(`other ${i}`, stored().load)).release();
    assert.equal((await rows.hold('a', load)).value.n, 7);
    assert.equal(loads(), 1);
  });

  test('is gone from memory when nobody does and others were used since', async () => {
    const rows = new HeldRows<Cell>(4);
    for (let i = 0; i < 1000; i++) (await rows.hold(`row ${i}`, stored().load)).release();
    assert.ok((await rows.loaded()).length <= 4);
  });

  test('that does not load is held by nobody, and loads the next time', async () => {
    const rows = new HeldRows<Cell>(4);
    const failing = (): Promise<Cell> => Promise.reject(new Error('unreadable'));
    const outcomes = await Promise.allSettled([rows.hold('a', failing), rows.hold('a', failing)]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    const { load } = stored();
    assert.equal((await rows.hold('a', load)).value.n, 0);
  });

  test('released twice is released once', async () => {
    const rows = new HeldRows<Cell>(4);
    const { load } = stored();
    const [one, two] = await Promise.all([rows.hold('a', load), rows.hold('a', load)]);
    one.release();
    one.release();
    let isAlone = false;
    const alone = rows.alone(['a'], load, async () => void (isAlone = true));
    await turn();
    assert.equal(isAlone, false);
    two.release();
    await alone;
    assert.equal(isAlone, true);
  });
});

describe('a row that one has alone', () => {
  test('waits for all who hold it, makes all who come wait, and is loaded anew for them', async () => {
    const rows = new HeldRows<Cell>(4);
    const { load, value } = stored();
    const before = await rows.hold('a', load);
    const seen: string[] = [];
    const alone = rows.alone(['a'], load, async () => {
      seen.push('alone');
      await turn();
      value.n = 5;
    });
    const after = rows.hold('a', load).then((hold) => {
      seen.push(`after ${hold.value.n}`);
      hold.release();
    });
    await turn();
    seen.push('released');
    before.release();
    await Promise.all([alone, after]);
    assert.deepEqual(seen, ['released', 'alone', 'after 5']);
  });

  test('by several at once is had by one after the other', async () => {
    const rows = new HeldRows<Cell>(4);
    const { load, value } = stored();
    (await rows.hold('a', load)).release();
    let inside = 0;
    const add = async (): Promise<void> => {
      assert.equal(++inside, 1);
      const { n } = value;
      await turn();
      value.n = n + 1;
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 25 }, () => rows.alone(['a'], load, add)));
    assert.equal(value.n, 25);
    assert.equal((await rows.hold('a', load)).value.n, 25);
  });

  test('is let go where the work fails, and where loading it anew does', async () => {
    const rows = new HeldRows<Cell>(4);
    const failing = (): Promise<Cell> => Promise.reject(new Error('unreadable'));
    await assert.rejects(
      rows.alone(['a'], failing, () => Promise.reject(new Error('no'))),
      /no/,
    );
    await turn();
    const { load } = stored();
    (await rows.hold('a', load)).release();
    assert.equal(await rows.alone(['a'], load, async () => 'had'), 'had');
  });

  test('with others, by many who ask for all of theirs in one turn, in any order: nobody waits for ever', async () => {
    const rows = new HeldRows<Cell>(4);
    const { load } = stored();
    const names = ['a', 'b', 'c', 'd'];
    const work = Array.from({ length: 300 }, async (_, i) => {
      for (let wait = 0; wait < i % 7; wait++) await turn();
      const mine = names.filter((_, at) => ((i * 2654435761) >>> (at + 3)) & 1);
      if (i % 2) mine.reverse();
      if (i % 3 === 0) return rows.alone(mine, load, turn);
      const holds = await Promise.all(mine.map((name) => rows.hold(name, load)));
      await turn();
      for (const hold of holds) hold.release();
      return undefined;
    });
    await Promise.all(work);
    assert.ok((await rows.loaded()).length <= 4);
  });
});
