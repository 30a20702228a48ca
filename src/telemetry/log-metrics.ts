/**
 * The metrics of a served log. What happens is counted as the rooms tell it; what is there is read when they are asked
 * for; what Node knows of its own process (`process_…`, `nodejs_…`) comes with it.
 *
 * Labels are names of the operator's own (witnesses, slots) and patterns of routes: nothing received, so that no request
 * makes a series of its own, and nothing of an event is in them. Times are seconds, as the field has it.
 */

import { Counter, Histogram, Registry } from 'prom-client';
import { formatMetrics } from './metrics-text.ts';
import { familiesOf, type Observed } from './observed.ts';
import { startProcessMetrics } from './process-metrics.ts';
import { countRequests, REQUEST_S } from './request-metrics.ts';
import type { Signals } from './signals.ts';

export interface LogMetrics extends Signals {
  /** All of them, as Prometheus reads them. `observed` is what is there now. */
  readonly format: (observed: Observed) => Promise<string>;
}

const COMMIT_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export function createLogMetrics(): LogMetrics {
  const registry = new Registry();
  const ofProcess = startProcessMetrics();
  const counter = <Label extends string>(
    name: string,
    help: string,
    ...labelNames: Label[]
  ): Counter<Label> => new Counter({ name, help, labelNames, registers: [registry] });
  const seconds = <Label extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    ...labelNames: Label[]
  ): Histogram<Label> =>
    new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [registry] });

  const rounds = counter('newel_rounds_total', 'Rounds that were made durable.');
  const entries = counter('newel_entries_total', 'Entries that were made durable.');
  const written = counter('newel_written_bytes_total', 'Bytes that rounds wrote to the database.');
  const commits = seconds(
    'newel_commit_seconds',
    'How long the commit of a round took, fsync included.',
    COMMIT_S,
  );
  const guards = seconds(
    'newel_guard_seconds',
    'How long the guard took to be written, fsync included.',
    COMMIT_S,
  );
  const publications = counter('newel_publications_total', 'Checkpoints that a slot took.', 'slot');
  const unpublished = counter(
    'newel_publication_failures_total',
    'Heads that could not be published, and are tried again.',
  );
  const unmet = counter(
    'newel_unmet_total',
    'Heads that were not cosigned as the policy wants by the deadline.',
    'slot',
  );
  const askings = counter(
    'newel_asking_failures_total',
    'Askings of witnesses that met a failure of ours.',
    'slot',
  );
  const damage = counter('newel_damage_reads_total', 'Reads that found other bytes than were committed.');
  const answers = seconds(
    'newel_witness_answer_seconds',
    'How long a witness took to cosign.',
    REQUEST_S,
    'witness',
  );
  const failures = counter('newel_witness_failures_total', 'Times that a witness did not cosign.', 'witness');
  const late = counter(
    'newel_witness_late_total',
    'Lines that came when the asking was over. They are kept.',
    'witness',
  );
  const conflicts = counter(
    'newel_witness_conflicts_total',
    'Answers that contradict this log. It stops.',
    'witness',
  );
  const unread = counter(
    'newel_access_failures_total',
    'Token lists, and keys of the issuer of JWTs, that could not be read.',
    'what',
  );

  return {
    log(signal) {
      switch (signal.event) {
        case 'round':
          rounds.inc();
          entries.inc(signal.entries);
          written.inc(signal.bytes);
          commits.observe(signal.commitMs / 1000);
          guards.observe(signal.guardMs / 1000);
          return;
        case 'published':
          return publications.inc({ slot: signal.slot });
        case 'publish_failed':
          return unpublished.inc();
        case 'unmet':
          return unmet.inc({ slot: signal.slot });
        case 'asking_failed':
          return askings.inc({ slot: signal.slot });
        case 'damage_read':
          return damage.inc();
        case 'opened':
        case 'guard_caught_up':
        case 'clock_waited':
        case 'clock_accepted':
        case 'fatal':
          return;
      }
    },
    tokens({ event }) {
      if (event === 'tokens_unreadable') unread.inc({ what: 'tokens' });
    },
    issuer({ event }) {
      if (event === 'issuer_unreachable') unread.inc({ what: 'issuer' });
    },
    witnesses(signal) {
      switch (signal.event) {
        case 'answered':
          return answers.observe({ witness: signal.name }, signal.durationMs / 1000);
        case 'failed':
        case 'fault':
          return failures.inc({ witness: signal.name });
        case 'late':
          return late.inc({ witness: signal.name });
        case 'conflict':
          return conflicts.inc({ witness: signal.conflict.name });
        case 'asked':
        case 'recovered':
        case 'opened':
          return;
      }
    },
    request: countRequests(registry),
    async format(observed) {
      const parts = [formatMetrics(familiesOf(observed)), registry.metrics(), ofProcess.metrics()];
      return (await Promise.all(parts)).join('\n');
    },
  };
}
