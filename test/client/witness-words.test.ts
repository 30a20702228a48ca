/** What a report says of witnesses: who, how many, since when, and what was not checked. */

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Receipt } from '../../src/client/receipt.ts';
import { type Check, checkReceipt, type ReceiptReport } from '../../src/client/report.ts';
import { formatSpan, formatUtc } from '../../src/client/time-words.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { verifyProof, verifyReceipt } from '../../src/client/verify.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';
import {
  cosign,
  type Cosigned,
  RECEIVED_TIME_S,
  WITNESSES,
  witnessedTrust,
} from '../support/witnessed-receipt.ts';

const { a, b, c, d, pq } = WITNESSES;
const made = makeTestReceipt();
const T = RECEIVED_TIME_S;
const SAID = 'the log says that it received the event';

function witnessesOf(report: ReceiptReport): Check {
  const check = report.checks.at(-1)!;
  assert.equal(check.name, 'witnesses');
  return check;
}

async function report(
  cosigned: Cosigned,
  trust: JsonObject = witnessedTrust(),
  level: 'signed' | 'witnessed' = 'signed',
): Promise<ReceiptReport> {
  return checkReceipt(await cosign(made, cosigned), { trust, level });
}

describe('two of three', () => {
  test('are named, with the time by which the second of them had signed', async () => {
    const found = await report([
      [c, T + 9],
      [a, T + 1],
      [b, T + 3],
    ]);
    assert.deepEqual(witnessesOf(found), {
      name: 'witnesses',
      result: 'ok',
      detail:
        '2 of 2 needed by the policy, by 2026-11-20 12:00:11 UTC: witness.example/c, witness.example/a, witness.example/b',
      note: 'level: witnessed',
    });
    assert.deepEqual(
      [found.ok, found.level, found.witnessedTimeS, found.cosigners.length, found.unchecked],
      [true, 'witnessed', T + 3, 3, []],
    );
    assert.match(found.checks.at(-2)!.detail, /^log key log\.example\/bank\+[0-9a-f]{8}$/);
  });

  test('are not there with one: it is said, and is no failure unless the level is asked for', async () => {
    const one: Cosigned = [[a, T + 1]];
    const found = await report(one);
    assert.deepEqual([found.ok, found.level, found.witnessedTimeS], [true, 'signed', undefined]);
    assert.deepEqual(witnessesOf(found), {
      name: 'witnesses',
      result: 'skipped',
      detail: '1 of 2 needed by the policy: witness.example/a',
      note: 'level: signed',
    });
    const asked = await report(one, witnessedTrust(), 'witnessed');
    assert.deepEqual([asked.ok, asked.level, asked.error?.code], [false, 'signed', 'level_not_met']);
    assert.equal(witnessesOf(asked).result, 'failed');
    const none = await report([], witnessedTrust(), 'witnessed');
    assert.equal(witnessesOf(none).detail, '0 of 2 needed by the policy');
  });

  test('that a receipt was asked for with, and does not have, are spoken of, though it holds', async () => {
    const pending = { level: 'witnessed', reason: 'deadline', have: 1, need: 2 };
    const receipt = { ...(await cosign(made, [[a, T]])), pending };
    const [trust, words] = [witnessedTrust(), 'newel receipt upgrade fetches the missing lines'];
    const found = checkReceipt(receipt, { trust });
    assert.deepEqual([found.ok, found.level], [true, 'signed']);
    assert.deepEqual(witnessesOf(found), {
      name: 'witnesses',
      result: 'skipped',
      detail: '1 of 2 needed by the policy: witness.example/a',
      note: 'level: signed',
      warning: `witnessed was asked for, and is not reached (deadline): ${words}`,
    });
    const strict = checkReceipt(receipt, { trust, level: 'witnessed' });
    assert.deepEqual([strict.ok, witnessesOf(strict).result], [false, 'failed']);
    assert.equal(witnessesOf(strict).warning, witnessesOf(found).warning);

    const strange = { ...receipt, pending: { ...pending, reason: '<b>' } };
    assert.equal(
      witnessesOf(checkReceipt(strange, { trust })).warning,
      `witnessed was asked for, and is not reached: ${words}`,
    );
    const two = await cosign(made, [
      [a, T],
      [b, T],
    ]);
    for (const [one, under] of [
      [{ ...two, pending }, trust],
      [{ ...receipt, pending: { ...pending, level: 'other' } }, trust],
      [receipt, makeTestReceipt().trustFile],
    ] as const) {
      assert.equal(witnessesOf(checkReceipt(one, { trust: under })).warning, undefined);
    }
  });

  test('are not those who are no witnesses of the policy, whatever the receipt claims', async () => {
    const receipt = await cosign(made, [
      [a, T],
      [d, T],
      [d, T + 1],
    ]);
    const found = checkReceipt({ ...receipt, level: 'witnessed' }, { trust: witnessedTrust() });
    assert.deepEqual([found.level, found.cosigners], ['signed', ['witness.example/a']]);
  });

  test('are not one who signed twice', async () => {
    const found = await report([
      [a, T],
      [a, T],
    ]);
    assert.deepEqual(
      [found.level, witnessesOf(found).detail],
      ['signed', '1 of 2 needed by the policy: witness.example/a'],
    );
  });

  test('of which one is false make the checkpoint false', async () => {
    const receipt = await cosign(made, [
      [a, T],
      [b, T],
    ]);
    const [line = ''] = /^— witness\.example\/b .*$/m.exec(receipt.proof) ?? [];
    const forged = `${line.slice(0, 60)}${line[60] === 'A' ? 'B' : 'A'}${line.slice(61)}`;
    const found = checkReceipt(
      { ...receipt, proof: receipt.proof.replace(line, forged) },
      { trust: witnessedTrust() },
    );
    assert.deepEqual([found.ok, found.level, found.error?.code], [false, undefined, 'signature_invalid']);
    assert.deepEqual([found.cosigners, found.witnessedTimeS], [[], undefined]);
    assert.deepEqual(witnessesOf(found), {
      name: 'witnesses',
      result: 'skipped',
      detail: 'nothing is proven',
    });
  });
});

describe('a time far from the log’s', () => {
  const cases: readonly [lagS: number, warning: string | undefined][] = [
    [0, undefined],
    [300, undefined],
    [-300, undefined],
    [301, `the witnesses had signed 5 minutes after ${SAID}: until then it is the word of the log alone`],
    [-301, `the witnesses had signed 5 minutes before ${SAID}: a clock is wrong, theirs or that of the log`],
    [7300, `the witnesses had signed 2 hours after ${SAID}: until then it is the word of the log alone`],
  ];
  for (const [lagS, warning] of cases) {
    test(`${lagS} s`, async () => {
      const found = await report([
        [a, T + lagS],
        [b, T + lagS],
      ]);
      assert.deepEqual([found.ok, found.level], [true, 'witnessed']);
      assert.equal(witnessesOf(found).warning, warning);
    });
  }

  test('as far as a line can say is told all the same', async () => {
    const found = await report([
      [a, 2 ** 53 - 1],
      [b, 1],
    ]);
    assert.equal(found.ok, true);
    assert.match(witnessesOf(found).detail, /, by second 9007199254740991 after 1970: /);
    assert.match(witnessesOf(found).warning ?? '', /had signed \d+ days after/);
  });

  test('where too few have signed is nothing to be warned of', async () => {
    assert.equal(witnessesOf(await report([[a, T + 9999]])).warning, undefined);
  });
});

describe('a witness of ML-DSA-44, where nobody can check it', () => {
  const trust = witnessedTrust('group q all a pq\nquorum q\n', ['a', 'pq']);
  let receipt: Receipt;
  before(async () => {
    receipt = await cosign(made, [
      [a, T],
      [pq, T],
    ]);
  });

  test('is said not to be checked, and that it would be enough, and is not called false', () => {
    for (const level of ['signed', 'witnessed'] as const) {
      const found = checkReceipt(receipt, { trust, level });
      assert.deepEqual([found.level, found.unchecked], ['signed', ['witness.example/pq']]);
      assert.equal(found.error?.code, level === 'signed' ? undefined : 'level_not_met');
      const check = witnessesOf(found);
      assert.equal(check.result, 'skipped');
      assert.equal(
        check.detail,
        '1 of 2 needed by the policy: witness.example/a; not checked here, being ML-DSA-44: witness.example/pq. ' +
          'With them the policy would be met: newel verify checks them',
      );
    }
  });

  test('that would not be enough either is not said to be', () => {
    const more = witnessedTrust('group q all a b pq\nquorum q\n', ['a', 'b', 'pq']);
    const { detail } = witnessesOf(checkReceipt(receipt, { trust: more }));
    assert.match(detail, /not checked here, being ML-DSA-44: witness\.example\/pq$/);
  });

  test('counts where it can be checked', async () => {
    const able = parseTrust(trust, { mldsa44: nobleMldsa44 });
    const found = await verifyReceipt(receipt, { trust: able, level: 'witnessed' });
    assert.deepEqual(
      [found.level, found.cosigners, found.witnessedTimeS],
      ['witnessed', ['witness.example/a', 'witness.example/pq'], T],
    );
    assert.deepEqual(checkReceipt(receipt, { trust: able }).unchecked, []);
    await assert.rejects(verifyReceipt(receipt, { trust, level: 'witnessed' }), { code: 'level_not_met' });
  });
});

test('a proof alone carries cosigners and time too', async () => {
  const { proof } = await cosign(made, [
    [a, T + 4],
    [b, T + 2],
  ]);
  const found = await verifyProof({ proof, entry: made.leaf, trust: witnessedTrust(), level: 'witnessed' });
  assert.deepEqual(
    [found.level, found.cosigners, found.witnessedTimeS],
    ['witnessed', ['witness.example/a', 'witness.example/b'], T + 4],
  );
});

test('times and spans in words', () => {
  assert.equal(formatUtc(0), '1970-01-01 00:00:00 UTC');
  assert.equal(formatUtc(8_640_000_000_000), '+275760-09-13 00:00:00 UTC');
  assert.equal(formatUtc(8_640_000_000_001), 'second 8640000000001 after 1970');
  for (const [seconds, words] of [
    [0, '0 seconds'],
    [1, '1 second'],
    [119, '119 seconds'],
    [120, '2 minutes'],
    [7199, '119 minutes'],
    [7200, '2 hours'],
    [172_799, '47 hours'],
    [172_800, '2 days'],
  ] as const)
    assert.equal(formatSpan(seconds), words);
});
