/**
 * The events that the log writes itself, complete and of `stepup/1`. What they have to say stands in `ext`, under names
 * of this project. They have no subject and name nobody by what an erasure has to remove: they stay when it is gone.
 *
 *   {"schema":"stepup/1","id":"…","source":"newel:log","type":"source.gap","time":"2026-11-20T12:00:08.123Z",
 *    "ext":{"newel:gap":{"source":"https://bank.example/payments","kind":"gap","first_missing":1043,…}}}
 */

import type { JsonObject } from '../formats/json.ts';
import { flawOfExtension } from './extension.ts';
import type { EventType } from './enumerations.ts';
import { formatTime } from './instant.ts';
import type { LinkRule } from './link.ts';
import type { EventMembers } from './schema.ts';
import type { SequenceReport } from './sequence.ts';

/** The source of the log's own events. No token has a source that begins with `newel:`. */
export const LOG_SOURCE = 'newel:log';

/** Leaves that one `erasure` names, so that the largest indexes still have room in `ext`: more are in more events. */
export const MAX_ERASED_LEAVES = 400;
/** Characters of the reason that an `erasure` repeats. */
export const MAX_REASON = 255;

/** What every event of the log has. */
export interface LogEventNames {
  /** Unique among the log's own events. */
  readonly id: string;
  readonly timeMs: number;
}

/** `source.gap`: a source passed numbers over, or used numbers again. */
export function gapEventOf(
  names: LogEventNames,
  { source, report }: { readonly source: string; readonly report: SequenceReport },
): EventMembers {
  const { kind, first, last, count, sinceMs } = report;
  const range =
    kind === 'gap'
      ? { first_missing: first, last_missing: last }
      : { first_repeated: first, last_repeated: last };
  return logEvent(names, 'source.gap', 'newel:gap', {
    source,
    kind,
    ...range,
    count,
    since: formatTime(sinceMs),
  });
}

/** `exception.raised`: the event `eventId` shows that its `txn` breaks rules of dynamic linking. */
export function linkEventOf(
  names: LogEventNames,
  { eventId, rules }: { readonly eventId: string; readonly rules: readonly LinkRule[] },
): EventMembers {
  const said = { event_id: eventId, rules: [...rules] };
  const members = { causation_id: eventId, outcome: 'failure', outcome_reason: 'link_mismatch' } as const;
  return logEvent(names, 'exception.raised', 'newel:link', said, members);
}

export interface LogAccess {
  /** Who: the name of a token, or the subject that an issuer vouches for. */
  readonly principal: string;
  readonly role: string;
  /** How often each route was asked, by method and pattern: `{"GET /v1/events/:event_id": 3}`. */
  readonly routes: Readonly<Record<string, number>>;
  readonly count: number;
  /** A keyed hash of the ids of the events that were read. */
  readonly eventIdsHash: string;
  readonly firstTimeMs: number;
  readonly lastTimeMs: number;
}

/** `log.accessed`: somebody read from the private zone, or changed something of the log. */
export function accessEventOf(names: LogEventNames, access: LogAccess): EventMembers {
  return logEvent(names, 'log.accessed', 'newel:access', {
    principal: access.principal,
    role: access.role,
    routes: { ...access.routes },
    count: access.count,
    event_ids_hash: access.eventIdsHash,
    first_time: formatTime(access.firstTimeMs),
    last_time: formatTime(access.lastTimeMs),
  });
}

export interface ErasedLeaves {
  readonly erasureId: string;
  /** At most `MAX_ERASED_LEAVES`. */
  readonly leafIndexes: readonly number[];
  /** At most `MAX_REASON` characters. It is kept for ever, and must name nobody. */
  readonly reason: string;
}

/** `erasure`: leaves whose events are erased, and the day. */
export function erasureEventOf(
  names: LogEventNames,
  { erasureId, leafIndexes, reason }: ErasedLeaves,
): EventMembers {
  if (leafIndexes.length > MAX_ERASED_LEAVES) {
    throw new RangeError(`leaves expected at most ${MAX_ERASED_LEAVES}, got ${leafIndexes.length}`);
  }
  if (Array.from(reason).length > MAX_REASON) {
    throw new RangeError(`reason expected at most ${MAX_REASON} characters`);
  }
  return logEvent(names, 'erasure', 'newel:erasure', {
    erasure_id: erasureId,
    leaf_indexes: [...leafIndexes],
    reason,
    time_bucket: formatTime(names.timeMs).slice(0, 10),
  });
}

export interface AppliedRetention {
  /** How long events of a type are kept: `{"log.accessed": "90d"}`. */
  readonly types: Readonly<Partial<Record<EventType, string>>>;
  readonly isDryRun: boolean;
  /** Events that were erased, or would be. */
  readonly count: number;
}

/** `retention.applied`: events were erased because of their age, or it was tried out. */
export function retentionEventOf(
  names: LogEventNames,
  { types, isDryRun, count }: AppliedRetention,
): EventMembers {
  return logEvent(names, 'retention.applied', 'newel:retention', {
    types: { ...types },
    dry_run: isDryRun,
    count,
  });
}

/** Throws `RangeError` for what `ext` cannot hold. */
function logEvent(
  { id, timeMs }: LogEventNames,
  type: EventType,
  name: string,
  said: JsonObject,
  members: Partial<EventMembers> = {},
): EventMembers {
  const ext = { [name]: said };
  const flaw = flawOfExtension(ext);
  if (flaw !== undefined) throw new RangeError(`what an event of the log says ${flaw}`);
  return { schema: 'stepup/1', id, source: LOG_SOURCE, type, time: formatTime(timeMs), ...members, ext };
}
