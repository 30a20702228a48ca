/**
 * The flat profile, `flat/1`: an event of a few texts, as log files have them, and what it means in `stepup/1`.
 *
 *   {"timestamp":"2023-10-31T12:00:00Z","user_id":"12345","event_type":"step_up",
 *    "trigger_reason":"elevated_risk_score","status":"approved"}
 *
 * It is known by an `event_type` and no `schema`. Only these five are required of it, so what comes of it need not have
 * all that an event of its type has to have (rules.ts).
 */

import { hashBytes } from '../core/hash.ts';
import type { Fault } from '../errors.ts';
import { formatBase64Url } from '../formats/base64url.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { ENUMERATIONS, type EnumerationValue, type EventType } from './enumerations.ts';
import { formatTime, timeMsOf } from './instant.ts';
import type { ObjectOf } from './member.ts';
import type { EventMembers } from './schema.ts';
import { TEXT_FORMS } from './text-form.ts';

export const FLAT_MEMBERS = {
  timestamp: { is: 'instant', class: 'internal', required: true, about: 'When it happened.' },
  user_id: {
    is: 'text',
    form: 'line',
    max: 255,
    class: 'personal',
    required: true,
    about: 'Who was challenged, or acted.',
  },
  event_type: {
    is: 'choice',
    of: 'type',
    or: 'flat_event_type',
    class: 'public',
    required: true,
    about: 'What happened.',
  },
  trigger_reason: {
    is: 'text',
    form: 'line',
    max: 1024,
    class: 'sensitive',
    required: true,
    about: 'Why. A reason that stepup/1 does not list becomes the detail of other.',
  },
  status: { is: 'choice', of: 'flat_status', class: 'public', required: true, about: 'What came of it.' },
  id: {
    is: 'text',
    form: 'id',
    max: 128,
    class: 'internal',
    about: 'The submitter’s own name of the event.',
  },
  session_id: {
    is: 'text',
    form: 'line',
    max: 1024,
    class: 'personal',
    about: 'The session. Only its hash is in the statement.',
  },
  ip: { is: 'text', form: 'ip', class: 'personal', about: 'The address that the request came from.' },
  device: { is: 'text', form: 'line', max: 255, class: 'personal', about: 'The fingerprint of the device.' },
  method: { is: 'text', form: 'line', max: 64, class: 'internal', about: 'How the subject was challenged.' },
  action: {
    is: 'text',
    form: 'line',
    max: 255,
    class: 'internal',
    about: 'What kind of action was protected.',
  },
  txn: {
    is: 'text',
    form: 'id',
    max: 128,
    class: 'personal',
    about: 'What all events of one step-up have in common.',
  },
} as const;

/** An event of the flat profile. */
export type FlatEvent = ObjectOf<typeof FLAT_MEMBERS>;

/** Event types that have a short name; the others are called as in `stepup/1`. */
export const FLAT_TYPES: Readonly<Record<EnumerationValue<'flat_event_type'>, EventType>> = {
  step_up: 'stepup.completed',
  login: 'login.succeeded',
  password_change: 'credential.changed',
  token_refresh: 'token.refreshed',
  account_locked: 'account.locked',
};

/** Methods that have a short name; the others are called as in `stepup/1`. */
export const FLAT_METHODS: Readonly<Record<string, EnumerationValue<'method'>>> = {
  sms: 'otp_sms',
  voice: 'otp_voice',
  email: 'otp_email',
  fido2: 'webauthn',
  passkey: 'webauthn',
  face: 'biometric_face',
  fingerprint: 'biometric_fingerprint',
};

type Result = Pick<EventMembers, 'outcome' | 'outcome_reason' | 'system_action'>;

/** What each status says. */
export const FLAT_RESULTS: Readonly<Record<EnumerationValue<'flat_status'>, Result>> = {
  approved: { outcome: 'success', system_action: 'granted' },
  success: { outcome: 'success', system_action: 'granted' },
  denied: { outcome: 'failure', system_action: 'denied' },
  failed: { outcome: 'failure', system_action: 'denied' },
  failure: { outcome: 'failure', system_action: 'denied' },
  expired: { outcome: 'failure', outcome_reason: 'unanswered' },
  timeout: { outcome: 'failure', outcome_reason: 'unanswered' },
  pending: {},
};

/** What may be pending: it waits for a step-up, and is a `stepup.required`. */
const MAY_BE_PENDING: readonly string[] = ['step_up', 'login', 'stepup.required'];

/** The one fault that members which are valid by themselves can have together. */
export function faultOfFlat({ event_type, status }: FlatEvent): Fault | undefined {
  if (status === 'pending') {
    if (MAY_BE_PENDING.includes(event_type)) return undefined;
    return {
      pointer: '/status',
      detail: `must be pending only where event_type is ${MAY_BE_PENDING.join(', ')}`,
    };
  }
  const { outcome } = FLAT_RESULTS[status];
  if (event_type === (outcome === 'success' ? 'login.failed' : 'login.succeeded')) {
    return { pointer: '/status', detail: 'must not contradict event_type' };
  }
  return undefined;
}

/** The event in the members of `stepup/1`, in their order. `event` is valid and has no fault. */
export function mapFlat(event: FlatEvent, id: string, source: string): EventMembers {
  const { user_id, timestamp, status, trigger_reason, session_id, ip, device, method, action, txn } = event;
  const challenge = method === undefined ? undefined : methodOf(method);
  const { outcome, outcome_reason, system_action } = FLAT_RESULTS[status];
  return {
    schema: 'stepup/1',
    id,
    source,
    type: typeOf(event),
    time: typeof timestamp === 'number' ? formatTime(timeMsOf(timestamp)) : timestamp,
    ...(txn === undefined ? {} : { txn }),
    subject: { sub_id: { format: 'opaque', id: user_id } },
    ...(session_id === undefined ? {} : { session: { uid: hashOfSession(session_id) } }),
    ...(ip === undefined ? {} : { src: { ip } }),
    ...(device === undefined ? {} : { device: { fingerprint: device } }),
    trigger: isReason(trigger_reason)
      ? { reason: trigger_reason }
      : { reason: 'other', detail: trigger_reason },
    ...(challenge === undefined ? {} : { challenge: { method: challenge } }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(outcome_reason === undefined ? {} : { outcome_reason }),
    ...(system_action === undefined ? {} : { system_action }),
    ...(action === undefined ? {} : { action: { type: action } }),
    ...(method === undefined || challenge !== 'other' ? {} : { labels: { method } }),
  };
}

function typeOf({ event_type, status }: FlatEvent): EventType {
  if (status === 'pending') return 'stepup.required';
  if (event_type === 'login' && FLAT_RESULTS[status].outcome === 'failure') return 'login.failed';
  return isShortType(event_type) ? FLAT_TYPES[event_type] : event_type;
}

function isShortType(type: FlatEvent['event_type']): type is EnumerationValue<'flat_event_type'> {
  return Object.hasOwn(FLAT_TYPES, type);
}

function isReason(text: string): text is EnumerationValue<'trigger_reason'> {
  return (ENUMERATIONS.trigger_reason as readonly string[]).includes(text);
}

/** A method that is not known is `other`, and stands in the label `method` as it was sent. */
function methodOf(text: string): EnumerationValue<'method'> {
  if (Object.hasOwn(FLAT_METHODS, text)) return FLAT_METHODS[text]!;
  return ENUMERATIONS.method.find((known) => known === text) ?? 'other';
}

const HASH = new RegExp(TEXT_FORMS.hash.pattern, 'u');

/** A session id opens a session to whoever has it; one that is a hash already is kept. */
function hashOfSession(sessionId: string): string {
  return HASH.test(sessionId) ? sessionId : `sha-256:${formatBase64Url(hashBytes(encodeUtf8(sessionId)))}`;
}
