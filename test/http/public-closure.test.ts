/**
 * What the public routes reach. They cannot show what they cannot get hold of: no file that they import, at whatever
 * distance and if only for a type, knows of events, records or tokens.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { createApp, createPublicApp } from '../../src/http/app.ts';
import { openTestSite } from '../support/test-site.ts';

const SRC = resolve(import.meta.dirname, '../../src');
const SPECIFIER = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

/** Every file of ours that `entry` imports, and what those import. */
function closureOf(entry: string): Set<string> {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    const name = relative(SRC, file).replaceAll('\\', '/');
    if (reached.has(name)) return;
    reached.add(name);
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(SPECIFIER)) {
      visit(resolve(dirname(file), specifier!));
    }
  };
  visit(join(SRC, entry));
  return reached;
}

const PRIVATE = /^(vault|event|access|cli)\//;

test('public routes reach neither vault nor event nor access', () => {
  const reached = [...closureOf('http/public.ts')];
  for (const name of ['http/leaves.ts', 'http/trust.ts', 'http/route.ts', 'log/log.ts', 'formats/jwk.ts']) {
    assert.ok(reached.includes(name), `${name} is reached, so the walk is one`);
  }
  assert.deepEqual(
    reached.filter((name) => PRIVATE.test(name)),
    [],
  );
});

test('the walk finds what private routes reach', () => {
  const reached = [...closureOf('http/private.ts')];
  for (const name of ['vault/vault.ts', 'access/principal.ts', 'http/add.ts', 'http/events.ts']) {
    assert.ok(reached.includes(name), name);
  }
});

test('the public app of either kind has no private route', async () => {
  for (const kind of ['opaque', 'events'] as const) {
    const { site, write, test: log } = await openTestSite({ kind });
    const routesOf = (app: ReturnType<typeof createApp>): string[] =>
      app.routes.map(({ method, path }) => `${method} ${path}`);
    const open = routesOf(createPublicApp(site));
    assert.ok(open.includes('GET /checkpoint'));
    assert.deepEqual(
      open.filter((route) => route.startsWith('POST') || route.includes('/v1/events')),
      // What witnesses hand in is public as the tree is.
      ['POST /v1/cosignatures'],
    );
    const own = routesOf(createApp(site, write)).filter((route) => !open.includes(route));
    const isPrivate = (route: string): boolean =>
      route === 'GET /metrics' || /^(GET|POST) \/v1\/(events|erasures|disclosures)(\/|$)/.test(route);
    if (kind === 'opaque') assert.deepEqual(own, ['GET /metrics', 'POST /add']);
    else assert.deepEqual([own.length >= 8, own.filter((route) => !isPrivate(route))], [true, []]);
    await log.log.close();
  }
});

test('a log of events is not served without its vault', async () => {
  const { site, write, test: log } = await openTestSite({ kind: 'events' });
  const { vault: _, ...bare } = write;
  assert.throws(() => createApp(site, bare), TypeError);
  await log.log.close();
});
