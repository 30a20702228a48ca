import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LINK_RULES } from '../../src/event/link.ts';
import {
  accessEventOf,
  erasureEventOf,
  gapEventOf,
  linkEventOf,
  LOG_SOURCE,
  MAX_ERASED_LEAVES,
  MAX_REASON,
  retentionEventOf,
} from '../../src/event/log-events.ts';
import { parseEvent } from '../../src/event/parse-event.ts';
import type { EventMembers } from '../../src/event/schema.ts';
import { type JsonObject, parseJson } from '../../src/formats/json.ts';

const names = { id: 'l-1', timeMs: Date.parse('2026-11-20T12:00:08.123Z') };
const common = { schema: 'stepup/1', id: 'l-1', source: LOG_SOURCE, time: '2026-11-20T12:00:08.123Z' };

/** The event as it is submitted: it goes through its text, and comes out as it was. */
function sent(event: EventMembers): JsonObject {
  const value = parseJson(JSON.stringify(event));
  const parsed = parseEvent(value, { source: 'none', fallbackId: 'none' });
  assert.equal(parsed.profile, 'stepup/1');
  assert.equal(parsed.source, LOG_SOURCE);
  assert.equal(parsed.subject, undefined);
  assert.equal(JSON.stringify(parsed.event), JSON.stringify(event));
  return parsed.event;
}

test('a gap and a fork', () => {
  const source = 'https://bank.example/payments';
  const report = { first: 1043, last: 1044, count: 2, sinceMs: names.timeMs - 60_000 };
  assert.deepEqual(sent(gapEventOf(names, { source, report: { kind: 'gap', ...report } })), {
    ...common,
    type: 'source.gap',
    ext: {
      'newel:gap': {
        source,
        kind: 'gap',
        first_missing: 1043,
        last_missing: 1044,
        count: 2,
        since: '2026-11-20T11:59:08.123Z',
      },
    },
  });
  const fork = sent(gapEventOf(names, { source, report: { kind: 'fork', ...report } }));
  assert.deepEqual(fork['ext'], {
    'newel:gap': {
      source,
      kind: 'fork',
      first_repeated: 1043,
      last_repeated: 1044,
      count: 2,
      since: '2026-11-20T11:59:08.123Z',
    },
  });
});

test('a breach names the event and the rules, and no transaction', () => {
  const eventId = 'evt_AAAAAAAAAAAAAAAAAAAAAA';
  assert.deepEqual(sent(linkEventOf(names, { eventId, rules: LINK_RULES })), {
    ...common,
    type: 'exception.raised',
    causation_id: eventId,
    outcome: 'failure',
    outcome_reason: 'link_mismatch',
    ext: { 'newel:link': { event_id: eventId, rules: [...LINK_RULES] } },
  });
});

test('an access', () => {
  const access = {
    principal: 'auditor-1',
    role: 'audit',
    routes: { 'GET /v1/events/:event_id': 3, 'POST /v1/events/search': 1 },
    count: 4,
    eventIdsHash: 'hmac-sha-256:AAAA',
    firstTimeMs: names.timeMs - 2000,
    lastTimeMs: names.timeMs - 1,
  };
  assert.deepEqual(sent(accessEventOf(names, access)), {
    ...common,
    type: 'log.accessed',
    ext: {
      'newel:access': {
        principal: 'auditor-1',
        role: 'audit',
        routes: { 'GET /v1/events/:event_id': 3, 'POST /v1/events/search': 1 },
        count: 4,
        event_ids_hash: 'hmac-sha-256:AAAA',
        first_time: '2026-11-20T12:00:06.123Z',
        last_time: '2026-11-20T12:00:08.122Z',
      },
    },
  });
  const routes = { ...access.routes, ['__proto__']: 1 };
  assert.throws(() => accessEventOf(names, { ...access, routes }), RangeError);
});

test('an erasure', () => {
  const erased = { erasureId: 'ers_1', leafIndexes: [7, 8], reason: 'on request' };
  assert.deepEqual(sent(erasureEventOf(names, erased)), {
    ...common,
    type: 'erasure',
    ext: {
      'newel:erasure': {
        erasure_id: 'ers_1',
        leaf_indexes: [7, 8],
        reason: 'on request',
        time_bucket: '2026-11-20',
      },
    },
  });
});

test('an erasure of as many leaves as it may have, the largest there are, with the longest reason', () => {
  const leafIndexes = Array.from({ length: MAX_ERASED_LEAVES }, (_, i) => Number.MAX_SAFE_INTEGER - i);
  const erasureId = `ers_${'A'.repeat(22)}`;
  for (const character of ['a', '"', 'é', '字', '🙂']) {
    const reason = character.repeat(MAX_REASON);
    const { ext } = sent(erasureEventOf(names, { erasureId, leafIndexes, reason }));
    assert.deepEqual(ext, {
      'newel:erasure': {
        erasure_id: erasureId,
        leaf_indexes: leafIndexes,
        reason,
        time_bucket: '2026-11-20',
      },
    });
    const longer = { erasureId, leafIndexes, reason: `${reason}a` };
    assert.throws(() => erasureEventOf(names, longer), RangeError);
  }
  const more = { erasureId, leafIndexes: [...leafIndexes, 1], reason: '' };
  assert.throws(() => erasureEventOf(names, more), RangeError);
});

test('a retention', () => {
  const applied = {
    types: { 'log.accessed': '90d', 'login.failed': '1y' },
    isDryRun: true,
    count: 12,
  } as const;
  assert.deepEqual(sent(retentionEventOf(names, applied)), {
    ...common,
    type: 'retention.applied',
    ext: {
      'newel:retention': {
        types: { 'log.accessed': '90d', 'login.failed': '1y' },
        dry_run: true,
        count: 12,
      },
    },
  });
});

test('what an event cannot hold is refused, and anything else is accepted', () => {
  const principals = fc.oneof(fc.string({ unit: 'binary', maxLength: 50 }), fc.constant('a'.repeat(9000)));
  fc.assert(
    fc.property(principals, fc.dictionary(fc.string({ maxLength: 20 }), fc.nat()), (principal, routes) => {
      const access = {
        principal,
        role: 'admin',
        routes,
        count: 1,
        eventIdsHash: 'x',
        firstTimeMs: 0,
        lastTimeMs: 1,
      };
      let event: EventMembers;
      try {
        event = accessEventOf(names, access);
      } catch (error) {
        assert.ok(error instanceof RangeError);
        return;
      }
      sent(event);
    }),
    { numRuns: 300 },
  );
});
