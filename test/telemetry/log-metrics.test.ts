import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogMetrics } from '../../src/telemetry/log-metrics.ts';
import type { Observed } from '../../src/telemetry/observed.ts';
import { NewelError } from '../../src/errors.ts';
import { seriesOf } from '../support/series.ts';

const OBSERVED: Observed = {
  origin: 'log.example/bank',
  kind: 'events',
  version: '1.2.3',
  isAccepting: true,
  head: { size: 12, timeMs: 1_795_176_000_500 },
  slots: {
    none: { size: 10, timeMs: 1_795_176_000_000 },
    fast: { size: 7, timeMs: 1_795_175_999_000 },
    public: undefined,
  },
  missingLines: 1,
  queue: { entries: 3, bytes: 600 },
  queueLimits: { entries: 8192, bytes: 67_108_864 },
  witnesses: [{ name: 'w1', state: 'open', size: 7 }],
};

test('what is there is read when it is asked for', async () => {
  const metrics = createLogMetrics();
  const series = seriesOf(await metrics.format(OBSERVED));
  const expected: Readonly<Record<string, number>> = {
    'newel_info{origin="log.example/bank",kind="events",version="1.2.3"}': 1,
    newel_accepting: 1,
    newel_tree_size: 12,
    newel_head_time_seconds: 1_795_176_000.5,
    'newel_slot_size{slot="none"}': 10,
    'newel_slot_size{slot="fast"}': 7,
    'newel_slot_time_seconds{slot="fast"}': 1_795_175_999,
    newel_missing_lines: 1,
    newel_queue_entries: 3,
    newel_queue_bytes: 600,
    newel_queue_limit_entries: 8192,
    newel_queue_limit_bytes: 67_108_864,
    'newel_witness_size{witness="w1"}': 7,
    'newel_witness_state{witness="w1",state="open"}': 1,
    'newel_witness_state{witness="w1",state="ok"}': 0,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
  assert.ok(!series.has('newel_slot_size{slot="public"}'));
  assert.ok((series.get('process_cpu_seconds_total') ?? 0) > 0);

  const later = seriesOf(
    await metrics.format({ ...OBSERVED, isAccepting: false, missingLines: undefined, witnesses: [] }),
  );
  assert.equal(later.get('newel_accepting'), 0);
  assert.ok(!later.has('newel_missing_lines'));
  assert.ok(![...later.keys()].some((name) => name.startsWith('newel_witness_s')));
});

test('what happens is counted', async () => {
  const { log, witnesses, tokens, issuer, request, format } = createLogMetrics();
  const error = new NewelError('storage_failed', 'no');
  for (const entries of [3, 4]) {
    log({ event: 'round', round: 1, entries, bytes: 100, size: 7, commitMs: 2, guardMs: 30 });
  }
  log({ event: 'published', slot: 'none', size: 7 });
  log({ event: 'published', slot: 'fast', size: 7 });
  log({ event: 'unmet', slot: 'fast', size: 7, have: 1, need: 2 });
  log({ event: 'publish_failed', error });
  log({ event: 'asking_failed', slot: 'public', error });
  log({ event: 'damage_read', what: 'tile' });
  witnesses({ event: 'answered', name: 'w1', size: 7, lines: 1, durationMs: 20 });
  witnesses({ event: 'failed', name: 'w2', why: 'no answer', failures: 1 });
  witnesses({ event: 'late', name: 'w2', size: 7 });
  tokens({ event: 'tokens_unreadable', error });
  tokens({ event: 'tokens_read', tokens: 1 });
  issuer({ event: 'issuer_unreachable', error });
  for (const durationMs of [2, 20]) request({ method: 'GET', route: '/tile/*', status: 200, durationMs });

  const series = seriesOf(await format(OBSERVED));
  const expected: Readonly<Record<string, number>> = {
    newel_rounds_total: 2,
    newel_entries_total: 7,
    newel_written_bytes_total: 200,
    newel_commit_seconds_count: 2,
    newel_commit_seconds_sum: 0.004,
    'newel_commit_seconds_bucket{le="0.001"}': 0,
    'newel_commit_seconds_bucket{le="0.0025"}': 2,
    'newel_guard_seconds_bucket{le="0.025"}': 0,
    'newel_guard_seconds_bucket{le="0.05"}': 2,
    'newel_publications_total{slot="none"}': 1,
    'newel_publications_total{slot="fast"}': 1,
    'newel_unmet_total{slot="fast"}': 1,
    newel_publication_failures_total: 1,
    'newel_asking_failures_total{slot="public"}': 1,
    newel_damage_reads_total: 1,
    'newel_witness_answer_seconds_count{witness="w1"}': 1,
    'newel_witness_failures_total{witness="w2"}': 1,
    'newel_witness_late_total{witness="w2"}': 1,
    'newel_access_failures_total{what="tokens"}': 1,
    'newel_access_failures_total{what="issuer"}': 1,
    'newel_request_seconds_count{method="GET",route="/tile/*",status="200"}': 2,
    'newel_request_seconds_bucket{le="0.005",method="GET",route="/tile/*",status="200"}': 1,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
});
