import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { FLAT_MEMBERS } from '../../src/event/flat.ts';
import type { Members } from '../../src/event/member.ts';
import { EVENT_MEMBERS } from '../../src/event/members.ts';
import { isHarmless } from '../../src/event/secret-mask.ts';
import { isListedName, kindOfName, SECRET_NAMES } from '../../src/event/secret-names.ts';
import { markerOf, SECRET_RULES, type SecretRule } from '../../src/event/secret-rules.ts';
import { VENDORS } from '../../src/event/secret-vendors.ts';
import { MAX_FINDINGS } from '../../src/event/secret-findings.ts';
import { findSecrets, redactSecrets } from '../../src/event/secrets.ts';
import { SUBJECT_FORMATS } from '../../src/event/subject-identifier.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { newToken } from '../../src/access/token.ts';
import { canaryEvent, CanaryMaker, EVENT_TYPES } from '../support/canary-events.ts';
import { canonicalEvents, flatEvents, readExamples } from '../support/events.ts';
import { SLOW } from '../support/slow.ts';
import { spentCpuMs } from '../support/spent-cpu.ts';
import { readVectors } from '../support/vectors.ts';

const numRuns = SLOW ? 20_000 : 1000;
const manyRuns = SLOW ? 200_000 : 10_000;

interface Case {
  readonly desc: string;
  readonly event: JsonValue;
  readonly want: readonly { pointer: string; rule: SecretRule }[];
}

interface RedactCase {
  readonly desc: string;
  readonly event: JsonValue;
  readonly want: JsonObject;
}

/** `{"$parts": [..]}` is a text that stands in parts, so that nobody who looks for secrets in sources finds this one. */
function joined(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(joined);
  if (typeof value !== 'object' || value === null) return value;
  const { $parts: parts } = value;
  if (Array.isArray(parts)) return parts.map(String).join('');
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, joined(member)]));
}

const corpus = new Map(
  readVectors('spec', 'secrets')
    .files()
    .filter(({ name }) => name !== 'redact.json')
    .map((file) => {
      const cases = (file.json() as Case[]).map((one) => ({ ...one, event: joined(one.event) }));
      return [file.name.replace('.json', '').replaceAll('-', '_'), cases] as const;
    }),
);
const cases = [...corpus.values()].flat();

const ext = (value: JsonValue): JsonObject => ({ ext: { 'com.example.app': { value } } });

test('the corpus has a file for each rule, with five that are found and five near misses at least', () => {
  assert.deepEqual([...corpus.keys()].sort(), [...SECRET_RULES].sort());
  for (const [rule, all] of corpus) {
    const found = all.filter(({ want }) => want.some((finding) => finding.rule === rule));
    const passed = all.filter(({ want }) => want.length === 0);
    assert.ok(found.length >= 5, `${rule}: ${found.length} are found`);
    assert.ok(passed.length >= 5, `${rule}: ${passed.length} near misses`);
  }
});

for (const [rule, all] of corpus) {
  test(`corpus: ${rule}: none missed, none wrong`, () => {
    for (const { desc, event, want } of all) assert.deepEqual(findSecrets(event), want, desc);
  });
}

test('corpus: a finding repeats nothing of a value', () => {
  const texts = (value: JsonValue): string[] => {
    if (typeof value === 'string') return [value];
    if (typeof value !== 'object' || value === null) return [];
    return Object.values(value).flatMap(texts);
  };
  for (const { desc, event } of cases) {
    const told = JSON.stringify(findSecrets(event));
    for (const text of texts(event)) {
      if (text.length > 8) assert.ok(!told.includes(JSON.stringify(text).slice(1, -1)), desc);
    }
  }
});

test('corpus: every vendor is in it', () => {
  const found = (corpus.get('vendor_token') ?? [])
    .filter(({ want }) => want.length > 0)
    .map(({ desc }) => desc);
  // Each has a name as people write it: "Hugging Face", "1Password".
  const words: Record<string, string> = { onepassword: '1password', huggingface: 'hugging face' };
  for (const vendor of VENDORS) {
    const word = words[vendor] ?? vendor;
    assert.ok(
      found.some((desc) => desc.toLowerCase().includes(word)),
      vendor,
    );
  }
});

test('corpus: redaction takes every secret out, leaves the rest and the input, and once is enough', () => {
  for (const { desc, event, want } of cases) {
    const before = JSON.stringify(event);
    const { event: redacted, redacted: counts, left } = redactSecrets(event);
    assert.equal(JSON.stringify(event), before, desc);
    assert.deepEqual(findSecrets(redacted), left, desc);
    const rules = new Set([...counts, ...left].map(({ rule }) => rule));
    for (const { rule } of want) assert.ok(rules.has(rule), desc);
    if (want.length === 0) assert.equal(redacted, event, desc);
    const again = redactSecrets(redacted);
    assert.equal(again.event, redacted, desc);
    assert.deepEqual(again.redacted, [], desc);
  }
});

test('secrets/redact.json', () => {
  const file = readVectors('spec', 'secrets/redact.json').files()[0]!;
  for (const { desc, event, want } of file.json() as RedactCase[]) {
    assert.deepEqual(redactSecrets(joined(event)), joined(want), desc);
  }
});

test('the examples are clean', () => {
  for (const event of readExamples()) assert.deepEqual(findSecrets(event), []);
});

const SHARED = new URL('../../../shared/examples/', import.meta.url);

test(
  'the shared examples are clean',
  { skip: existsSync(SHARED) ? false : 'absent: shared/examples' },
  () => {
    let count = 0;
    for (const name of readdirSync(SHARED)) {
      if (!name.endsWith('json')) continue;
      const text = readFileSync(new URL(name, SHARED), 'utf8');
      for (const line of name.endsWith('.ndjson') ? text.trimEnd().split('\n') : [text]) {
        assert.deepEqual(findSecrets(JSON.parse(line) as JsonValue), [], name);
        count++;
      }
    }
    assert.ok(count >= 12);
  },
);

const HEX = fc.stringMatching(/^[0-9a-f]{64}$/);
const DIGITS = fc.stringMatching(/^[0-9]{10}$/);
const BYTES_32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** What events are full of, as random as any token. */
const IDENTIFIERS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'a UUID': fc.uuid(),
  'a UUID without dashes': fc.uuid().map((uuid) => uuid.replaceAll('-', '')),
  'a UUID, mostly of digits': fc
    .stringMatching(/^[0-9]{31}[0-9a-f]$/)
    .map((hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')),
  'a ULID': fc.ulid(),
  'a SHA-256 in hex': HEX,
  'a SHA-256 in hex with its prefix': HEX.map((hex) => `sha256:${hex}`),
  'a SHA-256 in base64url with its prefix': BYTES_32.map(
    (bytes) => `sha-256:${Buffer.from(bytes).toString('base64url')}`,
  ),
  'a SHA-256 in base64': BYTES_32.map((bytes) => Buffer.from(bytes).toString('base64')),
  'a trace id': fc.stringMatching(/^[0-9a-f]{32}$/),
  'a traceparent': fc.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
  'seconds since 1970': fc.integer({ min: 1, max: 2_000_000_000 }).map(String),
  'milliseconds since 1970': fc.integer({ min: 1e12, max: 2e12 }).map(String),
  'microseconds since 1970': fc.integer({ min: 1e15, max: 2e15 }).map(String),
  'nanoseconds since 1970': DIGITS.map((digits) => `17${digits.slice(0, 8)}${digits.slice(0, 9)}`),
  'an IPv4 address': fc.ipV4(),
  'an IPv6 address': fc.ipV6(),
  'a telephone number': fc.stringMatching(/^\+[1-9][0-9]{6,14}$/),
  'a date': fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date(8e12) })
    .map((date) => date.toISOString()),
  'an event id': fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .map((b) => `evt_${Buffer.from(b).toString('base64url')}`),
  'a version': fc.stringMatching(/^v?[0-9]{1,3}(\.[0-9]{1,3}){1,3}(-[a-z]{1,5}\.[0-9])?$/),
  'an amount': fc.stringMatching(/^[0-9]{1,9}\.[0-9]{2} (EUR|USD)$/),
};

for (const [what, values] of Object.entries(IDENTIFIERS)) {
  test(`no secret: ${what}, in typed members, in ext and in a text`, () => {
    fc.assert(
      fc.property(values, (value) => {
        const event = {
          id: value,
          txn: value,
          session: { uid: value },
          device: { fingerprint: value },
          trigger: { detail: `after ${value} at the gate (${value}), see ${value}` },
          action: { id: value, resource: { type: 'account', id: value } },
          labels: { build: value },
          ext: {
            'com.example.app': { value, list: [value], text: JSON.stringify({ value, at: `x ${value}` }) },
          },
        };
        assert.deepEqual(findSecrets(event), []);
      }),
      { numRuns },
    );
  });
}

test('no secret: order numbers of any length, where a name or a text says that they are', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9]{10,22}$/), (number) => {
      const value = { order_id: number, invoiceNumber: number, ref: number, tracking_no: number };
      assert.deepEqual(findSecrets(ext(value)), []);
      assert.deepEqual(
        findSecrets({ trigger: { detail: `order ${number} is over the limit of ${number}` } }),
        [],
      );
    }),
    { numRuns: manyRuns },
  );
});

function namesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...namesIn(inner)]);
}

test('no secret: events with anything in them that the schema allows', () => {
  fc.assert(
    fc.property(fc.oneof(canonicalEvents(), flatEvents()), (event) => {
      // Names in these two are the submitter's own, and may happen to be one of the list.
      fc.pre([event['labels'], event['ext']].every((own) => !namesIn(own).some(isListedName)));
      assert.deepEqual(findSecrets(event), []);
    }),
    { numRuns: numRuns / 5 },
  );
});

test('no secret: an event with every member of the schema, its texts random', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const maker = new CanaryMaker(seed);
    const type = EVENT_TYPES[seed % EVENT_TYPES.length]!;
    maker.plain('source');
    const { event } = canaryEvent(maker, { type, isWhole: true, source: maker.made.at(-1)! });
    assert.deepEqual(findSecrets(event), [], JSON.stringify(event));
  }
});

test('no name of the schema is that of a secret', () => {
  const namesOf = (members: Members): string[] =>
    Object.entries(members).flatMap(([name, member]) =>
      member.is === 'object' ? [name, ...namesOf(member.members)] : [name],
    );
  const names = [
    ...namesOf(EVENT_MEMBERS),
    ...namesOf(FLAT_MEMBERS),
    ...Object.values(SUBJECT_FORMATS).flatMap((members) => Object.keys(members)),
  ];
  for (const name of names) assert.equal(kindOfName(name), undefined, name);
});

test('a name of the list is found in every spelling, and in no longer name', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SECRET_NAMES),
      fc.array(fc.nat(5), { minLength: 40, maxLength: 40 }),
      (name, choices) => {
        const spelled = Array.from(name)
          .map((letter, i) => {
            const choice = choices[i % choices.length]!;
            const cased = choice % 2 === 0 ? letter : letter.toUpperCase();
            return i > 0 && choice > 3 ? `${'_-. '[i % 4]}${cased}` : cased;
          })
          .join('');
        if (spelled.length <= 64) assert.equal(kindOfName(spelled), kindOfName(name), spelled);
        for (const longer of [`${name}changed`, `x${name}y`, `${name}_policy_id`]) {
          assert.equal(kindOfName(longer), undefined, longer);
        }
      },
    ),
    { numRuns },
  );
});

test('under a name of a password or a token every text is found, however deep and whatever the names within', () => {
  const names = fc.oneof(
    fc.constantFrom('v', 'value', 'code', 'otp', 'pan', 'd', 'id', 'type', ...SECRET_NAMES),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('password', 'access_token', 'Set-Cookie'),
      fc.array(fc.oneof(names, fc.nat(2)), { maxLength: 8 }),
      (listed, path) => {
        const inner = path.reduceRight<JsonValue>(
          (value, step) =>
            typeof step === 'string' ? { [step]: value } : [...Array<null>(step).fill(null), value],
          'zx-Hunter2-17',
        );
        const [finding, ...more] = findSecrets({ ext: { 'com.example.app': { [listed]: inner } } });
        assert.deepEqual(more, []);
        const pointer = ['ext', 'com.example.app', listed, ...path].map((step) => `/${step}`).join('');
        assert.equal(finding!.pointer, pointer);
      },
    ),
    { numRuns },
  );
});

test('a hash that is declared passes under a name in the length of its kind, and in no other', () => {
  const sizes: readonly [names: string[], bytes: number][] = [
    [['md5'], 16],
    [['sha1', 'SHA-1'], 20],
    [['sha224', 'sha-512/224'], 28],
    [['sha256', 'sha-256', 'SHA3-256', 'sha-3-256', 'sha512/256', 'blake2b-256', 'blake2s', 'blake3'], 32],
    [['sha-384', 'sha3-384'], 48],
    [['sha512', 'sha-512', 'sha3-512', 'blake2b'], 64],
  ];
  const formsOf = (bytes: Uint8Array): string[] => {
    const buffer = Buffer.from(bytes);
    const hex = buffer.toString('hex');
    return [hex, hex.toUpperCase(), buffer.toString('base64'), buffer.toString('base64url')];
  };
  const isFound = (text: string): boolean => findSecrets({ labels: { password: text } }).length > 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...sizes),
      fc.nat(7),
      fc.constantFrom(':', '-'),
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      ([names, size], choice, sign, bytes) => {
        const name = names[choice % names.length]! + sign;
        for (const form of formsOf(bytes.subarray(0, size))) {
          assert.equal(isFound(name + form), false, name + form);
          assert.equal(isFound(`hmac-${name}${form}`), false, name + form);
          assert.equal(isFound(`${name}${form}a`), true, `${name}${form}a`);
        }
        for (const form of formsOf(bytes.subarray(0, size / 2))) {
          assert.equal(isFound(`hmac-${name}${form}`), false, name + form);
          assert.equal(isFound(name + form), true, name + form);
        }
      },
    ),
    { numRuns: numRuns / 5 },
  );
});

test('two events whose ids are secrets stay two', () => {
  const [one, two] = [newToken(), newToken()].map((token) =>
    redactSecrets({ id: token, subject: { x: [token] } }),
  );
  assert.notDeepEqual(one!.event, two!.event);
  for (const { redacted, left } of [one!, two!]) {
    assert.deepEqual(redacted, []);
    assert.deepEqual(
      left.map(({ pointer }) => pointer),
      ['/id', '/subject'],
    );
  }
});

test('a marker is harmless wherever it stands', () => {
  for (const rule of SECRET_RULES) {
    const marker = markerOf(rule);
    assert.ok(isHarmless(marker));
    const everywhere = Object.fromEntries(SECRET_NAMES.map((name) => [name, marker]));
    const text = `${SECRET_NAMES.map((name) => `${name}=${marker}`).join('; ')} code is ${marker} card ${marker}`;
    assert.deepEqual(
      findSecrets({ ext: { 'com.example.app': everywhere }, trigger: { detail: text } }),
      [],
      rule,
    );
  }
});

test('redaction of anything: nothing is found afterwards but names, and the input is untouched', () => {
  const secrets = cases
    .flatMap(({ event }) => JSON.stringify(event).match(/"(?:[^"\\]|\\.)*"/g) ?? [])
    .map((text) => JSON.parse(text) as string)
    .filter((text) => text.length > 3);
  const pieces = fc.oneof(
    fc.constantFrom(...secrets),
    fc.constantFrom(...SECRET_NAMES),
    fc.constantFrom(
      '=',
      ': ',
      ' ',
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      '\\',
      '&',
      '?',
      '://',
      '@',
      '.',
      '…',
      '***',
      'code is ',
    ),
    fc.string({ maxLength: 6 }),
    fc.stringMatching(/^[0-9]{1,20}$/),
  );
  const texts = fc.array(pieces, { maxLength: 6 }).map((all) => all.join(''));
  const names = fc.oneof(texts, fc.constantFrom(...SECRET_NAMES, 'd', 'k', 'kty', 'signature', 'value'));
  const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      texts,
      texts,
      fc.integer(),
      fc.constantFrom('oct', 'RSA', 'EC', true, null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(names, tie('value'), { maxKeys: 4 }).map((object) => ({ ...object })),
    ),
  }));
  const members = fc.dictionary(names, value, { minKeys: 1, maxKeys: 8 });
  let found = 0;
  fc.assert(
    fc.property(members, fc.constantFrom('ext', 'subject', 'unlisted'), (inner, name) => {
      const event = JSON.parse(JSON.stringify({ [name]: inner })) as JsonValue;
      const before = JSON.stringify(event);
      const { event: redacted, redacted: counts, left } = redactSecrets(event);
      assert.equal(JSON.stringify(event), before);
      assert.deepEqual(findSecrets(redacted), left);
      assert.equal(redactSecrets(redacted).event, redacted);
      const findings = findSecrets(event);
      assert.equal(findings.length > 0, counts.length + left.length > 0);
      if (name === 'subject') assert.deepEqual(counts, []);
      if (counts.length === 0) assert.equal(redacted, event);
      else found++;
    }),
    { numRuns: numRuns * 2 },
  );
  assert.ok(found > numRuns / 4, `${found} had a secret`);
});

test('a pointer leads into the event, escaped, and repeats no name that is a finding or that no schema lists', () => {
  const token = newToken();
  const cases: readonly [event: JsonValue, pointers: string[]][] = [
    [
      { ext: { 'https://bank.example/a~b': { password: 'hunter2' } } },
      ['/ext/https:~1~1bank.example~1a~0b/password'],
    ],
    [
      { ext: { 'com.example.app': { [token]: { password: 'hunter2' } } } },
      ['/ext/com.example.app', '/ext/com.example.app'],
    ],
    [{ ext: { 'com.example.app': { [`${token}x`]: 1 } } }, []],
    [{ src: { [token]: 1 } }, ['/src']],
    [{ src: { hunter2: { list: [{ password: 'x' }] } } }, ['/src']],
    [{ src: { Password: 'hunter2' } }, ['/src/Password']],
    [{ 'hunter2.password': 'x' }, ['']],
    [{ ext: { 'com.example.app': { ['n'.repeat(2000)]: { password: 'x' } } } }, ['/ext/com.example.app']],
    [{ trigger: { risk: { reasons: ['a', token] } } }, ['/trigger/risk/reasons/1']],
    [
      { subject: { sub_id: { format: 'aliases', identifiers: [{ format: 'opaque', id: token }] } } },
      ['/subject/sub_id/identifiers/0/id'],
    ],
    [[token], ['/0']],
    [token, ['']],
  ];
  for (const [event, pointers] of cases) {
    assert.deepEqual(
      findSecrets(event).map(({ pointer }) => pointer),
      pointers,
      JSON.stringify(event),
    );
  }
});

test('names that no assignment can set are kept by a redaction', () => {
  const event = JSON.parse(
    '{"ext":{"com.example.app":{"__proto__":{"password":"hunter2"},"constructor":"x"}}}',
  ) as JsonValue;
  const { event: redacted } = redactSecrets(event);
  assert.equal(
    JSON.stringify(redacted),
    '{"ext":{"com.example.app":{"__proto__":{"password":"[REDACTED:field_name]"},"constructor":"x"}}}',
  );
});

test('of many findings the first are reported, and all are redacted', () => {
  const list = Array.from({ length: 50 }, () => ({ password: 'hunter2' }));
  assert.equal(findSecrets(ext(list)).length, MAX_FINDINGS);
  assert.deepEqual(redactSecrets(ext(list)).redacted, [{ rule: 'field_name', count: 50 }]);
  const names = Object.fromEntries(Array.from({ length: 50 }, () => [newToken(), 1]));
  assert.equal(redactSecrets(ext(names)).left.length, MAX_FINDINGS);
});

test('a token that this log gives out is found', () => {
  for (let i = 0; i < 100; i++) {
    assert.deepEqual(findSecrets(ext(`x ${newToken()}`)), [
      { pointer: '/ext/com.example.app/value', rule: 'newel_token' },
    ]);
  }
});

test('what is seen as another spelling is found as well', () => {
  for (const [spelled, rule] of [
    ['４１１１　１１１１　１１１１　１１１１', 'card_number'],
    ['4111\u20111111\u20111111\u20111111', 'card_number'],
    ['41\u200b11 1111 1111 1111', 'card_number'],
    ['𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏', 'card_number'],
    ['code is ९३०२१७', 'one_time_code'],
    ['pass\u00adword=hunter2', 'field_name'],
    ['password\u200d=\u200dhunter2', 'field_name'],
    ['https://a.example/?next=%3Ftoken%3Dq7Xw2LrT9', 'url_query'],
  ] as const) {
    assert.deepEqual(
      findSecrets(ext(spelled)).map((finding) => finding.rule),
      [rule],
      spelled,
    );
  }
});

test('a text that is JSON is read as such, three deep, and deeper as a text', () => {
  const wrap = (value: JsonValue, depth: number): JsonValue =>
    depth === 0 ? value : JSON.stringify({ body: wrap(value, depth - 1) });
  for (let depth = 1; depth <= 4; depth++) {
    assert.equal(findSecrets(ext(wrap({ password: 'hunter2' }, depth))).length, 1, `depth ${depth}`);
  }
  // No name twice: read as JSON, one of the two would be lost.
  assert.equal(findSecrets(ext('{"password":"hunter2","password":""}')).length, 1);
  assert.deepEqual(findSecrets(ext('{"error":{"code":"50074"},"password":"****"}')), []);
});

const MAX_EVENT = 65_536;
/** Far more than any takes, and far less than what is not linear would. */
const MAX_MS = 1000;

/** Of this process, whatever else runs on the machine: the shorter of two tries, where the first took long. */
function redactingMs(event: JsonObject): number {
  const once = (): number => spentCpuMs(() => redactSecrets(event));
  const ms = once();
  return ms < MAX_MS / 2 ? ms : Math.min(ms, once());
}

test('no text of 64 KiB takes long', () => {
  const seeds = [
    'ey',
    'eyJ',
    'eyJhbGciOiJIUzI1NiJ9.',
    '.',
    'a.',
    'a.a.',
    '-',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY-----',
    'PRIVATE KEY',
    '----- BEGIN',
    'A',
    '4',
    '41',
    '4111 ',
    '4111-1111-1111-1111 ',
    '4111111111111111 ',
    '1 ',
    '%B4',
    ';4',
    'password',
    'password=',
    'password: ',
    'password="',
    '\\"',
    'password=***=',
    'pass ',
    'x=',
    ':',
    '=',
    '://',
    '://a',
    '://a:b',
    'a@',
    '?',
    '?a=',
    '?token=?',
    '?a=?',
    '&key=',
    '#',
    'code is ',
    'code ',
    '493021 is your ',
    '493021 is your a ',
    'your aaaa code',
    'bearer ',
    'bearer a',
    'Basic ',
    'Basic QQ',
    'cookie:',
    'cookie:a=',
    'cookie:a=b;',
    'cookie=a=',
    'a=b;',
    'JSESSIONID=',
    '$2b$',
    '$argon2id$m=1,t=1,p=1$',
    '$',
    '$6$a',
    '{SSHA}',
    'ghp_',
    'xoxb-',
    'xoxb-1',
    'sk-',
    'sk-ant-',
    'SG.',
    'SG.a',
    'v4.local.',
    'a.atlasv1.',
    'hvs.',
    'glpat-',
    'newel_',
    'otpauth://',
    'otpauth://a?secret=',
    '"kty"',
    '"kty":"d":"',
    '"d":"',
    '{',
    '[',
    '{"a":',
    '["',
    '[[',
    '"',
    '\\',
    '\\\\"',
    '*',
    '**',
    'x',
    'X',
    'x-',
    'xx ',
    '#_',
    '…',
    '<',
    '<a',
    '[redacted',
    '[redacted ',
    '%',
    '%3',
    '%3D',
    '%25',
    '\u200d',
    '\u202e',
    '４',
    '٤',
    'ﷺ',
    'é',
    '🙂',
    ' ',
    '\t',
    '\n',
    'MII',
    'MC4CAQAwBQYDK2Vw',
    '0',
    'a',
    'a ',
    'a-',
    'a_',
    '_',
    'abandon ',
    '"type":"webauthn.get"',
    'card ',
    'order ',
    'a.b:',
    '/',
    '.:/',
    'eyJ0eXBlIjoid2ViYXV0aG4u',
    '__Host-',
    'A3',
    'Z9 ',
    'Pin is ',
    '"otp":',
    'otp=4',
    '\ud800',
  ];
  let slowest = { ms: 0, seed: '' };
  for (const seed of seeds) {
    for (const end of ['', '!', '"', '}', '=x', '@', '4']) {
      const text = seed.repeat(Math.ceil(MAX_EVENT / seed.length)).slice(0, MAX_EVENT - 1) + end;
      for (const event of [ext(text), { ext: { password: text, [text]: text } }]) {
        const ms = redactingMs(event);
        if (ms > slowest.ms) slowest = { ms, seed: `${seed}…${end}` };
      }
    }
  }
  assert.ok(slowest.ms < MAX_MS, `${slowest.seed}: ${slowest.ms.toFixed(0)} ms`);
});

test('no event of 64 KiB takes long, however it is made', () => {
  const many = (count: number, make: (i: number) => [string, JsonValue]): JsonObject =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => make(i)));
  let json: JsonValue = 'x';
  for (let i = 0; i < 12 && JSON.stringify(json).length < MAX_EVENT / 2; i++)
    json = JSON.stringify({ a: json, b: [] });
  let nested: JsonValue = { password: '****' };
  for (let i = 0; i < 30; i++) nested = { [`n${i}`]: nested };
  const events: JsonValue[] = [
    many(4000, (i) => [`password${i}`, 'hunter2']),
    many(4000, (i) => [`n${i}`, { d: 'x', kty: 'y' }]),
    many(8000, (i) => [`${i}`, i]),
    // A `signature` looks at its siblings.
    many(4000, (i) => [`${'_'.repeat(i % 7)}signature${i}`, 'x']),
    Array.from({ length: 3000 }, () => ({ signature: 'x', code: 1 })),
    Array.from({ length: 20_000 }, () => '41'),
    { authenticatorData: Array.from({ length: 20_000 }, () => 1.5) },
    `[${'['.repeat(30_000)}${']'.repeat(30_000)}]`,
    `{"a":${'{"a":'.repeat(9000)}1${'}'.repeat(9001)}`,
    json,
    nested,
  ];
  for (const [i, event] of events.entries()) {
    const ms = redactingMs({ ext: event });
    assert.ok(ms < MAX_MS, `event ${i}: ${ms.toFixed(0)} ms`);
  }
});

test('spec/secrets.md has exactly the rules, the names and the vendors of the code', () => {
  const page = readFileSync(new URL('../../spec/secrets.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z_]+)` +\|/gm)].map(([, rule]) => rule);
  assert.deepEqual(rows, [...SECRET_RULES]);
  const section = (name: string): string[] => {
    const [, text] = new RegExp(`<!-- ${name} -->(.*)<!-- /${name} -->`, 's').exec(page)!;
    return text!
      .split(/[\s,]+/)
      .map((word) => word.replaceAll('`', ''))
      .filter((word) => word !== '');
  };
  assert.deepEqual(section('names').sort(), [...SECRET_NAMES].sort());
  assert.deepEqual(section('vendors').sort(), [...VENDORS].sort());
});
