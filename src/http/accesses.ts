/**
 * Which reads are said in the log: every one, by whom, on which route and of which events, save that reading what was
 * said of reads makes nothing more to say; else a log that is only looked at would grow for ever.
 */

import type { PrivateRoute } from '../access/permissions.ts';
import type { Principal } from '../access/principal.ts';
import { type Access, LOG_SOURCE, type StoredEvent, type Vault } from '../vault/vault.ts';

/** The type of the events that say who read what, where they are the log's own. */
export const ACCESS_TYPE = 'log.accessed';

/** A request, as the log's own event names it. */
export function accessOf(
  { name, role }: Principal,
  route: PrivateRoute,
  eventIds: readonly string[],
): Access {
  return { principal: name, role, route, eventIds };
}

/**
 * Notes that a request read these events. Not noted are the log's own `log.accessed` events, and a request that found
 * them alone, or asked for that type and found nothing.
 */
export function noteRead(
  vault: Pick<Vault, 'noteAccess'>,
  access: Omit<Access, 'eventIds'>,
  events: readonly StoredEvent[],
  { asksForAccesses = false }: { readonly asksForAccesses?: boolean } = {},
): void {
  const noted = events.filter((event) => !saysAccess(event));
  if (noted.length === 0 && (events.length > 0 || asksForAccesses)) return;
  vault.noteAccess({ ...access, eventIds: noted.map(({ eventId }) => eventId) });
}

/** Another source may use the same type, and reading its events is a read like any other. */
function saysAccess(event: StoredEvent): boolean {
  return event.source === LOG_SOURCE && event.content['type'] === ACCESS_TYPE;
}
