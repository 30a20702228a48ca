import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp, createHeldApp, createPublicApp } from '../../src/http/app.ts';
import { described } from '../support/openapi.ts';
import { bearer, openTestSite } from '../support/test-site.ts';

/** What Prometheus 2 sends. */
const PROMETHEUS =
  'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

test('metrics are for an admin, also while the log only reads', async () => {
  for (const kind of ['opaque', 'events'] as const) {
    const { site, write, test: log } = await openTestSite({ kind });
    let reads = 0;
    const readMetrics = (): Promise<string> => Promise.resolve(`newel_reads_total ${(reads += 1)}\n`);
    for (const app of [
      createApp(site, { ...write, readMetrics }),
      createHeldApp(site, { ...write, readMetrics }),
    ]) {
      const ask = (headers: Record<string, string>, target = '/metrics'): Promise<Response> =>
        Promise.resolve(described(app).request(target, { headers }));
      const before = reads;
      assert.equal((await ask({})).status, 401);
      assert.equal((await ask(bearer('audit'))).status, 403);
      assert.equal(reads, before, 'nothing is made for whoever may not have it');
      const answer = await ask({ ...bearer('admin'), Accept: PROMETHEUS }, '/metrics?x');
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8');
      assert.equal(answer.headers.get('Cache-Control'), 'private, no-store');
      assert.equal(await answer.text(), `newel_reads_total ${before + 1}\n`);
      assert.equal((await ask({ ...bearer('admin'), Accept: 'application/json' })).status, 406);
    }
    assert.equal((await createPublicApp(site).request('/metrics', { headers: bearer('admin') })).status, 404);
    await log.log.close();
  }
});

test('who asks while a text is made is given the same', async () => {
  const { site, write, test: log } = await openTestSite();
  let reads = 0;
  let end: (text: string) => void = () => assert.fail('nothing was read');
  const readMetrics = (): Promise<string> => {
    reads += 1;
    return new Promise((resolve) => {
      end = resolve;
    });
  };
  const app = createApp(site, { ...write, readMetrics });
  const asked = [1, 2, 3].map(async () => app.request('/metrics', { headers: bearer('admin') }));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  end('newel_x 1\n');
  for (const answer of await Promise.all(asked)) assert.equal(await answer.text(), 'newel_x 1\n');
  assert.equal(reads, 1);
  await log.log.close();
});

test('a site without metrics has no such route', async () => {
  const { site, write, test: log } = await openTestSite();
  const { readMetrics: _, ...bare } = write;
  assert.equal((await createApp(site, bare).request('/metrics', { headers: bearer('admin') })).status, 404);
  await log.log.close();
});
