/** Who calls a private route: the first thing that its handler asks, by the name that the route has in `spec/access.md`. */

import type { Context } from 'hono';
import { assertMayUse, type PrivateRoute } from '../access/permissions.ts';
import type { Principal } from '../access/principal.ts';
import { headerOf } from './target.ts';
import type { WriteSite } from './write-site.ts';

/** The caller, of a role that may use the route. Throws `unauthenticated`, `forbidden`, `issuer_unavailable`. */
export async function callerOf(c: Context, write: WriteSite, route: PrivateRoute): Promise<Principal> {
  const principal = await write.authenticate(headerOf(c, 'authorization'));
  assertMayUse(principal, route);
  return principal;
}

/** The same of a route that takes no events: the request itself is charged. Throws `rate_limited` too. */
export async function chargedCallerOf(c: Context, write: WriteSite, route: PrivateRoute): Promise<Principal> {
  const principal = await callerOf(c, write, route);
  write.charge(principal, 1, 'requests');
  return principal;
}
