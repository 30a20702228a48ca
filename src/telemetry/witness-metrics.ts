/**
 * The metrics of a served witness. What happens is counted as it is told; what it remembers of each log is read when it is
 * asked for. Labels are origins of the operator's own list, and patterns of routes.
 *
 * A list may have tens of thousands of logs, and prom-client formats all series of a metric in one turn of the event loop:
 * what has a series for each log is counted and written here.
 */

import { Counter, Registry } from 'prom-client';
import type { AnsweredRequest } from '../http/signals.ts';
import type { CosigningSignal, ListSignal } from '../witness/signals.ts';
import { formatMetrics, type MetricFamily, type Sample } from './metrics-text.ts';
import { startProcessMetrics } from './process-metrics.ts';
import { countRequests } from './request-metrics.ts';

/** What is there of a witness when its metrics are asked for. */
export interface ObservedWitness {
  readonly name: string;
  readonly version: string;
  /** Whether it can cosign. */
  readonly isReady: boolean;
  /** The logs of its list, and of each what it has cosigned last. */
  readonly logs: readonly ObservedLog[];
  /** Of whoever serves more beside it. */
  readonly families: readonly MetricFamily[];
}

export interface ObservedLog {
  readonly origin: string;
  readonly latest: { readonly size: number; readonly timeS: number } | undefined;
}

export interface WitnessMetrics {
  readonly cosigning: (signal: CosigningSignal) => void;
  readonly list: (signal: ListSignal) => void;
  readonly request: (request: AnsweredRequest) => void;
  /** All of them, as Prometheus reads them. */
  readonly format: (observed: ObservedWitness) => Promise<string>;
}

/** What is counted of each log, by the event that tells it. */
const COUNTED = [
  ['cosigned', 'newel_cosigned_total', 'Checkpoints that were cosigned.'],
  ['fork', 'newel_forks_total', 'Sizes at which a log showed another tree than the one cosigned.'],
  [
    'clock_behind',
    'newel_clock_behind_total',
    'Requests that were refused since the clock is behind the last cosignature.',
  ],
] as const;

export function createWitnessMetrics(): WitnessMetrics {
  const registry = new Registry();
  const ofProcess = startProcessMetrics();
  const unread = new Counter({
    name: 'newel_log_list_failures_total',
    help: 'Log lists that could not be read: the last good one stays in force.',
    registers: [registry],
  });
  const counts = {
    cosigned: new Map<string, number>(),
    fork: new Map<string, number>(),
    clock_behind: new Map<string, number>(),
  };
  const counters = (): readonly MetricFamily[] =>
    COUNTED.map(([event, name, help]) => ({ name, help, type: 'counter', samples: ofCounts(counts[event]) }));
  return {
    cosigning(signal) {
      if (signal.event === 'opened' || signal.event === 'fatal') return;
      const { event, origin } = signal;
      counts[event].set(origin, (counts[event].get(origin) ?? 0) + 1);
    },
    list({ event }) {
      if (event === 'list_unreadable') unread.inc();
    },
    request: countRequests(registry),
    async format(observed) {
      const families = [...familiesOf(observed), ...counters(), ...observed.families];
      const parts = [formatMetrics(families), registry.metrics(), ofProcess.metrics()];
      return (await Promise.all(parts)).join('\n');
    },
  };
}

function* ofCounts(counts: ReadonlyMap<string, number>): Generator<Sample> {
  for (const [origin, value] of counts) yield { labels: { origin }, value };
}

function* ofCosigned(
  logs: readonly ObservedLog[],
  valueOf: (latest: NonNullable<ObservedLog['latest']>) => number,
): Generator<Sample> {
  for (const { origin, latest } of logs) if (latest) yield { labels: { origin }, value: valueOf(latest) };
}

function familiesOf({ name, version, isReady, logs }: ObservedWitness): readonly MetricFamily[] {
  const families: readonly (readonly [name: string, help: string, samples: Iterable<Sample>])[] = [
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
      ofCosigned(logs, ({ size }) => size),
    ],
    ['newel_cosigned_time_seconds', 'When that was, since 1970.', ofCosigned(logs, ({ timeS }) => timeS)],
  ];
  return families.map(([name, help, samples]) => ({ name, help, type: 'gauge', samples }));
}
