/**
 * The landing page in a real browser: it shows the log, and verifies receipts of that log in the page, with the script
 * that the package is built with and nothing from the network. Beside it, the receipt store that only browsers have.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before, describe, test, type TestContext } from 'node:test';
import { bundle } from '../../bench/support/bundle.ts';
import type { Receipt } from '../../src/client/receipt.ts';
import { createApp } from '../../src/http/app.ts';
import { listen, type Listening } from '../../src/http/listen.ts';
import { Chromium, chromiumAbsent, type ChromiumPage } from '../support/chromium.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';
import { bearer, openTestSite, type TestSite } from '../support/test-site.ts';
import { cosign, RECEIVED_TIME_S, WITNESSES, witnessedTrust } from '../support/witnessed-receipt.ts';

const EXAMPLE = new URL('../../spec/examples/full.json', import.meta.url);
const CHECKS = ['statement', 'leaf', 'inclusion', 'checkpoint', 'witnesses'];

describe('the landing page in Chromium', { skip: chromiumAbsent(), timeout: 300_000 }, () => {
  let chromium: Chromium;
  let opened: TestSite;
  let listening: Listening;
  let receipt: Receipt;
  before(async () => {
    const script = await bundle({ file: 'src/client/page.ts' }, { format: 'iife' });
    opened = await openTestSite({ kind: 'events' });
    listening = await listen({ host: '127.0.0.1', port: 0 });
    const site = { ...opened.site, url: listening.url, verifierScript: script.text, now: () => Date.now() };
    listening.serve(createApp(site, opened.write));
    const response = await fetch(`${listening.url}/v1/events`, {
      method: 'POST',
      headers: { ...bearer('submit'), 'Content-Type': 'application/json' },
      body: readFileSync(EXAMPLE),
    });
    assert.equal(response.status, 201);
    receipt = (await response.json()) as Receipt;
    await opened.test.publish();
    chromium = await Chromium.open();
  });
  after(async () => {
    await chromium?.close();
    await listening?.close(0);
    await opened?.test.log.close();
  });

  /** The mark and the words of each line; whoever hears the page hears the same. */
  async function linesOf(page: ChromiumPage): Promise<Record<string, string>> {
    await page.until(`document.querySelector('#verdict').childElementCount > 0`);
    const lines = await page.evaluate(
      `Array.from(document.querySelectorAll('#verdict [data-check]'), (line) => [line.dataset.check, line.querySelector('[role=img]').ariaLabel])`,
    );
    return Object.fromEntries(lines as [string, string][]);
  }

  async function drop(
    page: ChromiumPage,
    text: string,
    name = 'evt.receipt.json',
  ): Promise<Record<string, string>> {
    await page.evaluate(`document.querySelector('#verdict').replaceChildren()`);
    await page.dropFile(name, text);
    return linesOf(page);
  }

  const HOLDS = {
    statement: 'holds',
    leaf: 'holds',
    inclusion: 'holds',
    checkpoint: 'holds',
    witnesses: 'not checked',
  };

  test('it shows the log, and complains of nothing', async () => {
    const page = await chromium.openPage(listening.url);
    const shown = String(await page.evaluate('document.body.innerText'));
    const { origin, vkey } = opened.test;
    for (const text of [origin, vkey]) assert.ok(shown.includes(text), `${text} is on the page`);
    assert.equal(await page.evaluate(`document.querySelector('#verifier').hidden`), false);
    assert.match(
      String(await page.evaluate(`document.querySelector('#trust-state').textContent`)),
      /shows that the server agrees with itself, and little more/,
    );
    assert.deepEqual(page.complaints, []);
  });

  test('a receipt that is dropped, chosen or pasted holds, line by line', async (t) => {
    const page = await chromium.openPage(listening.url);
    const text = JSON.stringify(receipt);
    assert.deepEqual(await drop(page, text), HOLDS);
    const heading = String(await page.evaluate(`document.querySelector('#verdict h3').textContent`));
    const time = receipt.received_time.slice(0, 19).replace('T', ' ');
    assert.equal(heading, `✔ receipt of ${receipt.event_id} (stepup.completed, ${time} UTC)`);
    const said = String(await page.evaluate(`document.querySelector('#verdict').innerText`));
    for (const words of [
      'signed by log.example/test, key ',
      '41 claims shown',
      'in tree of 2',
      'level: signed',
    ]) {
      assert.ok(said.includes(words), `${words}: ${said}`);
    }
    const path = join(await tempFolder(t), 'evt.receipt.json');
    await writeFile(path, text);
    await page.evaluate(`document.querySelector('#verdict').replaceChildren()`);
    await page.chooseFiles('#receipt-file', [path]);
    assert.deepEqual(await linesOf(page), HOLDS);
    await page.evaluate(`document.querySelector('#verdict').replaceChildren()`);
    await page.evaluate(`{
      const area = document.querySelector('#receipt-text');
      area.value = ${JSON.stringify(text)};
      area.dispatchEvent(new InputEvent('input', { bubbles: true }));
    }`);
    assert.deepEqual(await linesOf(page), HOLDS);
    assert.deepEqual(page.complaints, []);
  });

  test('with one character changed, the line that it belongs to fails', async () => {
    const page = await chromium.openPage(listening.url);
    const { statement, proof } = receipt;
    const [header = '', payload = ''] = statement.split('.');
    const at = header.length + 1 + payload.length / 2;
    const head = proof.indexOf('\n\n');
    const hash = proof.slice(0, head).lastIndexOf('\n') + 1;
    const signature = proof.lastIndexOf(' ') + 20;
    const changes: [check: string, changed: Receipt][] = [
      ['statement', { ...receipt, statement: otherAt(statement, Math.floor(at)) }],
      ['statement', { ...receipt, statement: otherAt(statement, statement.length - 10) }],
      ['leaf', { ...receipt, leaf_index: receipt.leaf_index + 1 }],
      ['inclusion', { ...receipt, proof: otherAt(proof, hash) }],
      ['checkpoint', { ...receipt, proof: otherAt(proof, signature) }],
    ];
    for (const [check, changed] of changes) {
      const lines = await drop(page, JSON.stringify(changed));
      assert.deepEqual(Object.keys(lines), CHECKS);
      assert.equal(lines[check], 'fails', `${check}: ${JSON.stringify(lines)}`);
      assert.equal(await page.evaluate(`document.querySelector('#verdict h3').className`), 'failed');
      assert.equal(await page.evaluate(`document.querySelector('#verdict details')`), null);
    }
    assert.deepEqual(page.complaints, []);
  });

  test('witnesses are counted and named; one with a key of ML-DSA-44 is said not to be checked, never to be false', async () => {
    const page = await chromium.openPage(listening.url);
    const cosigned = await cosign(makeTestReceipt(), [
      [WITNESSES.a, RECEIVED_TIME_S + 3600],
      [WITNESSES.pq, RECEIVED_TIME_S],
    ]);
    const saidUnder = async (rest: string): Promise<{ mark: string | undefined; said: string }> => {
      await page.dropFile('log.json', JSON.stringify(witnessedTrust(rest, ['a', 'pq'])));
      const lines = await drop(page, JSON.stringify(cosigned));
      assert.equal(await page.evaluate(`document.querySelector('#verdict h3').className`), 'ok');
      const said = await page.evaluate(`document.querySelector('[data-check=witnesses]').textContent`);
      return { mark: lines['witnesses'], said: said as string };
    };
    const one = await saidUnder('quorum a\n');
    assert.equal(one.mark, 'holds');
    assert.match(one.said, /1 of 1 needed by the policy, by 2026-11-20 13:00:08 UTC: witness\.example\/a/);
    assert.match(one.said, /level: witnessed ! the witnesses had signed 60 minutes after/);
    const both = await saidUnder('group q all a pq\nquorum q\n');
    assert.equal(both.mark, 'not checked');
    assert.match(both.said, /1 of 2 needed .*; not checked here, being ML-DSA-44: witness\.example\/pq/);
    assert.match(both.said, /With them the policy would be met: newel verify checks them · level: signed$/);
    assert.deepEqual(page.complaints, []);
  });

  test('what is no receipt is said to be none, and none of it becomes markup', async () => {
    const page = await chromium.openPage(listening.url);
    const name = '<img src=x onerror=alert(1)>.json';
    for (const text of ['', '<script>alert(1)</script>', '{"event_id":"<b>"}', '\0']) {
      assert.deepEqual(await drop(page, text, name), {});
      const found = String(await page.evaluate(`document.querySelector('#verdict').textContent`));
      assert.ok(found.startsWith(`✘ ${name}: receipt `), found);
      assert.equal(
        await page.evaluate(`document.querySelector('#verdict img, #verdict script, #verdict b')`),
        null,
      );
    }
    assert.deepEqual(page.complaints, []);
  });

  test('under a trust file of one’s own, the log’s receipts hold where the keys are the same', async (t) => {
    const page = await chromium.openPage(listening.url);
    assert.deepEqual(await drop(page, JSON.stringify(receipt)), HOLDS);
    const folder = await tempFolder(t);
    const [own, strange] = [join(folder, 'log.json'), join(folder, 'strange.json')];
    await writeFile(own, await (await fetch(`${listening.url}/v1/log`)).text());
    await writeFile(strange, JSON.stringify(makeTestReceipt().trustFile));
    await page.chooseFiles('#trust-file', [own]);
    await page.until(`document.querySelector('#trust-state').textContent.includes('your own trust file')`);
    assert.deepEqual(await linesOf(page), HOLDS);
    await page.chooseFiles('#trust-file', [strange]);
    await page.until(`document.querySelector('#trust-state').textContent.includes('log.example/bank')`);
    const lines = await linesOf(page);
    assert.deepEqual([lines['statement'], lines['checkpoint']], ['fails', 'fails']);
    await page.dropFile('log.json', readFileSync(own, 'utf8'));
    await page.until(`document.querySelector('#trust-state').textContent.includes('log.example/test')`);
    assert.deepEqual(await linesOf(page), HOLDS);
    await page.dropFile('broken.json', '{"vkeys":[]}');
    await page.until(`document.querySelector('#trust-state').textContent.includes('Nothing has changed')`);
    assert.deepEqual(await linesOf(page), HOLDS);
    assert.deepEqual(page.complaints, []);
  });

  test('the page asks nobody for anything, and cannot', async () => {
    const page = await chromium.openPage(listening.url);
    const before_ = opened.requests.length;
    assert.deepEqual(await drop(page, JSON.stringify(receipt)), HOLDS);
    assert.equal(opened.requests.length, before_);
    const refused = await page.evaluate(`fetch('/v1/log').then(() => 'answered', () => 'refused')`);
    assert.equal(refused, 'refused');
    assert.equal(opened.requests.length, before_);
  });

  test('a copy of the page on disk verifies too', async (t: TestContext) => {
    const path = join(await tempFolder(t), 'page.html');
    await writeFile(path, await (await fetch(listening.url)).text());
    const page = await chromium.openPage(pathToFileURL(path).href);
    assert.deepEqual(await drop(page, JSON.stringify(receipt)), HOLDS);
    assert.equal((await drop(page, JSON.stringify({ ...receipt, tree_size: 3 })))['checkpoint'], 'fails');
    assert.equal(
      await page.evaluate(`fetch('${listening.url}/v1/log').then(() => 'answered', () => 'refused')`),
      'refused',
    );
  });

  test('receipts are kept in IndexedDB', async () => {
    const page = await chromium.openPage(listening.url);
    const { text } = await bundle(
      `export { openIndexedDbReceiptStore, verifyReceipt } from './src/client/index.ts';`,
      { format: 'iife', globalName: 'newel' },
    );
    await page.evaluate(`${text};globalThis.newel = newel;undefined`);
    const others = Array.from({ length: 1500 }, (_, i) => `evt_${String(i).padStart(22, '0')}`);
    const result = await page.evaluate(`(async () => {
      const { openIndexedDbReceiptStore, verifyReceipt } = newel;
      const receipt = ${JSON.stringify(receipt)};
      const trust = document.querySelector('#trust').textContent;
      const ids = async (store) => { const all = []; for await (const id of store.list()) all.push(id); return all; };
      const code = (promise) => promise.then(() => 'none', (error) => error.code);
      const first = await openIndexedDbReceiptStore({ name: 'test' });
      const empty = await ids(first);
      await first.put(receipt);
      await first.put({ ...receipt, level: 'witnessed' });
      const refused = await code(first.put({ ...receipt, event_id: '../x' }));
      first.close();
      const closed = await code(first.get(receipt.event_id));
      const store = await openIndexedDbReceiptStore({ name: 'test' });
      const kept = await store.get(receipt.event_id);
      const { leafIndex } = await verifyReceipt(kept, { trust });
      const missing = await store.get('evt_' + 'A'.repeat(22));
      await Promise.all(${JSON.stringify(others)}.map((event_id) => store.put({ ...receipt, event_id })));
      const all = await ids(store);
      return { empty, refused, closed, level: kept.level, leafIndex, missing: missing === undefined, all };
    })()`);
    const { all, ...rest } = result as Record<string, unknown> & { all: string[] };
    assert.deepEqual(rest, {
      empty: [],
      refused: 'malformed',
      closed: 'storage_failed',
      level: 'witnessed',
      leafIndex: receipt.leaf_index,
      missing: true,
    });
    assert.deepEqual(all.toSorted(), [...others, receipt.event_id].toSorted());
    assert.deepEqual(page.complaints, []);
  });
});

/** The text with another character of its kind at one place. */
function otherAt(text: string, at: number): string {
  return `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
}
