import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { TEXT_FORMS, type TextFormName } from '../../src/event/text-form.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 50_000 : 2000;

const FORMS = Object.fromEntries(
  Object.entries(TEXT_FORMS).map(([name, { pattern }]) => [name, new RegExp(pattern, 'u')]),
) as Record<TextFormName, RegExp>;

test('an address is what Node takes for one, zones aside', () => {
  const groups = fc.oneof(
    fc.constantFrom('', '0', 'ffff', 'A', '12345', 'g', '1.2.3.4', '::'),
    fc.stringMatching(/^[0-9a-f]{1,4}$/),
  );
  const almost = fc.array(groups, { maxLength: 9 }).map((parts) => parts.join(':'));
  const dotted = fc.array(fc.oneof(fc.nat(300).map(String), fc.constantFrom('', '00', '1e1')), {
    maxLength: 5,
  });
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        fc.ipV4(),
        fc.ipV6(),
        almost,
        dotted.map((parts) => parts.join('.')),
      ),
      (text) => {
        const isAddress = isIP(text) !== 0;
        if (isAddress) accepted++;
        assert.equal(FORMS.ip.test(text), isAddress, text);
      },
    ),
    { numRuns },
  );
  assert.ok(accepted > numRuns / 10);
});

test('a run of zeros in every place that an IPv6 address can have one', () => {
  for (let before = 0; before <= 8; before++) {
    for (let after = 0; after <= 8; after++) {
      for (const tail of ['', '1.2.3.4']) {
        const left = Array.from({ length: before }, () => 'a').join(':');
        const right = [...Array.from({ length: after }, () => 'b'), ...(tail ? [tail] : [])].join(':');
        const text = `${left}::${right}`;
        assert.equal(FORMS.ip.test(text), isIP(text) === 6, text);
      }
    }
  }
});

test('every day from 1970 to 9999, and no other', () => {
  for (let year = 1968; year <= 2120; year++) {
    for (let month = 0; month <= 13; month++) {
      for (let day = 0; day <= 32; day++) {
        const date = [year, month, day].map((part) => String(part).padStart(2, '0')).join('-');
        const time = `${date}T00:00:00.000Z`;
        const isDay =
          year >= 1970 && !Number.isNaN(Date.parse(time)) && new Date(time).toISOString() === time;
        assert.equal(FORMS.time.test(time), isDay, date);
      }
    }
  }
  for (let year = 2120; year <= 9999; year++) {
    const leap = new Date(Date.UTC(year, 1, 29)).getUTCDate() === 29;
    assert.equal(FORMS.time.test(`${year}-02-29T00:00:00Z`), leap, String(year));
  }
  for (const year of ['0000', '1969', '10000', '+2026'])
    assert.ok(!FORMS.time.test(`${year}-01-01T00:00:00Z`));
});

test('a time is to the second, or to at most three digits of it', () => {
  for (const [fraction, isTime] of [
    ['', true],
    ['.1', true],
    ['.12', true],
    ['.123', true],
    ['.1234', false],
    ['.', false],
    [',1', false],
  ] as const) {
    assert.equal(FORMS.time.test(`2026-11-20T23:59:59${fraction}Z`), isTime, fraction);
  }
});

test('a hash has one spelling', () => {
  const last = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
  const accepted = last.filter((character) => FORMS.hash.test(`sha-256:${'A'.repeat(42)}${character}`));
  assert.deepEqual(
    accepted,
    last.filter((_, value) => value % 4 === 0),
  );
});

test('no form lets a control character or a lone surrogate through', () => {
  const samples: Record<TextFormName, string> = {
    line: 'a',
    id: 'a',
    uri: 'urn:a:b#c',
    did_url: 'did:a:b',
    acct: 'acct:a@b',
    email: 'a@b',
    phone: '+12',
    time: '2026-11-20T12:00:00Z',
    hash: `sha-256:${'A'.repeat(43)}`,
    ip: '1.2.3.4',
    trace_id: '1'.repeat(32),
    country: 'FR',
    http_method: 'GET',
    route: '/a',
    adapter: 'a/1',
  };
  for (const [name, text] of Object.entries(samples) as [TextFormName, string][]) {
    assert.ok(FORMS[name].test(text), name);
    for (const bad of ['\u0000', '\n', '\r', '\u007f', '\u0085', '\ud800', '\udfff']) {
      for (let at = 0; at <= text.length; at++) {
        assert.ok(!FORMS[name].test(text.slice(0, at) + bad + text.slice(at)), `${name} at ${at}`);
      }
    }
  }
});

test('no text makes a form slow', () => {
  const hostile = [
    'a',
    '1',
    ':',
    '1:',
    '.',
    '1.',
    '/',
    '%',
    '%4',
    '@',
    'a@',
    '-',
    '0',
    '2',
    'did:',
    '#',
    '::',
    '🙂',
  ];
  for (const [name, form] of Object.entries(FORMS)) {
    for (const unit of hostile) {
      for (const head of ['', 'a:', 'did:a:', 'acct:', '+1', '/']) {
        const text = head + unit.repeat(Math.ceil(65_536 / unit.length)) + '\u0000';
        const start = process.hrtime.bigint();
        assert.ok(!form.test(text));
        const ms = Number(process.hrtime.bigint() - start) / 1e6;
        assert.ok(ms < 250, `${name}: ${ms} ms`);
      }
    }
  }
});
