/** What every receipt store does. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Receipt } from '../../src/client/receipt.ts';
import type { ReceiptStore } from '../../src/client/receipt-store.ts';
import { makeTestReceipt, TEST_EVENT } from './test-receipt.ts';

export function testReceiptStore(name: string, open: () => Promise<ReceiptStore> | ReceiptStore): void {
  const receipts = ['one', 'two', 'three'].map(
    (id) => makeTestReceipt({ event: { ...TEST_EVENT, id } }).receipt,
  );
  const [first] = receipts as [Receipt];

  describe(name, () => {
    test('keeps what it is given, as it was', async () => {
      const store = await open();
      const given = { ...first, later: { nested: [1] } };
      await store.put(given);
      given.later.nested.push(2);
      assert.deepEqual(await store.get(first.event_id), { ...first, later: { nested: [1] } });
      assert.equal(await store.get(receipts[1]!.event_id), undefined);
    });

    test('lists the events', async () => {
      const store = await open();
      assert.deepEqual(await idsOf(store), []);
      await Promise.all(receipts.map((receipt) => store.put(receipt)));
      assert.deepEqual((await idsOf(store)).toSorted(), receipts.map(({ event_id }) => event_id).toSorted());
    });

    test('puts a later receipt in the place of an earlier one', async () => {
      const store = await open();
      await store.put(first);
      const upgraded = { ...first, level: 'witnessed' };
      await store.put(upgraded);
      assert.deepEqual(await store.get(first.event_id), upgraded);
      assert.deepEqual(await idsOf(store), [first.event_id]);
    });

    test('takes the same receipt many times at once', async () => {
      const store = await open();
      await Promise.all(Array.from({ length: 20 }, () => store.put(first)));
      assert.deepEqual(await store.get(first.event_id), first);
      assert.deepEqual(await idsOf(store), [first.event_id]);
    });

    test('takes nothing that is no receipt', async () => {
      const store = await open();
      for (const event_id of ['../../evt', `evt_${'A'.repeat(21)}/`, '']) {
        await assert.rejects(store.put({ ...first, event_id }), { code: 'malformed' });
      }
      await assert.rejects(store.put({ ...first, proof: 7 as unknown as string }), { code: 'malformed' });
      assert.deepEqual(await idsOf(store), []);
    });
  });
}

async function idsOf(store: ReceiptStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of store.list()) ids.push(id);
  return ids;
}
