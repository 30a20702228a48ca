/**
 * `verify.html` of an evidence pack in a real browser, opened from a disk: it verifies the pack that stands in it without
 * a network, and takes trust files and receipts.
 */

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Chromium, chromiumAbsent, type ChromiumPage } from '../support/chromium.ts';
import { type EvidenceLog, openEvidenceLog, runDisclose } from '../support/evidence.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';

describe('verify.html in Chromium', { skip: chromiumAbsent(), timeout: 300_000 }, () => {
  let chromium: Chromium;
  before(async () => {
    chromium = await Chromium.open();
  });
  after(() => chromium?.close());

  async function makePack(t: TestContext): Promise<EvidenceLog & { html: string }> {
    const log = await openEvidenceLog(t, ['full.json', 'wire-transfer.ndjson']);
    const args = [...log.eventIds, '--preset', 'auditor', '--audience', 'auditor.example', '--nonce', 'n-1'];
    const { code, err } = await runDisclose([...args, '--out', 'pack', '--trust', log.trust], log);
    assert.equal(code, 0, err);
    return { ...log, html: await readFile(join(log.cwd, 'pack', 'verify.html'), 'utf8') };
  }

  const openFile = (path: string): Promise<ChromiumPage> => chromium.openPage(pathToFileURL(path).href);

  async function verdictOf(page: ChromiumPage): Promise<{ heading: string; lines: Record<string, string> }> {
    await page.until(`document.querySelector('#verdict h3')`);
    const heading = String(await page.evaluate(`document.querySelector('#verdict h3').textContent`));
    const lines = await page.evaluate(
      `Array.from(document.querySelectorAll('#verdict [data-check]'), (line) => [line.dataset.check, line.querySelector('[role=img]').ariaLabel])`,
    );
    return { heading, lines: Object.fromEntries(lines as [string, string][]) };
  }

  const HOLDS = {
    manifest: 'holds',
    files: 'not checked',
    claims: 'holds',
    events: 'holds',
    keys: 'not checked',
  };

  test('verifies on opening, shows each event, and asks nobody', async (t) => {
    const { cwd, eventIds } = await makePack(t);
    const page = await openFile(join(cwd, 'pack', 'verify.html'));
    assert.deepEqual(await verdictOf(page), { heading: '✔ The pack holds', lines: HOLDS });
    const shown = String(await page.evaluate('document.body.innerText'));
    for (const words of [
      'auditor.example',
      'n-1',
      '8 of 8 hold',
      'Whoever made the pack chose them',
      'trigger.reason',
    ]) {
      assert.ok(shown.includes(words), words);
    }
    const events = (await page.evaluate(
      `Array.from(document.querySelectorAll('#events details.event'), (event) => event.textContent)`,
    )) as string[];
    assert.equal(events.length, 8);
    for (const [i, text] of events.entries()) {
      assert.ok(text.startsWith(`✔ ${eventIds[i]} (`), text.slice(0, 80));
      for (const words of [
        'presentation✔ for auditor.example, nonce n-1',
        'inclusion✔ in tree of 9',
        '"type":',
      ]) {
        assert.ok(text.includes(words), `${words}: ${text}`);
      }
    }
    const refused = await page.evaluate(
      `fetch('${pathToFileURL(join(cwd, 'pack', 'log.json')).href}').then(() => 'answered', () => 'refused')`,
    );
    assert.equal(refused, 'refused');
    const ran = await page.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'globalThis.ran = true';
      document.body.append(script);
      globalThis.ran === true;
    }`);
    assert.equal(ran, false);
    assert.match(page.complaints.join('\n'), /Content Security Policy/);
  });

  test('complains of nothing by itself', async (t) => {
    const { cwd } = await makePack(t);
    const page = await openFile(join(cwd, 'pack', 'verify.html'));
    await verdictOf(page);
    assert.deepEqual(page.complaints, []);
  });

  test('with one character of the pack changed, the event that it belongs to fails', async (t) => {
    const { cwd, html, eventIds } = await makePack(t);
    const [id] = eventIds;
    const changes: [part: string, line: string][] = [
      [`statements/${id}.sd-jwt":"`, 'statement'],
      [`presentations/${id}.jwt":"`, 'presentation'],
    ];
    for (const [part, line] of changes) {
      const at = html.indexOf(part) + part.length + 300;
      const changed = `${html.slice(0, at)}${html[at] === 'A' ? 'B' : 'A'}${html.slice(at + 1)}`;
      const path = join(cwd, `${line}.html`);
      await writeFile(path, changed);
      const page = await openFile(path);
      const { heading, lines } = await verdictOf(page);
      assert.equal(heading, '✘ The pack does not hold');
      assert.equal(lines['events'], 'fails');
      const failed = await page.evaluate(
        `Array.from(document.querySelectorAll('#events details.event[open] li.failed'), (line) => line.dataset.check)`,
      );
      assert.ok((failed as string[]).includes(line), String(failed));
      assert.equal(await page.evaluate(`document.querySelectorAll('#events details.event[open]').length`), 1);
      assert.equal(await page.evaluate(`document.querySelector('#verdict dl').hidden`), true);
      assert.deepEqual(page.complaints, []);
    }
  });

  test('with its script changed it does nothing at all', async (t) => {
    const { cwd, html } = await makePack(t);
    const path = join(cwd, 'script.html');
    const at = html.lastIndexOf('The pack holds');
    assert.ok(at > 0);
    await writeFile(path, `${html.slice(0, at)}the pack holds${html.slice(at + 14)}`);
    const page = await openFile(path);
    assert.equal(await page.evaluate(`document.querySelector('#verifier').hidden`), true);
    assert.match(page.complaints.join('\n'), /Content Security Policy/);
  });

  test('takes a trust file of one’s own, and verifies receipts under it', async (t) => {
    const { cwd, trust, eventIds } = await makePack(t);
    const page = await openFile(join(cwd, 'pack', 'verify.html'));
    await verdictOf(page);
    await page.dropFile('log.json', await readFile(trust, 'utf8'));
    await page.until(`document.querySelector('#trust-state').textContent.includes('your own trust file')`);
    await page.until(
      `document.querySelector('#verdict [data-check=keys] [role=img]')?.ariaLabel === 'holds'`,
    );
    assert.deepEqual((await verdictOf(page)).lines, { ...HOLDS, keys: 'holds' });
    await page.dropFile('x.json', await readFile(join(cwd, `${eventIds[0]}.receipt.json`), 'utf8'));
    await page.until(`document.querySelector('#receipts h3')`);
    assert.match(
      String(await page.evaluate(`document.querySelector('#receipts h3').textContent`)),
      new RegExp(`^✔ receipt of ${eventIds[0]}`),
    );
    await page.dropFile('x.json', '<img src=x onerror=alert(1)>');
    await page.until(`document.querySelector('#receipts p.failed')`);
    assert.equal(await page.evaluate(`document.querySelector('#receipts img')`), null);
    await page.dropFile('strange.json', JSON.stringify(makeTestReceipt().trustFile));
    await page.until(`document.querySelector('#verdict h3').textContent.startsWith('✘')`);
    assert.equal((await verdictOf(page)).lines['manifest'], 'fails');
    await page.dropFile('broken.json', '{"vkeys":[]}');
    await page.until(`document.querySelector('#trust-state').textContent.includes('Nothing has changed')`);
    assert.deepEqual(page.complaints, []);
  });
});
