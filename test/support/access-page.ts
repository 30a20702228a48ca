/** The table of `spec/access.md`: what each role may do on each private route, as the page says it. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Hono } from 'hono';
import type { Permission } from '../../src/access/permissions.ts';
import { type Role, ROLES } from '../../src/access/principal.ts';
import { isPrivateRoute } from '../../src/http/route.ts';

const PAGE = join(import.meta.dirname, '../../spec/access.md');
const ROW = /^\| `((?:GET|POST) \/[^`]*)` +\| ([a-z ]+?) +\| ([a-z ]+?) +\| ([a-z ]+?) +\|$/;
const HEADER = /^\| route +\| (\w+) +\| (\w+) +\| (\w+) +\|$/m;
const PERMISSIONS: readonly string[] = ['allowed', 'own sources', 'refused'] satisfies Permission[];

export type PageRow = Readonly<Record<Role, Permission>>;

/** Rows by route, in the order of the page. */
export function readAccessPage(text: string = readFileSync(PAGE, 'utf8')): ReadonlyMap<string, PageRow> {
  const columns = HEADER.exec(text)?.slice(1);
  assert.deepEqual(columns, [...ROLES], 'the columns are the roles');
  const rows = new Map<string, PageRow>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('| `')) continue;
    const [, route, ...cells] = ROW.exec(line) ?? [];
    assert.ok(route !== undefined, `a row cannot be read: ${line}`);
    assert.ok(!rows.has(route), `${route} has two rows`);
    for (const cell of cells) assert.ok(PERMISSIONS.includes(cell), `${route} has a cell that says ${cell}`);
    const [submit, audit, admin] = cells as Permission[];
    rows.set(route, { submit: submit!, audit: audit!, admin: admin! });
  }
  return rows;
}

/**
 * The private routes of an app, as the page writes them (`GET /v1/events/<event_id>`). What varies may have another name
 * in the server; a route without a row keeps its own.
 */
export function privateRoutesOf(app: Hono, page: ReadonlyMap<string, PageRow> = readAccessPage()): string[] {
  const shapeOf = (route: string): string => route.replaceAll(/<[a-z_]+>/g, '<>');
  return app.routes
    .filter(({ handler }) => isPrivateRoute(handler))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:([a-z_]+)/g, '<$1>')}`)
    .map((route) => [...page.keys()].find((row) => shapeOf(row) === shapeOf(route)) ?? route);
}
