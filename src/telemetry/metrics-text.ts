/**
 * Metrics that are read off what is there when they are asked for, as text in the exposition format that Prometheus
 * reads (version 0.0.4):
 *
 *   # HELP newel_monitor_tree_size Leaves of the newest verified head.
 *   # TYPE newel_monitor_tree_size gauge
 *   newel_monitor_tree_size{origin="log.example/bank"} 41984
 */

import { Counter, Gauge, Registry } from 'prom-client';

export interface MetricFamily {
  /** Ends in `_total` where it is a counter, and in its unit where it has one. */
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Families without a sample are left out. Rejects for a name that the format does not have. */
export async function formatMetrics(families: readonly MetricFamily[]): Promise<string> {
  const registry = new Registry();
  for (const { name, help, type, samples } of families) {
    if (samples.length === 0) continue;
    const labelNames = [...new Set(samples.flatMap(({ labels = {} }) => Object.keys(labels)))];
    const config = { name, help, labelNames, registers: [registry] };
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
