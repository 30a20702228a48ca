/**
 * Metrics that are read off what is there when they are asked for, as text in the exposition format that Prometheus
 * reads (version 0.0.4):
 *
 *   # HELP newel_monitor_tree_size Leaves of the newest verified head.
 *   # TYPE newel_monitor_tree_size gauge
 *   newel_monitor_tree_size{origin="log.example/bank"} 41984
 *
 * A backslash and a newline in a help, and these and a quote in the value of a label, are written \\, \n and \".
 */

export interface MetricFamily {
  /** Ends in `_total` where it is a counter, and in its unit where it has one. */
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  /** Gone through once, over many turns of the event loop. No two have the same labels. */
  readonly samples: Iterable<Sample>;
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples that are written in one turn of the event loop: a millisecond or two. */
const TURN_SAMPLES = 500;
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/u;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/u;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '"': '\\"' };

/**
 * Families without a sample are left out. However many samples there are, others have their turn meanwhile. Rejects for a
 * name that the format does not have, and for two families of one name.
 */
export async function formatMetrics(families: Iterable<MetricFamily>): Promise<string> {
  let text = '';
  let samples: string[] = [];
  for (const sample of formatSamples(families)) {
    samples.push(sample);
    if (samples.length < TURN_SAMPLES) continue;
    text += samples.join('');
    samples = [];
    await new Promise((resolve) => setImmediate(resolve));
  }
  return text + samples.join('');
}

/** Each with what stands before the first of its family. */
function* formatSamples(families: Iterable<MetricFamily>): Generator<string> {
  const names = new Set<string>();
  for (const { name, help, type, samples } of families) {
    if (!METRIC_NAME.test(name)) throw new RangeError('a metric has a name that the format does not have');
    if (names.has(name)) throw new RangeError('two metrics have one name');
    const between = names.size === 0 ? '' : '\n';
    let head = `${between}# HELP ${name} ${help.replace(/[\\\n]/gu, escape)}\n# TYPE ${name} ${type}\n`;
    for (const { labels = {}, value } of samples) {
      names.add(name);
      yield `${head}${name}${formatLabels(labels)} ${value}\n`;
      head = '';
    }
  }
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    if (!LABEL_NAME.test(name)) throw new RangeError('a label has a name that the format does not have');
    return `${name}="${value.replace(/[\\\n"]/gu, escape)}"`;
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escape(character: string): string {
  return ESCAPES[character] ?? character;
}
