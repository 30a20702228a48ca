import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findCardNumbers, isCardName, isCardNumber, isIdentifierName } from '../../src/event/card-number.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 20_000 : 1000;

/** Numbers that issuers and payment processors publish for tests. */
const TEST_NUMBERS: readonly string[] = [
  '4111111111111111',
  '4012888888881881',
  '4222222222222',
  '5555555555554444',
  '5105105105105100',
  '2223003122003222',
  '378282246310005',
  '371449635398431',
  '6011111111111117',
  '6011000990139424',
  '30569309025904',
  '38520000023237',
  '3056930009020004',
  '3530111333300000',
  '3566002020360505',
  '6200000000000005',
  '6205500000000000004',
  '6304000000000000',
  '6759649826438453',
  '2200000000000004',
  '9792030394440796',
];

const standingsOf = (text: string): string[] => findCardNumbers(text).map(({ as }) => as);

test('the numbers that are published for tests are card numbers', () => {
  for (const digits of TEST_NUMBERS) assert.ok(isCardNumber(digits), digits);
});

test('one digit that is changed makes it none', () => {
  for (const digits of TEST_NUMBERS) {
    for (let i = 0; i < digits.length; i++) {
      const other = String((Number(digits[i]) + 1) % 10);
      assert.equal(
        isCardNumber(digits.slice(0, i) + other + digits.slice(i + 1)),
        false,
        `${digits} at ${i}`,
      );
    }
  }
});

test('a check digit without an issuer, or with a length that the issuer does not have, is not enough', () => {
  for (const digits of [
    '1234567812345670',
    '0000000000000000',
    '79927398713',
    '8888888888888888',
    '41111111111116',
  ]) {
    assert.equal(isCardNumber(digits), false, digits);
  }
});

test('how a number stands in its text', () => {
  const cases: readonly [text: string, standings: string[]][] = [
    ['4111111111111111', ['whole']],
    [' 4111111111111111\n', ['whole']],
    ['4111 1111 1111 1111', ['grouped']],
    ['3782-822463-10005', ['grouped']],
    ['3056 930902 5904', ['grouped']],
    ['got 4111.1111.1111.1111', ['grouped']],
    ['got 4111_1111_1111_1111', ['grouped']],
    ['3782/822463/10005', ['grouped']],
    ['got 4111/1111/1111/1111/12/28', ['grouped']],
    ['blobs/4111/1111/1111/1111', ['bare']],
    ['cards/4111/1111/1111/1111', ['named']],
    ['MC/4111 1111 1111 1111', ['grouped']],
    ['got 4111111111111111', ['bare']],
    ['VISA 4111111111111111', ['named']],
    ['4111111111111111 (visa)', ['named']],
    ['credit_card=4111111111111111', ['named']],
    ['order 4111 1111 1111 1111', ['bare']],
    ['order for card 4111 1111 1111 1111', ['named']],
    ['a-4111-1111-1111-1111', ['bare']],
    ['scorecard 4111111111111111', ['bare']],
    ['1234 4111 1111 1111 1111', ['grouped']],
    ['4111 1111 1111 1111 123', ['grouped']],
    ['6205 5000 0000 0000 004', ['grouped']],
    [';4111111111111111=29121010000', ['named']],
    // Separators of two kinds, groups of other sizes, more digits than any card has.
    ['4111-1111 1111-1111', []],
    ['4111_1111/1111_1111', []],
    ['inv_4111_1111_1111_1111', []],
    ['4111_1111_1111_1111_v2', []],
    ['41111 11111 11111 1', []],
    ['41111111111111110000', []],
    ['x4111111111111111', []],
    ['4111111111111111x', []],
    ['+4111111111111111', []],
    ['0.4111111111111111', []],
    ['4222222222222', []],
    ['card 4222222222222', ['named']],
  ];
  for (const [text, standings] of cases) assert.deepEqual(standingsOf(text), standings, text);
});

test('a number is found between whatever is no part of it, at its place', () => {
  const around = fc.stringMatching(/^[a-z ,;:()[\]"'\n]{0,20}$/);
  fc.assert(
    fc.property(around, fc.constantFrom(...TEST_NUMBERS), around, (before, digits, after) => {
      const text = `${before} card ${digits} ${after}`;
      const [card, ...more] = findCardNumbers(text);
      assert.deepEqual(more, []);
      assert.equal(text.slice(card!.begin, card!.end), digits);
      assert.equal(card!.as, 'named');
    }),
    { numRuns },
  );
});

test('names of members', () => {
  for (const name of ['card', 'cardNumber', 'payment_card', 'PAN', 'com.bank.card', 'cards'])
    assert.ok(isCardName(name), name);
  for (const name of ['cardinality', 'discard', 'scorecard', 'company', 'span', 'value'])
    assert.equal(isCardName(name), false, name);
  for (const name of [
    'id',
    'txn',
    'order_id',
    'orderNumber',
    'phone_number',
    'X-Request-Id',
    'telephone',
    'com.bank.tracking_no',
  ])
    assert.ok(isIdentifierName(name), name);
  for (const name of ['value', 'note', 'number', 'account_number', 'paid', 'idea', ''])
    assert.equal(isIdentifierName(name), false, name);
});
