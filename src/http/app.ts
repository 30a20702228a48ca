/**
 * The server's routes as a Hono app, made of handlers that each know one thing. Nothing here listens: tests call
 * `app.request()`, and `listen.ts` serves.
 */

import type { Hono } from 'hono';
import { addHeldRoutes, addPrivateRoutes } from './private.ts';
import { createPublicApp } from './public.ts';
import type { Site } from './site.ts';
import type { WriteSite } from './write-site.ts';

export { createPublicApp } from './public.ts';
export type { AnsweredRequest } from './signals.ts';
export type { Site, Statements } from './site.ts';
export type { WriteSite } from './write-site.ts';

/** What anyone may ask, of a log that does not write yet; what the bearer of a token may has to wait. */
export function createHeldApp(site: Site, write: WriteSite): Hono {
  const app = createPublicApp(site);
  addHeldRoutes(app, site, write);
  return app;
}

/** What anyone may ask, and what the bearer of a token may. */
export function createApp(site: Site, write: WriteSite): Hono {
  const app = createPublicApp(site);
  addPrivateRoutes(app, site, write);
  return app;
}
