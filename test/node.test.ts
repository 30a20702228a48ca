import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { formatReceipt } from '../src/client/receipt.ts';
import { FileReceiptStore } from '../src/node.ts';
import { testReceiptStore } from './support/receipt-store-suite.ts';
import { makeTestReceipt, TEST_EVENT } from './support/test-receipt.ts';

const { receipt } = makeTestReceipt();
let folder: string;
let made = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'newel-receipts-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** The path of a folder that is not there yet. */
function newFolder(): string {
  made += 1;
  return join(folder, String(made), 'receipts');
}

testReceiptStore('receipts in files', () => new FileReceiptStore(newFolder()));

describe('FileReceiptStore', () => {
  test('writes the receipt as it came, for its owner alone, and nothing beside it', async (t) => {
    const dir = newFolder();
    await new FileReceiptStore(dir).put(receipt);
    assert.deepEqual(await readdir(dir), [`${receipt.event_id}.receipt.json`]);
    const path = join(dir, `${receipt.event_id}.receipt.json`);
    assert.equal(await readFile(path, 'utf8'), formatReceipt(receipt));
    if (process.platform === 'win32') return t.skip('there are no such permissions here');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(dir)).mode & 0o777, 0o700);
    await chmod(path, 0o644);
    await new FileReceiptStore(dir).put(receipt);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  test('names files after event ids alone', () => {
    const store = new FileReceiptStore(folder);
    for (const id of [
      '',
      '..',
      '../x',
      `evt_${'A'.repeat(21)}`,
      `evt_${'A'.repeat(22)}/..`,
      `evt_${'.'.repeat(22)}`,
    ]) {
      assert.throws(() => store.pathOf(id), { code: 'malformed' });
    }
  });

  test('gives back no file that is damaged, or another event’s', async () => {
    const dir = newFolder();
    const store = new FileReceiptStore(dir);
    await store.put(receipt);
    const path = store.pathOf(receipt.event_id);
    const other = makeTestReceipt({ event: { ...TEST_EVENT, id: 'other' } }).receipt;
    await writeFile(path, formatReceipt(other));
    await assert.rejects(store.get(receipt.event_id), { code: 'storage_failed' });
    await writeFile(path, formatReceipt(receipt).slice(0, -10));
    await assert.rejects(store.get(receipt.event_id), { code: 'malformed' });
    await assert.rejects(store.get('../x'), { code: 'malformed' });
  });

  test('lists receipts, whatever else lies there', async () => {
    const dir = newFolder();
    const store = new FileReceiptStore(dir);
    await store.put(receipt);
    for (const name of ['notes.txt', `${receipt.event_id}.receipt.json.0a.new`, 'x.receipt.json']) {
      await writeFile(join(dir, name), '');
    }
    const ids: string[] = [];
    for await (const id of store.list()) ids.push(id);
    assert.deepEqual(ids, [receipt.event_id]);
  });

  test('leaves nothing behind where it cannot write', async () => {
    const dir = newFolder();
    const store = new FileReceiptStore(dir);
    await store.put(receipt);
    await rm(store.pathOf(receipt.event_id));
    // A folder in the file's place: the rename fails.
    await new FileReceiptStore(store.pathOf(receipt.event_id)).put(receipt);
    await assert.rejects(store.put(receipt));
    assert.deepEqual(await readdir(dir), [`${receipt.event_id}.receipt.json`]);
  });
});
