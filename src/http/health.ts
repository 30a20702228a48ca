/** For whoever keeps the process running: is it alive, and may it be sent entries. Queries are ignored. */

import type { Hono } from 'hono';
import { NewelError } from '../errors.ts';
import { respondJson } from './respond.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';

export function addHealthRoutes(app: Hono, site: Site): void {
  addRoute(app, site, '/healthz', (c) => respondJson(c, { status: 'alive' }, 'none'));
  addRoute(app, site, '/readyz', (c) => {
    if (!site.log.accepting) throw new NewelError('storage_failed', NOT_READY);
    return respondJson(c, { status: 'ready' }, 'none');
  });
}

const NOT_READY = 'the log takes no entries: it has stopped after a failed write, or is shutting down';
