import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashLeaf } from '../../src/core/hash.ts';
import { verifyInclusion } from '../../src/core/proof.ts';
import { parseBase64 } from '../../src/formats/base64.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { MAX_ENTRY_BYTES } from '../../src/formats/entry-bundle.ts';
import { parseTlogProof } from '../../src/formats/tlog-proof.ts';
import { KEEP_ALL_MS } from '../../src/log/limits.ts';
import { checkpointKey } from '../../src/storage/keys.ts';
import { openTestLog, testEntry, type TestLog } from '../support/test-log.ts';
import { bearer, openTestSite, type TestSite } from '../support/test-site.ts';

interface Page {
  readonly items: { leaf_index: number; leaf_input: string; leaf_hash: string }[];
  readonly tree_size: number;
  readonly next: number | null;
}

async function readPage(app: TestSite['app'], query: string): Promise<{ page: Page; bytes: number }> {
  const response = await app.request(`/v1/leaves?${query}`);
  assert.equal(response.status, 200);
  const text = await response.text();
  return { page: JSON.parse(text) as Page, bytes: text.length };
}

/** Checks a tlog-proof as a stranger would, and returns the size of the checkpoint it stands on. */
function checkProof({ verifier, origin }: TestLog, index: number, entry: Uint8Array, text: string): number {
  const proof = parseTlogProof(Buffer.from(text));
  assert.equal(proof.index, index);
  assert.equal(proof.extra, undefined);
  const { size, root } = openCheckpoint(proof.checkpoint, [verifier], origin);
  verifyInclusion(index, size, hashLeaf(entry), proof.path, root);
  return size;
}

test('following next reads every leaf once, with its hash', async () => {
  const { app, test: log } = await openTestSite({ entries: 1234 });
  const seen: Uint8Array[] = [];
  for (let start: number | null = 0; start !== null;) {
    const { page }: { page: Page } = await readPage(app, `start=${start}&limit=77`);
    assert.equal(page.tree_size, 1234);
    for (const item of page.items) {
      assert.equal(item.leaf_index, seen.length);
      const entry = parseBase64(item.leaf_input);
      assert.deepEqual(parseBase64(item.leaf_hash), hashLeaf(entry));
      seen.push(entry);
    }
    start = page.next;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 1234 }, (_, i) => testEntry(i)),
  );
  const { page } = await readPage(app, 'limit=1000000');
  assert.equal(page.items.length, 1000, 'no more than a thousand');
  assert.equal(page.next, 1000);
  await log.log.close();
});

test('large leaves end an answer early', async () => {
  const entries = Array.from({ length: 80 }, (_, i) => new Uint8Array(MAX_ENTRY_BYTES).fill(i));
  const { app, test: log } = await openTestSite({ entries });
  const { page, bytes } = await readPage(app, 'limit=80');
  assert.ok(page.items.length > 40 && page.items.length < 50, String(page.items.length));
  assert.ok(bytes < 4.1 * 2 ** 20, String(bytes));
  assert.equal(page.next, page.items.length);
  const rest = await readPage(app, `start=${page.next}&limit=80`);
  assert.equal(rest.page.items.length, 80 - page.items.length);
  assert.equal(rest.page.next, null);
  await log.log.close();
});

test('a leaf comes with the path to the root of its tree size', async () => {
  const { app, test: log } = await openTestSite({ entries: 300 });
  const { root } = log.log.published;
  for (const index of [0, 1, 255, 256, 299]) {
    const response = await app.request(`/v1/leaves/${index}`);
    const leaf = (await response.json()) as { leaf_hash: string; tree_size: number; audit_path: string[] };
    assert.equal(leaf.tree_size, 300);
    const path = leaf.audit_path.map((hash) => parseBase64(hash));
    assert.deepEqual(parseBase64(leaf.leaf_hash), hashLeaf(testEntry(index)));
    verifyInclusion(index, 300, hashLeaf(testEntry(index)), path, root);
  }
  await log.log.close();
});

test('a proof stands on the earliest checkpoint that covers its leaf, and holds', async () => {
  const { app, test: log } = await openTestSite({ entries: 3 });
  for (const size of [5, 9, 300]) {
    for (let i = log.log.revealed.size; i < size; i++) await log.append(testEntry(i));
    await log.publish();
  }
  for (const [index, covering] of [
    [0, 3],
    [2, 3],
    [3, 5],
    [4, 5],
    [5, 9],
    [299, 300],
  ] as const) {
    const response = await app.request(`/v1/leaves/${index}/proof`);
    assert.equal(response.status, 200);
    assert.equal(checkProof(log, index, testEntry(index), await response.text()), covering);
  }
  await log.log.close();
});

test('a leaf that is only revealed is proven to the bearer of a token, on the signed head', async () => {
  const { app, test: log } = await openTestSite({ entries: 3 });
  await log.append(testEntry(3));
  const response = await app.request('/v1/leaves/3/proof', { headers: bearer('submit') });
  assert.equal(response.headers.get('Cache-Control'), 'private, no-store');
  assert.equal(checkProof(log, 3, testEntry(3), await response.text()), 4);
  const published = await app.request('/v1/leaves/2/proof', { headers: bearer('submit') });
  assert.equal(checkProof(log, 2, testEntry(2), await published.text()), 3);
  await log.log.close();
});

test('after years of silence the last leaves still have their proof', async () => {
  const { app, test: log } = await openTestSite({ entries: 3 });
  await log.append(testEntry(3));
  await log.publish();
  for (let day = 0; day < 20; day++) {
    const { timeMs } = log.log.published;
    log.clock.advance(KEEP_ALL_MS / 7);
    for (let turn = 0; turn < 1000 && log.log.published.timeMs === timeMs; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const response = await app.request('/v1/leaves/3/proof');
  assert.equal(response.status, 200);
  assert.equal(checkProof(log, 3, testEntry(3), await response.text()), 4);
  await log.log.close();
});

test('a kept checkpoint that is ahead of what is published is not shown', async () => {
  const { app, test: log } = await openTestSite({ entries: 3 });
  await log.append(testEntry(3));
  // As it is for a moment in every publication: durable, and not yet served.
  const [row] = await log.store.getMany([checkpointKey(3)]);
  const value = Buffer.concat([Buffer.from(row!.subarray(0, 8)), Buffer.from(log.log.revealed.checkpoint)]);
  await log.store.commit({
    puts: [{ key: checkpointKey(4), value: new Uint8Array(value) }],
    deletes: [checkpointKey(3)],
  });
  const response = await app.request('/v1/leaves/2/proof');
  assert.equal(checkProof(log, 2, testEntry(2), await response.text()), 3);
  await log.log.close();
});

test('a kept checkpoint that was damaged is never handed out', async () => {
  const { app, test: log, errors } = await openTestSite({ entries: 3 });
  await log.append(testEntry(3));
  await log.publish();
  const [row] = await log.store.getMany([checkpointKey(3)]);
  for (const at of [12, 30, 60, row!.length - 10]) {
    const damaged = row!.slice();
    damaged[at]! ^= 1;
    await log.store.commit({ puts: [{ key: checkpointKey(3), value: damaged }] });
    const response = await app.request('/v1/leaves/0/proof');
    assert.equal(response.status, 503, `byte ${at}`);
    assert.equal(((await response.json()) as { code: string }).code, 'storage_failed');
  }
  assert.equal(errors.length, 4, 'each is reported');
  assert.equal((await app.request('/v1/leaves/3/proof')).status, 200, 'the next one is whole');
  await log.log.close();
});

test('a checkpoint of another key is never handed out', async () => {
  const other = await openTestLog({ entries: 3, seed: new Uint8Array(32).fill(9) });
  const { app, test: log } = await openTestSite({ entries: 3 });
  const [row] = await other.store.getMany([checkpointKey(3)]);
  await log.store.commit({ puts: [{ key: checkpointKey(3), value: row! }] });
  assert.equal((await app.request('/v1/leaves/0/proof')).status, 503);
  await log.log.close();
  await other.log.close();
});
