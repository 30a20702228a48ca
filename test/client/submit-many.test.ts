/** Many events: against the real routes, and against a connection and a log that are not to be relied upon. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { BatchRefusedError } from '../../src/client/batch-post.ts';
import { Newel, type NewelOptions, type Submittable } from '../../src/client/newel.ts';
import { OutcomeUnknownError } from '../../src/client/outcome-errors.ts';
import type { EventOutcome } from '../../src/client/submit-many.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { verifyReceipt } from '../../src/client/verify.ts';
import { EventInvalidError, NewelError, RateLimitedError } from '../../src/errors.ts';
import type { FlatEvent } from '../../src/event/flat.ts';
import { type BatchSite, flat, openBatches } from '../support/batch-requests.ts';
import { trustOf } from '../support/event-requests.ts';
import { TEST_URL } from '../support/test-site.ts';

type Fetch = typeof globalThis.fetch;

let site: BatchSite;
let trust: ReturnType<typeof parseTrust>;
before(async () => {
  site = await openBatches();
  trust = parseTrust(await trustOf(site), { ed25519: nodeEd25519 });
});
after(() => site.test.log.close());

const toSite: Fetch = async (input, init) => site.app.request(pathOf(input), init);

function pathOf(input: string | URL | Request): string {
  const url = input instanceof Request ? input.url : String(input);
  assert.ok(url.startsWith(TEST_URL));
  return url.slice(TEST_URL.length);
}

function newelWith(fetch: Fetch, options: Partial<NewelOptions> = {}): Newel {
  return new Newel({ trust, token: 'newel_submit', fetch, timeoutMs: 2000, retries: 3, ...options });
}

function textOf(body: unknown): string {
  assert.ok(typeof body === 'string');
  return body;
}

let batch = 0;
/** Events that no other test has sent. */
function events(count: number): (FlatEvent & { id: string })[] {
  batch++;
  return Array.from(
    { length: count },
    (_, i) => flat(`b${batch}-${i}`) as unknown as FlatEvent & { id: string },
  );
}

async function collect(outcomes: AsyncIterable<EventOutcome>): Promise<EventOutcome[]> {
  const all: EventOutcome[] = [];
  for await (const outcome of outcomes) all.push(outcome);
  return all;
}

/** The answer of the site, whose text `change` makes another of. */
function answering(change: (text: string, attempt: number) => string | Response): Fetch {
  let attempt = 0;
  return async (input, init) => {
    const response = await toSite(input, init);
    const changed = change(await response.text(), attempt++);
    const { status, headers } = response;
    return changed instanceof Response ? changed : new Response(changed, { status, headers });
  };
}

function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ status, code, detail: 'no' }), { status, headers });
}

test('every receipt is verified, in the order of the events, over as many requests as it takes', async () => {
  let requests = 0;
  const newel = newelWith((input, init) => {
    requests++;
    return toSite(input, init);
  });
  const sent = events(1200);
  const outcomes = await collect(newel.submitMany(sent));
  assert.equal(requests, 2);
  assert.deepEqual(
    outcomes.map(({ n, id, receipt }) => [n, id, receipt?.id]),
    sent.map(({ id }, n) => [n, id, id]),
  );
  const last = outcomes.at(-1)!.receipt!;
  assert.equal(last.level, 'signed');
  assert.equal((await verifyReceipt(last, { trust })).event['id'], sent.at(-1)!.id);
  assert.ok(!('checkpoint' in last) && !('n' in last) && !('status' in last));
});

test('events without an id are given one, those that come one by one are taken too', async () => {
  const generated: Submittable[] = events(3).map(({ id: _id, ...event }) => event);
  async function* slowly(): AsyncGenerator<Submittable> {
    yield* generated;
  }
  const outcomes = await collect(newelWith(toSite).submitMany(slowly()));
  assert.equal(new Set(outcomes.map(({ id }) => id)).size, 3);
  for (const { id, receipt } of outcomes) assert.equal(receipt?.id, id);
  assert.deepEqual(await collect(newelWith(toSite).submitMany([])), []);
});

test('an event that is refused is an outcome, and the others go on', async () => {
  const sent = events(4);
  const wrong = [sent[0]!, { ...sent[1]!, status: 'x' }, sent[2]!, { ...sent[0]!, user_id: 'another' }];
  const outcomes = await collect(newelWith(toSite).submitMany(wrong as Submittable[]));
  assert.deepEqual(
    outcomes.map(({ receipt, error }) => receipt?.id ?? error?.code),
    [sent[0]!.id, 'event_invalid', sent[2]!.id, 'id_conflict'],
  );
  assert.ok(outcomes[1]!.error instanceof EventInvalidError);
});

describe('atomic', () => {
  test('all are taken, in one request', async () => {
    const sent = events(1100);
    let paths: string[] = [];
    const newel = newelWith((input, init) => {
      paths.push(pathOf(input));
      return toSite(input, init);
    });
    const outcomes = await collect(newel.submitMany(sent, { atomic: true }));
    assert.deepEqual(paths, ['/v1/events?atomic=true']);
    assert.deepEqual(new Set(outcomes.map(({ receipt }) => receipt?.tree_size)).size, 1);
    paths = [];
    assert.equal((await collect(newel.submitMany(sent, { atomic: true }))).length, 1100, 'again, the same');
  });

  test('or none: the error has all that are at fault', async () => {
    const sent = events(5);
    const size = site.test.log.revealed.size;
    const wrong = sent.map((event, i) => (i % 2 === 1 ? { ...event, status: 'x' } : event));
    await assert.rejects(
      collect(newelWith(toSite).submitMany(wrong as Submittable[], { atomic: true })),
      (error) => {
        assert.ok(error instanceof BatchRefusedError);
        assert.equal(error.code, 'event_invalid');
        assert.deepEqual(
          error.faults.map(({ n, error }) => [n, error.code]),
          [
            [1, 'event_invalid'],
            [3, 'event_invalid'],
          ],
        );
        return true;
      },
    );
    assert.equal(site.test.log.revealed.size, size);
  });
});

describe('a connection that breaks', () => {
  test('costs another request of what has no receipt yet', async () => {
    const sent = events(40);
    const bodies: number[] = [];
    const size = site.test.log.revealed.size;
    const newel = newelWith(async (input, init) => {
      bodies.push(textOf(init?.body).split('\n').length - 1);
      const response = await toSite(input, init);
      const text = await response.text();
      const { status, headers } = response;
      const cut = bodies.length <= 2 ? text.slice(0, Math.floor(text.length / 2)) : text;
      const stream = new ReadableStream({
        start(controller) {
          controller.enqueue(Buffer.from(cut));
          if (bodies.length === 1) controller.error(new TypeError('terminated'));
          else controller.close();
        },
      });
      return new Response(stream, { status, headers });
    });
    const outcomes = await collect(newel.submitMany(sent));
    assert.deepEqual(
      outcomes.map(({ n, receipt }) => [n, receipt?.id]),
      sent.map(({ id }, n) => [n, id]),
    );
    assert.equal(bodies.length, 3);
    assert.deepEqual(
      bodies,
      bodies.toSorted((a, b) => b - a),
    );
    assert.equal(site.test.log.revealed.size, size + 40, 'each is logged once');
  });

  test('again and again is an outcome that nobody knows, of the first event that has none', async () => {
    const sent = events(3);
    let requests = 0;
    const newel = newelWith(
      async () => {
        requests++;
        throw new TypeError('fetch failed');
      },
      { retries: 1 },
    );
    await assert.rejects(collect(newel.submitMany(sent)), (error) => {
      assert.ok(error instanceof OutcomeUnknownError);
      assert.deepEqual([error.code, error.id], ['unreachable', sent[0]!.id]);
      return true;
    });
    assert.equal(requests, 2);
  });

  test('after some receipts: those are handed on', async () => {
    const sent = events(6);
    const newel = newelWith(
      answering((text, attempt) =>
        attempt === 0
          ? `${text.split('\n').slice(0, 4).join('\n')}\n`
          : problem(503, 'storage_failed', { 'Retry-After': '10' }),
      ),
    );
    const seen: string[] = [];
    await assert.rejects(
      (async () => {
        for await (const { id } of newel.submitMany(sent)) seen.push(id);
      })(),
      (error) =>
        error instanceof OutcomeUnknownError && error.id === sent[3]!.id && error.code === 'storage_failed',
    );
    assert.deepEqual(
      seen,
      sent.slice(0, 3).map(({ id }) => id),
    );
  });

  test('an answer that does not go on is not waited for', async () => {
    const server = createServer((request, response) => {
      request.resume();
      response.writeHead(200).write(' ');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address);
    const url = `http://127.0.0.1:${address.port}`;
    const newel = newelWith(globalThis.fetch, { url, retries: 0, timeoutMs: 100 });
    const startMs = performance.now();
    await assert.rejects(collect(newel.submitMany(events(1))), { code: 'unreachable' });
    assert.ok(performance.now() - startMs < 1500);
    server.closeAllConnections();
    server.close();
  });
});

test('what has no room for a moment is sent again, with all that comes after it', async () => {
  const sent = events(6);
  let attempts = 0;
  const newel = newelWith(
    answering((text, attempt) => {
      attempts++;
      if (attempt > 0) return text;
      const lines = text.split('\n').slice(0, -1);
      return `${lines
        .map((line) => {
          const { n } = JSON.parse(line) as { n?: number };
          return n === undefined || n < 2
            ? line
            : JSON.stringify({ n, status: 503, code: 'queue_full', detail: 'x' });
        })
        .join('\n')}\n`;
    }),
  );
  const outcomes = await collect(newel.submitMany(sent));
  assert.equal(attempts, 2);
  assert.deepEqual(
    outcomes.map(({ receipt }) => receipt?.id),
    sent.map(({ id }) => id),
  );
  const limited = newelWith(
    async () =>
      new Response('{"n":0,"status":429,"code":"rate_limited","detail":"x","limit":5,"unit":"events"}\n'),
    { retries: 0 },
  );
  await assert.rejects(
    collect(limited.submitMany(events(1))),
    (error) => error instanceof RateLimitedError && error.limit === 5 && error.unit === 'events',
  );
});

test('what the log says of the whole is thrown, once', async () => {
  for (const [status, code] of [
    [401, 'unauthenticated'],
    [403, 'forbidden'],
    [413, 'too_large'],
  ] as const) {
    let requests = 0;
    const newel = newelWith(async () => {
      requests++;
      return problem(status, code);
    });
    await assert.rejects(
      collect(newel.submitMany(events(2))),
      (error) =>
        error instanceof NewelError && !(error instanceof OutcomeUnknownError) && error.code === code,
    );
    assert.equal(requests, 1);
  }
});

describe('an answer that is not true', () => {
  const cases: readonly [what: string, code: string, change: (lines: string[]) => string[]][] = [
    ['receipts in another order', 'inconsistent', ([note, a, b]) => [note!, b!, a!]],
    ['the receipt of another event', 'inconsistent', ([note, , b]) => [note!, b!.replace('"n":1', '"n":0')]],
    ['a receipt twice', 'inconsistent', ([note, a]) => [note!, a!, a!]],
    [
      'another leaf',
      'proof_invalid',
      ([note, a]) => [note!, a!.replace(/"leaf_index":\d+/, '"leaf_index":0')],
    ],
    ['no checkpoint', 'malformed', ([, a]) => [a!]],
    ['no JSON', 'malformed', () => ['<html>']],
  ];
  for (const [what, code, change] of cases) {
    test(`${what}: nothing of it is handed on`, async () => {
      const sent = events(2);
      const newel = newelWith(
        answering((text) => `${change(text.split('\n').slice(0, -1)).join('\n')}\n`),
        { retries: 0 },
      );
      const seen: EventOutcome[] = [];
      await assert.rejects(
        (async () => {
          for await (const outcome of newel.submitMany(sent)) seen.push(outcome);
        })(),
        (error) => {
          assert.ok(error instanceof OutcomeUnknownError);
          assert.equal(error.code, code);
          assert.equal(error.id, sent[seen.length]!.id);
          return true;
        },
      );
      assert.ok(seen.every(({ n, receipt }) => receipt?.id === sent[n]!.id));
    });
  }
});

test('a signal ends it, with its reason', async () => {
  const reason = new Error('enough');
  const controller = new AbortController();
  const newel = newelWith(
    (_, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
      }),
  );
  setTimeout(() => controller.abort(reason), 20);
  await assert.rejects(collect(newel.submitMany(events(1), { signal: controller.signal })), /enough|aborted/);
});

test('a level that no log reaches is said before anything is sent', async () => {
  const newel = newelWith(async () => assert.fail('it was sent'));
  await assert.rejects(collect(newel.submitMany(events(1), { level: 'witnessed' })), {
    code: 'no_witnesses',
  });
});
