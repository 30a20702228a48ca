import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parsePolicy, type Policy } from '../../src/formats/tlog-policy.ts';
import { formatVkey } from '../../src/formats/vkey.ts';
import { parseNote } from '../../src/formats/note.ts';
import type { OpenOptions } from '../../src/log/open.ts';
import { COSIGNERS, FakeAsking, policyOf, WITNESS_VERIFIERS } from '../support/fake-asking.ts';
import { openTestLog, type TestLog, testEntry } from '../support/test-log.ts';

const INTERVAL_MS = 50;
const ALL = parsePolicy(
  encodeUtf8(
    `${COSIGNERS.map(({ vkey }, i) => `witness w${i + 1} ${formatVkey(vkey)}\n`).join('')}group all 3 w1 w2 w3\nquorum all\n`,
  ),
);

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

function optionsOf(policy: Policy, asking: FakeAsking | undefined): Partial<OpenOptions> {
  return {
    publishIntervalMs: INTERVAL_MS,
    slots: { fast: { policy, deadlineMs: 500, intervalMs: INTERVAL_MS } },
    ...(asking && { asking }),
    witnessVerifiers: WITNESS_VERIFIERS,
  };
}

async function grow(t: TestLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await t.append(testEntry(t.log.revealed.size));
    t.clock.advance(INTERVAL_MS);
    await settle();
  }
}

/** What a witness that is not asked hands in. */
async function handIn({ log }: TestLog, size: number, cosigners = COSIGNERS): Promise<void> {
  const { text } = parseNote((await log.keptCheckpoint(size))!.checkpoint);
  await log.addLines(size, await Promise.all(cosigners.map((one) => one.cosign(text, 1_795_176_100))));
}

describe('/checkpoint and the slots never go back', () => {
  test('under another policy, lines for what is smaller than what the slot held fill it no more', async () => {
    const asking = new FakeAsking();
    asking.down.add('w3');
    const first = await openTestLog({ open: optionsOf(policyOf('two'), asking) });
    await grow(first, 10);
    assert.deepEqual([first.log.publication('fast')?.size, first.log.checkpoint.size], [10, 10]);
    await first.log.close();

    const { clock } = first;
    const second = await openTestLog({ existing: first, clock, open: optionsOf(ALL, undefined) });
    assert.equal(second.log.publication('fast'), undefined, 'what two had cosigned is not met by all');
    await handIn(second, 2);
    assert.equal(second.log.publication('fast'), undefined);
    assert.equal(second.log.checkpoint.size, 10);
    await handIn(second, 10);
    assert.equal(second.log.publication('fast')?.size, 10);
    await second.log.close();

    const third = await openTestLog({ existing: second, clock, open: optionsOf(ALL, undefined) });
    assert.deepEqual([third.log.publication('fast')?.size, third.log.checkpoint.size], [10, 10]);
    await third.log.close();
  });

  test('where a slot is filled for the first time with less than was shown, that goes on being shown, after restarts too', async () => {
    const policy = policyOf('two');
    const first = await openTestLog({ open: optionsOf(policy, undefined) });
    await grow(first, 5);
    assert.equal(first.log.checkpoint.size, 5, 'nobody has cosigned anything');
    await handIn(first, 3);
    assert.deepEqual([first.log.publication('fast')?.size, first.log.checkpoint.size], [3, 5]);
    await first.log.close();

    const { clock } = first;
    const second = await openTestLog({ existing: first, clock, open: optionsOf(policy, undefined) });
    assert.deepEqual([second.log.publication('fast')?.size, second.log.checkpoint.size], [3, 5]);
    await grow(second, 2);
    await handIn(second, 4);
    assert.equal(second.log.checkpoint.size, 5, 'neither less, nor what nobody has cosigned');
    await handIn(second, 6);
    assert.equal(second.log.checkpoint.size, 6);
    await second.log.close();

    const third = await openTestLog({ existing: second, clock, open: optionsOf(policy, undefined) });
    assert.equal(third.log.checkpoint.size, 6);
    await third.log.close();
  });

  test('what is shown while the slot is being filled for the first time is no more than what is kept of it', async () => {
    const gates: (() => void)[] = [];
    let isHeld = false;
    const t = await openTestLog({
      wrapStore: (store) => ({
        getMany: (keys) => store.getMany(keys),
        scan: (range) => store.scan(range),
        compact: (from, to) => store.compact(from, to),
        close: () => store.close(),
        async commit(batch) {
          if (isHeld) await new Promise<void>((resolve) => gates.push(resolve));
          await store.commit(batch);
        },
      }),
      open: optionsOf(policyOf('two'), undefined),
    });
    await grow(t, 5);
    await t.append(testEntry(5));
    assert.deepEqual([t.log.revealed.size, t.log.checkpoint.size], [6, 5]);
    isHeld = true;
    t.clock.advance(INTERVAL_MS);
    await settle();
    const handing = handIn(t, 3);
    await settle();
    // The publication of 6 is durable, and the slot is not yet.
    gates.shift()!();
    await settle();
    assert.deepEqual(
      [t.log.published.size, t.log.publication('fast'), t.log.checkpoint.size],
      [6, undefined, 5],
    );
    isHeld = false;
    gates.shift()!();
    await handing;
    assert.deepEqual([t.log.publication('fast')?.size, t.log.checkpoint.size], [3, 5]);
    const again = await t.reopen();
    assert.equal(again.log.checkpoint.size, 6, 'more than the slot holds was shown: what is published');
    await again.log.close();
  });

  test('a policy that is changed and changed back shows no less than was shown meanwhile', async () => {
    const two = policyOf('two');
    for (const meanwhile of [undefined, ALL]) {
      const asking = new FakeAsking();
      asking.down.add('w3');
      const first = await openTestLog({ open: optionsOf(two, asking) });
      await grow(first, 10);
      assert.deepEqual([first.log.publication('fast')?.size, first.log.checkpoint.size], [10, 10]);
      await first.log.close();

      const { clock } = first;
      const open = meanwhile
        ? optionsOf(meanwhile, undefined)
        : { publishIntervalMs: INTERVAL_MS, witnessVerifiers: WITNESS_VERIFIERS };
      const second = await openTestLog({ existing: first, clock, open });
      await grow(second, 5);
      assert.equal(second.log.checkpoint.size, 15);
      await second.log.close();

      const third = await openTestLog({ existing: second, clock, open: optionsOf(two, undefined) });
      assert.deepEqual([third.log.publication('fast')?.size, third.log.checkpoint.size], [10, 15]);
      await grow(third, 2);
      assert.equal(third.log.checkpoint.size, 15, 'nobody has cosigned more');
      await handIn(third, 16);
      assert.equal(third.log.checkpoint.size, 16);
      await third.log.close();

      const fourth = await openTestLog({ existing: third, clock, open: optionsOf(two, undefined) });
      assert.deepEqual([fourth.log.publication('fast')?.size, fourth.log.checkpoint.size], [16, 16]);
      await fourth.log.close();
    }
  });

  test('under another policy, a start that only reads shows no more than slots held, until it begins', async () => {
    const asking = new FakeAsking();
    asking.down.add('w3');
    const first = await openTestLog({ open: optionsOf(policyOf('two'), asking) });
    await grow(first, 10);
    asking.down.add('w1').add('w2');
    await grow(first, 2);
    assert.deepEqual([first.log.published.size, first.log.checkpoint.size], [12, 10]);
    await first.log.close();
    const { clock } = first;
    const second = await openTestLog({
      existing: first,
      clock,
      open: { ...optionsOf(ALL, undefined), isHeld: true },
    });
    assert.equal(second.log.checkpoint.size, 10);
    await second.log.begin();
    assert.equal(second.log.checkpoint.size, 12);
    await second.log.close();
    const third = await openTestLog({ existing: second, clock, open: optionsOf(policyOf('two'), undefined) });
    assert.deepEqual([third.log.publication('fast')?.size, third.log.checkpoint.size], [10, 12]);
    await third.log.close();
  });

  test('a slot that is no longer configured leaves what it showed', async () => {
    const asking = new FakeAsking();
    const policy = policyOf('two');
    const slot = { policy, deadlineMs: 500, intervalMs: INTERVAL_MS };
    const both = { ...optionsOf(ALL, asking), slots: { fast: { ...slot, policy: ALL }, public: slot } };
    const first = await openTestLog({ open: both });
    await grow(first, 2);
    await handIn(first, 2);
    asking.down.add('w3');
    await grow(first, 3);
    const sizes = ({ log }: TestLog): unknown[] =>
      [log.publication('fast'), log.publication('public'), log.checkpoint].map((one) => one?.size);
    assert.deepEqual(sizes(first), [2, 5, 5]);
    await first.log.close();
    const { clock } = first;
    const second = await openTestLog({ existing: first, clock, open: optionsOf(ALL, undefined) });
    assert.deepEqual(sizes(second), [2, undefined, 5]);
    await second.log.close();
  });
});
