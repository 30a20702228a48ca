/** Asking for erasures, over a vault that answers what it is told: `erase.txt` has the same with a real one. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { TRIAL_MS } from '../../src/http/retention-trials.ts';
import type { Erasure } from '../../src/vault/vault.ts';
import { type Answer, answerOf, textOf } from '../support/event-requests.ts';
import {
  eventOf,
  type FakeAnswers,
  fakeEventId,
  type FakeSite,
  openFakeSite,
} from '../support/fake-vault.ts';

const CANARY = 'canary-9c40e6a1d2b7f358';
const ERASURE_ID = 'era_AAECAwQFBgcICQoLDA0ODw';
const SUBJECT = { format: 'opaque', id: CANARY };
const DAY_MS = 24 * 3_600_000;

const ERASING: Erasure = {
  erasureId: ERASURE_ID,
  reason: 'subject_request',
  requestedTimeMs: Date.UTC(2026, 10, 20, 12),
  state: 'erasing',
  events: 3,
  erased: 0,
  tombstones: [],
  doneTimeMs: undefined,
  keysDestroyedByMs: undefined,
  areKeysOverdue: false,
  failure: undefined,
};
const DONE: Erasure = {
  ...ERASING,
  state: 'done',
  erased: 3,
  tombstones: [{ eventId: fakeEventId(0), leafIndex: 1, erased: 3 }],
  doneTimeMs: Date.UTC(2026, 10, 20, 13),
  keysDestroyedByMs: Date.UTC(2026, 10, 27, 13),
};

interface Asked {
  readonly as?: string;
  readonly headers?: Record<string, string>;
}

function ask(
  { app }: FakeSite,
  body: JsonValue | string,
  { as = 'admin', headers }: Asked = {},
): Promise<Answer> {
  return answerOf(
    app.request('/v1/erasures', {
      method: 'POST',
      headers: { Authorization: `Bearer newel_${as}`, 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  );
}

function get({ app }: FakeSite, path: string, as = 'admin'): Promise<Answer> {
  return answerOf(app.request(path, { headers: { Authorization: `Bearer newel_${as}` } }));
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

const namesOf = ({ calls }: FakeSite): string[] => calls.map(({ name }) => name);

describe('an erasure that is asked for', () => {
  test('is accepted, once the log has said who asked', () =>
    withSite({ erasures: [ERASING] }, async (site) => {
      const { status, headers, json, text } = await ask(site, {
        subject: SUBJECT,
        reason: 'subject_request',
      });
      assert.equal(status, 202);
      assert.equal(headers.get('Location'), `/v1/erasures/${ERASURE_ID}`);
      assert.equal(headers.get('Retry-After'), '1');
      assert.equal(headers.get('Cache-Control'), 'no-store');
      assert.deepEqual(json, {
        erasure_id: ERASURE_ID,
        state: 'erasing',
        reason: 'subject_request',
        requested_time: '2026-11-20T12:00:00.000Z',
        events: 3,
        erased: 0,
        tombstones: [],
      });
      assert.ok(!text.includes(CANARY));
      assert.deepEqual(namesOf(site), ['logAccess', 'erase']);
      assert.deepEqual(site.callsOf('logAccess'), [
        { principal: 'test admin', role: 'admin', route: 'POST /v1/erasures', eventIds: [] },
      ]);
      assert.deepEqual(site.callsOf('erase'), [
        { target: { subject: SUBJECT }, reason: 'subject_request', requestedBy: 'test admin' },
      ]);
    }));

  test('of single events is said with their ids', () =>
    withSite({ erasures: [ERASING] }, async (site) => {
      const ids = Array.from({ length: 1000 }, (_, i) => fakeEventId(i));
      assert.equal((await ask(site, { event_ids: ids, reason: 'submitted_in_error' })).status, 202);
      assert.deepEqual((site.callsOf('logAccess')[0] as { eventIds: unknown }).eventIds, ids);
      assert.deepEqual((site.callsOf('erase')[0] as { target: unknown }).target, { eventIds: ids });
    }));

  test('is only counted where it is a dry run, and said as well', () =>
    withSite({ erasures: [ERASING] }, async (site) => {
      const body = { event_ids: [fakeEventId(3)], reason: 'other', dry_run: true };
      const { status, headers, json } = await ask(site, body);
      assert.equal(status, 200);
      assert.equal(headers.get('Location'), null);
      assert.deepEqual(json, { dry_run: true, events: 12 });
      assert.deepEqual(namesOf(site), ['logAccess', 'countErasure']);
      assert.equal((await ask(site, { ...body, dry_run: false })).status, 202);
    }));

  test('is not done where nobody can say that it was', () =>
    withSite(
      {
        erasures: [ERASING],
        failures: { logAccess: new NewelError('storage_failed', 'the log has stopped') },
      },
      async (site) => {
        const answers = [
          await ask(site, { subject: SUBJECT, reason: 'other' }),
          await ask(site, { subject: SUBJECT, reason: 'other', dry_run: true }),
        ];
        assert.deepEqual(
          answers.map(({ status }) => status),
          [503, 503],
        );
        assert.deepEqual(namesOf(site), ['logAccess', 'logAccess']);
        // The operator is told of the same failure once.
        assert.equal(site.errors.splice(0).length, 1);
      },
    ));

  for (const [code, status] of [
    ['not_found', 404],
    ['event_erased', 410],
  ] as const) {
    test(`is ${status} where the vault says ${code}`, () =>
      withSite({ failures: { erase: new NewelError(code, 'so it is') } }, async (site) => {
        const { json, ...answer } = await ask(site, { event_ids: [fakeEventId(3)], reason: 'other' });
        assert.deepEqual([answer.status, json['code']], [status, code]);
      }));
  }

  test('is for whoever runs the log', () =>
    withSite({ erasures: [DONE] }, async (site) => {
      for (const [as, status] of [
        ['submit', 403],
        ['audit', 403],
        ['nobody', 401],
      ] as const) {
        assert.equal((await ask(site, CANARY, { as })).status, status);
        assert.equal((await get(site, '/v1/erasures', as)).status, status);
        assert.equal((await get(site, `/v1/erasures/${ERASURE_ID}`, as)).status, status);
      }
      assert.deepEqual(site.calls, []);
    }));

  const REASON = { reason: 'other' };
  const REFUSED: [what: string, body: JsonValue | string, words: RegExp][] = [
    ['no target', REASON, /^exactly one of subject, event_ids, retention/],
    ['two targets', { ...REASON, subject: SUBJECT, event_ids: [fakeEventId(1)] }, /^exactly one of/],
    ['no reason', { subject: SUBJECT }, /^reason is one of subject_request, /],
    ['a reason of its own', { subject: SUBJECT, reason: CANARY }, /^reason is one of/],
    ['a dry run that is a text', { ...REASON, subject: SUBJECT, dry_run: 'false' }, /^dry_run /],
    ['another member', { ...REASON, subject: SUBJECT, [CANARY]: 1 }, /^the body has a member/],
    ['a misspelt dry run', { ...REASON, subject: SUBJECT, dryrun: true }, /^the body has a member/],
    ['a member twice', `{"reason":"other","reason":"${CANARY}"}`, /twice/],
    ['a subject that is a text', { ...REASON, subject: CANARY }, /^subject /],
    ['no ids', { ...REASON, event_ids: [] }, /^event_ids is not/],
    [
      'a thousand ids and one',
      { ...REASON, event_ids: Array.from({ length: 1001 }, (_, i) => fakeEventId(i)) },
      /^event_ids is not/,
    ],
    ['an id that is none', { ...REASON, event_ids: [fakeEventId(1), CANARY] }, /^event_ids has an item/],
    [
      'an id in another spelling',
      { ...REASON, event_ids: [`${fakeEventId(1).slice(0, -1)}B`] },
      /^event_ids has an item/,
    ],
    [
      'an id twice',
      { ...REASON, event_ids: [fakeEventId(1), fakeEventId(1)] },
      /^event_ids has an event_id twice/,
    ],
    ['one id', { ...REASON, event_ids: fakeEventId(1) }, /^event_ids is not/],
    ['a retention of nothing', { ...REASON, retention: {} }, /^retention is not/],
    ['a retention that is a list', { ...REASON, retention: ['90d'] }, /^retention is not/],
    ...['90', '0d', '1.5d', '12h', 'P90D', '100000d', 90].map((time): [string, JsonValue, RegExp] => [
      `a retention of ${time}`,
      { ...REASON, retention: { logout: time }, dry_run: true },
      /^retention has a time/,
    ]),
  ];
  for (const [what, body, words] of REFUSED) {
    test(`is refused with ${what}`, () =>
      withSite({ erasures: [ERASING] }, async (site) => {
        const { status, json, text } = await ask(site, body);
        assert.equal(status, 400, text);
        assert.equal(json['code'], 'malformed');
        assert.match(textOf(json, 'detail'), words);
        assert.ok(!text.includes(CANARY));
        assert.deepEqual(site.calls, []);
      }));
  }

  test('is refused as text, as lines, too large, or in a URL', () =>
    withSite({ erasures: [ERASING] }, async (site) => {
      const body = { subject: SUBJECT, reason: 'other' };
      for (const type of ['text/plain', 'application/x-ndjson']) {
        assert.equal((await ask(site, body, { headers: { 'Content-Type': type } })).status, 415);
      }
      assert.equal((await ask(site, ' '.repeat(65_537))).status, 413);
      const { app } = site;
      const headers = { Authorization: 'Bearer newel_admin', 'Content-Type': 'application/json' };
      const init = { method: 'POST', headers, body: JSON.stringify(body) };
      assert.equal((await app.request('/v1/erasures?dry_run=true', init)).status, 400);
      assert.deepEqual(site.calls, []);
    }));
});

describe('a retention', () => {
  const retention = { 'log.accessed': '90d', logout: '30d' };
  const REAL = { retention, reason: 'retention' };
  const keptMs = { logout: 30 * DAY_MS, 'log.accessed': 90 * DAY_MS };

  test('is done within a day after it was tried out', () =>
    withSite({ erasures: [ERASING] }, async (site) => {
      const refused = await ask(site, REAL);
      assert.deepEqual([refused.status, refused.json['code']], [400, 'malformed']);
      assert.match(textOf(refused.json, 'detail'), /^dry run first: /);
      assert.deepEqual(site.calls, []);
      assert.equal((await ask(site, { ...REAL, dry_run: true })).status, 200);
      site.test.clock.advance(TRIAL_MS - 1);
      // In another order it is the same.
      const turned = { logout: '30d', 'log.accessed': '90d' };
      assert.equal((await ask(site, { ...REAL, retention: turned })).status, 202);
      assert.deepEqual((site.callsOf('erase')[0] as { target: unknown }).target, { keptMs });
      assert.deepEqual(site.callsOf('countErasure'), [{ keptMs }]);
      site.test.clock.advance(1);
      assert.equal((await ask(site, REAL)).status, 400);
      assert.deepEqual(namesOf(site), ['logAccess', 'countErasure', 'logAccess', 'erase']);
    }));

  test('that was tried out is that one, not another', () =>
    withSite({ erasures: [ERASING] }, async (site) => {
      assert.equal((await ask(site, { ...REAL, dry_run: true })).status, 200);
      for (const other of [
        { logout: '30d' },
        { ...retention, logout: '29d' },
        { ...retention, 'login.failed': '1d' },
      ]) {
        assert.equal((await ask(site, { ...REAL, retention: other })).status, 400);
      }
    }));

  test('of a name that JavaScript has a use for is one like any other', () =>
    withSite({}, async (site) => {
      const body = '{"retention":{"__proto__":"90d"},"reason":"retention","dry_run":true}';
      assert.equal((await ask(site, body)).status, 200);
      const [{ keptMs }] = site.callsOf('countErasure') as [{ keptMs: object }];
      assert.deepEqual(Object.entries(keptMs), [['__proto__', 90 * DAY_MS]]);
    }));

  test('whose trial failed was not tried out', () =>
    withSite({ failures: { countErasure: new NewelError('malformed', 'not that type') } }, async (site) => {
      assert.equal((await ask(site, { ...REAL, dry_run: true })).status, 400);
      assert.match(textOf((await ask(site, REAL)).json, 'detail'), /^dry run first/);
    }));
});

describe('an erasure that is looked after', () => {
  test('says how far it is, and is noted without ids', () =>
    withSite(
      {
        erasures: [
          DONE,
          {
            ...ERASING,
            erasureId: 'era_AQECAwQFBgcICQoLDA0ODw',
            state: 'failed',
            failure: 'a key has 3 events',
          },
        ],
      },
      async (site) => {
        const { status, headers, json } = await get(site, `/v1/erasures/${ERASURE_ID}`);
        assert.equal(status, 200);
        assert.equal(headers.get('Retry-After'), null);
        assert.equal(headers.get('Cache-Control'), 'private, no-store');
        assert.deepEqual(json, {
          erasure_id: ERASURE_ID,
          state: 'done',
          reason: 'subject_request',
          requested_time: '2026-11-20T12:00:00.000Z',
          events: 3,
          erased: 3,
          tombstones: [
            {
              event_id: fakeEventId(0),
              leaf_index: 1,
              erased: 3,
              receipt_url: `https://log.example/test/v1/events/${fakeEventId(0)}/receipt`,
            },
          ],
          done_time: '2026-11-20T13:00:00.000Z',
          keys_destroyed_by: '2026-11-27T13:00:00.000Z',
        });
        const failed = await get(site, '/v1/erasures/era_AQECAwQFBgcICQoLDA0ODw');
        assert.deepEqual([failed.json['state'], failed.json['failure']], ['failed', 'a key has 3 events']);
        const list = await get(site, '/v1/erasures?limit=2&cursor=YWJj');
        const summaries = [json, failed.json].map(({ tombstones: _tombstones, ...summary }) => summary);
        assert.deepEqual(list.json, { items: summaries, next: null });
        assert.deepEqual(site.callsOf('listErasures'), [{ limit: 2, cursor: 'YWJj' }]);
        const access = { principal: 'test admin', role: 'admin', eventIds: [] };
        assert.deepEqual(site.callsOf('noteAccess'), [
          { ...access, route: 'GET /v1/erasures/<id>' },
          { ...access, route: 'GET /v1/erasures/<id>' },
          { ...access, route: 'GET /v1/erasures' },
        ]);
      },
    ));

  test('says that its keys are overdue where they are, in the list too, and else nothing of it', () =>
    withSite({ erasures: [{ ...DONE, areKeysOverdue: true }] }, async (site) => {
      const shown = await get(site, `/v1/erasures/${ERASURE_ID}`);
      const list = await get(site, '/v1/erasures');
      for (const found of [shown.json, (list.json['items'] as JsonObject[])[0]!]) {
        assert.deepEqual(
          [found['keys_destroyed_by'], found['keys_overdue']],
          ['2026-11-27T13:00:00.000Z', true],
        );
      }
    }));

  test('is to be asked for again while it runs', () =>
    withSite({ erasures: [{ ...ERASING, state: 'compacting' }] }, async (site) => {
      assert.equal((await get(site, `/v1/erasures/${ERASURE_ID}`)).headers.get('Retry-After'), '10');
    }));

  test('is 404 where there is none, and that is no read', () =>
    withSite({}, async (site) => {
      for (const id of [ERASURE_ID, CANARY]) {
        const { status, text } = await get(site, `/v1/erasures/${id}`);
        assert.equal(status, 404);
        assert.ok(!text.includes(CANARY));
      }
      assert.deepEqual(site.callsOf('noteAccess'), []);
    }));

  test('has the receipts of what says so, twenty at a time', () => {
    const events = Array.from({ length: 45 }, (_, i) =>
      eventOf({ id: `erasure:${i}`, type: 'erasure', source: 'newel:log' }),
    );
    const tombstones = events.map((_, i) => ({ eventId: fakeEventId(i), leafIndex: i + 1, erased: 400 }));
    return withSite({ events, erasures: [{ ...DONE, tombstones }] }, async (site) => {
      const path = `/v1/erasures/${ERASURE_ID}`;
      assert.ok(!('receipts' in (await get(site, `${path}?receipts=false`)).json));
      const seen: unknown[] = [];
      for (let start: number | null = 0; start !== null;) {
        const { status, json } = await get(site, `${path}?receipts=true&start=${start}`);
        assert.equal(status, 200);
        assert.equal((json['tombstones'] as unknown[]).length, 45);
        const receipts = json['receipts'] as { event_id: string; leaf_index: number; proof: string }[];
        assert.ok(receipts.length <= 20 && receipts.length > 0);
        for (const { event_id: eventId, leaf_index: leafIndex, proof } of receipts) {
          assert.ok(proof.startsWith(`c2sp.org/tlog-proof@v1\nindex ${leafIndex}\n`));
          seen.push(eventId);
        }
        start = json['next'] as number | null;
      }
      assert.deepEqual(
        seen,
        tombstones.map(({ eventId }) => eventId),
      );
      const beyond = await get(site, `${path}?receipts=true&start=45`);
      assert.deepEqual([beyond.json['receipts'], beyond.json['next']], [[], null]);
      for (const query of [
        'receipts=1',
        'receipts=',
        'start=0',
        'receipts=false&start=0',
        'receipts=true&start=-1',
        `${CANARY}=1`,
      ]) {
        const { status, text } = await get(site, `${path}?${query}`);
        assert.equal(status, 400, query);
        assert.ok(!text.includes(CANARY));
      }
    });
  });

  test('is damaged where what says so is missing', () =>
    withSite({ erasures: [DONE] }, async (site) => {
      const { status, json } = await get(site, `/v1/erasures/${ERASURE_ID}?receipts=true`);
      assert.deepEqual([status, json['code']], [503, 'storage_failed']);
      assert.equal(site.errors.splice(0).length, 1);
    }));
});
