import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseTokenList } from '../../src/access/token-list.ts';
import { EventInvalidError } from '../../src/errors.ts';
import { type EventDefaults, MAX_FAULTS, parseEvent } from '../../src/event/parse-event.ts';
import { type JsonObject, type JsonValue, parseJson } from '../../src/formats/json.ts';
import { hasCode, runCases } from '../formats/cases.ts';
import { canonicalEvents, EXAMPLES, flatEvents, readExample, readExamples } from '../support/events.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 5000 : 200;

const DEFAULTS: EventDefaults = { source: 'https://app.example/', fallbackId: 'e-0' };

/** The faults of an event that is refused. */
function faultsOf(event: JsonValue, defaults: EventDefaults = DEFAULTS): EventInvalidError['faults'] {
  try {
    parseEvent(event, defaults);
  } catch (error) {
    assert.ok(error instanceof EventInvalidError, String(error));
    return error.faults;
  }
  return assert.fail('the event was accepted');
}

runCases<{ event: JsonValue; pointers?: string[] }>('event/parse.json', ({ event, pointers }) => {
  if (pointers !== undefined) {
    assert.deepEqual(
      faultsOf(event).map(({ pointer }) => pointer),
      pointers,
    );
  }
  const { holder, subject, notices, ...parsed } = parseEvent(event, DEFAULTS);
  assert.deepEqual(Object.keys(parsed.event), Object.keys(inOrder(parsed.event as JsonObject)));
  return {
    ...parsed,
    ...(subject === undefined ? {} : { subject }),
    ...(holder === undefined ? {} : { holder }),
    ...(notices.length === 0 ? {} : { notices }),
  };
});

/** The members of an event in the order of the published schema. */
function inOrder(event: JsonObject): JsonObject {
  const { $defs } = JSON.parse(
    readFileSync(new URL('../../spec/event.schema.json', import.meta.url), 'utf8'),
  ) as { $defs: { canonical: { properties: JsonObject } } };
  const names = Object.keys($defs.canonical.properties).filter((name) => name in event);
  return Object.fromEntries(names.map((name) => [name, event[name]!]));
}

test('the examples are accepted as they are', () => {
  const events = readExamples();
  assert.equal(events.length, 12);
  for (const sent of events) {
    const { profile, event } = parseEvent(sent, DEFAULTS);
    assert.equal(profile, 'schema' in sent ? 'stepup/1' : 'flat/1');
    if (profile === 'stepup/1') assert.deepEqual(event, sent);
  }
});

const SHARED = new URL('../../../shared/examples/', import.meta.url);
const absent = existsSync(SHARED) ? false : 'the shared examples are absent: ../shared/examples';

test('spec/examples is a copy of the shared examples, byte for byte', { skip: absent }, () => {
  const shared = readdirSync(SHARED).filter((name) => name !== 'README.md');
  assert.deepEqual(readdirSync(EXAMPLES).sort(), shared.sort());
  for (const name of shared) {
    assert.deepEqual(readFileSync(new URL(name, EXAMPLES)), readFileSync(new URL(name, SHARED)), name);
  }
});

test('what is accepted is its own canonical form', () => {
  fc.assert(
    fc.property(fc.oneof(canonicalEvents(), flatEvents()), (sent) => {
      const { event, profile, ...names } = parseEvent(sent, DEFAULTS);
      if (profile === 'stepup/1') {
        assert.deepEqual(event, sent);
        const again = parseEvent(event, DEFAULTS);
        assert.equal(JSON.stringify(again.event), JSON.stringify(event));
        assert.deepEqual(
          { id: again.id, source: again.source, subject: again.subject, holder: undefined, notices: [] },
          names,
        );
      }
    }),
    { numRuns },
  );
});

test('what comes of a flat event breaks no rule of stepup/1 but those by type', () => {
  fc.assert(
    fc.property(flatEvents(), (sent) => {
      const { event } = parseEvent(sent, DEFAULTS);
      // A type without demands, and what only some types may have is not in a flat event.
      assert.equal(parseEvent({ ...event, type: 'log.accessed' }, DEFAULTS).profile, 'stepup/1');
    }),
    { numRuns },
  );
});

test('a number for a time: taken in the flat profile and told, refused in the other with what to do', () => {
  const flat = readExample('flat');
  const at = (timestamp: JsonValue): JsonObject => ({ ...flat, timestamp });
  for (const [timestamp, time, unit] of [
    [1_698_753_600, '2023-10-31T12:00:00.000Z', 's'],
    [1_698_753_600_123, '2023-10-31T12:00:00.123Z', 'ms'],
  ] as const) {
    const { event, notices } = parseEvent(at(timestamp), DEFAULTS);
    assert.equal(event.time, time);
    assert.deepEqual(notices, [{ code: 'time_unit', member: 'timestamp', unit }]);
  }
  const detailOf = (event: JsonObject, pointer: string): string => {
    const [fault, ...more] = faultsOf(event);
    assert.deepEqual([fault!.pointer, more], [pointer, []]);
    assert.ok(!/1698753600|123/.test(fault!.detail.replaceAll(/2026-\S+/g, '')), fault!.detail);
    return fault!.detail;
  };
  const asText = /\(it looks like seconds since 1970: send the number as a number, not as text\)$/;
  assert.match(detailOf(at('1698753600'), '/timestamp'), asText);
  for (const wrong of [1_698_753_600.5, -1, 1_698_753_600_123_456, 'yesterday', null, [1]]) {
    assert.doesNotMatch(detailOf(at(wrong), '/timestamp'), /looks like/);
  }
  const full = readExample('full');
  const { authentication } = full as { authentication: JsonObject };
  for (const [value, unit] of [
    [1_698_753_600, 'seconds'],
    ['1698753600', 'seconds'],
    [1_698_753_600_123, 'milliseconds'],
    ['1698753600123', 'milliseconds'],
  ] as const) {
    const hint = new RegExp(`\\(it looks like ${unit} since 1970: write it as RFC 3339\\)$`);
    assert.match(detailOf({ ...full, time: value }, '/time'), hint);
    const inside = { ...authentication, auth_time: value };
    assert.match(detailOf({ ...full, authentication: inside }, '/authentication/auth_time'), hint);
  }
});

test('an id is taken from elsewhere where the event has none', () => {
  const { id: _id, ...full } = readExample('full');
  assert.equal(parseEvent(full, { ...DEFAULTS, id: 'key-1' }).id, 'key-1');
  assert.equal(parseEvent(full, { ...DEFAULTS, id: 'key-1' }).event.id, 'key-1');
  assert.deepEqual(faultsOf(full), [{ pointer: '/id', detail: 'is required' }]);
  const flat = readExample('flat');
  assert.equal(parseEvent(flat, { ...DEFAULTS, id: 'key-1' }).id, 'key-1');
  assert.equal(parseEvent(flat, DEFAULTS).id, 'e-0');
  assert.equal(parseEvent({ ...flat, id: 'own' }, { ...DEFAULTS, id: 'key-1' }).id, 'own');
});

test('a flat event is of the source that its token is of; another says it itself', () => {
  assert.equal(parseEvent(readExample('flat'), DEFAULTS).event.source, DEFAULTS.source);
  assert.equal(parseEvent(readExample('full'), DEFAULTS).source, 'https://bank.example/payments');
});

test('every source that a token may have is one that an event may have', () => {
  const sourceOf = (source: string): string => {
    const list = [
      {
        name: 'app',
        role: 'submit',
        sources: [source],
        hash: '0'.repeat(64),
        created: '2026-11-20T12:00:08.123Z',
      },
    ];
    return parseTokenList(JSON.stringify(list))[0]!.sources[0]!;
  };
  const check = (source: string): void => {
    const sent = { ...readExample('full'), source };
    let accepted: string | undefined;
    try {
      accepted = sourceOf(source);
    } catch {
      assert.deepEqual(
        faultsOf(sent).map(({ pointer }) => pointer),
        ['/source'],
      );
      return;
    }
    assert.equal(parseEvent(sent, DEFAULTS).source, accepted);
  };
  for (const source of ['', 'a', ' ', 'a b', '!', '~', '\u007f', 'é', 'a'.repeat(255), 'a'.repeat(256)])
    check(source);
  fc.assert(fc.property(fc.string({ maxLength: 300, unit: 'binary' }), check), { numRuns });
  fc.assert(fc.property(fc.stringMatching(/^[!-~]{1,255}$/), check), { numRuns });
});

test('what was sent is left as it was', () => {
  for (const sent of [readExample('full'), readExample('flat')]) {
    const before = JSON.stringify(sent);
    parseEvent(sent, { ...DEFAULTS, id: 'x' });
    assert.equal(JSON.stringify(sent), before);
  }
});

test('lone surrogates are refused wherever text can be, and names that have them', () => {
  const full = readExample('full');
  const visit = (value: JsonValue, replace: (text: JsonValue) => JsonObject, pointer: string): number => {
    if (typeof value === 'string') {
      const faults = faultsOf(replace(`${value}\ud800`));
      assert.ok(
        faults.some((fault) => fault.pointer === pointer),
        pointer,
      );
      return 1;
    }
    if (typeof value !== 'object' || value === null) return 0;
    return Object.entries(value).reduce((sum, [name, inner]) => {
      if (name === 'schema' || name === 'format') return sum;
      const inside = (changed: JsonValue): JsonObject => {
        const copy: JsonValue = structuredClone(value);
        (copy as JsonObject)[name] = changed;
        return replace(copy);
      };
      return sum + visit(inner, inside, pointer === '/labels' ? pointer : `${pointer}/${name}`);
    }, 0);
  };
  assert.ok(visit(full, (event) => event as JsonObject, '') > 50);
  for (const ext of [
    { 'com.example': '\udc00' },
    { 'com.example': { '\ud800': 1 } },
    { 'com.example.\ud800': 1 },
  ]) {
    assert.deepEqual(
      faultsOf({ ...full, ext }).map(({ pointer }) => pointer),
      ['/ext'],
    );
  }
});

test('a member called __proto__ is one that is not listed, and nothing is inherited', () => {
  const json = JSON.stringify(readExample('full'));
  const faults = faultsOf(parseJson(json.replace('{', '{"__proto__":{"outcome":"success"},')));
  assert.deepEqual(
    faults.map(({ pointer }) => pointer),
    [''],
  );
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
    assert.equal(faultsOf(parseJson(json.replace('{', `{"${name}":1,`))).length, 1, name);
  }
  const sparse = parseJson('{"schema":"stepup/1","type":"constructor","__proto__":{"id":"x"}}');
  assert.ok(faultsOf(sparse).some(({ pointer }) => pointer === '/id'));
});

test('at most 20 faults are told, and a long list costs no more than a short one', () => {
  const faults = faultsOf({
    schema: 'stepup/1',
    ...Object.fromEntries(
      ['id', 'source', 'tenant', 'type', 'time', 'seq', 'txn', 'trace_id'].map((n) => [n, []]),
    ),
    src: { ip: 1, asn: 'x', location: { country: 1, region: 1, city: 1 }, is_proxy: 1 },
    device: { fingerprint: 1, known: 1, type: 1, os: 1, user_agent: 1, compliant: 1 },
    session: { uid: 1, created_time: 1, is_new: 1 },
    requirement: { acr_values: Array.from({ length: 30_000 }, () => 1) },
  });
  assert.equal(faults.length, MAX_FAULTS);
});

test('no fault repeats what was sent, neither a value nor a name', () => {
  const canary = 'c4n4ry-Zq8W3xT5yLmN';
  const events: JsonObject[] = [
    { ...readExample('full'), [canary]: 1, src: { [canary]: 1 }, labels: { [`${canary} `]: 1 } },
    { ...readExample('full'), ext: { [canary]: 1 }, tenant: `${canary}\n`, outcome: canary, type: canary },
    {
      ...readExample('full'),
      subject: { sub_id: { format: canary, [canary]: canary } },
      holder: { crv: canary },
    },
    { ...readExample('full'), source: canary, requirement: { acr_values: [`${canary} `], kind: canary } },
    { ...readExample('full'), schema: canary },
    { ...readExample('flat'), [canary]: 1, event_type: canary, status: canary, timestamp: canary },
  ];
  for (const event of events) {
    assert.throws(
      () => parseEvent(event, DEFAULTS),
      (error: unknown) => {
        assert.ok(!JSON.stringify(error).includes('c4n4ry') && !String(error).includes('c4n4ry'));
        return true;
      },
    );
  }
});

test('whatever the JSON, it is an event or refused', () => {
  const named = fc.dictionary(
    fc.constantFrom('schema', 'id', 'type', 'subject', 'ext', 'event_type'),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), named), (value) => {
      assert.throws(
        () => parseEvent(value as JsonValue, DEFAULTS),
        (error: unknown) => {
          if (error instanceof EventInvalidError) return error.faults.length > 0;
          return hasCode('schema_unknown')(error);
        },
      );
    }),
    { numRuns },
  );
});
