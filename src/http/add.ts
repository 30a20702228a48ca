/**
 * `POST /add`: an entry for a log of opaque entries. The body is the entry, any bytes of any content type; the answer,
 * once a signed and durable head covers it, is its index and a newline.
 *
 * The order is that of design §5: who it is and how much it may send, then room in the queue, then the body. So a log
 * that is full says so before it has read anything, and what is being read has its place for certain.
 */

import type { Context, Hono } from 'hono';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import { declaredLength } from './body.ts';
import { chargedCallerOf } from './caller.ts';
import { CACHE, initOf, NOSNIFF, respond, TEXT } from './respond.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { queryOf } from './target.ts';
import { UploadShares } from './upload-shares.ts';
import type { WriteSite } from './write-site.ts';

const ADDED = initOf(200, {
  'Content-Type': TEXT,
  'Cache-Control': CACHE.none,
  ...NOSNIFF,
});

export function addAddRoute(app: Hono, site: Site, write: WriteSite): void {
  const shares = new UploadShares(site.log.limits);
  addRoute(app, site, '/add', (c) => add(c, site, write, shares), { method: 'POST' });
}

async function add(c: Context, { log }: Site, write: WriteSite, shares: UploadShares): Promise<Response> {
  const principal = await chargedCallerOf(c, write, 'POST /add');
  queryOf(c, []);
  const bytes = declaredLength(c, MAX_ENTRY_BYTES);
  const reservation = log.reserve(bytes);
  try {
    const entry = await shares.read(c, bytes, { name: principal.name, reservation });
    const { index } = await log.append({ entry, reservation });
    return respond(c, `${index}\n`, ADDED);
  } finally {
    // Of no effect once the entry has taken its place.
    reservation.release();
  }
}
