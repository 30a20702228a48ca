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
import type { Site } from './site.ts';
import type { WriteSite } from './write-site.ts';

/** Throws `TypeError` for a log of events without a vault. */
export function addPrivateRoutes(app: Hono, site: Site, write: WriteSite): void {
  if (site.log.identity.kind === 'opaque') return addAddRoute(app, site, write);
  if (!write.vault) throw new TypeError('vault expected: this is a log of events');
  addEventRoutes(app, site, write, write.vault);
  addEventListRoutes(app, site, write, write.vault);
  addDisclosureRoute(app, site, write, write.vault);
  addErasureRoutes(app, site, write, write.vault);
}
