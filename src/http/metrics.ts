/**
 * `GET /metrics`: what an operator's monitoring reads, in the exposition format of Prometheus. It is there while the log
 * only reads, too: that is when it says why.
 */

import type { Context, Hono } from 'hono';
import { chargedCallerOf } from './caller.ts';
import { CACHE, initOf, NOSNIFF, respond } from './respond.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import type { WriteSite } from './write-site.ts';

/** Of the exposition format that Prometheus reads. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const ANSWERED = initOf(200, {
  'Content-Type': METRICS_TYPE,
  'Cache-Control': CACHE.private,
  ...NOSNIFF,
  Vary: 'Authorization',
});

/** Nothing where the site has no metrics. */
export function addMetricsRoute(app: Hono, site: Site, write: WriteSite): void {
  const { readMetrics } = write;
  if (!readMetrics) return;
  const handle = async (c: Context): Promise<Response> => {
    await chargedCallerOf(c, write, 'GET /metrics');
    return respond(c, await readMetrics(), ANSWERED);
  };
  addRoute(app, site, '/metrics', handle, { produces: 'text/plain', isPublic: false });
}
