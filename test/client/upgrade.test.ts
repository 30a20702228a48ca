/** Upgrading a receipt: the same event and leaf, on a head of the same tree, or evidence that there is none. */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { InconsistentHeadsError } from '../../src/client/consistency.ts';
import { Newel, type NewelOptions } from '../../src/client/newel.ts';
import { LevelNotMetError } from '../../src/client/outcome-errors.ts';
import type { ProvenReceipt } from '../../src/client/proven-receipt.ts';
import type { Receipt } from '../../src/client/receipt.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { verifyReceipt } from '../../src/client/verify.ts';
import { verifyConsistency } from '../../src/core/proof.ts';
import type { StepUpEvent } from '../../src/event/schema.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parseTlogProof } from '../../src/formats/tlog-proof.ts';
import {
  makeTestReceipt,
  TEST_EVENT,
  type TestReceipt,
  type TestReceiptOptions,
} from '../support/test-receipt.ts';
import { FakeAsking } from '../support/fake-asking.ts';
import { openTestSite, TEST_URL } from '../support/test-site.ts';
import {
  cosign,
  type FakeAnswer,
  type FakeLog,
  RECEIVED_TIME_S as T,
  serveFakeLog,
  WITNESSES,
  witnessedTrust,
} from '../support/witnessed-receipt.ts';

const { a, b } = WITNESSES;
const first = makeTestReceipt();
const grown = makeTestReceipt({ size: 60 });
const DEADLINE = { level: 'witnessed', reason: 'deadline', have: 1, need: 2 } as const;

async function witnessed(made: TestReceipt): Promise<Receipt> {
  return {
    ...(await cosign(made, [
      [a, T + 1],
      [b, T + 2],
    ])),
    level: 'witnessed',
  };
}

async function open(
  t: TestContext,
  leafHashes: readonly Uint8Array[],
  answer: FakeAnswer,
  options: Partial<NewelOptions> = {},
): Promise<FakeLog & { readonly newel: Newel }> {
  const log = await serveFakeLog(t, leafHashes, answer);
  const trust = witnessedTrust();
  const newel = new Newel({ url: log.url, token: 'newel_t', trust, timeoutMs: 2000, retries: 0, ...options });
  return { ...log, newel };
}

function noteOf({ proof }: Receipt): Uint8Array {
  return parseTlogProof(encodeUtf8(proof)).checkpoint;
}

describe('a receipt is upgraded', () => {
  test('on a larger head that extends the first one', async (t) => {
    const better = await witnessed(grown);
    const { newel, asked, tiles } = await open(t, grown.leafHashes, () => [200, better]);
    assert.deepEqual(await newel.upgrade(first.receipt, 'witnessed'), better);
    assert.equal(
      `${asked[0]!.method} ${asked[0]!.url}`,
      `GET /v1/events/${first.receipt.event_id}/receipt?level=witnessed`,
    );
    assert.match(asked[0]!.headers.prefer as string, /^wait=(9|10)$/);
    assert.deepEqual(tiles, ['/tile/0/000.p/60']);
    await newel.upgrade(first.receipt, 'witnessed');
    assert.equal(tiles.length, 1, 'two heads are compared once');
  });

  test('on the head that it had, and on a smaller one', async (t) => {
    const same = await open(t, [], always(await witnessed(first)));
    assert.equal((await same.newel.upgrade(first.receipt, 'witnessed')).level, 'witnessed');
    assert.deepEqual(same.tiles, []);
    const { newel } = await open(t, grown.leafHashes, always(await witnessed(first)));
    assert.equal((await newel.upgrade(grown.receipt, 'witnessed')).tree_size, 42);
  });

  test('with the lines of the policy alone where it is told to', async (t) => {
    const all = await cosign(grown, [
      [a, T + 1],
      [b, T + 2],
      [WITNESSES.c, T + 3],
    ]);
    const { newel } = await open(t, grown.leafHashes, () => [200, all]);
    const better = await newel.upgrade(first.receipt, 'witnessed', { lines: 'policy' });
    assert.deepEqual(better, await witnessed(grown));
    assert.equal((await newel.upgrade(first.receipt, 'witnessed')).proof, all.proof);
  });

  test('once enough witnesses have signed; the log is asked until then', async (t) => {
    const one = { ...(await cosign(grown, [[a, T]])), pending: DEADLINE };
    const better = await witnessed(grown);
    const { newel, asked } = await open(t, grown.leafHashes, (_, count) =>
      count < 3 ? [202, one] : [200, better],
    );
    assert.deepEqual(await newel.upgrade(first.receipt, 'witnessed', { timeoutMs: 5000 }), better);
    assert.equal(asked.length, 3);
    for (const { headers } of asked) assert.match(headers.prefer as string, /^wait=[345]$/);
  });

  test('or not, when the time is over: the error has what there is', async (t) => {
    const one = { ...(await cosign(grown, [[a, T]])), pending: DEADLINE };
    const { newel, asked } = await open(t, grown.leafHashes, () => [202, one]);
    for (const timeoutMs of [0, 400]) {
      await assert.rejects(newel.upgrade(first.receipt, 'witnessed', { timeoutMs }), (error) => {
        assert.ok(error instanceof LevelNotMetError);
        assert.equal(error.code, 'level_not_met');
        assert.match(
          error.message,
          /^1 of 2 witnesses that the policy needs have signed so far \(deadline\)$/,
        );
        assert.deepEqual(error.receipt, { ...one, level: 'signed' });
        return true;
      });
    }
    assert.equal(asked[0]!.headers.prefer, 'wait=0');
    assert.equal(asked.length, 3, 'once, and then twice');
  });

  test('with the bearer’s own view of the tiles, which may be ahead of what is published', async (t) => {
    const authorizations: (string | null)[] = [];
    const fetch: typeof globalThis.fetch = (input, init) => {
      if ((input as string).includes('/tile/'))
        authorizations.push(new Headers(init?.headers).get('Authorization'));
      return globalThis.fetch(input, init);
    };
    const { newel } = await open(t, grown.leafHashes, always(await witnessed(grown)), { fetch });
    await newel.upgrade(first.receipt, 'witnessed');
    assert.deepEqual(authorizations, ['Bearer newel_t']);
  });

  test('not before its tiles are there', async (t) => {
    const better = await witnessed(grown);
    const { newel, asked } = await open(t, first.leafHashes, () => [200, better]);
    await assert.rejects(newel.upgrade(first.receipt, 'witnessed', { timeoutMs: 1500 }), {
      code: 'unreachable',
    });
    assert.ok(asked.length > 1, 'it is asked again, for they may come');
  });

  test('never where the signal is aborted', async (t) => {
    const one = { ...first.receipt, pending: DEADLINE };
    const { newel } = await open(t, [], () => [202, one]);
    const reason = new Error('enough');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 100);
    await assert.rejects(newel.upgrade(first.receipt, 'witnessed', { signal: controller.signal }), reason);
  });

  test('at the level signed by one request, which waits for nobody', async (t) => {
    const { newel, asked } = await open(t, grown.leafHashes, always(grown.receipt));
    const shown = presentSdJwt(first.receipt.statement, () => false);
    assert.deepEqual(await newel.upgrade({ ...first.receipt, statement: shown }, 'signed'), grown.receipt);
    assert.deepEqual(
      [asked.length, asked[0]!.url, asked[0]!.headers.prefer],
      [1, `/v1/events/${first.receipt.event_id}/receipt`, undefined],
    );
  });
});

describe('an upgrade is refused', () => {
  test('of another statement or leaf of the event, another name for it, or less of it', async (t) => {
    const { receipt } = first;
    const others = [
      { ...receipt, statement: presentSdJwt(receipt.statement, ([name]) => name !== 'txn') },
      { ...receipt, id: 'another', statement: presentSdJwt(receipt.statement, ([name]) => name !== 'id') },
      makeTestReceipt({ index: 40 }).receipt,
      makeTestReceipt({ event: { ...TEST_EVENT, outcome: 'failure' } }).receipt,
    ];
    for (const other of others) {
      const signed = await open(t, [], always(other));
      await assert.rejects(signed.newel.upgrade(receipt, 'signed'), { code: 'inconsistent' });
      const lined = await open(t, [], always(await witnessed({ ...first, receipt: other })));
      await assert.rejects(lined.newel.upgrade(receipt, 'witnessed'), { code: 'inconsistent' });
    }
  });

  test('of a receipt that does not hold itself, before anybody is asked', async (t) => {
    const { newel, asked } = await open(t, [], always(first.receipt));
    const forged = { ...first.receipt, tree_size: 43 };
    await assert.rejects(newel.upgrade(forged, 'witnessed'), { code: 'proof_invalid' });
    assert.equal(asked.length, 0);
  });

  test('to one that does not hold', async (t) => {
    const better = await witnessed(grown);
    const { newel } = await open(t, grown.leafHashes, always({ ...better, tree_size: 61 }));
    await assert.rejects(newel.upgrade(first.receipt, 'witnessed'), { code: 'proof_invalid' });
  });
});

describe('a fork that an upgrade meets convicts the log', () => {
  const cases: readonly [what: string, other: TestReceiptOptions, first: TestReceipt][] = [
    ['of one size', { others: 'forked' }, first],
    [
      'with a larger tree, of a first one whose size is a power of two',
      { others: 'forked', size: 60, index: 7 },
      makeTestReceipt({ index: 7, size: 32 }),
    ],
    ['with a larger tree', { others: 'forked', size: 60 }, first],
    ['with a smaller tree', { others: 'forked' }, grown],
  ];
  for (const [what, options, had] of cases) {
    test(what, async (t) => {
      const other = makeTestReceipt(options);
      const larger = other.leafHashes.length >= had.leafHashes.length ? other : had;
      const { newel } = await open(t, larger.leafHashes, always(await witnessed(other)));
      await assert.rejects(newel.upgrade(had.receipt, 'witnessed'), (error) => {
        assert.ok(error instanceof InconsistentHeadsError);
        assert.equal(error.code, 'inconsistent');
        const { older, newer, begins } = error;
        const sizes = [had, other].map(({ leafHashes }) => leafHashes.length).sort((x, y) => x - y);
        assert.deepEqual([older.size, newer.size], sizes);
        const notes = [noteOf(had.receipt)].map((note) => Buffer.from(note).toString());
        const kept = [older, newer].map(({ note }) => Buffer.from(note ?? []).toString());
        assert.ok(
          notes.every((note) => kept.includes(note)),
          'the head that the receipt stood on',
        );
        assert.ok(
          kept.every((note) => note.includes('— log.example/bank ')),
          'both are signed',
        );
        assert.equal(begins === undefined, older.size === newer.size);
        if (begins) {
          assert.notDeepEqual(begins.root, older.root);
          verifyConsistency(older.size, newer.size, begins.root, newer.root, begins.proof);
        }
        return true;
      });
    });
  }

  test('also where the level is not met', async (t) => {
    const other = makeTestReceipt({ others: 'forked', size: 60 });
    const { newel } = await open(t, other.leafHashes, () => [202, { ...other.receipt, pending: DEADLINE }]);
    await assert.rejects(newel.upgrade(first.receipt, 'witnessed', { timeoutMs: 0 }), InconsistentHeadsError);
  });
});

function always(receipt: Receipt): FakeAnswer {
  return () => [200, receipt];
}

test('against the log itself: signed while witnesses are away, and upgraded once they are back', async () => {
  const asking = new FakeAsking();
  const { app, test: log } = await openTestSite({ kind: 'events', asking });
  let isDone = false;
  const time = (async () => {
    for (; !isDone; log.clock.advance(50)) await new Promise((resolve) => setTimeout(resolve, 2));
  })();
  const fetch: typeof globalThis.fetch = async (input, init) =>
    app.request((input as string).slice(TEST_URL.length), init);
  const trust = parseTrust(await (await app.request('/v1/log')).text(), { mldsa44: nobleMldsa44 });
  const newel = new Newel({ trust, token: 'newel_submit', fetch, retries: 0 });
  const { id: _, ...event } = { ...TEST_EVENT, source: 'https://bank.example/payments' } as StepUpEvent;
  asking.down.add('w1').add('w3');
  const signed = await newel.submit(event, { level: 'witnessed', waitS: 1 });
  const away = { level: 'witnessed', reason: 'witnesses_unreachable', have: 1, need: 2 };
  assert.deepEqual([signed.level, signed.pending], ['signed', away]);
  const batch: ProvenReceipt[] = [];
  for await (const { receipt, error } of newel.submitMany([event, event], { level: 'witnessed', waitS: 0 })) {
    batch.push(receipt ?? assert.fail(error));
  }
  assert.deepEqual(
    batch.map(({ level, pending }) => [level, pending?.reason]),
    [
      ['signed', 'witnesses_unreachable'],
      ['signed', 'witnesses_unreachable'],
    ],
  );
  await assert.rejects(newel.upgrade(signed, 'witnessed', { timeoutMs: 0 }), { code: 'level_not_met' });
  asking.down.clear();
  for (const receipt of [signed, ...batch]) {
    const upgraded = await newel.upgrade(receipt, 'witnessed', { timeoutMs: 20_000 });
    const { cosigners, witnessedTimeS } = await verifyReceipt(upgraded, { trust, level: 'witnessed' });
    assert.ok(cosigners.length >= 2 && witnessedTimeS !== undefined);
    assert.equal('pending' in upgraded, false);
  }
  isDone = true;
  await time;
  await log.log.close();
});
