import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatReceipt, isEventId, parseReceipt, type Receipt } from '../../src/client/receipt.ts';
import { NewelError } from '../../src/errors.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { SLOW } from '../support/slow.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';

const { receipt } = makeTestReceipt();

function withMember(name: string, value: unknown): Receipt {
  return { ...receipt, [name]: value };
}

describe('parseReceipt', () => {
  test('gives back what formatReceipt wrote, member by member, later ones too', () => {
    const text = formatReceipt(withMember('nested', { list: [1, null] }));
    assert.equal(formatReceipt(parseReceipt(text)), text);
    assert.equal(formatReceipt(parseReceipt(new TextEncoder().encode(text))), text);
    assert.equal(formatReceipt(parseReceipt(JSON.parse(text))), text);
    assert.ok(text.endsWith('}\n') && text.indexOf('\n') === text.length - 1);
  });

  test('is a copy, which nobody changes afterwards', () => {
    const given = { ...receipt, pending: { level: 'witnessed' } };
    const parsed = parseReceipt(given);
    given.pending.level = 'changed';
    assert.deepEqual(parsed.pending, { level: 'witnessed' });
    let reads = 0;
    const shifty = {
      ...receipt,
      get log(): string {
        return reads++ === 0 ? receipt.log : 'log.example/other';
      },
    };
    reads = 0;
    assert.equal(parseReceipt(shifty).log, receipt.log);
    assert.equal(reads, 1);
  });

  const flaws: [member: string, values: JsonValue[]][] = [
    [
      'event_id',
      [
        7,
        '',
        'evt_',
        `evt_${'A'.repeat(21)}`,
        `evt_${'A'.repeat(23)}`,
        `evt_${'/'.repeat(22)}`,
        `evt_${'A'.repeat(21)}\n`,
      ],
    ],
    ['id', [7, '', ' ', 'é', 'a'.repeat(129)]],
    ['source', [7, '', 'a'.repeat(5000)]],
    ['log', [7, '']],
    ['leaf_index', ['41', -1, 1.5, 2 ** 53]],
    [
      'leaf_hash',
      [7, '', 'AAAA', receipt.leaf_hash.replace('=', ''), receipt.leaf_hash.replace(/.=$/, 'B=')],
    ],
    ['tree_size', ['42', -1, null]],
    ['level', [7, '']],
    [
      'received_time',
      [7, '2026-11-20', '2026-11-20T12:00:08Z', '2026-11-20T12:00:08.123+00:00', '2026-02-30T12:00:08.123Z'],
    ],
    ['proof_url', [7, null]],
    ['statement', [7, 'x'.repeat(256 * 1024 + 1)]],
    ['proof', [7, null]],
    ['pending', [7, null, []]],
  ];
  for (const [member, values] of flaws) {
    test(`refuses a ${member} that is none`, () => {
      for (const value of values) {
        assert.throws(
          () => parseReceipt({ ...receipt, [member]: value }),
          (error) => {
            assert.ok(error instanceof NewelError && error.code === 'malformed', String(error));
            assert.match(error.message, new RegExp(`^receipt has a ${member} `));
            return true;
          },
        );
      }
      const { [member]: _, ...rest } = receipt as unknown as JsonObject;
      if (member !== 'pending' && member !== 'proof_url')
        assert.throws(() => parseReceipt(rest), { code: 'malformed' });
    });
  }

  test('leaves out a proof_url that is no http or https URL', () => {
    const { proof_url: _, ...linkless } = receipt;
    assert.deepEqual(parseReceipt(linkless), linkless);
    const links = [
      '',
      '-',
      '//log.example/x',
      'javascript:alert(1)',
      'https://',
      'https://[/',
      'https://log.example/\n',
      'https://log.example/ x',
      'https://log.example/\u001b[31m',
      'https://log.example/\u0085',
      'https://log.example/\u202egpj',
      'https://log.example/\ud800',
      `https://log.example/${'x'.repeat(5000)}`,
    ];
    for (const link of links) {
      assert.deepEqual(parseReceipt(withMember('proof_url', link)), linkless, JSON.stringify(link));
    }
    for (const link of [
      'http://127.0.0.1:8080/v1/leaves/1/proof',
      'https://[::1]/x',
      'https://bücher.example/é',
    ]) {
      assert.equal(parseReceipt(withMember('proof_url', link)).proof_url, link);
    }
  });

  test('of a minimal answer says where the rest is', () => {
    const { statement: _, proof: _proof, ...minimal } = receipt;
    assert.throws(() => parseReceipt(minimal), {
      code: 'malformed',
      message: /\/v1\/events\/<event_id>\/receipt/,
    });
  });

  test('refuses a member that is there twice', () => {
    const text = formatReceipt(receipt).replace('{', '{"log":"log.example/other",');
    assert.throws(() => parseReceipt(text), { code: 'malformed', message: /twice/ });
  });

  test('never throws anything but a NewelError, whatever it is given', () => {
    const runs = SLOW ? 5000 : 300;
    const changed = fc.tuple(fc.constantFrom(...Object.keys(receipt)), fc.jsonValue());
    const inputs = fc.oneof(
      fc.jsonValue(),
      fc.string(),
      changed.map(([name, value]) => withMember(name, value)),
    );
    fc.assert(
      fc.property(inputs, (input) => {
        try {
          parseReceipt(input);
        } catch (error) {
          assert.ok(error instanceof NewelError, String(error));
        }
      }),
      { numRuns: runs },
    );
  });
});

test('an event id names one event, and no path', () => {
  assert.ok(isEventId(receipt.event_id));
  for (const text of [
    '',
    '../../../etc/passwd',
    `evt_${'A'.repeat(20)}/.`,
    `xevt_${'A'.repeat(22)}`,
    `EVT_${'A'.repeat(22)}`,
  ]) {
    assert.ok(!isEventId(text), text);
  }
});
