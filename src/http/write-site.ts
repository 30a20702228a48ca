/** What the private routes are told beside the site: who calls, and for a log of events its private zone. */

import type { Principal } from '../access/principal.ts';
import type { Vault } from '../vault/vault.ts';

export interface WriteSite {
  /** Throws `unauthenticated`. */
  authenticate(authorization: string | undefined): Principal;
  /** A log of events has one, a log of opaque entries none. */
  readonly vault?: Vault;
}
