/** Batches, as lines and as arrays: what each event is answered, what ends a batch, and what it may take. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBatchAnswer, verifyReceipt } from '../../src/client/index.ts';
import { RateLimitedError } from '../../src/errors.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { BATCH_LIMITS } from '../../src/http/batch-limits.ts';
import { POOL_LIMITS } from '../../src/log/limits.ts';
import { QueueFullError } from '../../src/log/log.ts';
import { flat, openBatches, openBody, statusesOf } from '../support/batch-requests.ts';
import { FULL, get, post, textOf, trustOf } from '../support/event-requests.ts';
import { bearer } from '../support/test-site.ts';
import { until } from '../support/until.ts';

const CANARY = 'canary-8f3a5c17e9b24d60';
const REPRESENTATION = { Prefer: 'return=representation' };

for (const isArray of [false, true]) {
  describe(isArray ? 'an array' : 'lines', () => {
    test('each event is answered as the single route would have answered it', async () => {
      const site = await openBatches();
      const alone = await openBatches();
      const events: JsonValue[] = [
        flat('a'),
        flat('b'),
        flat('a'),
        flat('a', { user_id: 'another' }),
        flat('c', { status: CANARY }),
        { ...FULL, source: 'https://others.example/x' },
        FULL,
        'no event',
        { schema: 'stepup/9' },
        flat('d'),
      ];
      const reply = await site.send(events, { isArray });
      assert.equal(reply.status, 200);
      assert.equal(reply.headers.get('Cache-Control'), 'no-store');
      assert.equal(reply.headers.get('X-Content-Type-Options'), 'nosniff');
      assert.equal(reply.headers.get('Preference-Applied'), null);
      assert.deepEqual(statusesOf(reply), [201, 201, 200, 409, 422, 403, 201, 422, 422, 201]);
      assert.ok(!reply.text.includes(CANARY));
      for (const [n, event] of events.entries()) {
        const single = await post(alone, event, { headers: { Prefer: 'return=minimal' } });
        const { n: _n, ...item } = reply.items[n]!;
        if (single.status > 201) {
          assert.deepEqual(item, single.json);
          continue;
        }
        const { status, ...receipt } = item;
        assert.equal(status, single.status);
        assert.deepEqual(Object.keys(receipt), Object.keys(single.json));
        for (const name of ['id', 'source', 'log', 'leaf_index', 'level', 'received_time', 'proof_url']) {
          assert.deepEqual(receipt[name], single.json[name], name);
        }
        const stored = await get(site, `/v1/events/${textOf(receipt, 'event_id')}/receipt`);
        assert.equal(stored.json['leaf_hash'], receipt['leaf_hash']);
      }
      assert.equal(reply.items[2]!['event_id'], reply.items[0]!['event_id']);
      assert.deepEqual([site.errors, alone.errors], [[], []]);
      await site.test.log.close();
      await alone.test.log.close();
    });

    test('with statements, a checkpoint is said once, and every receipt can be made whole and holds', async () => {
      const site = await openBatches({ batchLimits: { groupEvents: 3 } });
      const trust = await trustOf(site);
      await site.send([flat('old')], { isArray });
      const events = [
        ...Array.from({ length: 7 }, (_, i) => flat(`e-${i}`)),
        flat('old'),
        { x: 1 },
        flat('e-0'),
      ];
      const reply = await site.send(events, { isArray, headers: REPRESENTATION });
      assert.equal(reply.headers.get('Preference-Applied'), 'return=representation');
      assert.deepEqual(statusesOf(reply), [201, 201, 201, 201, 201, 201, 201, 200, 422, 200]);
      const said = new Set<JsonValue>();
      for (const item of reply.items) {
        const { note, checkpoint, proof } = item;
        if (note !== undefined) {
          assert.ok(!said.has(checkpoint!));
          said.add(checkpoint!);
        } else if (proof !== undefined) {
          assert.ok(said.has(checkpoint!), 'it came before');
          assert.match(textOf(item, 'proof'), /\n\n$/);
        }
      }
      assert.ok(said.size >= 3 && said.size <= 5, `${said.size} checkpoints`);
      const read = parseBatchAnswer(reply.text);
      assert.equal(read.length, events.length);
      for (const { n, receipt, error } of read) {
        if (n === 8) {
          assert.equal(error?.code, 'event_invalid');
          continue;
        }
        assert.ok(receipt);
        const { event, leafIndex } = await verifyReceipt(receipt, { trust });
        assert.equal(event['id'], events[n]!['id']);
        assert.equal(leafIndex, receipt.leaf_index);
        assert.ok(!('checkpoint' in receipt) && !('n' in receipt));
      }
      await site.test.log.close();
    });

    test('its statements have the algorithm’s name that is asked for', async () => {
      const site = await openBatches();
      const { items } = await site.send([flat('a')], {
        isArray,
        query: '?alg=EdDSA',
        headers: REPRESENTATION,
      });
      const statement = textOf(
        items.find((item) => 'statement' in item)!,
        'statement',
      );
      const header = JSON.parse(Buffer.from(statement.split('.')[0]!, 'base64url').toString()) as JsonObject;
      assert.equal(header['alg'], 'EdDSA');
      await site.test.log.close();
    });

    test('what is wrong before the first event is a problem of the whole', async () => {
      const site = await openBatches({ batchLimits: { maxBytes: 5000 } });
      const body = [flat('a')];
      for (const [what, sent, status, code] of [
        ['no token', { headers: { Authorization: '' } }, 401, 'unauthenticated'],
        ['a token for reading', { as: 'audit' }, 403, 'forbidden'],
        ['a token for running the log', { as: 'admin' }, 403, 'forbidden'],
        ['an Idempotency-Key', { headers: { 'Idempotency-Key': 'a' } }, 400, 'malformed'],
        ['an encoding', { headers: { 'Content-Encoding': 'gzip' } }, 415, 'unsupported_media_type'],
        ['another Accept', { headers: { Accept: 'text/html' } }, 406, 'not_acceptable'],
        ['a level that no log has', { query: '?level=witnessed' }, 422, 'no_witnesses'],
        ['an atomic that is none', { query: '?atomic=1' }, 400, 'malformed'],
        ['an atomic twice', { query: '?atomic=true&atomic=true' }, 400, 'malformed'],
        ['an unknown key', { query: `?${CANARY}` }, 400, 'malformed'],
        ['a length that is too large', { headers: { 'Content-Length': '5001' } }, 413, 'too_large'],
      ] as const) {
        const { status: found, problem, text } = await site.send(body, { isArray, ...sent });
        assert.deepEqual([found, problem['code']], [status, code], what);
        assert.ok(!text.includes(CANARY), what);
      }
      for (const text of isArray
        ? ['[]', ' [\n]', '[', '[,{}]', `[${CANARY}]`, '[{"a":1,"a":2}]']
        : ['', '\n \r\n\t']) {
        const { status, problem } = await site.send(text, { isArray });
        assert.deepEqual([status, problem['code']], [400, 'malformed'], text);
      }
      assert.equal(site.test.log.revealed.size, 1);
      assert.deepEqual(site.errors, []);
      await site.test.log.close();
    });

    test('more events, or bytes, than a batch may have end it; what came before is done', async () => {
      const event = JSON.stringify(flat('0'));
      const bytes = 5 * event.length + 40;
      for (const [limits, limit, unit] of [
        [{ maxEvents: 3 }, 3, 'events'],
        [{ maxBytes: bytes }, bytes, 'bytes'],
      ] as const) {
        const site = await openBatches({ batchLimits: limits });
        const { stream, write, end } = openBody();
        write(isArray ? '[' : '');
        for (let i = 0; i < 9; i++)
          write(`${JSON.stringify(flat(String(i)))}${isArray ? (i < 8 ? ',' : ']') : '\n'}`);
        end();
        const reply = await site.send(stream, { isArray });
        const statuses = statusesOf(reply);
        assert.ok(statuses.length >= 4 && statuses.length <= 7, `${statuses.length} items`);
        assert.deepEqual(new Set(statuses.slice(0, -1)), new Set([201]));
        const { status, code, limit: found, unit: of } = reply.items.at(-1)!;
        assert.deepEqual([status, code, found, of], [413, 'too_large', limit, unit]);
        assert.equal(site.test.log.revealed.size, statuses.length);
        await site.test.log.close();
      }
    });

    test('as many batches as there may be at once: another is refused, and nothing of it is read', async () => {
      const site = await openBatches({ batchLimits: { maxAtOnce: 2, maxAtOnceOfOne: 1 } });
      const bodies = [openBody(), openBody()];
      const names = ['submit', 'other'] as const;
      const replies = bodies.map(({ stream, write }, i) => {
        write(`${isArray ? '[' : ''}${JSON.stringify(flat(`${i}`))}${isArray ? ',' : '\n'}`);
        return site.send(stream, { isArray, as: names[i]! });
      });
      await until(() => site.test.log.revealed.size === 3);
      const { status, headers, problem } = await site.send([flat('x')], { isArray });
      assert.deepEqual([status, headers.get('Retry-After')], [503, '1']);
      assert.deepEqual([problem['code'], problem['limit'], problem['unit']], ['queue_full', 1, 'batches']);
      for (const { write, end } of bodies) {
        if (isArray) write('{}]');
        end();
      }
      for (const reply of await Promise.all(replies)) assert.equal(reply.status, 200);
      assert.equal((await site.send([flat('x')], { isArray })).status, 200, 'its place is free again');

      const one = await openBatches({ batchLimits: { maxAtOnce: 1 } });
      const { stream, write, end } = openBody();
      write(`${isArray ? '[' : ''}${JSON.stringify(flat('a'))}${isArray ? ',{}]' : '\n'}`);
      const reply = one.send(stream, { isArray });
      await until(() => one.test.log.revealed.size === 2);
      const other = await one.send([flat('x')], { isArray, as: 'other' });
      assert.deepEqual([other.status, other.problem['limit'], other.problem['unit']], [503, 1, 'batches']);
      end();
      assert.equal((await reply).status, 200);
      await one.test.log.close();
      await site.test.log.close();
    });
  });
}

test('a line that is not JSON, or too long, is that line’s problem, and blank lines are none', async () => {
  const site = await openBatches();
  const { maxEventBytes } = site.site.statements!;
  const long = JSON.stringify(flat('long', { action: CANARY.repeat(maxEventBytes / CANARY.length) }));
  const lines = [
    JSON.stringify(flat('a')),
    '',
    ' \t\r',
    `{"a":"${CANARY}`,
    CANARY,
    `{"${CANARY}":1,"${CANARY}":2}`,
    long,
    `${JSON.stringify(flat('b'))}\r`,
    '[]',
    JSON.stringify(flat('c')),
  ];
  const reply = await site.send(lines.join('\n'));
  assert.deepEqual(statusesOf(reply), [201, 400, 400, 400, 413, 201, 422, 201]);
  assert.ok(!reply.text.includes(CANARY));
  assert.equal(site.test.log.revealed.size, 4);
  await site.test.log.close();
});

test('an array that is malformed somewhere is answered so far, then with what is wrong, and no further', async () => {
  const site = await openBatches({ batchLimits: { groupEvents: 2 } });
  const { maxEventBytes } = site.site.statements!;
  const [a, b, c] = ['a', 'b', 'c'].map((id) => JSON.stringify(flat(id)));
  for (const [end, code] of [
    [']', undefined],
    [`,${CANARY},${c}]`, 'malformed'],
    [`,{"a":1,"a":2},${c}]`, 'malformed'],
    [`${c}]`, 'malformed'],
    [`,]`, 'malformed'],
    [`] ${c}`, 'malformed'],
    [``, 'malformed'],
    [`,"${'x'.repeat(maxEventBytes)}",${c}]`, 'too_large'],
  ] as const) {
    const reply = await site.send(`[${a},${b}${end}`, { isArray: true });
    const codes = reply.items.map((item) => item['code']);
    // Before a comma or bracket that is missing, an element is not known to be one.
    const whole = end === `${c}]` || end === '' ? 1 : 2;
    assert.deepEqual(
      codes,
      [...Array.from({ length: whole }, () => undefined), ...(code ? [code] : [])],
      end,
    );
    statusesOf(reply);
    assert.ok(!reply.text.includes(CANARY));
    assert.ok(reply.text.startsWith('{"items":[') && reply.text.endsWith(']}\n'), 'it is JSON all the same');
  }
  assert.equal(site.test.log.revealed.size, 3, 'what comes after a flaw is not logged');
  await site.test.log.close();
});

test('10,000 events take at most 40 rounds, and their leaves are in their order', async () => {
  let rounds = 0;
  const onSignal = (signal: { event: string; entries?: number }): void => {
    if (signal.event === 'round' && signal.entries !== 0) rounds++;
  };
  const site = await openBatches({}, { open: { onSignal } });
  const { maxEvents } = BATCH_LIMITS;
  assert.equal(maxEvents, 10_000);
  rounds = 0;
  const reply = await site.send(Array.from({ length: maxEvents }, (_, i) => flat(`e-${i}`)));
  assert.deepEqual(new Set(statusesOf(reply)), new Set([201]));
  assert.deepEqual(
    reply.items.map((item) => item['leaf_index']),
    Array.from({ length: maxEvents }, (_, i) => i + 1),
  );
  assert.ok(rounds <= 40, `${rounds} rounds`);
  assert.equal(site.test.log.revealed.size, maxEvents + 1);
  await site.test.log.close();
});

test('what has come is answered when nothing more comes for a moment', async () => {
  const site = await openBatches({ batchLimits: { idleMs: 20 } });
  const { stream, write, end } = openBody();
  const init = { method: 'POST', headers: { ...bearer('submit'), 'Content-Type': 'application/x-ndjson' } };
  write(`${JSON.stringify(flat('a'))}\n${JSON.stringify(flat('b'))}\n{"half":`);
  // The described app would wait for the end of the answer.
  const { createApp } = await import('../../src/http/app.ts');
  const app = createApp(site.site, { ...site.write, batchLimits: { idleMs: 20 } });
  const response = await app.request('/v1/events', { ...init, body: stream, duplex: 'half' } as RequestInit);
  const reader = response.body!.getReader();
  const first = Buffer.from((await reader.read()).value!).toString();
  assert.equal(first.split('\n').length, 2 + (first.endsWith('\n') ? 1 : 0));
  assert.equal(site.test.log.revealed.size, 3);
  write('1}');
  end();
  let rest = '';
  for (let next = await reader.read(); !next.done; next = await reader.read())
    rest += Buffer.from(next.value).toString();
  assert.match(rest, /^\n\{"n":2,"status":422,[^\n]*\}\n$/);
  await site.test.log.close();
});

describe('with atomic=true', () => {
  const query = '?atomic=true';

  test('all events are taken, in one round', async () => {
    const rounds: number[] = [];
    const onSignal = (signal: { event: string; entries?: number }): void => {
      if (signal.event === 'round' && signal.entries) rounds.push(signal.entries);
    };
    const site = await openBatches({ batchLimits: { groupEvents: 10 } }, { open: { onSignal } });
    const events = Array.from({ length: 100 }, (_, i) => flat(`e-${i}`));
    for (const isArray of [false, true]) {
      rounds.length = 0;
      const reply = await site.send(events, { query, isArray, headers: REPRESENTATION });
      assert.deepEqual(new Set(statusesOf(reply)), new Set([isArray ? 200 : 201]));
      assert.deepEqual(rounds, isArray ? [] : [100]);
      assert.equal(reply.items.filter((item) => 'note' in item).length, 1);
    }
    assert.equal(site.test.log.revealed.size, 101);
    await site.test.log.close();
  });

  test('one that is refused keeps all from being taken, and all at fault are told', async () => {
    const site = await openBatches();
    const { maxEventBytes } = site.site.statements!;
    await site.send([flat('known')]);
    const lines = [
      JSON.stringify(flat('a')),
      JSON.stringify(flat('b', { status: CANARY })),
      'nonsense',
      'x'.repeat(maxEventBytes + 1),
      JSON.stringify(flat('c')),
      JSON.stringify(flat('known')),
    ];
    const reply = await site.send(lines.join('\n'), { query });
    const { status, code, errors, items } = reply.problem as {
      [name: string]: JsonValue;
      items: JsonObject[];
    };
    assert.deepEqual([reply.status, status, code], [422, 422, 'event_invalid']);
    assert.deepEqual(errors, items[0]!['errors']);
    assert.deepEqual(
      items.map(({ n, status, code }) => [n, status, code]),
      [
        [1, 422, 'event_invalid'],
        [2, 400, 'malformed'],
        [3, 413, 'too_large'],
      ],
    );
    assert.ok(!reply.text.includes(CANARY));
    assert.equal(site.test.log.revealed.size, 2);

    const conflict = await site.send([flat('a'), flat('known', { user_id: 'x' })], { query, isArray: true });
    assert.deepEqual([conflict.status, conflict.problem['code']], [409, 'id_conflict']);
    assert.equal(site.test.log.revealed.size, 2);
    const taken = await site.send([flat('a'), flat('known')], { query });
    assert.deepEqual(statusesOf(taken), [201, 200]);
    await site.test.log.close();
  });

  test('more than one round takes is too large, and an array has to be one', async () => {
    const limits = { ...POOL_LIMITS, maxRoundEntries: 3, maxRoundBytes: 2 * 1024 * 1024 };
    const site = await openBatches({}, { open: { limits } });
    const events = Array.from({ length: 4 }, (_, i) => flat(`e-${i}`));
    const many = await site.send(events, { query });
    const { code, limit, unit } = many.problem;
    assert.deepEqual([many.status, code, limit, unit], [413, 'too_large', 3, 'events']);
    assert.equal((await site.send(events.slice(1), { query })).status, 200);
    for (const text of ['[{}', '[{} {}]', '[{},]', `[1,"${'x'.repeat(70_000)}"]`]) {
      const { status } = await site.send(text, { query, isArray: true });
      assert.equal(status, text.length > 100 ? 413 : 400, text.slice(0, 10));
    }
    await site.test.log.close();

    const small = await openBatches({}, { open: { limits: { ...POOL_LIMITS, maxRoundBytes: 300 } } });
    const large = await small.send(events, { query });
    assert.deepEqual([large.status, large.problem['limit'], large.problem['unit']], [413, 300, 'bytes']);
    assert.equal(small.test.log.revealed.size, 1);
    await small.test.log.close();

    const records = await openBatches({}, { open: { limits: { ...POOL_LIMITS, maxRoundBytes: 30_000 } } });
    const some = Array.from({ length: 20 }, (_, i) => flat(`e-${i}`));
    assert.ok(JSON.stringify(some).length < 30_000);
    const together = await records.send(some, { query });
    assert.deepEqual(
      [together.status, together.problem['limit'], together.problem['unit']],
      [413, 30_000, 'bytes'],
    );
    assert.equal(records.test.log.revealed.size, 1);
    assert.equal((await records.send(some.slice(0, 2), { query })).status, 200);
    await records.test.log.close();
  });
});

describe('room in the queue', () => {
  test('is waited for: a batch that is larger than the queue goes through it', async () => {
    const site = await openBatches({}, { open: { limits: { ...POOL_LIMITS, maxQueueEntries: 8 } } });
    const reply = await site.send(Array.from({ length: 100 }, (_, i) => flat(`e-${i}`)));
    assert.deepEqual(new Set(statusesOf(reply)), new Set([201]));
    await site.test.log.close();
  });

  test('that does not come is a 503 of that event and all after it', async () => {
    const site = await openBatches({ batchLimits: { maxRoomWaitMs: 50, groupEvents: 2 } });
    const vault = Object.create(site.vault!.vault, {
      reserve: {
        value(bytes: number) {
          if (++taken > 3) throw new QueueFullError(8192, 'entries');
          return site.vault!.vault.reserve(bytes);
        },
      },
    }) as NonNullable<typeof site.vault>['vault'];
    let taken = 0;
    const full = await openBatches({ vault, batchLimits: { maxRoomWaitMs: 50, groupEvents: 2 } });
    const startMs = performance.now();
    const reply = await full.send(Array.from({ length: 6 }, (_, i) => flat(`e-${i}`)));
    assert.deepEqual(statusesOf(reply), [201, 201, 201, 503, 503, 503]);
    assert.ok(performance.now() - startMs < 2000, 'it was waited for once');
    for (const item of reply.items.slice(3)) {
      assert.deepEqual([item['code'], item['limit'], item['unit']], ['queue_full', 8192, 'entries']);
    }
    const atomic = await full.send([flat('x')], { query: '?atomic=true' });
    assert.deepEqual([atomic.status, atomic.problem['code']], [503, 'queue_full']);
    await full.test.log.close();
    await site.test.log.close();
  });
});

describe('room for a batch that is taken whole', () => {
  const query = '?atomic=true';

  test('is taken when it is read and charged for, and not before', async () => {
    const site = await openBatches();
    const done: string[] = [];
    const vault = Object.create(site.vault!.vault, {
      reserve: {
        value(bytes: number) {
          done.push('room');
          return site.vault!.vault.reserve(bytes);
        },
      },
    }) as NonNullable<typeof site.vault>['vault'];
    const own = await openBatches({ vault, charge: (_, events) => void done.push(`charge ${events}`) });
    let n = 0;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull(controller) {
          // What was sent before has been read.
          assert.deepEqual(done, []);
          if (n === 3) controller.close();
          else controller.enqueue(Uint8Array.from(Buffer.from(`${JSON.stringify(flat(`e-${n++}`))}\n`)));
        },
      },
      { highWaterMark: 0 },
    );
    assert.deepEqual(statusesOf(await own.send(body, { query })), [201, 201, 201]);
    assert.deepEqual(done, ['charge 3', 'room', 'room', 'room']);
    await own.test.log.close();
    await site.test.log.close();
  });

  test('is waited for with nothing held: several that fit one by one all get through', async () => {
    const limits = { ...POOL_LIMITS, maxQueueEntries: 8 };
    const site = await openBatches({}, { open: { limits } });
    const { log } = site.test;
    const held = Array.from({ length: 4 }, () => log.reserve(1));
    const sending = [0, 1, 2].map((batch) =>
      site.send(
        Array.from({ length: 6 }, (_, i) => flat(`e-${batch}-${i}`)),
        { query },
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    const others = Array.from({ length: 4 }, () => log.reserve(1));
    for (const one of [...held, ...others]) one.release();
    for (const reply of await Promise.all(sending)) {
      assert.deepEqual(statusesOf(reply), [201, 201, 201, 201, 201, 201]);
    }
    await log.close();
  });

  test('that does not come is a 503, and all of the queue is free again', async () => {
    const limits = { ...POOL_LIMITS, maxQueueEntries: 8 };
    const site = await openBatches({ batchLimits: { maxRoomWaitMs: 50 } }, { open: { limits } });
    const events = Array.from({ length: 9 }, (_, i) => flat(`e-${i}`));
    const { status, problem } = await site.send(events, { query });
    assert.deepEqual([status, problem['code'], problem['limit']], [503, 'queue_full', 8]);
    assert.deepEqual(new Set(statusesOf(await site.send(events.slice(1), { query }))), new Set([201]));
    await site.test.log.close();
  });
});

test('events are charged group by group; what is more than may be sent is 429 to the end', async () => {
  const charges: number[] = [];
  let allowed = 4;
  const charge = (_principal: unknown, count: number): void => {
    charges.push(count);
    if (count > allowed) throw new RateLimitedError(4, 'events', 3);
    allowed -= count;
  };
  const site = await openBatches({ charge, batchLimits: { groupEvents: 2 } });
  const events = Array.from({ length: 9 }, (_, i) => flat(`e-${i}`));
  const reply = await site.send(events);
  assert.deepEqual(statusesOf(reply), [201, 201, 201, 201, 429, 429, 429, 429, 429]);
  assert.deepEqual(charges, [2, 2, 2]);
  const { code, limit, unit } = reply.items[4]!;
  assert.deepEqual([code, limit, unit], ['rate_limited', 4, 'events']);
  assert.equal(site.test.log.revealed.size, 5);

  allowed = 4;
  charges.length = 0;
  assert.deepEqual(statusesOf(await site.send(events.slice(0, 3), { isArray: true })), [200, 200, 200]);
  assert.equal(
    charges.reduce((sum, count) => sum + count, 0),
    3,
    'an array’s first event is charged once',
  );
  const atomic = await site.send(events, { query: '?atomic=true' });
  assert.deepEqual([atomic.status, atomic.problem['code']], [429, 'rate_limited']);
  assert.equal(atomic.headers.get('Retry-After'), '3');
  await site.test.log.close();
});

test('a write that fails is a 503 of each event that it was about, and the answer ends', async () => {
  let isBroken = false;
  const site = await openBatches(
    { batchLimits: { groupEvents: 2 } },
    {
      wrapStore: (store) => ({
        ...store,
        commit: async (batch) => {
          if (isBroken) throw new Error('the disk is gone');
          await store.commit(batch);
        },
      }),
    },
  );
  isBroken = true;
  const reply = await site.send(Array.from({ length: 5 }, (_, i) => flat(`e-${i}`)));
  assert.deepEqual(statusesOf(reply), [503, 503, 503, 503, 503]);
  for (const item of reply.items) assert.equal(item['code'], 'storage_failed');
  assert.deepEqual(site.errors, [], 'the log has told it when it stopped');
});

test('a failure that is ours is a 500 of the events that it met, reported and not told', async () => {
  const site = await openBatches();
  const vault = Object.create(site.vault!.vault, {
    submitGroup: { value: () => Promise.reject(new Error(CANARY)) },
  }) as NonNullable<typeof site.vault>['vault'];
  const failing = await openBatches({ vault });
  const reply = await failing.send([flat('a'), flat('b')]);
  assert.deepEqual(statusesOf(reply), [500, 500]);
  assert.ok(!reply.text.includes(CANARY));
  assert.equal(failing.errors.length, 1);
  const atomic = await failing.send([flat('a')], { query: '?atomic=true' });
  assert.equal(atomic.status, 500);
  await failing.test.log.close();
  await site.test.log.close();
});

test('one event may be asked to be atomic, and is', async () => {
  const site = await openBatches();
  const { status } = await post(site, flat('a'), { query: '?atomic=true' });
  assert.equal(status, 201);
  const error = await post(site, flat('a'), { query: '?atomic=yes' });
  assert.deepEqual([error.status, error.json['code']], [400, 'malformed']);
  await site.test.log.close();
});

test('the limits are in the trust file', async () => {
  const site = await openBatches();
  const { limits } = (await trustOf(site)) as { limits: JsonObject };
  const { max_batch_events: events, max_batch_bytes: bytes, max_round_entries: entries } = limits;
  assert.deepEqual([events, bytes, entries], [10_000, 16 * 1024 * 1024, POOL_LIMITS.maxRoundEntries]);
  await site.test.log.close();
});
