/** Submitting at `witnessed`: what is asked of the log, and what is believed of its answer. */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { Newel, type NewelOptions, type SubmitOptions } from '../../src/client/newel.ts';
import { OutcomeUnknownError } from '../../src/client/outcome-errors.ts';
import { formatReceipt, type Receipt } from '../../src/client/receipt.ts';
import type { EventOutcome } from '../../src/client/submit-many.ts';
import type { StepUpEvent } from '../../src/event/schema.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { makeTestReceipt, TEST_EVENT } from '../support/test-receipt.ts';
import {
  cosign,
  type FakeAnswer,
  type FakeLog,
  RECEIVED_TIME_S as T,
  serveFakeLog,
  WITNESSES,
  witnessedTrust,
} from '../support/witnessed-receipt.ts';

const { a, b, c, d } = WITNESSES;
const EVENT = TEST_EVENT as StepUpEvent;
const made = makeTestReceipt();
const one = await cosign(made, [[a, T + 1]]);
const two = await cosign(made, [
  [a, T + 1],
  [b, T + 2],
]);
const DEADLINE = { level: 'witnessed', reason: 'deadline', have: 1, need: 2 } as const;
const WITNESSED = { level: 'witnessed' } as const;

async function open(
  t: TestContext,
  answer: FakeAnswer,
  options: Partial<NewelOptions> = {},
): Promise<FakeLog & { readonly newel: Newel }> {
  const log = await serveFakeLog(t, made.leafHashes, answer);
  const trust = witnessedTrust();
  return { ...log, newel: new Newel({ url: log.url, token: 'newel_t', trust, timeoutMs: 2000, ...options }) };
}

/** A fetch that holds each answer. `next` resolves to what hands the next one on, once it is there. */
function heldFetch(): { fetch: typeof globalThis.fetch; next: () => Promise<() => void> } {
  const held: (() => void)[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const response = await globalThis.fetch(input, init);
    await new Promise<void>((resolve, reject) => {
      held.push(resolve);
      init?.signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    });
    return response;
  };
  const next = async (): Promise<() => void> => {
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    return held.shift()!;
  };
  return { fetch, next };
}

describe('submit', () => {
  test('asks for the level and how long to wait, and resolves with what was proven', async (t) => {
    const { newel, asked } = await open(t, () => [201, { ...two, level: 'signed', pending: DEADLINE }]);
    const receipt = await newel.submit(EVENT, WITNESSED);
    assert.deepEqual(receipt, { ...two, level: 'witnessed' });
    await newel.submit(EVENT, { ...WITNESSED, waitS: 0 });
    await newel.submit(EVENT, { ...WITNESSED, waitS: 10 });
    assert.equal(
      (await newel.submit(EVENT)).level,
      'witnessed',
      'it says what it proves, whatever was asked for',
    );
    assert.deepEqual(
      asked.map(({ url, headers }) => [url, headers.prefer]),
      [
        ['/v1/events?level=witnessed', 'wait=2'],
        ['/v1/events?level=witnessed', 'wait=0'],
        ['/v1/events?level=witnessed', 'wait=10'],
        ['/v1/events', undefined],
      ],
    );
  });

  test('takes a 202: the receipt is true, and says what it lacks', async (t) => {
    const cases: readonly [status: number, answered: Receipt, pending: object][] = [
      [202, { ...one, pending: DEADLINE }, DEADLINE],
      [202, { ...one, level: 'witnessed', pending: { ...DEADLINE, have: 2 } }, DEADLINE],
      [
        202,
        { ...made.receipt, pending: { ...DEADLINE, reason: 'witnesses_unreachable' } },
        { ...DEADLINE, reason: 'witnesses_unreachable' },
      ],
      [202, { ...one, pending: { ...DEADLINE, have: 0 } }, DEADLINE],
      [202, { ...made.receipt, pending: { ...DEADLINE, need: 3 } }, { ...DEADLINE, have: 0 }],
      [202, { ...made.receipt, pending: { ...DEADLINE, have: 0.5 } }, { ...DEADLINE, have: 0 }],
      [202, { ...one, pending: { reason: 'a\u001b[2J' } }, { ...DEADLINE, reason: 'unknown' }],
      [202, { ...one, pending: {} }, { ...DEADLINE, reason: 'unknown' }],
      [201, { ...one, level: 'witnessed' }, { ...DEADLINE, reason: 'policy_differs' }],
    ];
    for (const [status, answered, pending] of cases) {
      const { newel, asked } = await open(t, () => [status, answered]);
      const receipt = await newel.submit(EVENT, WITNESSED);
      assert.deepEqual([receipt.level, receipt.pending], ['signed', pending]);
      assert.equal(asked.length, 1, 'it is logged, so that nothing is sent again');
    }
  });

  test('counts no line of a stranger', async (t) => {
    const strange = await cosign(made, [
      [a, T],
      [d, T],
    ]);
    const { newel } = await open(t, () => [201, { ...strange, level: 'witnessed' }]);
    const { level, pending } = await newel.submit(EVENT, WITNESSED);
    assert.deepEqual([level, pending?.have, pending?.need], ['signed', 1, 2]);
  });

  test('keeps the lines of the policy alone where it is told to, once they are there', async (t) => {
    const three = await cosign(made, [
      [a, T + 3],
      [b, T + 2],
      [c, T + 1],
    ]);
    const below = await cosign(made, [
      [a, T],
      [d, T],
    ]);
    const { newel, asked } = await open(t, (_, count) => (count === 4 ? [202, below] : [201, three]));
    assert.equal((await newel.submit(EVENT, WITNESSED)).proof, three.proof);
    assert.equal((await newel.submit(EVENT, { ...WITNESSED, lines: 'all' })).proof, three.proof);
    const { proof, level } = await newel.submit(EVENT, { ...WITNESSED, lines: 'policy' });
    const needed = await cosign(made, [
      [b, T + 2],
      [c, T + 1],
    ]);
    assert.deepEqual([proof, level], [needed.proof, 'witnessed']);
    const kept = await newel.submit(EVENT, { ...WITNESSED, lines: 'policy' });
    assert.deepEqual([kept.proof, kept.pending?.have], [below.proof, 1]);
    assert.ok(
      asked.every(({ url }) => !url.includes('lines')),
      'the policy of the log may be another',
    );
  });

  test('finds another event, or less of it, whatever the level', async (t) => {
    const other = makeTestReceipt({ event: { ...TEST_EVENT, outcome: 'failure' } });
    const lesser = { ...two, statement: presentSdJwt(two.statement, ([name]) => name !== 'txn') };
    for (const wrong of [
      await cosign(other, [
        [a, T],
        [b, T],
      ]),
      lesser,
    ]) {
      const { newel } = await open(t, () => [201, wrong]);
      await assert.rejects(newel.submit(EVENT, WITNESSED), {
        code: 'inconsistent',
        name: 'OutcomeUnknownError',
      });
    }
  });

  test('waits longer for an answer that takes longer', async (t) => {
    const { fetch, next } = heldFetch();
    const { newel } = await open(t, () => [201, two], { fetch, timeoutMs: 500, retries: 0 });
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const patient = newel.submit(EVENT, { ...WITNESSED, waitS: 1 });
    const answer = await next();
    t.mock.timers.tick(1499);
    answer();
    assert.equal((await patient).level, 'witnessed');
    for (const [waitS, waitMs] of [
      [1, 1500],
      [0, 500],
    ] as const) {
      const refused = assert.rejects(newel.submit(EVENT, { ...WITNESSED, waitS }), { code: 'unreachable' });
      await next();
      t.mock.timers.tick(waitMs);
      await refused;
    }
  });

  test('refuses a wait that is none, before anything is sent', async (t) => {
    const { newel, asked } = await open(t, () => [201, two]);
    for (const waitS of [-1, 0.5, 11, Number.NaN]) {
      await assert.rejects(newel.submit(EVENT, { ...WITNESSED, waitS }), RangeError);
      await assert.rejects(newel.submitMany([EVENT], { ...WITNESSED, waitS }).next(), RangeError);
    }
    assert.equal(asked.length, 0);
  });

  test('a log that only reads for now is asked again', async (t) => {
    const notReady = JSON.stringify({ status: 503, code: 'not_ready', detail: 'no witness has agreed yet' });
    const { newel } = await open(t, (_, count) => (count === 1 ? [503, notReady] : [201, two]));
    assert.equal((await newel.submit(EVENT, WITNESSED)).level, 'witnessed');
    const refusing = await open(t, () => [503, notReady], { retries: 0 });
    await assert.rejects(refusing.newel.submit(EVENT), { code: 'not_ready', name: 'NewelError' });
  });
});

describe('submitMany', () => {
  const events = ['one', 'two', 'three'].map((id) => ({ ...EVENT, id }));

  async function itemsOf(cosigned: readonly (readonly (typeof a)[])[]): Promise<string> {
    const lines = await Promise.all(
      events.map(async ({ id }, n) => {
        const by = (cosigned[n] ?? []).map((cosigner) => [cosigner, T] as const);
        const receipt = await cosign(makeTestReceipt({ event: { ...TEST_EVENT, id } }), by);
        const isMet = by.length >= 2;
        const pending = isMet ? {} : { pending: { ...DEADLINE, have: 7 } };
        return JSON.stringify({ n, status: isMet ? 201 : 202, ...receipt, ...pending });
      }),
    );
    return `${lines.join('\n')}\n`;
  }

  async function collect(
    newel: Newel,
    options: SubmitOptions & { atomic?: boolean },
  ): Promise<EventOutcome[]> {
    const outcomes: EventOutcome[] = [];
    for await (const outcome of newel.submitMany(events, options)) outcomes.push(outcome);
    return outcomes;
  }

  test('each event has a receipt of its own level, and says what it lacks', async (t) => {
    const answer = await itemsOf([[a, b], [a], []]);
    const { newel, asked } = await open(t, () => [200, answer]);
    const outcomes = await collect(newel, WITNESSED);
    assert.deepEqual(
      outcomes.map(({ id, receipt }) => [id, receipt?.level, receipt?.pending?.have]),
      [
        ['one', 'witnessed', undefined],
        ['two', 'signed', 1],
        ['three', 'signed', 0],
      ],
    );
    await collect(newel, { ...WITNESSED, waitS: 5, atomic: true });
    assert.deepEqual(
      asked.map(({ url, headers }) => [url, headers.prefer]),
      [
        ['/v1/events?level=witnessed', 'return=representation, wait=2'],
        ['/v1/events?level=witnessed&atomic=true', 'return=representation, wait=5'],
      ],
    );
  });

  test('each keeps the lines of the policy alone where it is told to', async (t) => {
    const answer = await itemsOf([[a, b, c], [a], [c, b, a]]);
    const { newel } = await open(t, () => [200, answer]);
    const outcomes = await collect(newel, { ...WITNESSED, lines: 'policy' });
    assert.deepEqual(
      outcomes.map(
        ({ receipt }) => receipt!.proof.split('\n').filter((line) => line.startsWith('— ')).length,
      ),
      [3, 2, 3],
    );
  });

  test('without a level nothing is pending', async (t) => {
    const answer = await itemsOf([[a, b], [a], []]);
    const { newel, asked } = await open(t, () => [200, answer]);
    const outcomes = await collect(newel, {});
    assert.ok(outcomes.every(({ receipt }) => receipt && !receipt.pending));
    assert.deepEqual([asked[0]!.url, asked[0]!.headers.prefer], ['/v1/events', 'return=representation']);
  });

  test('a line that is false is no receipt below its level', async (t) => {
    const answer = (
      await itemsOf([
        [a, b],
        [a, b],
        [a, b],
      ])
    ).replace(/(witness\.example\/b [^\\]{60})./, '$1!');
    const { newel } = await open(t, () => [200, answer], { retries: 0 });
    await assert.rejects(collect(newel, WITNESSED), (error) => error instanceof OutcomeUnknownError);
  });
});

test('a receipt that was taken below its level can be kept and read again', () => {
  const kept = JSON.parse(formatReceipt({ ...one, pending: DEADLINE })) as Receipt;
  assert.deepEqual(kept.pending, DEADLINE);
});
