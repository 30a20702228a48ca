import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENUMERATIONS, type EventType } from '../../src/event/enumerations.ts';
import type { FlatEvent } from '../../src/event/flat.ts';
import { EVENT_MEMBERS } from '../../src/event/members.ts';
import { parseEvent, type ParsedEvent } from '../../src/event/parse-event.ts';
import { REQUIRED_BY_TYPE, ONE_OF_BY_TYPE, ONLY_FOR_TYPE } from '../../src/event/rules.ts';
import type { EventMembers, EventOf, StepUpEvent } from '../../src/event/schema.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { readExample } from '../support/events.ts';

type IsRequired<T, Name extends keyof T> = undefined extends T[Name]
  ? false
  : object extends Pick<T, Name>
    ? false
    : true;
type IsSame<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Each is checked by the compiler: a `false` where `true` stands is an error. */
const TYPES: {
  'type tells events apart': IsSame<StepUpEvent['type'], EventType>;
  'a completed step-up has an outcome': IsRequired<EventOf<'stepup.completed'>, 'outcome'>;
  'and a method': IsRequired<EventOf<'stepup.completed'>['challenge'], 'method'>;
  'and a subject': IsRequired<EventOf<'stepup.completed'>, 'subject'>;
  'a required one has a reason': IsRequired<EventOf<'stepup.required'>['trigger'], 'reason'>;
  'a correction says of what': IsRequired<EventOf<'correction'>, 'corrects'>;
  'an executed action has its time': IsRequired<EventOf<'action.executed'>['action'], 'time'>;
  'an outcome is one of three': IsSame<
    EventOf<'stepup.completed'>['outcome'],
    'success' | 'failure' | 'unknown'
  >;
  'a decision is one of three': IsSame<
    EventOf<'stepup.evaluated'>['decision'],
    'required' | 'not_required' | 'deny'
  >;
  'a reason for an outcome may be null': null extends EventMembers['outcome_reason'] ? true : false;
  'an event is JSON': StepUpEvent extends JsonObject ? true : false;
  'the schema is its name': IsSame<EventMembers['schema'], 'stepup/1'>;
  'a flat event has a status': IsRequired<FlatEvent, 'status'>;
} = {
  'type tells events apart': true,
  'a completed step-up has an outcome': true,
  'and a method': true,
  'and a subject': true,
  'a required one has a reason': true,
  'a correction says of what': true,
  'an executed action has its time': true,
  'an outcome is one of three': true,
  'a decision is one of three': true,
  'a reason for an outcome may be null': true,
  'an event is JSON': true,
  'the schema is its name': true,
  'a flat event has a status': true,
};

/** And a `true` where `false` stands. */
const NOT: {
  'a login needs no outcome': IsRequired<EventOf<'login.succeeded'>, 'outcome'>;
  'what comes of a flat event need not have what its type demands': Extract<
    ParsedEvent,
    { profile: 'flat/1' }
  >['event'] extends StepUpEvent
    ? true
    : false;
} = {
  'a login needs no outcome': false,
  'what comes of a flat event need not have what its type demands': false,
};

test('type narrows an event to what it has', () => {
  assert.ok(Object.values(TYPES).every(Boolean) && !Object.values(NOT).some(Boolean));
  const parsed = parseEvent(readExample('full'), { source: 'urn:x:y', fallbackId: 'f' });
  assert.ok(parsed.profile === 'stepup/1');
  const { event } = parsed;
  assert.ok(event.type === 'stepup.completed');
  const said: string = `${event.outcome} by ${event.challenge.method} for ${event.subject.sub_id.format} ${event.txn}`;
  assert.equal(said, 'success by webauthn_platform for iss_sub 5b1d7a3e-2f44-4c39-8a0e-0d9f3c6e7b21');
});

test('an event can be written as a literal', () => {
  const event: StepUpEvent = {
    schema: 'stepup/1',
    id: '1',
    source: 'https://bank.example/payments',
    type: 'stepup.required',
    time: new Date(0).toISOString(),
    txn: 't-1',
    subject: { sub_id: { format: 'email', email: 'a@example.com' }, actor_type: 'user' },
    trigger: { reason: 'new_device' },
    requirement: { acr_values: ['phr'] },
  };
  assert.deepEqual(parseEvent(event, { source: 'urn:x:y', fallbackId: 'f' }).event, event);
});

test('the rules by type speak of types and members that there are', () => {
  const types: readonly string[] = ENUMERATIONS.type;
  const names = [
    ...Object.keys(REQUIRED_BY_TYPE),
    ...Object.keys(ONE_OF_BY_TYPE),
    ...Object.values(ONLY_FOR_TYPE),
  ];
  for (const type of names) assert.ok(types.includes(type), type);
  for (const type of Object.keys(ONE_OF_BY_TYPE)) assert.ok(type in REQUIRED_BY_TYPE, type);
  const paths = [
    ...Object.values(REQUIRED_BY_TYPE).flat(),
    ...Object.values(ONE_OF_BY_TYPE).flat(2),
    ...Object.keys(ONLY_FOR_TYPE),
  ];
  for (const path of paths) {
    const [head = '', inner] = path.split('.');
    const member: unknown = Object.entries(EVENT_MEMBERS).find(([name]) => name === head)?.[1];
    assert.ok(typeof member === 'object' && member !== null, path);
    if (inner !== undefined)
      assert.ok('members' in member && Object.hasOwn(member.members as object, inner), path);
  }
});

test('no list has a value twice, and there are 46 types', () => {
  assert.equal(ENUMERATIONS.type.length, 46);
  for (const [name, values] of Object.entries(ENUMERATIONS)) {
    assert.equal(new Set<string>(values).size, values.length, name);
  }
});
