/**
 * What a disclosure is asked for: events, claims of them, and for whom.
 *
 *   { "event_ids": ["evt_…"], "preset": "auditor", "audience": "auditor.example", "nonce": "n-0S6_WzA2Mj" }
 *   { "event_ids": ["evt_…"], "claims": ["type", "src.*"], "audience": …, "nonce": …, "dry_run": true }
 */

import type { Context } from 'hono';
import { NewelError } from '../errors.ts';
import type { JsonValue } from '../formats/json.ts';
import type { ClaimChoice } from '../vault/vault.ts';
import { readJsonRequest } from './json-request.ts';

/** Events that one request may name. */
const MAX_DISCLOSED_EVENTS = 1000;

export interface DisclosureRequest {
  readonly eventIds: readonly string[];
  readonly choice: ClaimChoice;
  readonly audience: string;
  readonly nonce: string;
  /** Only what would be disclosed is asked for. */
  readonly isDryRun: boolean;
}

const EVENT_ID = /^evt_[A-Za-z0-9_-]{21}[AQgw]$/;
const AUDIENCE = /^[\x21-\x7e]{1,255}$/;
const NONCE = /^[\x21-\x7e]{1,128}$/;

/** Throws what `readJsonRequest` throws, and `malformed`, naming the member. */
export async function disclosureAsked(c: Context): Promise<DisclosureRequest> {
  const body = await readJsonRequest(c, ['event_ids', 'claims', 'preset', 'audience', 'nonce', 'dry_run']);
  const { audience, nonce, dry_run: isDryRun = false } = body;
  if (typeof audience !== 'string' || !AUDIENCE.test(audience)) {
    throw malformed('audience is not 1 to 255 visible ASCII characters');
  }
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) {
    throw malformed('nonce is not 1 to 128 visible ASCII characters');
  }
  if (typeof isDryRun !== 'boolean') throw malformed('dry_run is not true or false');
  return { eventIds: eventIdsOf(body.event_ids), choice: choiceOf(body), audience, nonce, isDryRun };
}

function eventIdsOf(value: JsonValue | undefined): readonly string[] {
  const eventIds = textsOf(value);
  if (!eventIds || eventIds.length === 0 || eventIds.length > MAX_DISCLOSED_EVENTS) {
    throw malformed(`event_ids is not an array of 1 to ${MAX_DISCLOSED_EVENTS} ids`);
  }
  if (!eventIds.every((eventId) => EVENT_ID.test(eventId))) {
    throw malformed('event_ids has an item that is no event_id');
  }
  if (new Set(eventIds).size < eventIds.length) throw malformed('event_ids has an event_id twice');
  return eventIds;
}

function choiceOf({
  claims,
  preset,
}: {
  claims?: JsonValue;
  preset?: JsonValue;
}): DisclosureRequest['choice'] {
  if ((claims === undefined) === (preset === undefined)) throw malformed('either claims or preset is wanted');
  if (preset !== undefined) {
    if (typeof preset !== 'string') throw malformed('preset is not a text');
    return { preset };
  }
  const paths = textsOf(claims);
  if (!paths) throw malformed('claims is not a list of texts');
  return { claims: paths };
}

function textsOf(value: JsonValue | undefined): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const texts = value.filter((item) => typeof item === 'string');
  return texts.length === value.length ? texts : undefined;
}

function malformed(message: string): NewelError {
  return new NewelError('malformed', message);
}
