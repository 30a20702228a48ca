/**
 * The metrics of a served witness. What happens is counted as it is told; what it remembers of each log is read when it is
 * asked for. Labels are origins of the operator's own list, and patterns of routes.
 */

import { Counter, Registry } from 'prom-client';
import type { AnsweredRequest } from '../http/signals.ts';
import type { CosigningSignal, ListSignal } from '../witness/signals.ts';
import { formatMetrics, type MetricFamily, type Sample } from './metrics-text.ts';
import { formatProcessMetrics } from './process-metrics.ts';
import { countRequests } from './request-metrics.ts';

/** What is there of a witness when its metrics are asked for. */
export interface ObservedWitness {
  readonly name: string;
  readonly version: string;
  /** Whether it can cosign. */
  readonly isReady: boolean;
  /** The logs of its list, and of each what it has cosigned last. */
  readonly logs: readonly {
    readonly origin: string;
    readonly latest: { readonly size: number; readonly timeS: number } | undefined;
  }[];
  /** Of whoever serves more beside it. */
  readonly families: readonly MetricFamily[];
}

export interface WitnessMetrics {
  readonly cosigning: (signal: CosigningSignal) => void;
  readonly list: (signal: ListSignal) => void;
  readonly request: (request: AnsweredRequest) => void;
  /** All of them, as Prometheus reads them. */
  readonly format: (observed: ObservedWitness) => Promise<string>;
}

export function createWitnessMetrics(): WitnessMetrics {
  const registry = new Registry();
  const ofLogs = (name: string, help: string): Counter<'origin'> =>
    new Counter({ name, help, labelNames: ['origin'], registers: [registry] });
  const cosigned = ofLogs('newel_cosigned_total', 'Checkpoints that were cosigned.');
  const forks = ofLogs(
    'newel_forks_total',
    'Sizes at which a log showed another tree than the one cosigned.',
  );
  const behind = ofLogs(
    'newel_clock_behind_total',
    'Requests that were refused since the clock is behind the last cosignature.',
  );
  const unread = new Counter({
    name: 'newel_log_list_failures_total',
    help: 'Log lists that could not be read: the last good one stays in force.',
    registers: [registry],
  });
  return {
    cosigning(signal) {
      switch (signal.event) {
        case 'cosigned':
          return cosigned.inc({ origin: signal.origin });
        case 'fork':
          return forks.inc({ origin: signal.origin });
        case 'clock_behind':
          return behind.inc({ origin: signal.origin });
        case 'opened':
        case 'fatal':
          return;
      }
    },
    list({ event }) {
      if (event === 'list_unreadable') unread.inc();
    },
    request: countRequests(registry),
    async format(observed) {
      const families = [...familiesOf(observed), ...observed.families];
      return (await Promise.all([formatMetrics(families), registry.metrics(), formatProcessMetrics()])).join(
        '\n',
      );
    },
  };
}

function familiesOf({ name, version, isReady, logs }: ObservedWitness): readonly MetricFamily[] {
  const ofCosigned = (value: (latest: { size: number; timeS: number }) => number): Sample[] =>
    logs.flatMap(({ origin, latest }) => (latest ? [{ labels: { origin }, value: value(latest) }] : []));
  const families: readonly (readonly [name: string, help: string, samples: readonly Sample[]])[] = [
    [
      'newel_witness_info',
      'The witness, and the version that serves it. Always 1.',
      [{ labels: { name, version }, value: 1 }],
    ],
    ['newel_cosigning', '1 where it can cosign; 0 once a write failed.', [{ value: isReady ? 1 : 0 }]],
    ['newel_listed_logs', 'Logs of the list in force.', [{ value: logs.length }]],
    [
      'newel_cosigned_size',
      'Leaves of the checkpoint that was cosigned last.',
      ofCosigned(({ size }) => size),
    ],
    ['newel_cosigned_time_seconds', 'When that was, since 1970.', ofCosigned(({ timeS }) => timeS)],
  ];
  return families.map(([name, help, samples]) => ({ name, help, type: 'gauge', samples }));
}
