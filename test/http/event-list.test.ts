/** Finding and reading events, over a vault that answers what it is told: `find.txt` has the same with a real one. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import type { Access } from '../../src/vault/vault.ts';
import { type Answer, answerOf, textOf } from '../support/event-requests.ts';
import {
  eventOf,
  type FakeAnswers,
  fakeEventId,
  type FakeSite,
  openFakeSite,
} from '../support/fake-vault.ts';

const CANARY = 'canary-2f81d0c7b3e94a56';
const AUDIT = { Authorization: 'Bearer newel_audit' };

function list({ app }: FakeSite, query: string, headers: Record<string, string> = AUDIT): Promise<Answer> {
  return answerOf(app.request(`/v1/events${query}`, { headers }));
}

function search(
  { app }: FakeSite,
  body: JsonValue | string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return answerOf(
    app.request('/v1/events/search', {
      method: 'POST',
      headers: { ...AUDIT, 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  );
}

/** What the vault was asked for, once. */
function asked({ callsOf }: FakeSite): unknown {
  const calls = callsOf('list');
  assert.equal(calls.length, 1);
  return calls[0];
}

async function withSite(answers: FakeAnswers, run: (site: FakeSite) => Promise<void>): Promise<void> {
  const site = await openFakeSite(answers);
  try {
    await run(site);
    assert.deepEqual(site.errors, []);
  } finally {
    await site.test.log.close();
  }
}

describe('a list', () => {
  test('of everything is a page of twenty, for auditors alone', () =>
    withSite({ events: [eventOf({})], next: 'bmV4dA' }, async (site) => {
      const { status, headers, json } = await list(site, '');
      assert.equal(status, 200);
      assert.equal(headers.get('Cache-Control'), 'private, no-store');
      assert.equal(headers.get('Vary'), 'Authorization');
      assert.equal(headers.get('Access-Control-Allow-Origin'), null);
      assert.deepEqual(Object.keys(json), ['items', 'next']);
      assert.equal(json['next'], 'bmV4dA');
      assert.deepEqual(asked(site), [{ terms: {} }, { limit: 20 }]);
      for (const [name, expected] of [
        ['submit', 403],
        ['admin', 403],
        ['nobody', 401],
      ] as const) {
        const refused = await list(site, '', { Authorization: `Bearer newel_${name}` });
        assert.equal(refused.status, expected);
      }
      assert.equal(site.callsOf('list').length, 1);
    }));

  test('ends with a next of null', () =>
    withSite({}, async (site) => {
      assert.deepEqual((await list(site, '')).json, { items: [], next: null });
    }));

  const ASKED: [query: string, asked: unknown][] = [
    [
      '?source=https://bank.example/payments&id=a+b&type=stepup.completed&outcome=success&system_action=granted&reason=new_device&method=totp',
      [
        {
          terms: {
            type: 'stepup.completed',
            outcome: 'success',
            system_action: 'granted',
            reason: 'new_device',
            method: 'totp',
            source: 'https://bank.example/payments',
          },
          id: 'a+b',
        },
        { limit: 20 },
      ],
    ],
    [
      '?source=https%3A%2F%2Fbank.example%2Fpay%26ments&id=%25',
      [{ terms: { source: 'https://bank.example/pay&ments' }, id: '%' }, { limit: 20 }],
    ],
    [
      '?after=2026-11-20T12:00:08Z&before=2026-11-20T12%3A00%3A08.5Z&limit=7&cursor=YWJj',
      [
        {
          terms: {},
          afterMs: Date.UTC(2026, 10, 20, 12, 0, 8),
          beforeMs: Date.UTC(2026, 10, 20, 12, 0, 8, 500),
        },
        { limit: 7, cursor: 'YWJj' },
      ],
    ],
    ['?limit=100', [{ terms: {} }, { limit: 100 }]],
    ['?limit=5000', [{ terms: {} }, { limit: 100 }]],
  ];
  for (const [query, expected] of ASKED) {
    test(`asks what the URL asks: ${query}`, () =>
      withSite({}, async (site) => {
        assert.equal((await list(site, query)).status, 200);
        assert.deepEqual(asked(site), expected);
      }));
  }

  const REFUSED: [query: string, words: RegExp][] = [
    ...['subject', 'session', 'txn', 'ip', 'device', 'action_id', 'corrects'].map(
      (name): [string, RegExp] => [
        `?${name}=${CANARY}`,
        new RegExp(`^${name} is not .* POST /v1/events/search$`),
      ],
    ),
    [`?id=${CANARY}`, /^id .* source/],
    ['?source=', /^source /],
    ['?type=', /^type /],
    ['?source=a%20b', /^source /],
    [`?source=%${CANARY}`, /^source .*percent/],
    [`?source=${'a'.repeat(256)}`, /^source /],
    [`?source=a&id=${'a'.repeat(129)}`, /^id /],
    ['?source=a&source=b', /^the query has source twice$/],
    [
      `?${CANARY}=1`,
      /^the query has a key .*; it takes source, id, type, outcome, system_action, reason, method, after, before, limit, cursor$/,
    ],
    ['?limit=0', /^limit /],
    ['?limit=+1', /^limit /],
    ['?cursor=', /^cursor /],
    ['?cursor=a.b', /^cursor /],
    ['?after=2026-11-20', /^after /],
    ['?after=2026-02-30T00:00:00Z', /^after /],
    ['?after=2026-11-20T24:00:00Z', /^after /],
    ['?before=2026-11-20T12:00:00+01:00', /^before /],
    ['?before=1795176008', /^before /],
    ['?time_after=2026-11-20T12:00:00Z', /^the query has a key/],
  ];
  for (const [query, words] of REFUSED) {
    test(`refuses ${query.slice(0, 60)}`, () =>
      withSite({}, async (site) => {
        const { status, json, text } = await list(site, query);
        assert.equal(status, 400);
        assert.equal(json['code'], 'malformed');
        assert.match(textOf(json, 'detail'), words);
        assert.ok(!text.includes(CANARY));
        assert.deepEqual(site.calls, []);
      }));
  }

  test('hands on what the vault refuses', () =>
    withSite({ failures: { list: new NewelError('malformed', 'the cursor is none') } }, async (site) => {
      assert.equal((await list(site, '?cursor=abc')).status, 400);
      assert.deepEqual(site.callsOf('noteAccess'), []);
    }));
});

describe('a search', () => {
  test('takes all that a list takes, and what is not for URLs', () =>
    withSite({ events: [eventOf({})] }, async (site) => {
      const subject = { format: 'opaque', id: 'u-8841' };
      const { status, headers, json } = await search(site, {
        subject,
        source: 'test',
        id: 'e-1',
        type: 'logout',
        session: 'sha-256:x',
        txn: 'Zahlung 7 – ü',
        ip: '192.0.2.7',
        device: 'd-1',
        action_id: 'a-1',
        corrects: 'e-0',
        after: '2026-11-20T12:00:00Z',
        before: '2026-11-21T12:00:00Z',
        time_after: '2026-11-18T12:00:00Z',
        time_before: '2026-11-19T12:00:00Z',
        limit: 3,
        cursor: 'YWJj',
      });
      assert.equal(status, 200);
      assert.equal(headers.get('Cache-Control'), 'no-store');
      assert.equal((json['items'] as unknown[]).length, 1);
      const day = (date: number): number => Date.UTC(2026, 10, date, 12);
      assert.deepEqual(asked(site), [
        {
          terms: {
            type: 'logout',
            source: 'test',
            session: 'sha-256:x',
            txn: 'Zahlung 7 – ü',
            ip: '192.0.2.7',
            device: 'd-1',
            action_id: 'a-1',
            corrects: 'e-0',
          },
          id: 'e-1',
          subject,
          afterMs: day(20),
          beforeMs: day(21),
          timeAfterMs: day(18),
          timeBeforeMs: day(19),
        },
        { limit: 3, cursor: 'YWJj' },
      ]);
    }));

  const REFUSED: [what: string, body: JsonValue | string, words: RegExp][] = [
    ['another member', { [CANARY]: 1 }, /^the body has a member that this route does not know/],
    ['a member name twice', '{"txn":"a","txn":"b"}', /twice/],
    ['an array', [], /^the body is not a JSON object$/],
    ['no JSON', CANARY, /JSON/],
    ['nothing', '', /JSON/],
    ['a number for a text', { txn: 1 }, /^txn /],
    ['an empty text', { ip: '' }, /^ip /],
    ['a control character', { txn: 'a\nb' }, /^txn /],
    ['a lone surrogate', '{"txn":"\\ud800"}', /^txn /],
    ['a text without end', { txn: 'a'.repeat(1025) }, /^txn /],
    ['a subject that is a text', { subject: CANARY }, /^subject /],
    ['a subject that is a list', { subject: [] }, /^subject /],
    ['null', { txn: null }, /^txn /],
    ['a limit that is a text', { limit: '20' }, /^limit /],
    ['half a limit', { limit: 0.5 }, /^limit /],
    ['no limit at all', { limit: 0 }, /^limit /],
    ['a cursor that is a number', { cursor: 1 }, /^cursor /],
    ['a type that is a list', { type: ['logout'] }, /^type /],
    ['an id alone', { id: 'e-1' }, /^id /],
    ['a time that is a number', { time_after: 1795176008 }, /^time_after /],
    ['a time that is none', { time_before: CANARY }, /^time_before /],
  ];
  for (const [what, body, words] of REFUSED) {
    test(`refuses ${what}`, () =>
      withSite({}, async (site) => {
        const { status, json, text } = await search(site, body);
        assert.equal(status, 400, text);
        assert.equal(json['code'], 'malformed');
        assert.match(textOf(json, 'detail'), words);
        assert.ok(!text.includes(CANARY));
        assert.deepEqual(site.calls, []);
      }));
  }

  test('refuses other bodies and queries', () =>
    withSite({}, async (site) => {
      for (const type of ['text/plain', 'application/x-ndjson']) {
        const { status, json } = await search(site, {}, { 'Content-Type': type });
        assert.deepEqual([status, json['code']], [415, 'unsupported_media_type']);
      }
      const large = await search(site, { txn: 'a'.repeat(65_536) });
      assert.deepEqual([large.status, large.json['code']], [413, 'too_large']);
      const headers = { ...AUDIT, 'Content-Type': 'application/json' };
      const query = await answerOf(
        site.app.request('/v1/events/search?txn=t-1', { method: 'POST', headers, body: '{}' }),
      );
      assert.equal(query.status, 400);
      assert.deepEqual(site.calls, []);
    }));

  test('is a path of its own for POST, and the name of no event for GET', () =>
    withSite({}, async ({ app }) => {
      assert.equal((await answerOf(app.request('/v1/events/search', { headers: AUDIT }))).status, 404);
      const options = await app.request('/v1/events/search', { method: 'OPTIONS' });
      assert.equal(options.headers.get('Allow'), 'GET, HEAD, POST, OPTIONS');
    }));
});

describe('an event', () => {
  const CORRECTED: FakeAnswers = {
    events: [
      eventOf({ id: 'e-1', type: 'stepup.enforced', outcome: 'success', system_action: 'granted' }),
      eventOf({ id: 'e-2', type: 'correction', corrects: 'e-1', outcome: 'failure' }),
      eventOf({ id: 'e-3', type: 'correction', corrects: 'e-1', system_action: 'denied' }),
    ],
    corrections: { 0: [1, 2] },
    found: [0],
  };

  const get = (site: FakeSite, path: string, as = 'audit'): Promise<Answer> =>
    answerOf(site.app.request(path, { headers: { Authorization: `Bearer newel_${as}` } }));

  test('has its skew, and what the log noticed where it noticed something', () =>
    withSite(
      {
        events: [
          eventOf({ time: '2026-11-20T12:00:08Z' }),
          eventOf(
            { time: '2026-11-20T12:06:08.123Z' },
            { notices: [{ code: 'clock_skew', skew_ms: -360_000 }] },
          ),
        ],
      },
      async (site) => {
        const exact = await get(site, `/v1/events/${fakeEventId(0)}`);
        // Received at .123 of the same second.
        assert.equal(exact.json['clock_skew_ms'], 0);
        assert.ok(
          !('notices' in exact.json) && !('corrections' in exact.json) && !('corrected' in exact.json),
        );
        const ahead = await get(site, `/v1/events/${fakeEventId(1)}`);
        assert.equal(ahead.json['clock_skew_ms'], -360_000);
        assert.equal(ahead.json['received_time'], '2026-11-20T12:00:08.123Z');
        assert.deepEqual(ahead.json['notices'], [{ code: 'clock_skew', skew_ms: -360_000 }]);
        const receipt = await get(site, `/v1/events/${fakeEventId(1)}/receipt`);
        assert.deepEqual(receipt.json['notices'], [{ code: 'clock_skew', skew_ms: -360_000 }]);
        assert.ok(!('notices' in (await get(site, `/v1/events/${fakeEventId(0)}/receipt`)).json));
      },
    ));

  test('has its corrections beside what was logged, and folded in', () =>
    withSite(CORRECTED, async (site) => {
      const { json } = await get(site, `/v1/events/${fakeEventId(0)}`);
      const logged = CORRECTED.events![0]!.content;
      assert.deepEqual(json['event'], logged);
      assert.deepEqual(json['corrected'], { ...logged, outcome: 'failure', system_action: 'denied' });
      assert.deepEqual(json['corrections'], [
        {
          event_id: fakeEventId(1),
          id: 'e-2',
          leaf_index: 2,
          received_time: '2026-11-20T12:00:08.123Z',
          members: ['outcome'],
        },
        {
          event_id: fakeEventId(2),
          id: 'e-3',
          leaf_index: 3,
          received_time: '2026-11-20T12:00:08.123Z',
          members: ['system_action'],
        },
      ]);
      const listed = await list(site, '');
      assert.deepEqual(listed.json['items'], [json]);
    }));

  test('has the newest 1,000 of its corrections, and says that there may be more', async () => {
    const corrected = async (count: number): Promise<JsonObject> => {
      const corrections = Array.from({ length: count }, (_, i) => i + 1);
      const events = [
        eventOf({ id: 'e-1', type: 'stepup.enforced', outcome: 'success' }),
        ...corrections.map((i) =>
          eventOf({
            id: `c-${i}`,
            type: 'correction',
            corrects: 'e-1',
            ...(i === 1 ? { outcome: 'failure' } : { system_action: 'denied' }),
          }),
        ),
      ];
      let json: JsonObject = {};
      await withSite({ events, corrections: { 0: corrections } }, async (site) => {
        ({ json } = await get(site, `/v1/events/${fakeEventId(0)}`));
      });
      return json;
    };
    const idsOf = (json: JsonObject): unknown[] => (json['corrections'] as JsonObject[]).map(({ id }) => id);
    const outcomeOf = (json: JsonObject): unknown => (json['corrected'] as JsonObject)['outcome'];

    const below = await corrected(999);
    assert.ok(!('corrections_truncated' in below));
    const most = await corrected(1000);
    assert.deepEqual([most['corrections_truncated'], outcomeOf(most)], [true, 'failure']);
    const more = await corrected(1001);
    assert.equal(more['corrections_truncated'], true);
    const ids = idsOf(more);
    assert.deepEqual([ids.length, ids[0], ids.at(-1)], [1000, 'c-2', 'c-1001']);
    assert.equal(outcomeOf(more), 'success', 'the first is not folded in');
  });

  test('of a long page is looked up where its source corrects something', () => {
    const sources = ['a', 'b', 'a', 'c', 'b', 'a'];
    const events = [
      ...sources.map((source, i) => eventOf({ source, id: `e-${i}`, type: 'stepup.enforced' })),
      eventOf({ source: 'b', id: 'c-1', type: 'correction', corrects: 'e-4', outcome: 'failure' }),
    ];
    const found = sources.map((_, i) => i);
    return withSite({ events, found, corrections: { 4: [6] } }, async (site) => {
      const { json } = await list(site, '');
      const items = json['items'] as JsonObject[];
      assert.deepEqual(
        items.map((item) => 'corrected' in item),
        [false, false, false, false, true, false],
      );
      assert.deepEqual(site.callsOf('correctionsOf'), [fakeEventId(1), fakeEventId(4)]);
    });
  });

  test('that is erased is gone', () =>
    withSite({ events: [eventOf({})], erased: [0] }, async (site) => {
      for (const path of ['', '/receipt']) {
        const { status, json } = await get(site, `/v1/events/${fakeEventId(0)}${path}`);
        assert.deepEqual([status, json['code']], [410, 'event_erased']);
      }
      assert.deepEqual(site.callsOf('noteAccess'), []);
    }));

  describe('that is read', () => {
    const noted = (site: FakeSite): Access[] => site.callsOf('noteAccess') as Access[];
    const own: JsonObject = { source: 'newel:log', type: 'log.accessed' };

    test('is noted, with its corrections, on every route', () =>
      withSite(CORRECTED, async (site) => {
        const who = { principal: 'test audit', role: 'audit' };
        const ids = [0, 1, 2].map(fakeEventId);
        await get(site, `/v1/events/${ids[0]}`);
        await get(site, `/v1/events/${ids[0]}/receipt`, 'submit');
        await list(site, '?type=stepup.enforced');
        await search(site, { txn: CANARY });
        assert.deepEqual(noted(site), [
          { ...who, route: 'GET /v1/events/<event_id>', eventIds: ids },
          {
            principal: 'test submit',
            role: 'submit',
            route: 'GET /v1/events/<event_id>/receipt',
            eventIds: [ids[0]],
          },
          { ...who, route: 'GET /v1/events', eventIds: ids },
          { ...who, route: 'POST /v1/events/search', eventIds: ids },
        ]);
        assert.ok(!JSON.stringify(noted(site)).includes(CANARY));
      }));

    test('is noted where nothing was found, and not where nothing was answered', () =>
      withSite({ events: [eventOf({ source: 'another' })], found: [] }, async (site) => {
        await list(site, '');
        await list(site, '?type=');
        await get(site, `/v1/events/${fakeEventId(0)}`, 'submit');
        await get(site, `/v1/events/${fakeEventId(7)}`);
        assert.deepEqual(
          noted(site).map(({ route, eventIds }) => [route, eventIds]),
          [['GET /v1/events', []]],
        );
      }));

    test('is not noted where it says itself who read', () =>
      withSite({ events: [eventOf(own), eventOf(own)] }, async (site) => {
        await list(site, '');
        await list(site, '?type=log.accessed');
        await get(site, `/v1/events/${fakeEventId(0)}`);
        await get(site, `/v1/events/${fakeEventId(1)}/receipt`);
        assert.deepEqual(noted(site), []);
      }));

    test('is not noted where only such were asked for, and there was none', () =>
      withSite({}, async (site) => {
        await list(site, '?type=log.accessed');
        await search(site, { type: 'log.accessed', source: 'newel:log' });
        assert.deepEqual(noted(site), []);
      }));

    test('is noted among such, without them; and if another source says that it was accessed', () =>
      withSite({ events: [eventOf(own), eventOf({}), eventOf({ type: 'log.accessed' })] }, async (site) => {
        await list(site, '?type=log.accessed');
        assert.deepEqual(
          noted(site).map(({ eventIds }) => eventIds),
          [[fakeEventId(1), fakeEventId(2)]],
        );
      }));
  });
});
