import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { createApp } from '../../src/http/app.ts';
import { ageInWords } from '../../src/http/landing.ts';
import type { TestLogOptions } from '../support/test-log.ts';
import { openTestSite } from '../support/test-site.ts';

test('an age is said in its largest whole unit', () => {
  const ages: [ageMs: number, words: string][] = [
    [-5000, 'just now'],
    [0, 'just now'],
    [999, 'just now'],
    [1000, '1 second ago'],
    [59_999, '59 seconds ago'],
    [60_000, '1 minute ago'],
    [3_599_999, '59 minutes ago'],
    [3_600_000, '1 hour ago'],
    [86_399_999, '23 hours ago'],
    [86_400_000, '1 day ago'],
    [400 * 86_400_000, '400 days ago'],
  ];
  for (const [ageMs, words] of ages) assert.equal(ageInWords(ageMs), words);
});

test('the page says how old the newest head is', async () => {
  const { app, test: log } = await openTestSite({ entries: 1200 });
  log.clock.set(log.log.published.timeMs + 185_000);
  const page = await (await app.request('/')).text();
  assert.match(page, /<time datetime="2026-11-20T12:00:01\.000Z">3 minutes ago<\/time>/);
  assert.match(page, /<dd>1,200<\/dd>/);
  await log.log.close();
});

test('every link of the page leads somewhere', async () => {
  const { app, test: log } = await openTestSite({ entries: 3 });
  const page = await (await app.request('/')).text();
  const links = [...page.matchAll(/href="\.(\/[^"]*)"/g)].map(([, href]) => href!);
  assert.ok(links.length >= 6);
  for (const link of links) assert.equal((await app.request(link)).status, 200, link);
  await log.log.close();
});

test('a log without leaves has a page without links to leaves', async () => {
  const { app, test: log } = await openTestSite();
  const page = await (await app.request('/')).text();
  assert.ok(!page.includes('/v1/leaves/'));
  assert.match(page, /<dd>0<\/dd>/);
  await log.log.close();
});

describe('the box that verifies receipts', () => {
  const verifierScript = 'document.title="a<b";';

  async function openPage(options: TestLogOptions, script = verifierScript) {
    const { site, write, test: log, app } = await openTestSite(options);
    const response = await createApp({ ...site, verifierScript: script }, write).request('/');
    const trust = await (await app.request('/v1/log')).text();
    await log.log.close();
    return {
      policy: response.headers.get('Content-Security-Policy') ?? '',
      page: await response.text(),
      trust,
    };
  }

  test('has its script in the page, the one that the policy lets run, and no network', async () => {
    const { policy, page } = await openPage({ kind: 'events' });
    const scripts = [...page.matchAll(/<script>([^]*?)<\/script>/g)].map(([, script]) => script!);
    assert.deepEqual(scripts, [verifierScript]);
    const hash = createHash('sha256').update(verifierScript).digest('base64');
    assert.ok(policy.includes(`script-src 'sha256-${hash}';`));
    assert.ok(policy.includes("connect-src 'none'"));
    assert.ok(!policy.includes('unsafe'));
    // For a copy on disk: the same, but for what a header alone can say.
    const meta = /<meta http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1];
    assert.equal(`${meta?.replaceAll('&#39;', "'")}; frame-ancestors 'none'`, policy);
  });

  test('has the trust file beside it, letter by letter what can be pinned', async () => {
    const origin = 'log.example/</script><!--x';
    const { page, trust } = await openPage({ kind: 'events', origin });
    const [, json = ''] = /<script type="application\/json" id="trust">([^]*?)<\/script>/.exec(page) ?? [];
    assert.ok(!json.includes('<'));
    const embedded = JSON.parse(json) as { origin: string };
    assert.equal(embedded.origin, origin);
    assert.deepEqual(embedded, JSON.parse(trust));
    assert.match(page, /A server that lies can hand out keys to match/);
  });

  test('is not there where there is nothing to verify, or no script', async () => {
    const { policy, page } = await openPage({ kind: 'opaque' });
    assert.ok(!page.includes('<script') && !page.includes('id="verifier"'));
    assert.ok(policy.includes("script-src 'none'"));
    const { app, test: log } = await openTestSite({ kind: 'events' });
    assert.ok(!(await (await app.request('/')).text()).includes('<script'));
    await log.log.close();
  });

  test('takes no script that would end its own element', async () => {
    for (const script of ['"</script>"', '"</SCRIPT "', '"<!--"']) {
      await assert.rejects(openPage({ kind: 'events' }, script), RangeError);
    }
  });
});

test('the policy allows the one style sheet in the page, and nothing else', async () => {
  const { app, test: log } = await openTestSite();
  const response = await app.request('/');
  const policy = response.headers.get('Content-Security-Policy') ?? '';
  const page = await response.text();
  const styles = [...page.matchAll(/<style>([^]*?)<\/style>/g)].map(([, style]) => style!);
  assert.equal(styles.length, 1);
  const hash = createHash('sha256').update(styles[0]!).digest('base64');
  assert.ok(policy.includes(`style-src 'sha256-${hash}'`), 'the hash is that of the style sheet as sent');
  assert.ok(policy.startsWith("default-src 'none'"));
  assert.ok(!policy.includes('unsafe'));
  assert.ok(!page.includes(' style='), 'inline styles would not apply');
  assert.ok(!/(src|href)="(https?:)?\/\/(?!c2sp\.org)/.test(page));
  await log.log.close();
});

test('names are text, whatever they hold', async () => {
  const origin = 'log.example/<img-src=x>&"\'';
  const { app, test: log } = await openTestSite({ origin, entries: 1 });
  const page = await (await app.request('/')).text();
  assert.ok(!page.includes('<img'));
  assert.ok(page.includes('log.example/&lt;img-src=x&gt;&amp;&quot;&#39;'));
  const trust = (await (await app.request('/v1/log')).json()) as { origin: string };
  assert.equal(trust.origin, origin);
  await log.log.close();
});
