/**
 * What the log noticed about an event that it took all the same. Notices are computed, kept in the record and answered
 * with the receipt; they are no part of the statement, since they are not what the submitter said.
 *
 *   "notices": [{"code":"clock_skew","skew_ms":-412000},{"code":"sequence_gap","expected":1043,"missing":2}]
 */

import type { LinkRule } from './link.ts';

export type Notice =
  /** `time` is more than 5 minutes from when the log received the event: received minus time, in milliseconds. */
  | { readonly code: 'clock_skew'; readonly skew_ms: number }
  /** A time was sent as a number and is kept as RFC 3339. */
  | { readonly code: 'time_unit'; readonly member: string; readonly unit: 's' | 'ms' }
  /** A secret was replaced by `[REDACTED:rule]`, `count` times. */
  | { readonly code: 'secret_redacted'; readonly rule: string; readonly count: number }
  /** `seq` is `missing` more than the number expected. */
  | { readonly code: 'sequence_gap'; readonly expected: number; readonly missing: number }
  /** Another event of the source had this `seq` before. */
  | { readonly code: 'sequence_fork'; readonly expected: number }
  /** The events of this `txn` do not fit together (dynamic linking). */
  | { readonly code: 'link_mismatch'; readonly rule: LinkRule };
