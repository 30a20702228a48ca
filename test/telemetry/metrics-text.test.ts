import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Counter, Gauge, Registry } from 'prom-client';
import { formatMetrics, type MetricFamily, type Sample } from '../../src/telemetry/metrics-text.ts';
import { SLOW } from '../support/slow.ts';
import { watchTurns } from '../support/turns.ts';

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
  for (const name of ['', '1a', 'a\n', 'a{', 'é']) {
    await assert.rejects(formatMetrics([{ ...family, name }]));
    await assert.rejects(
      formatMetrics([{ ...family, name: 'a', samples: [{ labels: { [name]: '' }, value: 1 }] }]),
    );
  }
  await assert.rejects(
    formatMetrics([
      { ...family, name: 'a' },
      { ...family, name: 'a' },
    ]),
  );
});

/** By the library that formats counters and histograms here, too. */
async function formatWithLibrary(families: readonly MetricFamily[]): Promise<string> {
  const registry = new Registry();
  for (const { name, help, type, samples } of families) {
    const config = { name, help, labelNames: ['origin', 'code', 'n'], registers: [registry] };
    if (type === 'counter') {
      const counter = new Counter(config);
      for (const { labels = {}, value } of samples) counter.inc(labels, value);
    } else {
      const gauge = new Gauge(config);
      for (const { labels = {}, value } of samples) gauge.set(labels, value);
    }
  }
  return registry.metrics();
}

test('the text is the one that prom-client makes, whatever the values of labels are', async () => {
  const nasty = fc.string({
    unit: fc.constantFrom('\\', '"', '\n', '\r', 'n', ' ', '{', '}', ',', '=', '#', '\0', '\u2028', 'é', '🜨'),
  });
  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  const family = (i: number): fc.Arbitrary<MetricFamily> =>
    fc
      .tuple(
        nasty,
        fc.constantFrom('gauge', 'counter'),
        fc.array(fc.tuple(nasty, nasty, number), { minLength: 1 }),
      )
      .map(([help, type, samples]) => ({
        name: `newel:m_${i}`,
        help: `H${help}`,
        type,
        samples: samples.map(([origin, code, value], n): Sample => {
          const signed = type === 'counter' ? Math.abs(value) : value;
          return n === 0 ? { value: signed } : { labels: { origin, code, n: `${n}` }, value: signed };
        }),
      }));
  await fc.assert(
    fc.asyncProperty(fc.tuple(family(0), family(1), family(2)), async (families) => {
      assert.equal(await formatMetrics(families), await formatWithLibrary(families));
    }),
    { numRuns: SLOW ? 5000 : 200 },
  );
});

test('others have their turn while many samples are written, and nothing is lost between turns', async () => {
  const watched = watchTurns();
  function* many(): Generator<Sample> {
    for (let i = 0; i < 20_000; i++) {
      watched.piece();
      yield { labels: { origin: `log.example/${i}` }, value: i };
    }
  }
  const text = await formatMetrics([
    { name: 'newel_a', help: 'A.', type: 'gauge', samples: many() },
    { name: 'newel_b', help: 'B.', type: 'gauge', samples: many() },
  ]);
  const { turns, most } = watched.stop();
  assert.ok(most <= 1000, `${most} in one turn`);
  assert.ok(turns >= 40, `${turns} turns of others`);
  const expected = Array.from({ length: 20_000 }, (_, i) => `{origin="log.example/${i}"} ${i}\n`);
  const linesOf = (name: string): string => expected.map((line) => `${name}${line}`).join('');
  assert.ok(
    text ===
      `# HELP newel_a A.\n# TYPE newel_a gauge\n${linesOf('newel_a')}\n` +
        `# HELP newel_b B.\n# TYPE newel_b gauge\n${linesOf('newel_b')}`,
  );
});
