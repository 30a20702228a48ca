/** The metrics of a monitor: what it knows of each log, what stands against it, and how telling others goes. */

import type { Alerts } from '../monitor/alerts.ts';
import type { EvidenceFolder } from '../monitor/evidence-folder.ts';
import type { Follower } from '../monitor/follower.ts';
import { timesOf } from '../monitor/followed-head.ts';
import type { LogPosition } from '../monitor/monitor.ts';
import type { Webhook } from '../monitor/webhook.ts';
import { formatMetrics, type MetricFamily, type Sample } from '../telemetry/metrics-text.ts';
import { startProcessMetrics } from '../telemetry/process-metrics.ts';

/** What is there of a monitor when its metrics are asked for. */
export interface ObservedMonitor {
  readonly version: string;
  readonly positions: readonly LogPosition[];
  readonly alerts: Alerts;
  readonly evidence: EvidenceFolder;
  readonly webhook: Webhook | undefined;
}

/** What reads all of them, and what Node knows of its process from now on, as Prometheus reads them. */
export function createMonitorMetrics(observe: () => ObservedMonitor): () => Promise<string> {
  const ofProcess = startProcessMetrics();
  return async () => {
    const parts = [formatMetrics(familiesOf(observe())), ofProcess.metrics()];
    return (await Promise.all(parts)).join('\n');
  };
}

function familiesOf({
  version,
  positions,
  alerts,
  evidence,
  webhook,
}: ObservedMonitor): readonly MetricFamily[] {
  const known = positions.map(({ follower }) => follower);
  const ofLogs = (sample: (follower: Follower) => number | undefined): Sample[] =>
    known.flatMap((follower) => {
      const value = sample(follower);
      return value === undefined ? [] : [{ labels: { origin: follower.log.origin }, value }];
    });
  return [
    {
      name: 'newel_monitor_info',
      help: 'The version that runs. Always 1.',
      type: 'gauge',
      samples: [{ labels: { version }, value: 1 }],
    },
    {
      name: 'newel_monitor_tree_size',
      help: 'Leaves of the newest head that extends all earlier ones.',
      type: 'gauge',
      samples: ofLogs(({ state }) => state?.head.size),
    },
    {
      name: 'newel_monitor_verified_entries',
      help: 'Entries that were hashed and compared with the tree.',
      type: 'gauge',
      samples: ofLogs(({ state }) => state?.range.size),
    },
    {
      name: 'newel_monitor_head_time_seconds',
      help: 'The newest time that is signed on that head, since 1970. Not there where its lines have no time.',
      type: 'gauge',
      samples: ofLogs(({ state }) => {
        const times = state ? timesOf(state.head) : [];
        return times.length === 0 ? undefined : Math.max(...times);
      }),
    },
    {
      name: 'newel_monitor_read_time_seconds',
      help: 'When a true checkpoint was last read, since 1970.',
      type: 'gauge',
      samples: ofLogs(({ readMs }) => (readMs === undefined ? undefined : readMs / 1000)),
    },
    {
      name: 'newel_monitor_leaves',
      help: 'Verified entries of a log of events, by what they are.',
      type: 'gauge',
      samples: known.flatMap(({ log, state }) => {
        if (log.trust.kind !== 'events' || !state) return [];
        const { events, statements, unknown, malformed } = state.leaves;
        return Object.entries({ event: events, log_statement: statements, unknown, malformed }).map(
          ([leaf, value]) => ({ labels: { origin: log.origin, leaf }, value }),
        );
      }),
    },
    {
      name: 'newel_monitor_witness_shown',
      help: '1 for a witness that has ever shown a head of the log; 0 for one that has not: nothing is compared with it.',
      type: 'gauge',
      samples: positions.flatMap(({ follower, witnesses }) =>
        witnesses.map(({ name, url, hasShown }) => ({
          labels: { origin: follower.log.origin, witness: name, source: url },
          value: hasShown ? 1 : 0,
        })),
      ),
    },
    {
      name: 'newel_monitor_alert',
      help: '1 for each alert that stands. An alert is not proof.',
      type: 'gauge',
      samples: alerts.standing.map(({ origin, code, source }) => ({
        labels: { ...(origin !== undefined && { origin }), code, ...(source !== undefined && { source }) },
        value: 1,
      })),
    },
    {
      name: 'newel_monitor_alerts_total',
      help: 'Alerts that were raised since the monitor started.',
      type: 'counter',
      samples: alerts.counts.map(({ origin, code, count }) => ({
        labels: { ...(origin !== undefined && { origin }), code },
        value: count,
      })),
    },
    {
      name: 'newel_monitor_evidence',
      help: 'Evidence bundles that are kept of a log: proof that convicts it, or a witness.',
      type: 'gauge',
      samples: ofLogs(({ log }) => evidence.count(log.trust)),
    },
    {
      name: 'newel_monitor_webhook_messages_total',
      help: 'Messages that the webhook took, and that were given up.',
      type: 'counter',
      samples: webhook
        ? [
            { labels: { result: 'delivered' }, value: webhook.delivered },
            { labels: { result: 'failed' }, value: webhook.failed },
          ]
        : [],
    },
  ];
}
