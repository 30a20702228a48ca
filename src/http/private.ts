/**
 * The routes of those who have a token. What a log takes is what it is a log of: entries (`/add`), or events. None of
 * them is for a page of another origin.
 */

import type { Hono } from 'hono';
import { addAddRoute } from './add.ts';
import { addDisclosureRoute } from './disclosures.ts';
import { addErasureRoutes } from './erasures.ts';
import { addEventListRoutes } from './event-list.ts';
import { addEventRoutes } from './events.ts';
import { addMetricsRoute } from './metrics.ts';
import { addRoute } from './route.ts';
import { refusalOf, type Site } from './site.ts';
import type { WriteSite } from './write-site.ts';

/** Paths of private routes that wait for the log to write. */
const PATHS = ['/add', '/v1/events', '/v1/events/*', '/v1/disclosures', '/v1/erasures', '/v1/erasures/*'];

/** In the place of them all, while the log does not write yet; what its operator's monitoring reads is there. */
export function addHeldRoutes(app: Hono, site: Site, write: WriteSite): void {
  addMetricsRoute(app, site, write);
  const wait = (): never => {
    throw refusalOf({ ...site, isOpen: () => false })!;
  };
  for (const path of PATHS) {
    addRoute(app, site, path, wait, { isPublic: false });
    addRoute(app, site, path, wait, { method: 'POST' });
  }
}

/** Throws `TypeError` for a log of events without a vault. */
export function addPrivateRoutes(app: Hono, site: Site, write: WriteSite): void {
  addMetricsRoute(app, site, write);
  if (site.log.identity.kind === 'opaque') return addAddRoute(app, site, write);
  if (!write.vault) throw new TypeError('vault expected: this is a log of events');
  addEventRoutes(app, site, write, write.vault);
  addEventListRoutes(app, site, write, write.vault);
  addDisclosureRoute(app, site, write, write.vault);
  addErasureRoutes(app, site, write, write.vault);
}
