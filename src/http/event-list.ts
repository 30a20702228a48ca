/** Finding events: `GET /v1/events` by what may stand in a URL, `POST /v1/events/search` by more. Newest first. */

import type { Context, Hono } from 'hono';
import type { PrivateRoute } from '../access/permissions.ts';
import type { Principal } from '../access/principal.ts';
import type { Vault } from '../vault/vault.ts';
import { ACCESS_TYPE, accessOf, noteRead } from './accesses.ts';
import { chargedCallerOf } from './caller.ts';
import { type EventsAsked, eventsAskedInBody, eventsAskedInUrl } from './event-query.ts';
import { CACHE, formatJson, type Init, initOf, JSON_TYPE, NOSNIFF } from './respond.ts';
import { respondLarge } from './respond-large.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { eventsIn, storedEventBody, withCorrections } from './stored-event.ts';
import type { WriteSite } from './write-site.ts';

const LIST: PrivateRoute = 'GET /v1/events';
const SEARCH: PrivateRoute = 'POST /v1/events/search';

const LISTED: Init = initOf(200, {
  'Content-Type': JSON_TYPE,
  'Cache-Control': CACHE.private,
  ...NOSNIFF,
  Vary: 'Authorization',
});
const FOUND: Init = initOf(200, { 'Content-Type': JSON_TYPE, 'Cache-Control': CACHE.none, ...NOSNIFF });

/** What stands around an event in an answer: names, hash, notices, and what its corrections are called. */
const FRAME_BYTES = 2048;

export function addEventListRoutes(app: Hono, site: Site, write: WriteSite, vault: Vault): void {
  const produces = JSON_TYPE;
  const list = async (c: Context): Promise<Response> => {
    const principal = await chargedCallerOf(c, write, LIST);
    return answer(c, { principal, route: LIST }, eventsAskedInUrl(c), LISTED);
  };
  const search = async (c: Context): Promise<Response> => {
    const principal = await chargedCallerOf(c, write, SEARCH);
    return answer(c, { principal, route: SEARCH }, await eventsAskedInBody(c), FOUND);
  };
  addRoute(app, site, '/v1/events', list, { isPublic: false, produces });
  addRoute(app, site, '/v1/events/search', search, { method: 'POST', produces });

  function answer(c: Context, who: Reader, { query, page }: EventsAsked, init: Init): Promise<Response> {
    const maxBytes = page.limit * (vault.maxEventBytes + FRAME_BYTES);
    return respondLarge(c, site, maxBytes, async () => {
      const { events, next } = await vault.list(query, page);
      const read = await withCorrections(vault, events);
      const origin = site.log.identity.origin;
      const items = read.map((one) => storedEventBody(one, origin));
      const body = formatJson({ items, next: next ?? null });
      const asksForAccesses = query.terms?.type === ACCESS_TYPE;
      noteRead(vault, accessOf(who.principal, who.route, []), eventsIn(read), { asksForAccesses });
      return { body, init };
    });
  }
}

interface Reader {
  readonly principal: Principal;
  readonly route: PrivateRoute;
}
