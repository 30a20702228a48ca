import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWitnessMetrics, type ObservedWitness } from '../../src/telemetry/witness-metrics.ts';
import { seriesOf } from '../support/series.ts';
import { watchTurns } from '../support/turns.ts';

const OBSERVED: ObservedWitness = {
  name: 'witness.example/w1',
  version: '1.2.3',
  isReady: true,
  logs: [
    { origin: 'log.example/bank', latest: { size: 12, timeS: 1_795_176_000 } },
    { origin: 'log.example/new', latest: undefined },
  ],
  families: [{ name: 'newel_beside', help: 'More.', type: 'gauge', samples: [{ value: 3 }] }],
};

test('what it remembers is read when it is asked for, of the logs that it has cosigned', async () => {
  const { format } = createWitnessMetrics();
  const series = seriesOf(await format(OBSERVED));
  const expected: Readonly<Record<string, number>> = {
    'newel_witness_info{name="witness.example/w1",version="1.2.3"}': 1,
    newel_cosigning: 1,
    newel_listed_logs: 2,
    'newel_cosigned_size{origin="log.example/bank"}': 12,
    'newel_cosigned_time_seconds{origin="log.example/bank"}': 1_795_176_000,
    newel_beside: 3,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
  assert.ok(![...series.keys()].some((name) => name.includes('log.example/new')));
  assert.ok((series.get('process_cpu_seconds_total') ?? 0) > 0);
  assert.equal(seriesOf(await format({ ...OBSERVED, isReady: false })).get('newel_cosigning'), 0);
});

test('what happens is counted, by log', async () => {
  const { cosigning, list, request, format } = createWitnessMetrics();
  const origin = 'log.example/bank';
  cosigning({ event: 'opened', origins: 1, commits: 4, durationMs: 1 });
  for (const size of [5, 9]) cosigning({ event: 'cosigned', origin, size });
  cosigning({ event: 'fork', origin, size: 9 });
  cosigning({ event: 'clock_behind', origin, behindS: 3 });
  list({ event: 'list_read', logs: 1 });
  list({ event: 'list_unreadable', error: new Error('no') });
  request({ method: 'POST', route: '/add-checkpoint', status: 409, durationMs: 3 });
  const series = seriesOf(await format(OBSERVED));
  const expected: Readonly<Record<string, number>> = {
    'newel_cosigned_total{origin="log.example/bank"}': 2,
    'newel_forks_total{origin="log.example/bank"}': 1,
    'newel_clock_behind_total{origin="log.example/bank"}': 1,
    newel_log_list_failures_total: 1,
    'newel_request_seconds_count{method="POST",route="/add-checkpoint",status="409"}': 1,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
});

test('others have their turn while the series of a long list are written, those that are counted as well', async () => {
  const { cosigning, format } = createWitnessMetrics();
  const origins = Array.from({ length: 20_000 }, (_, i) => `log.example/${i}`);
  for (const origin of origins) {
    cosigning({ event: 'cosigned', origin, size: 1 });
    cosigning({ event: 'clock_behind', origin, behindS: 1 });
  }
  const watched = watchTurns();
  const logs = origins.map((origin, i) => ({
    get origin() {
      watched.piece();
      return origin;
    },
    latest: { size: i, timeS: 1 },
  }));
  const text = await format({ ...OBSERVED, logs });
  const { turns, most } = watched.stop();
  assert.ok(most <= 1000, `${most} in one turn`);
  assert.ok(turns >= (4 * origins.length) / 1000, `${turns} turns of others`);
  const series = seriesOf(text);
  assert.equal(series.get('newel_cosigned_size{origin="log.example/19999"}'), 19_999);
  assert.equal(series.get('newel_cosigned_total{origin="log.example/19999"}'), 1);
  const counted = (name: string): number =>
    [...series.keys()].filter((key) => key.startsWith(`${name}{`)).length;
  for (const name of ['cosigned_size', 'cosigned_time_seconds', 'cosigned_total', 'clock_behind_total'])
    assert.equal(counted(`newel_${name}`), origins.length, name);
});
