/** `newel monitor`: follows logs as a stranger, and says what is wrong with them. */

import { resolve } from 'node:path';
import { type Call, type Command, usage } from '../command.ts';
import { sayFinding, sayState } from '../monitor-findings.ts';
import { MONITORED_LOG_OPTIONS, readMonitoredLogs, urlOf } from '../monitor-logs.ts';
import { catchUpProgress } from '../monitor-progress.ts';
import { runMonitor } from '../monitor-service.ts';
import { sayStopped } from '../monitor-stopped.ts';
import { parseAddress } from '../address.ts';
import { formatCount, printable } from '../terminal.ts';

export const monitor: Command = {
  name: 'monitor',
  summary: 'follow logs, and prove it where they fork',
  usage: [
    '--data DIR [--trust log.json … | --log URL --vkey VKEY …] [--once]',
    '--data DIR … [--witness NAME=URL …] [--peer URL …] [--listen ADDR] [--webhook URL] [--metrics ADDR]',
  ],
  about:
    'Follows the logs that --trust and --log name; without them the one that newel dev serves, by ./data/client.json.\n' +
    'Reads each log from its checkpoint, tiles and entry bundles alone: every head must extend the last one, every entry\n' +
    'must hash to its place in the tree, heads must be fresh and have the lines that the policy asks for. Compares what it\n' +
    'is shown with what witnesses (--witness, a monitoring prefix) have cosigned and peers have seen, and says which of the\n' +
    'witnesses have shown no head of a log. Remembers all of it in DIR and goes on from there, whenever it was stopped.\n' +
    'What can be proven is kept in DIR/evidence, for newel verify and for others. All else is an alert: it has a code, it\n' +
    'proves nothing, and it is told again when it is over.\n' +
    'Exit codes: 1 there is evidence in DIR/evidence · 3 no log could be read · 4 an alert stands · 0 none of these. With\n' +
    '--once after one pass, without it after SIGTERM or SIGINT.',
  options: {
    data: { value: 'DIR', help: 'the folder of the monitor, made if missing' },
    ...MONITORED_LOG_OPTIONS,
    witness: {
      value: 'NAME=URL',
      help: 'a witness and its monitoring prefix; may be given several times',
      multiple: true,
    },
    peer: {
      value: 'URL',
      help: 'a monitor or witness to exchange heads with; several times',
      multiple: true,
    },
    listen: { value: 'HOST:PORT', help: 'exchange heads with whoever asks here' },
    interval: { value: 'TIME', help: 'between two looks at a log: 10s, 1m (default: 10s)' },
    'max-age': {
      value: 'TIME',
      help: 'how old a head may be (default: 30m by its signed times; 1d unchanged where it has none)',
    },
    webhook: { value: 'URL', help: 'where each finding is posted as JSON (default: NEWEL_MONITOR_WEBHOOK)' },
    metrics: { value: 'HOST:PORT', help: 'serve /metrics for Prometheus here' },
    once: {
      help: 'one pass over everything there is, then end; a log that does not answer is given up after 2 minutes',
    },
  },
  positionals: [0, 0],
  run: runMonitorCommand,
};

const DEFAULT_INTERVAL = '10s';
const MIN_INTERVAL_MS = 100;
const MAX_TIME_MS = 365 * 86_400_000;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

async function runMonitorCommand(call: Call): Promise<number> {
  const { terminal } = call;
  const { err } = terminal;
  const data = call.text('data');
  if (data === undefined) throw usage(monitor, '--data is needed');
  const intervalMs = parseTimeMs('interval', call.text('interval') ?? DEFAULT_INTERVAL);
  const maxAge = call.text('max-age');
  const witnesses = parseWitnesses(call.texts('witness'));
  const peers = call.texts('peer').map((text) => urlOf('--peer', text));
  const listen = call.parsed('listen', parseAddress);
  const metrics = call.parsed('metrics', parseAddress);
  const webhook = webhookOf(call);
  const maxAgeMs = maxAge === undefined ? undefined : parseTimeMs('max-age', maxAge);
  const logs = await readMonitoredLogs(call);

  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new Error('told to stop'));
  for (const signal of SIGNALS) process.once(signal, onSignal);
  const progress = catchUpProgress(terminal);
  try {
    const { code, positions, evidence, isStopped } = await runMonitor({
      dir: resolve(terminal.cwd, data),
      logs,
      witnesses,
      peers,
      intervalMs,
      maxAgeMs,
      webhook,
      listen,
      metrics,
      once: call.has('once'),
      signal: stop.signal,
      onFinding(finding) {
        progress.end();
        sayFinding(terminal, call.json, finding);
      },
      onProgress: (origin, at) => progress.update(origin, at),
      onTrouble(what) {
        progress.end();
        err.write(`newel: ${printable(what)}\n`);
      },
      onStarted({ gossip, metrics: metricsUrl }) {
        if (call.has('once')) return;
        const origins = logs.map(({ trust }) => printable(trust.origin)).join(', ');
        err.write(
          `following ${formatCount(logs.length, 'log')}, ${origins}; evidence will be in ${printable(data)}/evidence\n`,
        );
        if (gossip !== undefined) err.write(`exchanging heads at ${gossip}/v1/heads\n`);
        if (metricsUrl !== undefined) err.write(`metrics at ${metricsUrl}/metrics\n`);
      },
    });
    progress.end();
    for (const position of positions) sayState(terminal, call.json, position, evidence);
    if (isStopped) sayStopped(terminal, positions);
    return code;
  } finally {
    progress.end();
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** Each has a name and a URL of its own, or one would be counted as two. */
function parseWitnesses(texts: readonly string[]): { name: string; url: string }[] {
  const witnesses = texts.map(parseWitness);
  for (const member of ['name', 'url'] as const) {
    if (new Set(witnesses.map((witness) => witness[member])).size < witnesses.length) {
      throw usage(monitor, `two --witness have one ${member === 'url' ? 'URL' : 'name'}`);
    }
  }
  return witnesses;
}

function parseWitness(text: string): { name: string; url: string } {
  const at = text.indexOf('=');
  if (at <= 0) throw usage(monitor, '--witness is not like NAME=https://witness.example');
  return { name: text.slice(0, at), url: urlOf('--witness', text.slice(at + 1)) };
}

/** A webhook's URL may hold a secret: it is never printed. */
function webhookOf(call: Call): string | undefined {
  const { NEWEL_MONITOR_WEBHOOK: fromEnv } = call.terminal.env;
  const flag = call.text('webhook');
  const text = flag ?? (fromEnv === '' ? undefined : fromEnv);
  if (text === undefined) return undefined;
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  const name = flag === undefined ? 'NEWEL_MONITOR_WEBHOOK' : '--webhook';
  throw usage(monitor, `${name} is not an http or https URL`);
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseTimeMs(option: string, text: string): number {
  const [, digits, unit] = /^([1-9][0-9]{0,8})(ms|s|m|h|d)$/.exec(text) ?? [];
  const timeMs = Number(digits) * UNITS_MS[unit ?? '']!;
  if (digits === undefined || timeMs < MIN_INTERVAL_MS || timeMs > MAX_TIME_MS) {
    throw usage(monitor, `--${option} is not a time like 10s, 5m or 1h, of at least ${MIN_INTERVAL_MS} ms`);
  }
  return timeMs;
}
