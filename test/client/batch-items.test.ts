import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchItems, parseBatchAnswer } from '../../src/client/batch-items.ts';
import { formatReceipt } from '../../src/client/receipt.ts';
import { verifyReceipt } from '../../src/client/verify.ts';
import { EventInvalidError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';

const { trustFile, receipt } = makeTestReceipt();
const blank = receipt.proof.indexOf('\n\n') + 2;
const NOTE = receipt.proof.slice(blank);
const CHECKPOINT = { checkpoint: 1, note: NOTE };
const ITEM: JsonObject = {
  n: 0,
  status: 201,
  ...(receipt as unknown as JsonObject),
  checkpoint: 1,
  proof: receipt.proof.slice(0, blank),
};
const PROBLEM = {
  n: 1,
  status: 422,
  type: 'https://log.example/problems/event_invalid',
  title: 'Event invalid',
  detail: 'the event breaks rules of its schema',
  code: 'event_invalid',
  errors: [{ pointer: '/outcome', detail: 'is none of the list' }],
};

test('a receipt is made whole, byte for byte, from its item and the checkpoint before it', async () => {
  const lines = [CHECKPOINT, ITEM, PROBLEM].map((item) => JSON.stringify(item));
  for (const answer of [
    `${lines.join('\n')}\n`,
    `{"items":[${lines.join(',')}]}\n`,
    { items: [CHECKPOINT, ITEM, PROBLEM] },
  ]) {
    const [first, second, ...more] = parseBatchAnswer(answer);
    assert.deepEqual(more, []);
    assert.ok(first?.receipt);
    assert.equal(formatReceipt(first.receipt), formatReceipt(receipt));
    await verifyReceipt(first.receipt, { trust: trustFile });
    assert.equal(second?.n, 1);
    assert.ok(second.error instanceof EventInvalidError);
    assert.deepEqual(second.error.faults, PROBLEM.errors);
  }
});

test('one checkpoint serves many, and a receipt that is whole is taken as it is', () => {
  const items = new BatchItems();
  assert.equal(items.read(CHECKPOINT), undefined);
  assert.equal(items.read({ checkpoint: 2, note: 'another' }), undefined);
  for (let n = 0; n < 3; n++) assert.deepEqual(items.read({ ...ITEM, n, status: 200 }), { n, receipt });
  assert.deepEqual(items.read({ ...(receipt as unknown as JsonObject), n: 3, status: 201 }), {
    n: 3,
    receipt,
  });
});

test('what is no item of an answer is refused, and nothing of it is repeated', () => {
  const canary = 'canary-8f3a5c17e9b24d60';
  const { proof: _proof, statement: _statement, checkpoint: _checkpoint, ...minimal } = ITEM;
  for (const [what, before, item] of [
    ['a checkpoint that did not come', [], ITEM],
    ['another one', [CHECKPOINT], { ...ITEM, checkpoint: 2 }],
    ['a number that is none', [CHECKPOINT], { ...ITEM, checkpoint: '1' }],
    ['a checkpoint twice', [CHECKPOINT], CHECKPOINT],
    ['a note that is none', [], { checkpoint: 1, note: 5 }],
    ['a note that is too long', [], { checkpoint: 1, note: canary.repeat(12_000) }],
    ['a checkpoint without a number', [], { note: NOTE }],
    ['a proof that is whole already', [CHECKPOINT], { ...ITEM, proof: receipt.proof }],
    ['no proof', [CHECKPOINT], { ...ITEM, proof: 1 }],
    ['no number', [CHECKPOINT], { ...ITEM, n: canary }],
    ['a number below zero', [CHECKPOINT], { ...ITEM, n: -1 }],
    ['no status', [CHECKPOINT], { ...ITEM, status: canary }],
    ['no statement and no proof', [], minimal],
    ['an array', [], [canary]],
    ['a text', [], `"${canary}"`],
    ['no JSON', [], `{"${canary}`],
    ['a member twice', [], `{"n":0,"n":0,"${canary}":1}`],
  ] as const) {
    const items = new BatchItems();
    for (const one of before) items.read(one);
    assert.throws(
      () => items.read(item),
      (error: NodeJS.ErrnoException) =>
        error.code === 'malformed' &&
        !error.message.includes(canary) &&
        /^(item of|receipt) /.test(error.message),
      what,
    );
  }
  assert.throws(() => parseBatchAnswer('{"items":1}'), { code: 'malformed' });
  assert.throws(() => parseBatchAnswer('{"items":[1]}'), { code: 'malformed' });
  assert.deepEqual(parseBatchAnswer(''), []);
});

test('a problem of a code that is none says nothing but its status', () => {
  const { error } = new BatchItems().read({ n: 0, status: 500, code: 'log_in_use', detail: 'x' }) ?? {};
  assert.equal(error?.code, 'unreachable');
});
