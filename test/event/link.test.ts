import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { instantOf } from '../../src/event/instant.ts';
import {
  advanceLink,
  formatLinkState,
  LINK_RULES,
  type LinkFacts,
  linkFactsOf,
  type LinkRule,
  type LinkState,
  parseLinkState,
} from '../../src/event/link.ts';
import { MAX_COMPLETIONS } from '../../src/event/link-state.ts';
import { parseEvent } from '../../src/event/parse-event.ts';
import type { EventMembers } from '../../src/event/schema.ts';
import type { CborMap, CborValue } from '../../src/formats/cbor.ts';
import { formatCbor } from '../../src/formats/cbor.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { hasCode, runCases } from '../formats/cases.ts';
import { canonicalEvents, EXAMPLES, flatEvents, readExamples } from '../support/events.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 5000 : 300;
const DEFAULTS = { source: 'https://app.example/', fallbackId: 'e-0' };

/** The breaches of each event, and the state at the end. */
function advanceAll(events: readonly EventMembers[]): {
  breaches: (readonly LinkRule[])[];
  state: LinkState | undefined;
} {
  let state: LinkState | undefined;
  const breaches = events.map((event) => {
    const facts = linkFactsOf(event);
    if (facts === undefined) return [];
    const advance = advanceLink(state, facts);
    // As the log does it: every state goes through its bytes.
    state = parseLinkState(formatLinkState(advance.state));
    assert.deepEqual(state, advance.state);
    return advance.breaches;
  });
  return { breaches, state };
}

runCases<{ events: EventMembers[] }>('link/advance.json', ({ events }) => advanceAll(events).breaches);

function readFlow(name: string): EventMembers[] {
  const lines = readFileSync(new URL(name, EXAMPLES), 'utf8').trimEnd().split('\n');
  return lines.map((line) => parseEvent(JSON.parse(line) as JsonObject, DEFAULTS).event);
}

const transfer = readFlow('wire-transfer.ndjson');
const [requested, evaluated, required, challenged, completed, enforced, executed] = transfer as [
  EventMembers,
  EventMembers,
  EventMembers,
  EventMembers,
  EventMembers,
  EventMembers,
  EventMembers,
];

test('the examples break no rule', () => {
  assert.equal(transfer.length, 7);
  assert.deepEqual(advanceAll(transfer).breaches.flat(), []);
  assert.deepEqual(advanceAll(readFlow('denied-push.ndjson')).breaches.flat(), []);
  for (const event of readExamples())
    assert.deepEqual(advanceAll([parseEvent(event, DEFAULTS).event]).breaches, [[]]);
});

test('the wire transfer, changed', () => {
  const before = [requested, evaluated, required, challenged, completed, enforced];
  const breachesOf = (...events: EventMembers[]): LinkRule[] => advanceAll(events).breaches.flat();
  const hash = 'sha-256:MUtF6iVKmbq2kuXlNxCNiQ4Yc4KzsmLQvB1w5LkmUpI';
  const other = { ...executed, action: { ...executed.action, transaction_data_hash: hash } };
  assert.deepEqual(breachesOf(...before, other), ['hash_differs']);
  const { transaction_data_hash: _hash, ...unhashed } = executed.action!;
  assert.deepEqual(breachesOf(...before, { ...executed, action: unhashed }), ['hash_missing']);
  const early = { ...executed, time: '2026-11-20T12:00:07.999Z' };
  assert.deepEqual(breachesOf(...before, early), ['executed_before_authentication']);
  const late = { ...executed, time: '2026-11-20T12:05:09.000Z' };
  assert.deepEqual(breachesOf(...before, late), ['too_old']);
  const swapped = [requested, evaluated, required, challenged, executed, enforced, completed];
  assert.deepEqual(breachesOf(...swapped), ['not_authenticated']);
  assert.deepEqual(
    advanceAll(swapped).breaches.map(({ length }) => length),
    [0, 0, 0, 0, 1, 0, 0],
  );
  assert.deepEqual(breachesOf(...before, executed, { ...executed, id: 'again' }), ['executed_twice']);
});

test('every order of the wire transfer: one breach where it is executed before it is completed, and none otherwise', () => {
  const positions = Array.from(transfer.keys());
  const facts = transfer.map((event) => linkFactsOf(event)!);
  const orders = permutationsOf(positions);
  assert.equal(orders.length, 5040);
  const [completion, execution] = [transfer.indexOf(completed), transfer.indexOf(executed)];
  for (const order of orders) {
    let state: LinkState | undefined;
    const breaches: LinkRule[] = [];
    for (const i of order) {
      const advance = advanceLink(state, facts[i]!);
      state = advance.state;
      breaches.push(...advance.breaches);
    }
    const isEarly = order.indexOf(execution) < order.indexOf(completion);
    assert.equal(breaches.length, isEarly ? 1 : 0, order.join());
    if (!isEarly) continue;
    const demanded = [evaluated, required].some(
      (event) => order.indexOf(transfer.indexOf(event)) < order.indexOf(completion),
    );
    assert.deepEqual(breaches, [demanded ? 'not_authenticated' : 'executed_before_authentication']);
  }
});

function permutationsOf<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) => permutationsOf(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

test('no event that is accepted is too much, whatever was there before', () => {
  const events = fc.array(fc.oneof(canonicalEvents(), flatEvents()), { maxLength: 20 });
  fc.assert(
    fc.property(events, (sent) => {
      const parsed = sent.map((event) => ({ ...parseEvent(event, DEFAULTS).event, txn: 't' }));
      const { breaches, state } = advanceAll(parsed);
      for (const rules of breaches)
        assert.deepEqual(
          rules,
          LINK_RULES.filter((rule) => rules.includes(rule)),
        );
      if (state !== undefined) assert.ok(formatLinkState(state).length <= 300);
    }),
    { numRuns },
  );
});

const BASE_MS = Date.parse('2026-11-20T12:00:00.000Z');
const times = fc
  .integer({ min: 0, max: 100_000 })
  .map((ms) => instantOf(new Date(BASE_MS + ms).toISOString()));
const hashes = fc.constantFrom(undefined, new Uint8Array(32).fill(1), new Uint8Array(32).fill(2));
const steps: fc.Arbitrary<LinkFacts['step']> = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom({ is: 'required' } as const, { is: 'allowed' } as const),
  fc.record({ is: fc.constantFrom('completed' as const, 'executed' as const), at: times }),
);
const someFacts: fc.Arbitrary<LinkFacts> = fc
  .record({
    hash: hashes,
    maxAgeS: fc.option(fc.integer({ min: 0, max: 120 }), { nil: undefined }),
    step: steps,
  })
  .map((facts) => ({ ...facts, needsHash: facts.step !== undefined && facts.step.is !== 'allowed' }));

/** The breaches of the step alone. */
const ofSteps: readonly LinkRule[] = [
  'not_authenticated',
  'executed_before_authentication',
  'executed_twice',
];

test('of many events the state stays small, and goes through its bytes', () => {
  fc.assert(
    fc.property(fc.array(someFacts, { maxLength: 200 }), (list) => {
      let state: LinkState | undefined;
      for (const facts of list) {
        ({ state } = advanceLink(state, facts));
        const bytes = formatLinkState(state);
        assert.ok(bytes.length <= 300, String(bytes.length));
        assert.deepEqual(parseLinkState(bytes), state);
        assert.ok(state.completions.length <= MAX_COMPLETIONS);
      }
    }),
    { numRuns },
  );
});

test('advancing leaves the state alone that it was given', () => {
  fc.assert(
    fc.property(fc.array(someFacts, { minLength: 1, maxLength: 20 }), (list) => {
      let state: LinkState | undefined;
      for (const facts of list) {
        const copy = structuredClone(state);
        const next = advanceLink(state, facts);
        assert.deepEqual(state, copy);
        ({ state } = next);
      }
    }),
    { numRuns },
  );
});

test('where a step-up was required first, never more executions go unnoticed than there were grants before them', () => {
  fc.assert(
    fc.property(fc.array(someFacts, { maxLength: 60 }), (list) => {
      let { state } = advanceLink(undefined, {
        hash: undefined,
        needsHash: true,
        maxAgeS: undefined,
        step: { is: 'required' },
      });
      let grants = 0;
      let unnoticed = 0;
      for (const facts of list) {
        const advance = advanceLink(state, facts);
        state = advance.state;
        const { step } = facts;
        if (step?.is === 'completed' || step?.is === 'allowed') grants++;
        if (step?.is === 'executed' && !advance.breaches.some((rule) => ofSteps.includes(rule))) unnoticed++;
        assert.ok(unnoticed <= grants);
      }
    }),
    { numRuns },
  );
});

test('two different hashes are never silent, in whatever order and with whatever between them', () => {
  fc.assert(
    fc.property(fc.array(someFacts, { maxLength: 30 }), (list) => {
      let state: LinkState | undefined;
      const told = list.filter((facts) => {
        const advance = advanceLink(state, facts);
        state = advance.state;
        return advance.breaches.includes('hash_differs');
      }).length;
      const seen = new Set<number>();
      let expected = 0;
      for (const { hash } of list) {
        if (hash === undefined) continue;
        seen.add(hash[0]!);
        if (seen.size > 1) expected++;
      }
      assert.equal(told, expected);
    }),
    { numRuns },
  );
});

test('a state that was not written so is refused', () => {
  const full: CborMap = new Map<number, CborValue>([
    [1, new Uint8Array(32).fill(7)],
    [2, true],
    [4, 300],
    [5, true],
    [7, true],
    [
      8,
      [
        [1000, 1999],
        [1000, 1000],
      ],
    ],
    [9, 1],
    [10, 8],
    [11, 5],
  ]);
  assert.deepEqual(formatLinkState(parseLinkState(formatCbor(full))), formatCbor(full));
  const changed = (key: number, value: CborValue | undefined): Uint8Array => {
    const map: CborMap = new Map(full);
    if (value === undefined) map.delete(key);
    else map.set(key, value);
    return formatCbor(map);
  };
  const wrong: [string, Uint8Array][] = [
    ['no bytes', new Uint8Array(0)],
    ['no map', formatCbor([])],
    ['more after it', Uint8Array.of(...formatCbor(full), 0)],
    ['another name', changed(12, 1)],
    ['a text for a name', formatCbor(new Map<number | string, CborValue>([['hash', 1]]))],
    ['a short hash', changed(1, new Uint8Array(31))],
    ['a hash as text', changed(1, 'a'.repeat(32))],
    ['different hashes, and none', changed(1, undefined)],
    ['a hash, and none', changed(3, true)],
    ['a flag that is false', changed(5, false)],
    ['a flag that is a number', changed(5, 1)],
    ['a count of nothing', changed(9, 0)],
    ['a negative count', changed(9, -1)],
    ['a large count', changed(10, 9)],
    ['a requirement of more than a year', changed(4, 31_536_001)],
    ['no completions', changed(8, [])],
    [
      'too many completions',
      changed(
        8,
        Array.from({ length: MAX_COMPLETIONS + 1 }, () => [1, 1]),
      ),
    ],
    ['a completion that ends before it begins', changed(8, [[2, 1]])],
    [
      'completions out of order',
      changed(8, [
        [2, 2],
        [1, 1],
      ]),
    ],
    ['a completion of three', changed(8, [[1, 1, 1]])],
    ['a completion beyond all times', changed(8, [[1, 253_402_300_800_000]])],
    ['null', changed(11, null)],
  ];
  for (const [what, bytes] of wrong) assert.throws(() => parseLinkState(bytes), hasCode('malformed'), what);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        assert.deepEqual(formatLinkState(parseLinkState(bytes)), bytes);
      } catch (error) {
        hasCode('malformed')(error);
      }
    }),
    { numRuns },
  );
});

test('a transfer that waits for its execution takes little room', () => {
  const { state } = advanceAll(transfer.slice(0, -1));
  assert.ok(formatLinkState(state!).length <= 70);
});
