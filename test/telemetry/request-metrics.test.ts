import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { countRequests } from '../../src/telemetry/request-metrics.ts';
import { seriesOf } from '../support/series.ts';

test('no request makes a series of its own: methods that no route has are one', async () => {
  const registry = new Registry();
  const count = countRequests(registry);
  for (const method of ['PUT', 'DELETE', 'PURGE', 'get', 'x"\n']) {
    count({ method, route: '*', status: 404, durationMs: 1 });
  }
  count({ method: 'GET', route: '/checkpoint', status: 200, durationMs: 1 });
  const counts = [...seriesOf(await registry.metrics())].filter(([name]) =>
    name.startsWith('newel_request_seconds_count'),
  );
  assert.deepEqual(counts, [
    ['newel_request_seconds_count{method="other",route="*",status="404"}', 5],
    ['newel_request_seconds_count{method="GET",route="/checkpoint",status="200"}', 1],
  ]);
});
