/**
 * What an erasure is asked for: one target, a reason of the list, and whether it is only tried out.
 *
 *   { "subject": {"format":"opaque","id":"u-8841"}, "reason": "subject_request" }
 *   { "event_ids": ["evt_…", "evt_…"], "reason": "submitted_in_error", "dry_run": true }
 *   { "retention": {"log.accessed":"90d","login.succeeded":"400d"}, "reason": "retention" }
 */

import type { Context } from 'hono';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonValue } from '../formats/json.ts';
import { ERASURE_REASONS, type ErasureReason, type ErasureTarget } from '../vault/vault.ts';
import { readJsonRequest } from './json-request.ts';

/** Events that one request names. */
const MAX_ERASED_EVENTS = 1000;

export interface ErasureAsked {
  readonly target: ErasureTarget;
  readonly reason: ErasureReason;
  readonly isDryRun: boolean;
}

const TARGETS = ['subject', 'event_ids', 'retention'] as const;
const DAY_MS = 24 * 3_600_000;
const DURATION = /^([1-9][0-9]{0,4})d$/;
const EVENT_ID = /^evt_[A-Za-z0-9_-]{21}[AQgw]$/;

/** Throws what `readJsonRequest` throws, and `malformed`, naming the member. */
export async function erasureAsked(c: Context): Promise<ErasureAsked> {
  const body = await readJsonRequest(c, [...TARGETS, 'reason', 'dry_run']);
  const given = TARGETS.filter((name) => body[name] !== undefined);
  const [name] = given;
  if (name === undefined || given.length > 1) {
    throw new NewelError('malformed', `exactly one of ${TARGETS.join(', ')} says what to erase`);
  }
  const { reason, dry_run: isDryRun = false } = body;
  const known = ERASURE_REASONS.find((one) => one === reason);
  if (known === undefined) throw flaw('reason', `is one of ${ERASURE_REASONS.join(', ')}`);
  if (typeof isDryRun !== 'boolean') throw flaw('dry_run', 'is true or false');
  return { target: targetOf(name, body[name]!), reason: known, isDryRun };
}

function targetOf(name: (typeof TARGETS)[number], value: JsonValue): ErasureTarget {
  switch (name) {
    case 'subject':
      if (!isJsonObject(value)) throw flaw(name, 'is not an object');
      return { subject: value };
    case 'event_ids':
      return { eventIds: eventIdsOf(value) };
    case 'retention':
      return { keptMs: keptMsOf(value) };
  }
}

function eventIdsOf(value: JsonValue): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ERASED_EVENTS) {
    throw flaw('event_ids', `is not an array of 1 to ${MAX_ERASED_EVENTS} ids`);
  }
  const ids = new Set<string>();
  for (const id of value) {
    if (typeof id !== 'string' || !EVENT_ID.test(id))
      throw flaw('event_ids', 'has an item that is no event_id');
    ids.add(id);
  }
  if (ids.size < value.length) throw flaw('event_ids', 'has an event_id twice');
  return [...ids];
}

/** Which types there are, the vault knows. */
function keptMsOf(value: JsonValue): Record<string, number> {
  if (!isJsonObject(value) || Object.keys(value).length === 0) {
    throw flaw('retention', 'is not an object of types and how long each is kept');
  }
  return Object.fromEntries(
    Object.entries(value).map(([type, duration]): [string, number] => {
      const [, days] = (typeof duration === 'string' && DURATION.exec(duration)) || [];
      if (days === undefined) throw flaw('retention', 'has a time that is not days, like 90d');
      return [type, Number(days) * DAY_MS];
    }),
  );
}

function flaw(name: string, found: string): NewelError {
  return new NewelError('malformed', `${name} ${found}`);
}
