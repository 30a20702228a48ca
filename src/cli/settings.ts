/**
 * The settings of `serve`, in one table. Each has a flag, an environment variable and a member of newel.json, and the
 * first of these that is there wins; `newel config` prints what came from where.
 *
 *   --max-queue 8192      NEWEL_MAX_QUEUE=8192      "serve": {"max_queue": 8192}
 *
 * Secrets are not settings: a flag shows in the list of processes.
 */

import { resolve } from 'node:path';
import { DEFAULT_RATE, MAX_RATE } from '../access/rate-limit.ts';
import { NewelError } from '../errors.ts';
import { parseDecimal } from '../formats/decimal.ts';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import {
  MAX_PUBLISH_DELAY_MS,
  POOL_LIMITS,
  PUBLISH_INTERVAL_MS,
  WITNESS_DEADLINE_MS,
  WITNESS_INTERVAL_MS,
} from '../log/limits.ts';
import { type Level, parseLevel } from '../telemetry/lines.ts';
import { type Address, parseAddress, parsePublicUrl } from './address.ts';
import type { Options } from './command.ts';
import { type Folder, isWithin } from './folder.ts';

export interface ServeSettings {
  readonly listen: Address;
  /** A socket of its own for the public routes alone. */
  readonly listenPublic: Address | undefined;
  /** A socket of its own for `/metrics` alone, which needs no token there. */
  readonly metrics: Address | undefined;
  /** Without a slash at its end. `undefined`: where it listens. */
  readonly publicUrl: string | undefined;
  /** An absolute path. */
  readonly guard: string;
  readonly maxQueueEntries: number;
  readonly maxQueueBytes: number;
  readonly maxRoundEntries: number;
  readonly maxRoundBytes: number;
  readonly publishIntervalMs: number;
  readonly witnessIntervalMs: number;
  readonly witnessDeadlineMs: number;
  readonly publicRequestsPerDay: number;
  /** Of a caller that has no rate of its own, a second. */
  readonly rateLimit: number;
  readonly epochMs: number;
  readonly logLevel: Level;
}

/** What one setting is and where it came from. */
export interface SettingRow {
  readonly flag: string;
  readonly env: string;
  /** As text; `undefined` where it is not set and has no default. */
  readonly value: string | undefined;
  readonly unit: string | undefined;
  /** `--max-queue`, `NEWEL_MAX_QUEUE`, `newel.json` or `default`. */
  readonly source: string;
}

export interface SettingSources {
  readonly folder: Folder;
  readonly flag: (name: string) => string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that relative paths in flags and environment begin at; in newel.json they begin at the data folder. */
  readonly cwd: string;
  /** Defaults of a command, by flag, before those of the table. */
  readonly defaults?: Readonly<Record<string, string>>;
}

interface Setting<T> {
  readonly flag: string;
  readonly value: string;
  readonly help: string;
  readonly unit?: string;
  readonly fallback?: string;
  /** Throws `malformed`, naming nothing: who calls it knows the setting. `base` is where relative paths begin, `dir` the data folder. */
  readonly parse: (text: string, base: string, dir: string) => T;
}

const MiB = 2 ** 20;
const DAY_MS = 86_400_000;

const SETTINGS = {
  listen: setting({
    flag: 'listen',
    value: 'HOST:PORT',
    help: 'where all routes are served',
    fallback: '127.0.0.1:8080',
    parse: parseAddress,
  }),
  listenPublic: setting({
    flag: 'listen-public',
    value: 'HOST:PORT',
    help: 'a socket of its own for the public routes alone',
    parse: parseAddress,
  }),
  metrics: setting({
    flag: 'metrics',
    value: 'HOST:PORT',
    help: 'a socket of its own for /metrics, for Prometheus, which needs no token there',
    parse: parseAddress,
  }),
  publicUrl: setting({
    flag: 'public-url',
    value: 'URL',
    help: 'the URL that the world reaches the log at (default: where it listens)',
    parse: parsePublicUrl,
  }),
  guard: setting({
    flag: 'guard',
    value: 'PATH',
    help: 'the guard file, better on another volume (default: DIR.guard)',
    parse: parseGuard,
  }),
  maxQueueEntries: setting({
    flag: 'max-queue',
    value: 'COUNT',
    help: 'entries that may wait for a round',
    unit: 'entries',
    fallback: `${POOL_LIMITS.maxQueueEntries}`,
    parse: wholeNumber(1, 1_000_000),
  }),
  maxQueueBytes: setting({
    flag: 'max-queue-bytes',
    value: 'BYTES',
    help: 'bytes of entries that may wait for a round',
    unit: 'bytes',
    fallback: `${POOL_LIMITS.maxQueueBytes}`,
    parse: wholeNumber(MAX_ENTRY_BYTES, 1024 * MiB),
  }),
  maxRoundEntries: setting({
    flag: 'max-round',
    value: 'COUNT',
    help: 'entries that one round commits at most',
    unit: 'entries',
    fallback: `${POOL_LIMITS.maxRoundEntries}`,
    parse: wholeNumber(1, 65_536),
  }),
  maxRoundBytes: setting({
    flag: 'max-round-bytes',
    value: 'BYTES',
    help: 'bytes of entries that one round commits at most',
    unit: 'bytes',
    fallback: `${POOL_LIMITS.maxRoundBytes}`,
    parse: wholeNumber(MAX_ENTRY_BYTES, 64 * MiB),
  }),
  publishIntervalMs: setting({
    flag: 'publish-interval-ms',
    value: 'MS',
    help: 'how often a growing tree is published at most; up to half of the max_publish_delay that the log promises',
    unit: 'ms',
    fallback: `${PUBLISH_INTERVAL_MS}`,
    // A head that just missed a publication waits a whole interval and then for the writing; half of the promise leaves
    // room for that, so that no setting breaks what /v1/log says.
    parse: wholeNumber(10, MAX_PUBLISH_DELAY_MS / 2),
  }),
  witnessIntervalMs: setting({
    flag: 'witness-interval-ms',
    value: 'MS',
    help: 'how often the witnesses that receipts wait for are asked at most, while the tree grows',
    unit: 'ms',
    fallback: `${WITNESS_INTERVAL_MS}`,
    parse: wholeNumber(10, MAX_PUBLISH_DELAY_MS / 2),
  }),
  witnessDeadlineMs: setting({
    flag: 'witness-deadline-ms',
    value: 'MS',
    help: 'how long one head waits for them before the next one is asked for',
    unit: 'ms',
    fallback: `${WITNESS_DEADLINE_MS}`,
    parse: wholeNumber(10, 60_000),
  }),
  publicRequestsPerDay: setting({
    flag: 'public-requests-per-day',
    value: 'COUNT',
    help: 'what each witness of policy.public grants this log a day, repeated requests included',
    unit: 'a day',
    fallback: '1440',
    parse: wholeNumber(1, 10_000_000),
  }),
  rateLimit: setting({
    flag: 'rate-limit',
    value: 'COUNT',
    help: 'events and reads that one caller may send a second, where its token has no rate of its own',
    unit: 'a second',
    fallback: `${DEFAULT_RATE}`,
    parse: wholeNumber(1, MAX_RATE),
  }),
  epochMs: setting({
    flag: 'epoch-days',
    value: 'DAYS',
    help: 'how long data keys stay sealed under one key: what is erased opens with nothing after that, at the latest',
    unit: 'days',
    fallback: '7',
    parse: (text) => DAY_MS * wholeNumber(1, 365)(text),
  }),
  logLevel: setting({
    flag: 'log-level',
    value: 'LEVEL',
    help: 'the least grave log lines that are written: debug, info, warn or error',
    fallback: 'info',
    parse: parseLevel,
  }),
};

/** The flags of all settings, for a command's options. */
export const SETTING_OPTIONS: Options = Object.fromEntries(
  Object.values(SETTINGS).map(({ flag, value, help, fallback }) => [
    flag,
    { value, help: fallback === undefined ? help : `${help} (default: ${fallback})` },
  ]),
);

/** Settles every setting. Throws `usage`, naming the source that is wrong, or `log_refused` where it is newel.json. */
export function resolveSettings(sources: SettingSources): {
  settings: ServeSettings;
  rows: readonly SettingRow[];
} {
  const { folder } = sources;
  assertKnownMembers(folder);
  const rows: SettingRow[] = [];
  const optional = <T>(wanted: Setting<T>): T | undefined => {
    const { found, source, parsed } = settle(wanted, sources);
    rows.push({ flag: wanted.flag, env: envOf(wanted.flag), value: found, unit: wanted.unit, source });
    return parsed;
  };
  const required = <T>(wanted: Setting<T>): T => {
    const value = optional(wanted);
    if (value === undefined) throw new Error(`bug: ${wanted.flag} has no default`);
    return value;
  };
  const settings: ServeSettings = {
    listen: required(SETTINGS.listen),
    listenPublic: optional(SETTINGS.listenPublic),
    metrics: optional(SETTINGS.metrics),
    publicUrl: optional(SETTINGS.publicUrl),
    guard: required({ ...SETTINGS.guard, fallback: folder.paths.guard }),
    maxQueueEntries: required(SETTINGS.maxQueueEntries),
    maxQueueBytes: required(SETTINGS.maxQueueBytes),
    maxRoundEntries: required(SETTINGS.maxRoundEntries),
    maxRoundBytes: required(SETTINGS.maxRoundBytes),
    publishIntervalMs: required(SETTINGS.publishIntervalMs),
    witnessIntervalMs: required(SETTINGS.witnessIntervalMs),
    witnessDeadlineMs: required(SETTINGS.witnessDeadlineMs),
    publicRequestsPerDay: required(SETTINGS.publicRequestsPerDay),
    rateLimit: required(SETTINGS.rateLimit),
    epochMs: required(SETTINGS.epochMs),
    logLevel: required(SETTINGS.logLevel),
  };
  return { settings, rows };
}

interface Settled<T> {
  readonly found: string | undefined;
  readonly source: string;
  readonly parsed: T | undefined;
}

function settle<T>(
  wanted: Setting<T>,
  { folder, flag, env, cwd, defaults = {} }: SettingSources,
): Settled<T> {
  const variable = envOf(wanted.flag);
  const candidates = [
    { source: `--${wanted.flag}`, found: flag(wanted.flag), base: cwd },
    { source: variable, found: env[variable], base: cwd },
    { source: 'newel.json', found: memberText(wanted, folder), base: folder.paths.dir },
    { source: 'default', found: defaults[wanted.flag] ?? wanted.fallback, base: cwd },
  ];
  const first = candidates.find(({ found }) => found !== undefined);
  if (first?.found === undefined) return { found: undefined, source: 'default', parsed: undefined };
  const { source, found, base } = first;
  try {
    return { found, source, parsed: wanted.parse(found, base, folder.paths.dir) };
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    const where = source === 'newel.json' ? `${folder.paths.config}: ${memberOf(wanted.flag)}` : source;
    throw new NewelError(source === 'newel.json' ? 'log_refused' : 'usage', `${where} ${cause.message}`, {
      cause,
    });
  }
}

/** The value in newel.json. The public URL is not one of the `serve` members: it belongs to what the log is. */
function memberText({ flag }: Setting<unknown>, { url, serve, paths }: Folder): string | undefined {
  if (flag === SETTINGS.publicUrl.flag) return url;
  const member = serve[memberOf(flag)];
  if (member === undefined || typeof member === 'string') return member;
  if (typeof member === 'number') return String(member);
  throw new NewelError('log_refused', `${paths.config}: ${memberOf(flag)} is neither text nor a number`);
}

function assertKnownMembers({ serve, paths }: Folder): void {
  const known = Object.values(SETTINGS)
    .filter((one) => one !== SETTINGS.publicUrl)
    .map(({ flag }) => memberOf(flag));
  const unknown = Object.keys(serve).find((member) => !known.includes(member));
  if (unknown === undefined) return;
  throw new NewelError(
    'log_refused',
    `${paths.config}: serve has an unknown member ${JSON.stringify(unknown)}; there are ${known.join(', ')}`,
  );
}

function envOf(flag: string): string {
  return `NEWEL_${flag.replaceAll('-', '_').toUpperCase()}`;
}

function memberOf(flag: string): string {
  return flag.replaceAll('-', '_');
}

function setting<T>(wanted: Setting<T>): Setting<T> {
  return wanted;
}

function parseGuard(text: string, base: string, dir: string): string {
  const path = resolve(base, text);
  if (!isWithin(dir, path)) return path;
  throw new NewelError(
    'malformed',
    `lies in the data folder ${dir}, and what copies that would copy the guard: put it outside`,
  );
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = parseDecimal(text, 'value');
    if (value < min || value > max) throw new NewelError('malformed', `is not from ${min} to ${max}`);
    return value;
  };
}
