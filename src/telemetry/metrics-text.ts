/**
 * Metrics as text, in the exposition format that Prometheus reads (version 0.0.4):
 *
 *   # HELP newel_monitor_tree_size Leaves of the newest verified head.
 *   # TYPE newel_monitor_tree_size gauge
 *   newel_monitor_tree_size{origin="log.example/bank"} 41984
 */

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

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Families without a sample are left out. Throws `RangeError` for a name that the format does not have. */
export function formatMetrics(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) => {
      assertName(name);
      const lines = samples.map(
        (sample) => `${name}${formatLabels(sample.labels)} ${formatValue(sample.value)}\n`,
      );
      return `# HELP ${name} ${escapeLine(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
    })
    .join('');
}

function formatLabels(labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    assertName(name);
    return `${name}="${escapeLine(value).replaceAll('"', '\\"')}"`;
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

function escapeLine(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function assertName(name: string): void {
  if (!NAME.test(name)) throw new RangeError('name expected letters, digits and underscores');
}
