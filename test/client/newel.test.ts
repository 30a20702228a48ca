import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { Newel, type NewelOptions, type Submittable } from '../../src/client/newel.ts';
import { OutcomeUnknownError } from '../../src/client/outcome-errors.ts';
import { formatReceipt, type Receipt } from '../../src/client/receipt.ts';
import { verifyReceipt } from '../../src/client/verify.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { EventInvalidError, NewelError } from '../../src/errors.ts';
import { type FlatEvent, mapFlat } from '../../src/event/flat.ts';
import type { EventMembers, StepUpEvent } from '../../src/event/schema.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { openTestSite, TEST_URL } from '../support/test-site.ts';
import { makeTestReceipt, TEST_EVENT } from '../support/test-receipt.ts';

const { trustFile, receipt } = makeTestReceipt();
const TOKEN = 'newel_secret';
const EVENT = TEST_EVENT as StepUpEvent;

const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (seen: Seen, response: ServerResponse, count: number) => void;

/** A server that answers as it is told, and remembers what it was asked. */
async function serve(answer: Answer): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body });
      answer(seen.at(-1)!, response, seen.length);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { url: `http://127.0.0.1:${address.port}`, seen };
}

function newelAt(url: string, options: Partial<NewelOptions> = {}): Newel {
  return new Newel({ url, token: TOKEN, trust: trustFile, timeoutMs: 2000, retries: 3, ...options });
}

function urlOf(input: string | URL | globalThis.Request): string {
  return input instanceof globalThis.Request ? input.url : input.toString();
}

/** What an honest log makes of an event. */
function receiptOf(body: string): Receipt {
  const event = JSON.parse(body) as EventMembers | (FlatEvent & { id: string });
  const canonical = 'schema' in event ? event : mapFlat(event, event.id, 'https://bank.example/payments');
  return makeTestReceipt({ event: canonical }).receipt;
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, headers).end(body);
}

const honest: Answer = ({ body }, response) => send(response, 201, formatReceipt(receiptOf(body)));

describe('submit', () => {
  test('resolves with the receipt of the event, verified', async () => {
    const { url, seen } = await serve(honest);
    const got = await newelAt(`${url}/`).submit(EVENT);
    assert.deepEqual(got, receipt);
    const [request] = seen;
    assert.equal(`${request!.method} ${request!.url}`, 'POST /v1/events');
    assert.equal(request!.headers.authorization, `Bearer ${TOKEN}`);
    assert.equal(request!.headers['content-type'], 'application/json');
    assert.equal(request!.headers.prefer, undefined);
    assert.deepEqual(JSON.parse(request!.body), EVENT);
  });

  test('gives an event without an id one, the same in every attempt', async () => {
    const { url, seen } = await serve((request, response, count) => {
      if (count < 3) response.destroy();
      else honest(request, response, count);
    });
    const { id: _, ...anonymous } = EVENT;
    const got = await newelAt(url).submit(anonymous);
    assert.equal(seen.length, 3);
    assert.equal(new Set(seen.map(({ body }) => body)).size, 1);
    assert.match(got.id, /^[A-Za-z0-9_-]{22}$/);
    const other = await newelAt(url).submit(anonymous);
    assert.notEqual(other.id, got.id);
  });

  test('takes an event of the flat profile, and its receipt of the canonical one', async () => {
    const flat: FlatEvent = {
      timestamp: '2023-10-31T12:00:00Z',
      user_id: '12345',
      event_type: 'step_up',
      trigger_reason: 'elevated_risk_score',
      status: 'approved',
      method: 'sms',
    };
    const { url } = await serve(honest);
    assert.equal((await newelAt(url).submit(flat)).source, 'https://bank.example/payments');
    const denying = await serve(({ body }, response) =>
      send(response, 201, formatReceipt(receiptOf(body.replace('approved', 'denied')))),
    );
    await assert.rejects(newelAt(denying.url).submit(flat), { code: 'inconsistent' });
  });

  test('a true receipt of another event, or of a part of this one, is not taken for it', async () => {
    const others: Receipt[] = [
      makeTestReceipt({ event: { ...TEST_EVENT, outcome: 'failure' } }).receipt,
      makeTestReceipt({ event: { ...TEST_EVENT, id: 'another' } }).receipt,
      makeTestReceipt({ event: { ...TEST_EVENT, seq: 7 } }).receipt,
      { ...receipt, statement: presentSdJwt(receipt.statement, ([name]) => name !== 'txn') },
      { ...receipt, statement: presentSdJwt(receipt.statement, (path) => path[1] !== 'ip') },
    ];
    for (const other of others) {
      const { url } = await serve((_, response) => send(response, 201, formatReceipt(other)));
      await assert.rejects(newelAt(url).submit(EVENT), { code: 'inconsistent', name: 'OutcomeUnknownError' });
    }
  });

  test('the receipt says the level that it proves, and links to nothing but a URL', async () => {
    const { proof_url: _, ...linkless } = receipt;
    for (const link of ['javascript:alert(1)', 'https://log.example/\u001b[2J', 'none']) {
      const claimed = { ...receipt, level: 'witnessed', proof_url: link };
      const { url } = await serve((_, response) => send(response, 201, formatReceipt(claimed)));
      assert.deepEqual(await newelAt(url).submit(EVENT), linkless);
      assert.deepEqual(await newelAt(url).upgrade(receipt, 'signed'), linkless);
      const waiting = { ...claimed, pending: { level: 'witnessed', reason: 'deadline', have: 1, need: 2 } };
      const other = await serve((_, response) => send(response, 202, formatReceipt(waiting)));
      assert.deepEqual(await newelAt(other.url).submit(EVENT), linkless, 'nothing was asked for');
    }
  });

  test('a receipt that is false is thrown with what is false in it, and is not tried again', async () => {
    const cases: [receipt: Receipt, code: string][] = [
      [{ ...receipt, tree_size: 43 }, 'proof_invalid'],
      [{ ...receipt, proof: receipt.proof.replace('\n42\n', '\n43\n') }, 'signature_invalid'],
      [{ ...receipt, statement: receipt.statement.slice(0, -1) }, 'malformed'],
      [makeTestReceipt({ origin: 'log.example/bonk' }).receipt, 'signer_unknown'],
    ];
    for (const [false_, code] of cases) {
      const { url, seen } = await serve((_, response) => send(response, 201, formatReceipt(false_)));
      await assert.rejects(newelAt(url).submit(EVENT), { code, name: 'OutcomeUnknownError' });
      assert.equal(seen.length, 1);
    }
  });

  test('a level that the policy cannot reach is refused before anything is sent', async () => {
    const { url, seen } = await serve(honest);
    await assert.rejects(newelAt(url).submit(EVENT, { level: 'witnessed' }), { code: 'no_witnesses' });
    await assert.rejects(newelAt(url).upgrade(receipt, 'witnessed'), { code: 'no_witnesses' });
    assert.equal(seen.length, 0);
  });
});

describe('submitting to the log itself', () => {
  const EXAMPLES = ['flat.json', 'full.json', 'wire-transfer.ndjson', 'denied-push.ndjson'].flatMap(
    (name) => {
      const text = readFileSync(new URL(`../../spec/examples/${name}`, import.meta.url), 'utf8');
      const texts = name.endsWith('.ndjson') ? text.trim().split('\n') : [text];
      return texts.map((one) => JSON.parse(one) as Submittable);
    },
  );

  test('every example event, with another one of the same content on its heels', async () => {
    const { app, test: log } = await openTestSite({ kind: 'events' });
    const fetch: typeof globalThis.fetch = async (input, init) =>
      app.request(urlOf(input).slice(TEST_URL.length), init);
    const trust = await (await app.request('/v1/log')).text();
    const newel = new Newel({ trust, token: 'newel_submit', fetch });
    assert.equal(newel.url, TEST_URL);
    assert.ok(EXAMPLES.length > 10);
    const received = await Promise.all(EXAMPLES.map((event) => newel.submit(event)));
    for (const [i, receipt] of received.entries()) {
      const { event } = await verifyReceipt(receipt, { trust });
      assert.equal(event['id'], receipt.id);
      const again = await newel.submit({ ...EXAMPLES[i]!, id: receipt.id });
      assert.deepEqual([again.event_id, again.leaf_index], [receipt.event_id, receipt.leaf_index]);
      const upgraded = await newel.upgrade(receipt, 'signed');
      assert.equal(upgraded.leaf_hash, receipt.leaf_hash);
    }
    assert.equal(new Set(received.map(({ event_id }) => event_id)).size, EXAMPLES.length);
    await assert.rejects(newel.submit({ ...EXAMPLES[0]!, id: received[1]!.id, source: 'x' }), (error) => {
      return error instanceof EventInvalidError && error.faults.length > 0;
    });
    const stranger = new Newel({ trust, token: 'newel_none', fetch });
    await assert.rejects(stranger.submit(EXAMPLES[1]!), { code: 'unauthenticated' });
    await log.log.close();
  });
});

describe('what the log refuses', () => {
  const problem = (code: string, more = {}): string =>
    JSON.stringify({ type: 'about:blank', title: 'No', status: 422, detail: 'it is not so', code, ...more });

  test('is the error that it says, at once', async () => {
    const cases: [status: number, code: string][] = [
      [400, 'malformed'],
      [401, 'unauthenticated'],
      [403, 'forbidden'],
      [409, 'id_conflict'],
      [413, 'too_large'],
      [415, 'unsupported_media_type'],
      [422, 'schema_unknown'],
    ];
    for (const [status, code] of cases) {
      const { url, seen } = await serve((_, response) => send(response, status, problem(code)));
      await assert.rejects(newelAt(url).submit(EVENT), { name: 'NewelError', code, message: 'it is not so' });
      assert.equal(seen.length, 1, code);
    }
  });

  test('has its faults, where it is the event', async () => {
    const errors = [
      { pointer: '/outcome', detail: 'is required' },
      { pointer: '', detail: 'must be an object' },
      { pointer: '/x\u001b[31m', detail: 'a terminal' },
      { detail: 'nowhere' },
      'none',
    ];
    const { url } = await serve((_, response) => send(response, 422, problem('event_invalid', { errors })));
    await assert.rejects(newelAt(url).submit(EVENT), (error) => {
      assert.ok(error instanceof EventInvalidError);
      assert.deepEqual(error.faults, errors.slice(0, 2));
      return true;
    });
  });

  test('in words of somebody else is unreachable', async () => {
    const bodies = [
      '',
      '<html>',
      '[]',
      problem('own_invention'),
      problem('root_mismatch'),
      problem('log_refused'),
    ];
    for (const body of bodies) {
      const { url, seen } = await serve((_, response) => send(response, 400, body));
      await assert.rejects(newelAt(url).submit(EVENT), { code: 'unreachable', name: 'OutcomeUnknownError' });
      assert.equal(seen.length, 1);
    }
    const { url } = await serve((_, response) =>
      send(response, 401, problem('unauthenticated', { detail: 'a\u001b[2J' })),
    );
    await assert.rejects(newelAt(url).submit(EVENT), {
      code: 'unauthenticated',
      message: 'the log answers 401',
    });
  });
});

describe('another attempt', () => {
  for (const status of [429, 502, 503, 504]) {
    test(`follows a ${status}`, async () => {
      const { url, seen } = await serve((request, response, count) =>
        count === 1 ? send(response, status, 'no') : honest(request, response, count),
      );
      assert.deepEqual(await newelAt(url).submit(EVENT), receipt);
      assert.equal(seen.length, 2);
    });
  }

  test('waits as long as it is asked to', async () => {
    const { url } = await serve((request, response, count) =>
      count === 1 ? send(response, 503, 'no', { 'Retry-After': '1' }) : honest(request, response, count),
    );
    const startMs = performance.now();
    await newelAt(url).submit(EVENT);
    // A timer may be early by a millisecond.
    assert.ok(performance.now() - startMs >= 995);
  });

  test('is not made where the wait would be longer than an attempt', async () => {
    const problem = JSON.stringify({ code: 'queue_full', detail: 'full' });
    for (const after of ['3600', new Date(Date.now() + 3_600_000).toUTCString()]) {
      const { url, seen } = await serve((_, response) =>
        send(response, 503, problem, { 'Retry-After': after }),
      );
      await assert.rejects(newelAt(url).submit(EVENT), { code: 'queue_full' });
      assert.equal(seen.length, 1);
    }
  });

  test('is the last when all are used; the id is in the error, to go on with', async () => {
    const { url, seen } = await serve((_, response) => void response.destroy());
    const { id: _, ...anonymous } = EVENT;
    await assert.rejects(newelAt(url, { retries: 2 }).submit(anonymous), (error) => {
      assert.ok(error instanceof OutcomeUnknownError);
      assert.equal(error.code, 'unreachable');
      assert.equal((JSON.parse(seen[0]!.body) as { id: string }).id, error.id);
      return true;
    });
    assert.equal(seen.length, 3);
    const none = newelAt('http://127.0.0.1:1', { retries: 0 });
    await assert.rejects(none.submit(EVENT), { code: 'unreachable' });
  });

  test('follows an answer that does not come, or does not end', async () => {
    const { url, seen } = await serve((request, response, count) => {
      if (count === 2) response.writeHead(201).write('{');
      if (count === 3) honest(request, response, count);
    });
    assert.deepEqual(await newelAt(url, { timeoutMs: 1000 }).submit(EVENT), receipt);
    assert.equal(seen.length, 3);
  });
});

describe('where the event may be logged', () => {
  const { id: _, ...anonymous } = EVENT;
  const refusal = (code: string, errors?: object[]): string =>
    JSON.stringify({ code, detail: 'it is not so', errors });
  const full = refusal('queue_full');
  const faults = [{ pointer: '/outcome', detail: 'is required' }];
  const cases: [what: string, code: string, answers: (Answer | [status: number, body: string])[]][] = [
    ['lost, then full', 'queue_full', [lose, [503, full], [503, full]]],
    ['full, lost, then full', 'queue_full', [[503, full], lose, [503, full]]],
    ['lost, then no token any more', 'unauthenticated', [lose, [401, refusal('unauthenticated')]]],
    ['lost, then forbidden', 'forbidden', [lose, [403, refusal('forbidden')]]],
    [
      'a proxy in between, then invalid',
      'event_invalid',
      [
        [502, ''],
        [422, refusal('event_invalid', faults)],
      ],
    ],
    [
      'storage failed, then full',
      'queue_full',
      [
        [503, refusal('storage_failed')],
        [503, full],
        [503, full],
      ],
    ],
    ['internal', 'internal', [[500, refusal('internal')]]],
    ['taken, at too great a length', 'too_large', [[201, ' '.repeat(3 << 20)]]],
    ['taken, in half a receipt', 'malformed', [[201, formatReceipt(receipt).slice(0, 500)]]],
    ['taken, in no UTF-8', 'malformed', [(_, response) => void response.end(Buffer.from([0xff]))]],
    ['taken, with a wrong receipt', 'proof_invalid', [[201, formatReceipt({ ...receipt, tree_size: 43 })]]],
    ['taken, with the receipt of another', 'inconsistent', [[201, formatReceipt(receipt)]]],
  ];
  for (const [what, code, answers] of cases) {
    test(`the id is in the error: ${what}`, async () => {
      const { url, seen } = await serve((request, response, count) => {
        const answer = answers[count - 1];
        assert.ok(answer, 'it is asked once more');
        if (typeof answer === 'function') answer(request, response, count);
        else send(response, ...answer);
      });
      await assert.rejects(newelAt(url, { retries: 2 }).submit(anonymous), (error) => {
        assert.ok(error instanceof OutcomeUnknownError, String(error));
        assert.equal(error.code, code);
        assert.ok(error.cause instanceof NewelError && error.cause.code === code);
        if (code === 'event_invalid') assert.deepEqual((error.cause as EventInvalidError).faults, faults);
        assert.match(error.message, /; whether the event is logged is not known$/);
        for (const { body } of seen) assert.equal((JSON.parse(body) as { id: string }).id, error.id);
        return true;
      });
      assert.equal(seen.length, answers.length);
    });
  }

  test('is not where every attempt was refused', async () => {
    const { url, seen } = await serve((_, response) => send(response, 503, full));
    await assert.rejects(newelAt(url, { retries: 2 }).submit(anonymous), {
      name: 'NewelError',
      code: 'queue_full',
    });
    assert.equal(seen.length, 3);
  });

  test('is no question of an upgrade', async () => {
    const { url } = await serve((request, response, count) =>
      count === 1 ? lose(request, response, count) : send(response, 401, refusal('unauthenticated')),
    );
    await assert.rejects(newelAt(url).upgrade(receipt, 'signed'), {
      name: 'NewelError',
      code: 'unauthenticated',
    });
  });

  function lose(...[, response]: Parameters<Answer>): void {
    response.destroy();
  }
});

describe('a hostile answer', () => {
  test('that redirects does not get the token elsewhere', async () => {
    const elsewhere = await serve(honest);
    for (const status of [301, 302, 303, 307, 308]) {
      const { url, seen } = await serve((_, response) =>
        send(response, status, '', { Location: `${elsewhere.url}/v1/events` }),
      );
      await assert.rejects(newelAt(url).submit(EVENT), { code: 'unreachable', message: /redirect/ });
      assert.equal(seen.length, 1);
    }
    assert.equal(elsewhere.seen.length, 0);
  });

  test('without an end is cut off', async () => {
    for (const status of [201, 400]) {
      const { url, seen } = await serve((_, response) => {
        response.writeHead(status);
        const chunk = new Uint8Array(1 << 20).fill(0x20);
        const more = (): void => {
          while (!response.destroyed && response.write(chunk));
          response.once('drain', more);
        };
        more();
      });
      await assert.rejects(newelAt(url).submit(EVENT), { code: 'too_large' });
      assert.equal(seen.length, 1);
    }
  });

  test('that is no receipt is malformed', async () => {
    for (const body of ['', '{}', 'null', '\xff', formatReceipt(receipt).slice(0, -3)]) {
      const { url } = await serve((_, response) => send(response, 201, body));
      await assert.rejects(newelAt(url).submit(EVENT), { code: 'malformed' });
    }
  });
});

describe('a signal', () => {
  test('ends an attempt, or a pause, with its reason', async () => {
    const reason = new Error('enough');
    const silent = await serve(() => {});
    await assert.rejects(newelAt(silent.url).submit(EVENT, { signal: abortIn(50, reason) }), reason);
    const full = await serve((_, response) => send(response, 503, 'no', { 'Retry-After': '2' }));
    await assert.rejects(newelAt(full.url).submit(EVENT, { signal: abortIn(100, reason) }), reason);
    assert.equal(full.seen.length, 1);
    const before = await serve(honest);
    await assert.rejects(newelAt(before.url).submit(EVENT, { signal: AbortSignal.abort(reason) }), reason);
    assert.equal(before.seen.length, 0);
  });

  function abortIn(ms: number, reason: Error): AbortSignal {
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), ms);
    return controller.signal;
  }
});

describe('new Newel', () => {
  test('talks to the public URL where it is not told another', () => {
    assert.equal(new Newel({ token: TOKEN, trust: trustFile }).url, 'https://log.example/bank');
    const trust = parseTrust(trustFile);
    assert.equal(new Newel({ token: TOKEN, trust }).trust, trust);
  });

  test('refuses a token or URL that is none, and repeats neither', () => {
    const calls = [
      () => newelAt('ftp://log.example'),
      () => newelAt('log.example/bank'),
      () => newelAt('https://user:secret@log.example'),
      () => newelAt('https://log.example?secret'),
      () => newelAt('https://log.example', { token: 'two secrets' }),
      () => newelAt('https://log.example', { token: '' }),
      () => newelAt('https://log.example', { token: 'secret\r\nX-Y: z' }),
    ];
    for (const call of calls) {
      assert.throws(call, (error) => error instanceof TypeError && !error.message.includes('secret'));
    }
    assert.throws(() => newelAt('https://log.example', { trust: '{}' }), NewelError);
  });
});
