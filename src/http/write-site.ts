/** What the private routes are told beside the site: who calls, how much they may send, and for a log of events its private zone. */

import type { Principal, RateUnit } from '../access/principal.ts';
import type { Vault } from '../vault/vault.ts';
import type { BatchLimits } from './batch-limits.ts';

export interface WriteSite {
  /** At once for tokens of the log itself. Throws `unauthenticated`; for JWTs also `forbidden` and `issuer_unavailable`. */
  authenticate(authorization: string | undefined): Principal | Promise<Principal>;
  /**
   * Takes events, or requests of other kinds, from what the caller may send in a time. Throws `rate_limited`. Events are
   * the default.
   */
  charge(principal: Principal, count: number, unit?: RateUnit): void;
  /** In the place of the usual ones. */
  readonly batchLimits?: Partial<BatchLimits>;
  /** A log of events has one, a log of opaque entries none. */
  readonly vault?: Vault;
  /** What `GET /metrics` answers, as Prometheus reads it; without it there is no such route. */
  readonly readMetrics?: () => Promise<string>;
}
