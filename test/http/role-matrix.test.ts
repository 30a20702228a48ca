/**
 * Who may do what, tried: every private route × every role × its own and another's events, and every credential that is
 * none. The table of `spec/access.md` says what is to come out. Tokens are real ones, in a token list.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Permission, PrivateRoute } from '../../src/access/permissions.ts';
import { type Role, ROLES } from '../../src/access/principal.ts';
import { createToken, createTokenList, listTokens, revokeToken } from '../../src/access/token-list.ts';
import { newToken } from '../../src/access/token.ts';
import { openTokens } from '../../src/access/tokens.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { createApp, type WriteSite } from '../../src/http/app.ts';
import type { Kind } from '../../src/log/identity.ts';
import { privateRoutesOf, readAccessPage } from '../support/access-page.ts';
import { type Answer, answerOf, FLAT, FULL, textOf } from '../support/event-requests.ts';
import { FakeIssuer } from '../support/issuer.ts';
import { described } from '../support/openapi.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openTestSite, type TestSite } from '../support/test-site.ts';

const PAGE = readAccessPage();
const OWN = 'test';
const OTHER = 'second-source';
/** Of the right form, and of no event. */
const NO_EVENT = `evt_${'A'.repeat(22)}`;

/** What a request is about. */
interface About {
  readonly source: string;
  readonly eventId: string;
  readonly erasureId: string;
}

interface Asking {
  readonly path: string;
  /** As JSON, or a text that is sent as it is. */
  readonly body?: JsonValue;
}

let sent = 0;

/** For each route a request that is right in all but perhaps its caller; what is written is new each time. */
const REQUESTS: Readonly<Record<PrivateRoute, (about: About) => Asking>> = {
  'POST /add': () => ({ path: '/add', body: `entry ${(sent += 1)}` }),
  'POST /v1/events': ({ source }) => ({ path: '/v1/events', body: newEvent(source) }),
  'GET /v1/events': () => ({ path: '/v1/events?limit=10' }),
  'POST /v1/events/search': ({ source }) => ({ path: '/v1/events/search', body: { source } }),
  'GET /v1/events/<event_id>': ({ eventId }) => ({ path: `/v1/events/${eventId}` }),
  'GET /v1/events/<event_id>/receipt': ({ eventId }) => ({ path: `/v1/events/${eventId}/receipt` }),
  'POST /v1/disclosures': ({ eventId }) => ({
    path: '/v1/disclosures',
    body: {
      event_ids: [eventId],
      preset: 'auditor',
      audience: 'https://auditor.example',
      nonce: 'n-0S6_WzA2Mj',
    },
  }),
  'POST /v1/erasures': ({ eventId }) => ({
    path: '/v1/erasures',
    body: { event_ids: [eventId], reason: 'subject_request', dry_run: true },
  }),
  'GET /v1/erasures': () => ({ path: '/v1/erasures' }),
  'GET /v1/erasures/<id>': ({ erasureId }) => ({ path: `/v1/erasures/${erasureId}` }),
  'GET /metrics': () => ({ path: '/metrics' }),
};

function newEvent(source: string): JsonObject {
  sent += 1;
  return { ...FULL, id: `event-${sent}`, source, subject: { sub_id: { format: 'opaque', id: 'canary' } } };
}

class Matrix {
  readonly site: TestSite;
  readonly ask: (route: string, asking: Asking, authorization?: string) => Promise<Answer>;
  /** A valid token of each role, and one that submits for another source. */
  readonly tokens: Readonly<Record<Role | 'other', string>>;
  /** Header by what is wrong with it; `undefined` is none. */
  readonly refused: ReadonlyMap<string, string | undefined>;
  readonly routes: readonly string[];
  own!: About;
  other!: About;

  constructor(parts: Pick<Matrix, 'site' | 'ask' | 'tokens' | 'refused' | 'routes'>) {
    this.site = parts.site;
    this.ask = parts.ask;
    this.tokens = parts.tokens;
    this.refused = parts.refused;
    this.routes = parts.routes;
  }

  static async open(t: TestContext, kind: Kind): Promise<Matrix> {
    const site = await openTestSite({ kind });
    t.after(() => site.test.log.close());
    const path = join(await tempFolder(t), 'tokens.json');
    const nowMs = site.test.clock.now();
    let read = 0;
    const create = (
      name: string,
      role: Role,
      sources: readonly string[],
      expiresMs?: number,
    ): Promise<string> =>
      createToken(path, { name, role, sources, nowMs, ...(expiresMs === undefined ? {} : { expiresMs }) });
    await createTokenList(path);
    const tokens = {
      submit: await create('submit', 'submit', [OWN]),
      other: await create('other', 'submit', [OTHER]),
      audit: await create('audit', 'audit', []),
      admin: await create('admin', 'admin', []),
    };
    const gone: [what: string, token: string][] = [];
    for (const role of ROLES) {
      const sources = role === 'submit' ? [OWN] : [];
      gone.push([
        `a ${role} token that has expired`,
        await create(`${role}-expired`, role, sources, nowMs + 1000),
      ]);
      gone.push([`a ${role} token that was revoked`, await create(`${role}-revoked`, role, sources)]);
    }
    const list = await openTokens(path, {
      now: () => site.test.clock.now(),
      pollMs: 5,
      onSignal: () => (read += 1),
    });
    t.after(() => list.close());
    // All of them were good, and have been seen.
    for (const [, token] of gone) list.authenticate(`Bearer ${token}`);
    site.test.clock.advance(1000);
    const before = read;
    for (const role of ROLES) await revokeToken(path, `${role}-revoked`);
    assert.equal((await listTokens(path)).length, 7);
    const authenticate: WriteSite['authenticate'] = (authorization) => list.authenticate(authorization);
    for (const endMs = performance.now() + 5000; isKnown(authenticate, gone);) {
      assert.ok(performance.now() < endMs, `the list was read ${read - before} times, and not to its end`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }

    const write = { ...site.write, authenticate };
    const app = createApp(site.site, write);
    const asked = described(createApp(site.site, write));
    const jwt = await (await FakeIssuer.open()).sign();
    const matrix = new Matrix({
      site,
      tokens,
      routes: privateRoutesOf(app),
      refused: new Map([...credentials(tokens.audit, jwt), ...gone.map(withScheme)]),
      ask: (route, { path: target, body }, authorization) => {
        const [method] = route.split(' ');
        const headers: Record<string, string> =
          authorization === undefined ? {} : { Authorization: authorization };
        if (body === undefined) return answerOf(asked.request(target, { method: method!, headers }));
        const isText = typeof body === 'string';
        return answerOf(
          asked.request(target, {
            method: method!,
            headers: { ...headers, 'Content-Type': isText ? 'text/plain' : 'application/json' },
            body: isText ? body : JSON.stringify(body),
          }),
        );
      },
    });
    await matrix.#fill();
    return matrix;
  }

  /** An event of each source, and an erasure where there are any. */
  async #fill(): Promise<void> {
    const nothing = { eventId: NO_EVENT, erasureId: 'none' };
    this.own = { source: OWN, ...nothing };
    this.other = { source: OTHER, ...nothing };
    if (!this.routes.includes('POST /v1/events')) return;
    const eventId = await this.#submit(this.own, this.tokens.submit);
    const otherId = await this.#submit(this.other, this.tokens.other);
    const erasureId = this.routes.includes('POST /v1/erasures') ? await this.#erase() : 'none';
    this.own = { source: OWN, eventId, erasureId };
    this.other = { source: OTHER, eventId: otherId, erasureId };
  }

  async #submit(about: About, token: string): Promise<string> {
    const { status, json } = await this.ask(
      'POST /v1/events',
      REQUESTS['POST /v1/events'](about),
      `Bearer ${token}`,
    );
    assert.equal(status, 201, JSON.stringify(json));
    return textOf(json, 'event_id');
  }

  async #erase(): Promise<string> {
    const spare = await this.#submit(this.own, this.tokens.submit);
    const asking = { path: '/v1/erasures', body: { event_ids: [spare], reason: 'subject_request' } };
    const { status, headers, text } = await this.ask(
      'POST /v1/erasures',
      asking,
      `Bearer ${this.tokens.admin}`,
    );
    assert.equal(status, 202, text);
    return headers.get('Location')?.split('/').at(-1) ?? '';
  }

  /** Throws if an answer that refuses changed the tree, or told of an event. */
  async asks(route: PrivateRoute, asking: Asking, authorization: string | undefined): Promise<Answer> {
    const { log } = this.site.test;
    const { size } = log.revealed;
    const answer = await this.ask(route, asking, authorization);
    if (answer.status >= 400) {
      assert.equal(log.revealed.size, size, `${route} was refused, and the tree grew`);
      assert.equal(answer.headers.get('Content-Type'), 'application/problem+json');
      for (const told of ['canary', OTHER, this.own.eventId, this.other.eventId]) {
        assert.ok(!answer.text.includes(told), `${route} was refused, and told of ${told}`);
      }
    }
    return answer;
  }
}

function isKnown(authenticate: (header: string) => unknown, gone: readonly [string, string][]): boolean {
  return gone.some(([, token]) => {
    try {
      return authenticate(`Bearer ${token}`) !== undefined;
    } catch {
      return false;
    }
  });
}

function withScheme([what, token]: [string, string]): [string, string] {
  return [what, `Bearer ${token}`];
}

/** Headers that are not quite those of a good token. */
function credentials(good: string, jwt: string): [string, string | undefined][] {
  return [
    ['no header', undefined],
    ['an empty header', ''],
    ['a scheme alone', 'Bearer'],
    ['a scheme and a space', 'Bearer '],
    ['a token without scheme', good],
    ['another scheme', `Basic ${good}`],
    ['two spaces', `Bearer  ${good}`],
    ['a token and a space', `Bearer ${good}x`],
    ['a token that is too short', `Bearer ${good.slice(0, -1)}`],
    ['two tokens', `Bearer ${good}, Bearer ${good}`],
    ['a token in other case', `Bearer ${good.toUpperCase()}`],
    ['a token that nobody made', `Bearer ${newToken()}`],
    ['a JWT, and no issuer', `Bearer ${jwt}`],
  ];
}

test('every private route, every role, every credential', async (t) => {
  const left = new Set(PAGE.keys());
  for (const kind of ['opaque', 'events'] as const) {
    const matrix = await Matrix.open(t, kind);
    for (const name of matrix.routes) {
      const row = PAGE.get(name);
      assert.ok(row, `${name} has no row in spec/access.md`);
      assert.ok(Object.hasOwn(REQUESTS, name), `${name} has no request here`);
      const route = name as PrivateRoute;
      left.delete(name);
      await t.test(`${route}: none of ${matrix.refused.size} credentials that are none`, () =>
        refusesStrangers(matrix, route),
      );
      for (const role of ROLES) {
        await t.test(`${route}: ${role} is ${row[role]}`, () => EXPECTED[row[role]](matrix, route, role));
      }
    }
  }
  await t.test('every row of the page has a route', () => assert.deepEqual([...left], []));
});

async function refusesStrangers(matrix: Matrix, route: PrivateRoute): Promise<void> {
  for (const [what, header] of matrix.refused) {
    for (const about of [matrix.own, { ...matrix.own, eventId: NO_EVENT }]) {
      const { status, json, headers } = await matrix.asks(route, REQUESTS[route](about), header);
      assert.deepEqual([status, json['code']], [401, 'unauthenticated'], what);
      assert.equal(headers.get('WWW-Authenticate'), 'Bearer', what);
    }
  }
}

const EXPECTED: Readonly<
  Record<Permission, (matrix: Matrix, route: PrivateRoute, role: Role) => Promise<void>>
> = {
  async allowed(matrix, route, role) {
    for (const about of [matrix.own, matrix.other]) {
      const { status, text } = await matrix.asks(
        route,
        REQUESTS[route](about),
        `Bearer ${matrix.tokens[role]}`,
      );
      assert.ok(status >= 200 && status < 300, `${status} ${text}`);
    }
  },

  async 'own sources'(matrix, route, role) {
    assert.equal(role, 'submit', 'no other role has sources');
    const callers = [
      [matrix.tokens.submit, matrix.own, matrix.other],
      [matrix.tokens.other, matrix.other, matrix.own],
    ] as const;
    for (const [token, own, other] of callers) {
      const taken = await matrix.asks(route, REQUESTS[route](own), `Bearer ${token}`);
      assert.ok(taken.status >= 200 && taken.status < 300, `${taken.status} ${taken.text}`);
      const foreign = await matrix.asks(route, REQUESTS[route](other), `Bearer ${token}`);
      if (route === 'POST /v1/events') {
        assert.deepEqual([foreign.status, foreign.json['code']], [403, 'forbidden']);
        continue;
      }
      const absent = await matrix.asks(
        route,
        REQUESTS[route]({ ...own, eventId: NO_EVENT }),
        `Bearer ${token}`,
      );
      assert.deepEqual([foreign.status, foreign.json['code']], [404, 'not_found']);
      assert.equal(foreign.text, absent.text, 'what is another’s is as if it were not there');
      assert.deepEqual([...foreign.headers], [...absent.headers]);
    }
  },

  async refused(matrix, route, role) {
    const good = REQUESTS[route](matrix.own);
    const [path] = good.path.split('?');
    const askings: readonly Asking[] = [
      good,
      REQUESTS[route]({ ...matrix.own, eventId: NO_EVENT, erasureId: 'none' }),
      // What is wrong with it is nothing to whoever may not ask.
      { path: `${path}?x=1&x=2`, ...(good.body === undefined ? {} : { body: '{"a":' }) },
    ];
    for (const asking of askings) {
      const { status, json } = await matrix.asks(route, asking, `Bearer ${matrix.tokens[role]}`);
      assert.deepEqual([status, json['code']], [403, 'forbidden'], asking.path);
    }
  },
};

test('a flat event goes to the first source of its token, never to another’s', async (t) => {
  const matrix = await Matrix.open(t, 'events');
  const asking = { path: '/v1/events', body: { ...FLAT, id: 'flat-1' } };
  for (const [token, source] of [
    [matrix.tokens.submit, OWN],
    [matrix.tokens.other, OTHER],
  ] as const) {
    const { status, json } = await matrix.asks('POST /v1/events', asking, `Bearer ${token}`);
    assert.deepEqual([status, json['source']], [201, source]);
  }
});
