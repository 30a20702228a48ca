/** The table of `spec/access.md`, `permissions.ts` and the routes of the server say the same. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  assertMayUse,
  mayUse,
  mayUseOn,
  PERMISSIONS,
  type PrivateRoute,
} from '../../src/access/permissions.ts';
import { type Principal, ROLES } from '../../src/access/principal.ts';
import { createApp } from '../../src/http/app.ts';
import { privateRoutesOf, readAccessPage } from '../support/access-page.ts';
import { openTestSite } from '../support/test-site.ts';

const ROUTES = Object.keys(PERMISSIONS) as PrivateRoute[];

test('the page and the data say the same of every route and role', () => {
  assert.deepEqual(Object.fromEntries(readAccessPage()), PERMISSIONS);
});

test('every private route of the server has a row', async () => {
  const page = readAccessPage();
  for (const kind of ['opaque', 'events'] as const) {
    const { site, write, test: log } = await openTestSite({ kind });
    const routes = privateRoutesOf(createApp(site, write));
    assert.ok(routes.length > 0);
    assert.deepEqual(
      routes.filter((route) => !page.has(route)),
      [],
    );
    await log.log.close();
  }
});

test('the duties are apart: no route is for an admin and for another role, and none of theirs reads events', () => {
  for (const route of ROUTES) {
    const roles = ROLES.filter((role) => mayUse(role, route) !== 'refused');
    assert.ok(roles.length > 0, route);
    if (!roles.includes('admin')) continue;
    assert.deepEqual(roles, ['admin'], route);
    assert.ok(!route.includes('/v1/events') && !route.includes('/v1/disclosures'), route);
  }
});

test('a refusal says which roles a route is for', () => {
  const admin: Principal = { name: 'a', role: 'admin', sources: [] };
  assert.throws(() => assertMayUse(admin, 'GET /v1/events/<event_id>'), {
    code: 'forbidden',
    message: 'this needs a token of the role submit or audit',
  });
  assertMayUse(admin, 'POST /v1/erasures');
});

test('own sources are those of the caller, whole', () => {
  const app: Principal = { name: 'a', role: 'submit', sources: ['bank', 'shop'] };
  const examiner: Principal = { name: 'b', role: 'audit', sources: ['bank'] };
  const route = 'GET /v1/events/<event_id>';
  assert.deepEqual(
    ['bank', 'shop', 'ban', 'bank2', 'Bank', '', 'newel:log'].filter((source) =>
      mayUseOn(app, route, source),
    ),
    ['bank', 'shop'],
  );
  assert.ok(mayUseOn(examiner, route, 'other'));
  assert.ok(!mayUseOn({ ...app, role: 'admin' }, route, 'bank'));
});

describe('the check of the page can fail', () => {
  const HEAD = '| route | submit | audit | admin |\n| --- | --- | --- | --- |\n';
  const good = '| `GET /x` | allowed | own sources | refused |\n';
  test('and reads what is right', () => {
    assert.deepEqual(
      [...readAccessPage(HEAD + good)],
      [['GET /x', { submit: 'allowed', audit: 'own sources', admin: 'refused' }]],
    );
  });
  for (const [what, text] of [
    ['a row twice', HEAD + good + good],
    ['another word', HEAD + good.replace('allowed', 'maybe')],
    ['a cell too few', HEAD + good.replace('| refused ', '')],
    ['another order of roles', HEAD.replace('submit | audit', 'audit | submit') + good],
    ['no table', ''],
  ] as const) {
    test(what, () => assert.throws(() => readAccessPage(text), { code: 'ERR_ASSERTION' }));
  }
});
