import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createMetricsApp } from '../../src/cli/metrics-app.ts';

test('metrics are answered in the type that their text has', async () => {
  const app = createMetricsApp(
    () => Promise.resolve('newel_x 1\n'),
    () => assert.fail(),
  );
  const answer = await app.request('/metrics');
  assert.equal(answer.headers.get('Content-Type'), Registry.PROMETHEUS_CONTENT_TYPE);
  assert.deepEqual([answer.status, await answer.text()], [200, 'newel_x 1\n']);
  assert.equal((await app.request('/')).status, 404);
});

test('what cannot be read is a 500 that says nothing, and is told to whoever runs it alone', async (t) => {
  const said = t.mock.method(console, 'error', () => {});
  const errors: unknown[] = [];
  const cause = new Error('secret path');
  const app = createMetricsApp(
    () => Promise.reject(cause),
    (error) => errors.push(error),
  );
  const answer = await app.request('/metrics');
  assert.deepEqual([answer.status, await answer.text()], [500, 'the metrics cannot be read\n']);
  assert.deepEqual([errors, said.mock.callCount()], [[cause], 0]);
});
