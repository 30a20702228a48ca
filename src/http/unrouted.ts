/** A path that is not there, or not for this method: 404, 405, or the answer to OPTIONS. */

import type { Context, Hono } from 'hono';
import { respondProblem } from './problems.ts';
import { PUBLIC_HEADERS } from './respond.ts';
import { isPrivateRoute } from './route.ts';
import type { Site } from './site.ts';

const METHODS = ['GET', 'POST'] as const;

export function respondUnrouted(c: Context, app: Hono, site: Site): Response {
  const routes = METHODS.flatMap((method) =>
    app.router.match(method, c.req.path)[0].map(([[handler]]) => ({ method, handler })),
  );
  if (routes.length === 0) return respondProblem(c, site, 'not_found', 'there is nothing at this path');
  const isPublic = !routes.some(({ handler }) => isPrivateRoute(handler));
  const methods = routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  const headers = { Allow: [...methods, 'OPTIONS'].join(', ') };
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
