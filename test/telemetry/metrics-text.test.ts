import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMetrics } from '../../src/telemetry/metrics-text.ts';

test('families are written as Prometheus reads them', async () => {
  const text = await formatMetrics([
    {
      name: 'newel_size',
      help: 'Leaves.\nOf the \\ head.',
      type: 'gauge',
      samples: [{ labels: { origin: 'a"b\\c\nd', code: 'stale' }, value: 41984 }, { value: 0.5 }],
    },
    { name: 'newel_nothing', help: 'None.', type: 'gauge', samples: [] },
    { name: 'newel_x_total', help: 'X.', type: 'counter', samples: [{ value: 7 }] },
  ]);
  assert.equal(
    text,
    '# HELP newel_size Leaves.\\nOf the \\\\ head.\n' +
      '# TYPE newel_size gauge\n' +
      'newel_size{origin="a\\"b\\\\c\\nd",code="stale"} 41984\n' +
      'newel_size 0.5\n\n' +
      '# HELP newel_x_total X.\n' +
      '# TYPE newel_x_total counter\n' +
      'newel_x_total 7\n',
  );
});

test('names that the format does not have are refused', async () => {
  const family = { help: 'X.', type: 'gauge', samples: [{ value: 1 }] } as const;
  await assert.rejects(formatMetrics([{ ...family, name: 'a-b' }]));
  await assert.rejects(
    formatMetrics([{ ...family, name: 'a', samples: [{ labels: { 'x"': '' }, value: 1 }] }]),
  );
});
