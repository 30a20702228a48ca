import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Level, SLOT_COUNT, TOP_LEVEL } from '../../src/event/slots.ts';
import { TOP_LEVEL_DIGESTS } from '../../src/event/statement-names.ts';
import { EVENT_MEMBERS } from '../../src/event/members.ts';
import type { Member, Members } from '../../src/event/member.ts';

/** The numbers are for ever: where this fails, statements that were handed out no longer fit their leaves. */
const FOR_EVER = `
  id source tenant type time seq txn causation_id trace_id subject session client src device http_request trigger
  requirement challenge decision outcome outcome_reason authentication system_action resolution action corrects
  feedback clock labels raw_hash adapter ext
  subject.sub_id session.uid src.ip src.asn src.location src.location.country device.fingerprint device.user_agent
  http_request.request_id trigger.detail trigger.risk trigger.policy challenge.id challenge.provider
  authentication.evidence_hash action.id action.resource action.transaction_data_hash
`
  .trim()
  .split(/\s+/);

function pathsOf({ slots }: Level, prefix = ''): [number, string][] {
  return slots.flatMap(({ slot, name, inner }) => [
    [slot, prefix + name] as [number, string],
    ...(inner ? pathsOf(inner, `${prefix}${name}.`) : []),
  ]);
}

test('every slot has its number, for ever', () => {
  const bySlot = pathsOf(TOP_LEVEL).sort(([a], [b]) => a - b);
  assert.deepEqual(
    bySlot,
    FOR_EVER.map((path, slot) => [slot, path]),
  );
  assert.equal(SLOT_COUNT, FOR_EVER.length);
});

test('every member of the event is a disclosure, but schema and holder', () => {
  const open = Object.entries(EVENT_MEMBERS).filter(([, member]) => !('slot' in member));
  assert.deepEqual(
    open.map(([name]) => name),
    ['schema', 'holder'],
  );
  assert.equal(TOP_LEVEL.slots.length, TOP_LEVEL_DIGESTS);
});

test('at most 96 disclosures, six deep', () => {
  const depths = pathsOf(TOP_LEVEL).map(([, path]) => path.split('.').length);
  assert.ok(depths.length <= 96);
  assert.ok(Math.max(...depths) <= 6);
});

test('what stands alone stands in what stands alone: a digest is always in a disclosure or the payload', () => {
  const visit = (members: Members, isDisclosed: boolean): void => {
    for (const [name, member] of Object.entries<Member>(members)) {
      if (member.slot !== undefined) assert.ok(isDisclosed, name);
      if (member.is === 'object') visit(member.members, member.slot !== undefined);
    }
  };
  visit(EVENT_MEMBERS, true);
});

test('no name needs an escape in JSON', () => {
  for (const [, path] of pathsOf(TOP_LEVEL)) {
    assert.match(path, /^[a-z0-9_.]+$/);
  }
});
