/** The event that a caller asks for by its id, if the caller may see that there is one. */

import { mayUse, mayUseOn, type PrivateRoute } from '../access/permissions.ts';
import type { Principal } from '../access/principal.ts';
import { NewelError } from '../errors.ts';
import { EventErasedError, type StoredEvent, type Vault } from '../vault/vault.ts';

/**
 * Throws `not_found`, in the same words whether there is no such event or none for this caller, and `event_erased` for one
 * that was there for this caller.
 */
export async function readableEvent(
  vault: Pick<Vault, 'find'>,
  eventId: string,
  principal: Principal,
  route: PrivateRoute,
): Promise<StoredEvent> {
  const event = await vault.find(eventId).catch((error: unknown) => {
    if (!(error instanceof EventErasedError)) throw error;
    const isOpen = mayUse(principal.role, route) === 'allowed' || principal.sources.some(error.isOf);
    if (isOpen) throw error;
    return undefined;
  });
  if (event && mayUseOn(principal, route, event.source)) return event;
  throw new NewelError('not_found', 'there is no such event, or none that this token may read');
}
