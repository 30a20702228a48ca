/**
 * Who may do what: every private route and every role, as `spec/access.md` has it. There is no other place where a role
 * decides; a test holds the page, this table and the routes of the server against each other.
 */

import { NewelError } from '../errors.ts';
import { type Principal, type Role, ROLES } from './principal.ts';

/**
 * - `allowed`: whatever it is about;
 * - `own sources`: where it is about events of the caller's own sources; others are as if they did not exist;
 * - `refused`: 403, before anything else is looked at.
 */
export type Permission = 'allowed' | 'own sources' | 'refused';

/** Method and path of every private route, with the page's names for what varies. */
export type PrivateRoute =
  | 'POST /add'
  | 'POST /v1/events'
  | 'GET /v1/events'
  | 'POST /v1/events/search'
  | 'GET /v1/events/<event_id>'
  | 'GET /v1/events/<event_id>/receipt'
  | 'POST /v1/disclosures'
  | 'POST /v1/erasures'
  | 'GET /v1/erasures'
  | 'GET /v1/erasures/<id>'
  | 'GET /metrics';

export const PERMISSIONS: Readonly<Record<PrivateRoute, Readonly<Record<Role, Permission>>>> = {
  'POST /add': row('allowed', 'refused', 'refused'),
  'POST /v1/events': row('own sources', 'refused', 'refused'),
  'GET /v1/events': row('refused', 'allowed', 'refused'),
  'POST /v1/events/search': row('refused', 'allowed', 'refused'),
  'GET /v1/events/<event_id>': row('own sources', 'allowed', 'refused'),
  'GET /v1/events/<event_id>/receipt': row('own sources', 'allowed', 'refused'),
  'POST /v1/disclosures': row('own sources', 'allowed', 'refused'),
  'POST /v1/erasures': row('refused', 'refused', 'allowed'),
  'GET /v1/erasures': row('refused', 'refused', 'allowed'),
  'GET /v1/erasures/<id>': row('refused', 'refused', 'allowed'),
  'GET /metrics': row('refused', 'refused', 'allowed'),
};

/** What a role may do on a route. */
export function mayUse(role: Role, route: PrivateRoute): Permission {
  return PERMISSIONS[route][role];
}

/** Throws `forbidden`, saying which roles the route is for. */
export function assertMayUse({ role }: Principal, route: PrivateRoute): void {
  if (mayUse(role, route) !== 'refused') return;
  const roles = ROLES.filter((other) => mayUse(other, route) !== 'refused');
  throw new NewelError('forbidden', `this needs a token of the role ${roles.join(' or ')}`);
}

/** Whether the caller may use the route on events of this source. */
export function mayUseOn({ role, sources }: Principal, route: PrivateRoute, source: string): boolean {
  const permission = mayUse(role, route);
  return permission === 'allowed' || (permission === 'own sources' && sources.includes(source));
}

function row(submit: Permission, audit: Permission, admin: Permission): Readonly<Record<Role, Permission>> {
  return { submit, audit, admin };
}
