/** The routes that anyone may ask. Nothing that this file reaches knows of events, records or tokens. */

import { type Context, Hono } from 'hono';
import { addCosignatureRoute } from './cosignatures.ts';
import { addHealthRoutes } from './health.ts';
import { addLandingRoute } from './landing.ts';
import { addLeafRoutes } from './leaves.ts';
import { addProblemRoutes } from './problem-pages.ts';
import { addProofRoutes } from './proofs.ts';
import { signalled } from './route.ts';
import type { Site } from './site.ts';
import { pathOf, targetOf } from './target.ts';
import { addTileRoutes } from './tiles.ts';
import { addTrustRoutes } from './trust.ts';
import { respondUnrouted } from './unrouted.ts';

export function createPublicApp(site: Site): Hono {
  const app = new Hono({ getPath: (request, options) => pathOf(targetOf(request, options?.env)) });
  addTileRoutes(app, site);
  addTrustRoutes(app, site);
  addLeafRoutes(app, site);
  addProofRoutes(app, site);
  addCosignatureRoute(app, site);
  addHealthRoutes(app, site);
  addProblemRoutes(app, site);
  addLandingRoute(app, site);
  const answer = (c: Context): Response => respondUnrouted(c, app, site);
  app.notFound(site.onRequest ? signalled(answer, '*', site.onRequest) : answer);
  return app;
}
