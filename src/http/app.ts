/**
 * The server's routes as a Hono app, made of handlers that each know one thing. Nothing here listens: tests call
 * `app.request()`, and `listen.ts` serves.
 */

import { type Context, Hono } from 'hono';
import { addAddRoute, type WriteSite } from './add.ts';
import { addHealthRoutes } from './health.ts';
import { addLandingRoute } from './landing.ts';
import { addLeafRoutes } from './leaves.ts';
import { addProblemRoutes } from './problem-pages.ts';
import { addProofRoutes } from './proofs.ts';
import { respondProblem } from './problems.ts';
import { PUBLIC_HEADERS } from './respond.ts';
import { signalled } from './route.ts';
import type { Site } from './site.ts';
import { addTileRoutes } from './tiles.ts';
import { addTrustRoutes } from './trust.ts';
import { pathOf, targetOf } from './target.ts';

export type { WriteSite } from './add.ts';
export type { AnsweredRequest } from './signals.ts';
export type { Site } from './site.ts';

/** What anyone may ask. */
export function createPublicApp(site: Site): Hono {
  const app = new Hono({ getPath: (request, options) => pathOf(targetOf(request, options?.env)) });
  addTileRoutes(app, site);
  addTrustRoutes(app, site);
  addLeafRoutes(app, site);
  addProofRoutes(app, site);
  addHealthRoutes(app, site);
  addProblemRoutes(app, site);
  addLandingRoute(app, site);
  const answer = (c: Context): Response => respondUnrouted(c, app, site);
  app.notFound(site.onRequest ? signalled(answer, '*', site.onRequest) : answer);
  return app;
}

/** That, and the routes that write. Only a log of opaque entries has any. */
export function createApp(site: Site, write: WriteSite): Hono {
  const app = createPublicApp(site);
  if (site.log.identity.kind === 'opaque') addAddRoute(app, site, write);
  return app;
}

const METHODS = ['GET', 'POST'] as const;

/** A path that is not there, or not for this method: 404, 405, or the answer to OPTIONS. */
function respondUnrouted(c: Context, app: Hono, site: Site): Response {
  const methods = METHODS.filter((method) => app.router.match(method, c.req.path)[0].length > 0);
  if (methods.length === 0) return respondProblem(c, site, 'not_found', 'there is nothing at this path');
  const isPublic = methods.includes('GET');
  const allow = [...methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])), 'OPTIONS'];
  const headers = { Allow: allow.join(', ') };
  if (c.req.method !== 'OPTIONS') {
    return respondProblem(c, site, 'method_not_allowed', `this path takes ${headers.Allow}`, {
      isPublic,
      headers,
    });
  }
  const preflight = {
    ...PUBLIC_HEADERS,
    'Access-Control-Allow-Methods': headers.Allow,
    'Access-Control-Allow-Headers': 'Authorization, If-None-Match',
    'Access-Control-Max-Age': '86400',
  };
  return new Response(null, { status: 204, headers: { ...headers, ...(isPublic && preflight) } });
}
