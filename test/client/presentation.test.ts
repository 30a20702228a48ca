import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  checkPresentation,
  openPresentation,
  type PresentationOptions,
  type Presented,
  verifyPresentation,
} from '../../src/client/presentation.ts';
import { checkReceipt } from '../../src/client/report.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { formatJwk } from '../../src/formats/jwk.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { hasCode, runCases } from '../formats/cases.ts';
import { makePresentation, PRESENTED_TIME_S, type PresentationEdits } from '../support/presentation.ts';
import { makeTestReceipt, seedOf, TEST_EVENT } from '../support/test-receipt.ts';

const { receipt, trustFile } = makeTestReceipt();

interface Vector {
  readonly statement: string;
  readonly presentation: string;
  readonly jwk: JsonObject;
  readonly issuer: string;
}

runCases<Vector>('presentation/verify.json', ({ statement, presentation, jwk, issuer }) => {
  const trust = parseTrust({ ...trustFile, issuer, jwks: { keys: [jwk] } });
  const opened = openPresentation(presentation, statement, trust);
  assert.equal(opened.kid, jwk['kid']);
  return { audience: opened.audience, nonce: opened.nonce, iat: opened.issuedTimeS };
});

const nowMs = 1000 * PRESENTED_TIME_S;
const OPTIONS: PresentationOptions = {
  trust: trustFile,
  audience: 'auditor.example',
  nonce: 'n-0S6_WzA2Mj',
  nowMs,
};

/** Type and outcome of the test receipt's event, and nothing else. */
function presented(edits: PresentationEdits = {}, from = receipt): Presented {
  const statement = presentSdJwt(from.statement, ([name]) => name === 'type' || name === 'outcome');
  return { statement, presentation: makePresentation(statement, edits), proof: from.proof };
}

function failuresOf(input: Presented, options: Partial<PresentationOptions> = {}): string[] {
  const { ok, level, error, checks } = checkPresentation(input, { ...OPTIONS, ...options });
  const failed = checks.flatMap(({ name, result, detail }) =>
    result === 'failed' ? [`${name}: ${detail}`] : [],
  );
  assert.equal(ok, failed.length === 0);
  assert.equal(ok, error === undefined);
  assert.equal(ok, level !== undefined);
  return failed;
}

describe('a presentation that holds', () => {
  test('says so in six lines, and vouches for no id and no source', () => {
    const { ok, checks, event } = checkPresentation(presented(), OPTIONS);
    assert.equal(ok, true);
    assert.deepEqual(
      checks.map(({ name, result }) => [name, result]),
      [
        ['statement', 'ok'],
        ['presentation', 'ok'],
        ['leaf', 'ok'],
        ['inclusion', 'ok'],
        ['checkpoint', 'ok'],
        ['witnesses', 'skipped'],
      ],
    );
    assert.equal(checks[0]!.note, '2 claims shown');
    assert.equal(checks[1]!.detail, 'for auditor.example, nonce n-0S6_WzA2Mj, made 2026-11-20 12:01:08 UTC');
    assert.equal(checks[1]!.note, undefined);
    assert.deepEqual(event, { schema: 'stepup/1', type: 'stepup.completed', outcome: 'success' });
  });

  test('is verified to what it says', async () => {
    const { presentation, event, eventId, leafIndex, level } = await verifyPresentation(presented(), OPTIONS);
    assert.deepEqual(presentation, {
      audience: 'auditor.example',
      nonce: 'n-0S6_WzA2Mj',
      issuedTimeS: PRESENTED_TIME_S,
      kid: ((trustFile['jwks'] as JsonObject)['keys'] as JsonObject[])[0]!['kid'],
    });
    assert.deepEqual([eventId, leafIndex, level], [receipt.event_id, 41, 'signed']);
    assert.equal(event['outcome'], 'success');
  });

  test('by a key that has retired since', () => {
    const seed = seedOf('statement 2');
    const next = formatJwk(nobleEd25519.publicKey(seed));
    const { keys } = trustFile['jwks'] as { keys: JsonObject[] };
    const trust = { ...trustFile, jwks: { keys: [{ ...next }, ...keys] } };
    assert.deepEqual(failuresOf(presented(), { trust }), []);
    assert.deepEqual(failuresOf(presented({ seed }), { trust }), []);
  });

  test('where nobody said what was expected, that is said', () => {
    const noteOf = (options: Partial<PresentationOptions>): string | undefined =>
      checkPresentation(presented(), { trust: trustFile, nowMs, ...options }).checks[1]!.note;
    assert.equal(noteOf({}), 'nobody said which was expected: audience, nonce');
    assert.equal(noteOf({ audience: 'auditor.example' }), 'nobody said which was expected: nonce');
    assert.equal(noteOf({ nonce: 'n-0S6_WzA2Mj' }), 'nobody said which was expected: audience');
  });

  test('of an event with a holder', () => {
    const holder = { ...formatJwk(nobleEd25519.publicKey(seedOf('holder'))) };
    const other = makeTestReceipt({ holder });
    const { ok, event } = checkPresentation(presented({}, other.receipt), {
      ...OPTIONS,
      trust: other.trustFile,
    });
    assert.equal(ok, true);
    assert.deepEqual(event!['holder'], holder);
  });
});

describe('a presentation fails', () => {
  const changes: [what: string, input: Presented, options: Partial<PresentationOptions>, line: RegExp][] = [
    [
      'for another audience',
      presented(),
      { audience: 'auditor.example.' },
      /^presentation: .*another audience/,
    ],
    ['with another nonce', presented(), { nonce: 'n-1' }, /^presentation: .*another nonce/],
    ['at another time', presented(), { issuedTimeS: PRESENTED_TIME_S + 1 }, /^presentation: .*another time/],
    [
      'made before the event was received',
      presented({ payload: (payload) => ({ ...payload, iat: PRESENTED_TIME_S - 361 }) }),
      {},
      /^presentation: .*before the log received/,
    ],
    ['of a time to come', presented(), { nowMs: nowMs - 300_001 }, /^presentation: .*time to come/],
    [
      'of the last second there is',
      presented({ payload: (payload) => ({ ...payload, iat: Number.MAX_SAFE_INTEGER }) }),
      {},
      /^presentation: .*time to come/,
    ],
    [
      'with a disclosure less',
      { ...presented(), statement: presentSdJwt(receipt.statement, ([name]) => name === 'type') },
      {},
      /^presentation: .*other claims/,
    ],
    [
      'of another event',
      { ...presented(), eventId: `evt_${'A'.repeat(22)}` },
      {},
      /^statement: .*another event/,
    ],
    ['without a JWT', { ...presented(), presentation: '' }, {}, /^presentation: .*cannot be read/],
    [
      'with the statement for a JWT',
      { ...presented(), presentation: receipt.statement },
      {},
      /^presentation: /,
    ],
  ];
  for (const [what, input, options, line] of changes) {
    test(what, async () => {
      const failed = failuresOf(input, options);
      assert.equal(failed.length, 1, failed.join('; '));
      assert.match(failed[0]!, line);
      await assert.rejects(verifyPresentation(input, { ...OPTIONS, ...options }));
    });
  }

  test('with the proof of another event, in the line of the inclusion', async () => {
    const other = makeTestReceipt({ event: { ...TEST_EVENT, id: 'other' }, index: 40 }).receipt;
    const failed = failuresOf({ ...presented(), proof: other.proof });
    assert.deepEqual(
      failed.map((line) => line.split(':')[0]),
      ['inclusion'],
    );
    await assert.rejects(
      verifyPresentation({ ...presented(), proof: other.proof }, OPTIONS),
      hasCode('root_mismatch'),
    );
  });

  test('with a key binding behind the statement, which nobody here can judge', () => {
    const { statement } = presented();
    const bound = `${statement}eyJhIjoxfQ.eyJhIjoxfQ.AAAA`;
    const input = { ...presented(), statement: bound, presentation: makePresentation(bound) };
    const checks = checkPresentation(input, OPTIONS).checks;
    assert.deepEqual(
      checks.slice(0, 2).map(({ name, result }) => [name, result]),
      [
        ['statement', 'failed'],
        ['presentation', 'skipped'],
      ],
    );
  });

  test('with any bit of the JWT changed', () => {
    const input = presented();
    const { presentation } = input;
    for (let at = 0; at < presentation.length; at++) {
      const bit = 1 << (at % 7);
      const flipped = String.fromCharCode(presentation.charCodeAt(at) ^ bit);
      const changed = presentation.slice(0, at) + flipped + presentation.slice(at + 1);
      const failed = failuresOf({ ...input, presentation: changed });
      assert.equal(failed.length, 1, `${at}`);
      assert.match(failed[0]!, /^presentation: /);
    }
  });
});

test('a receipt has no line of presentation', () => {
  assert.equal(checkReceipt(receipt, { trust: trustFile }).checks.length, 5);
});
