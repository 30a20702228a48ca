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

/** How long a text is given to whoever asks next. */
const KEPT_MS = 1000;

/**
 * The bytes of what `read` makes, at most once at a time: whoever asks meanwhile, or within a second of its end, is given
 * the same. What it rejects with is given to whoever waits for it, and not kept.
 */
export function readOnce(read: () => Promise<string>): () => Promise<Uint8Array<ArrayBuffer>> {
  let kept: Promise<Uint8Array<ArrayBuffer>> | undefined;
  const drop = (): void => {
    kept = undefined;
  };
  const make = async (): Promise<Uint8Array<ArrayBuffer>> => new TextEncoder().encode(await read());
  return () => {
    if (!kept) {
      kept = make();
      kept.then(() => setTimeout(drop, KEPT_MS).unref(), drop);
    }
    return kept;
  };
}

/** Nothing where the site has no metrics. */
export function addMetricsRoute(app: Hono, site: Site, write: WriteSite): void {
  if (!write.readMetrics) return;
  const readMetrics = readOnce(write.readMetrics);
  const handle = async (c: Context): Promise<Response> => {
    await chargedCallerOf(c, write, 'GET /metrics');
    return respond(c, await readMetrics(), ANSWERED);
  };
  addRoute(app, site, '/metrics', handle, { produces: 'text/plain', isPublic: false });
}
