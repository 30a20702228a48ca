/**
 * An event as it is sent, read into its canonical form: `stepup/1` with its members in the order of the schema. Strict:
 * what is not listed is refused, nothing is corrected, every value is kept as it is.
 */

import { EventInvalidError, type Fault, NewelError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../formats/json.ts';
import { faultOfFlat, FLAT_MEMBERS, type FlatEvent, mapFlat } from './flat.ts';
import { timeUnitOf } from './instant.ts';
import { EVENT_MEMBERS } from './members.ts';
import type { Notice } from './notice.ts';
import { faultsByType } from './required-by-type.ts';
import type { EventMembers, StepUpEvent } from './schema.ts';
import { SCHEMA } from './statement-names.ts';
import { canonicalSubject } from './subject-identifier.ts';
import { validatorOf } from './validation.ts';

/** Faults that are reported at once. */
export const MAX_FAULTS = 20;

interface Parsed {
  readonly id: string;
  readonly source: string;
  /** One text for each subject; `undefined` for an event without one. */
  readonly subject: string | undefined;
  /** The public JWK for `cnf`. It is no member of `event`. */
  readonly holder: JsonObject | undefined;
  /** What was read otherwise than it was sent. */
  readonly notices: readonly Notice[];
}

/** An event in its canonical form. One of the flat profile may lack what the rules by type ask for. */
export type ParsedEvent = Parsed &
  (
    | { readonly profile: 'stepup/1'; readonly event: StepUpEvent }
    | { readonly profile: 'flat/1'; readonly event: EventMembers }
  );

/** What stands in for members that the event does not have. */
export interface EventDefaults {
  /** Of a flat event, always. */
  readonly source: string;
  /** The submitter's name for the event from elsewhere: an idempotency key. */
  readonly id?: string;
  /** Of a flat event without any other id. */
  readonly fallbackId: string;
}

const validateEvent = validatorOf(EVENT_MEMBERS);
const validateFlat = validatorOf(FLAT_MEMBERS);

/**
 * Reads an event of `stepup/1` or `flat/1`. Throws `EventInvalidError` with its faults, 20 at most, each with a pointer
 * into the event as it was sent and none with a value; `schema_unknown` where the event names another schema.
 */
export function parseEvent(value: JsonValue, defaults: EventDefaults): ParsedEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EventInvalidError([{ pointer: '', detail: 'must be a JSON object' }]);
  }
  const { schema } = value;
  if (schema === undefined && Object.hasOwn(value, 'event_type')) return parseFlat(value, defaults);
  if (typeof schema === 'string' && schema !== SCHEMA) {
    throw new NewelError(
      'schema_unknown',
      `the event names a schema that is not known here; known is ${SCHEMA}`,
    );
  }
  const { id } = defaults;
  return parseCanonical(id === undefined || Object.hasOwn(value, 'id') ? value : { ...value, id });
}

function parseCanonical(value: JsonObject): ParsedEvent {
  const { value: valid, faults = [] } = validateEvent(value);
  const all = [...faults, ...faultsByType(value)];
  if (all.length > 0) throw invalid(all);
  // What the validation gives back has the members of its table, and the rules by type hold: that is the type.
  const { holder, event } = withoutHolder(valid as StepUpEvent);
  return { profile: 'stepup/1', event, holder, notices: [], ...namesOf(event) };
}

function withoutHolder(sent: StepUpEvent): { event: StepUpEvent; holder: JsonObject | undefined } {
  if (sent.holder === undefined) return { event: sent, holder: undefined };
  const { holder, ...event } = sent;
  return { event, holder: { ...holder } };
}

function parseFlat(value: JsonObject, { source, id, fallbackId }: EventDefaults): ParsedEvent {
  const { value: valid, faults } = validateFlat(value);
  if (faults !== undefined) throw invalid(faults);
  const flat = valid as FlatEvent;
  const fault = faultOfFlat(flat);
  if (fault !== undefined) throw invalid([fault]);
  const event = mapFlat(flat, flat.id ?? id ?? fallbackId, source);
  return { profile: 'flat/1', event, holder: undefined, notices: noticesOfFlat(flat), ...namesOf(event) };
}

function noticesOfFlat({ timestamp }: FlatEvent): Notice[] {
  const unit = typeof timestamp === 'number' ? timeUnitOf(timestamp) : undefined;
  return unit === undefined ? [] : [{ code: 'time_unit', member: 'timestamp', unit }];
}

function namesOf({ id, source, subject }: EventMembers): Pick<Parsed, 'id' | 'source' | 'subject'> {
  return { id, source, subject: subject === undefined ? undefined : canonicalSubject(subject.sub_id) };
}

function invalid(faults: readonly Fault[]): EventInvalidError {
  return new EventInvalidError(faults.slice(0, MAX_FAULTS));
}
