/**
 * What a monitor has found, told three ways: in words, as lines of JSON, and to a webhook, which gets the same objects.
 *
 *   {"event":"alert","origin":"log.example/bank","code":"stale","message":"…","time":"2026-11-20T12:00:00.000Z"}
 *   {"event":"cleared", …}                         the same alert is over
 *   {"event":"evidence","origin":…,"kind":"fork","message":…,"file":…,"evidence":{…the bundle…},"time":…}
 */

import { formatEvidenceBundle } from '../client/evidence-bundle.ts';
import { formatInstantS, formatUtc } from '../client/time-words.ts';
import { type JsonValue, parseJson } from '../formats/json.ts';
import type { Alert, AlertCode } from '../monitor/alerts.ts';
import type { EvidenceFolder, KeptEvidence } from '../monitor/evidence-folder.ts';
import type { Follower } from '../monitor/follower.ts';
import type { LogPosition } from '../monitor/monitor.ts';
import type { WitnessStanding } from '../monitor/witness-heads.ts';
import { timesOf } from '../monitor/followed-head.ts';
import { formatJsonLine } from './json-line.ts';
import { grouped } from './progress.ts';
import { formatCount, paint, printable, shellQuote, type Terminal } from './terminal.ts';

export type Finding = AlertFinding | EvidenceFinding;

export interface AlertFinding {
  readonly event: 'alert' | 'cleared';
  /** Not there where it is about no single log. */
  readonly origin?: string;
  readonly code: AlertCode;
  /** The URL of whoever answered so, where that is not the log. */
  readonly source?: string;
  readonly message: string;
  /** RFC 3339, as all times. */
  readonly time: string;
  /** Of one that is over, when it began. */
  readonly since?: string;
}

export interface EvidenceFinding {
  readonly event: 'evidence';
  readonly origin: string;
  readonly kind: string;
  readonly message: string;
  /** Where the bundle is kept. */
  readonly file: string;
  /** The bundle. */
  readonly evidence: JsonValue;
  readonly time: string;
}

export function alertFinding(event: 'alert' | 'cleared', alert: Alert, nowMs: number): AlertFinding {
  const { origin, code, source, message, sinceMs } = alert;
  return {
    event,
    ...(origin !== undefined && { origin }),
    code,
    ...(source !== undefined && { source }),
    message,
    time: new Date(nowMs).toISOString(),
    ...(event === 'cleared' && { since: new Date(sinceMs).toISOString() }),
  };
}

export function evidenceFinding({ path, bundle, proves }: KeptEvidence, nowMs: number): EvidenceFinding {
  return {
    event: 'evidence',
    origin: bundle.origin,
    kind: proves.kind,
    message: proves.words.join(' '),
    file: path,
    evidence: parseJson(formatEvidenceBundle(bundle)),
    time: new Date(nowMs).toISOString(),
  };
}

/** A finding for who reads: words, or a line of JSON. Proof is called proof, and nothing else is. */
export function sayFinding(terminal: Terminal, isJson: boolean, finding: Finding): void {
  const { out } = terminal;
  out.write(isJson ? formatJsonLine(finding) : wordsOf(terminal, finding));
}

function wordsOf(terminal: Terminal, finding: Finding): string {
  const { out } = terminal;
  const message = printable(finding.message);
  const about = printable(finding.origin ?? 'peers');
  switch (finding.event) {
    case 'alert':
      return `${paint(terminal, out, 'yellow', '!')} alert ${finding.code}  ${about}: ${message}\n`;
    case 'cleared':
      return `${paint(terminal, out, 'green', '✔')} over  ${finding.code}  ${about}\n`;
    case 'evidence': {
      const { kind, file } = finding;
      return (
        `${paint(terminal, out, 'red', '✘')} proof of a ${kind}  ${about}: ${message}\n` +
        `  kept in ${printable(file)}; newel verify ${shellQuote(printable(file))} checks it, and so can anybody\n`
      );
    }
  }
}

/**
 * What is known of a log after a pass, how much is proven, of earlier processes too, and with which witnesses it could be
 * compared.
 */
export function sayState(
  terminal: Terminal,
  isJson: boolean,
  { follower: { log, state, readMs }, witnesses }: Pick<LogPosition, 'follower' | 'witnesses'>,
  evidence: Pick<EvidenceFolder, 'count' | 'path'>,
): void {
  const { out } = terminal;
  const bundles = evidence.count(log.trust);
  if (isJson) {
    const time = state && timeOf(state.head);
    return out.write(
      formatJsonLine({
        event: 'state',
        origin: log.origin,
        url: log.url,
        read: readMs !== undefined,
        tree_size: state?.head.size ?? null,
        verified_entries: state?.range.size ?? null,
        ...(log.trust.kind === 'events' && state && { leaves: leavesOf(state.leaves) }),
        head_time: time === undefined ? null : formatInstantS(time),
        evidence: bundles,
        ...(witnesses.length > 0 && { witnesses: countShown(witnesses) }),
      }),
    );
  }
  const about = printable(log.origin);
  if (bundles > 0) {
    const mark = paint(terminal, out, 'red', '✘');
    out.write(`${mark} ${about}  proof: ${formatCount(bundles, 'bundle')} in ${printable(evidence.path)}\n`);
  }
  out.write(`${wordsOfState(terminal, { log, state, readMs })}\n`);
  if (witnesses.length > 0) out.write(`${wordsOfWitnesses(terminal, log.origin, witnesses)}\n`);
}

/** How many have ever shown a head of the log, and the names of those that have shown none. */
function countShown(witnesses: readonly WitnessStanding[]): {
  configured: number;
  shown: number;
  none: string[];
} {
  const none = witnesses.filter(({ hasShown }) => !hasShown).map(({ name }) => name);
  return { configured: witnesses.length, shown: witnesses.length - none.length, none };
}

function wordsOfWitnesses(terminal: Terminal, origin: string, witnesses: readonly WitnessStanding[]): string {
  const { out } = terminal;
  const { configured, shown } = countShown(witnesses);
  const mark = shown === configured ? paint(terminal, out, 'green', '✔') : '–';
  const have = shown === 1 ? 'has' : 'have';
  const count = `${shown} of ${formatCount(configured, 'witness', 'witnesses')} ${have} shown a head of it`;
  const none = witnesses.filter(({ hasShown }) => !hasShown).map((witness) => `; ${wordsOfNone(witness)}`);
  return `${mark} ${printable(origin)}  ${count}${none.join('')}`;
}

/** Of a witness that has shown no head of a log: what that means, and what may be wrong. */
export function wordsOfNone({ name, url }: Pick<WitnessStanding, 'name' | 'url'>): string {
  return printable(
    `nothing is compared with ${name}, which has shown none: is ${url} its monitoring prefix?`,
  );
}

function wordsOfState(
  terminal: Terminal,
  { log, state, readMs }: Pick<Follower, 'log' | 'state' | 'readMs'>,
): string {
  const { out } = terminal;
  const about = printable(log.origin);
  if (!state) return `– ${about}  no head was ever verified`;
  const { head, range } = state;
  const isWhole = readMs !== undefined && range.size === head.size;
  const mark = isWhole ? paint(terminal, out, 'green', '✔') : '–';
  const entries =
    range.size === head.size ? 'every entry is verified' : `${grouped(range.size)} entries are verified`;
  const time = timeOf(head);
  const when = time === undefined ? '' : `, signed ${formatUtc(time)}`;
  const leaves = head.size === 1 ? 'leaf' : 'leaves';
  return `${mark} ${about}  ${grouped(head.size)} ${leaves}${when}; ${entries}`;
}

function timeOf(head: Parameters<typeof timesOf>[0]): number | undefined {
  const times = timesOf(head);
  return times.length === 0 ? undefined : Math.max(...times);
}

function leavesOf({
  events,
  statements,
  unknown,
  malformed,
}: NonNullable<Follower['state']>['leaves']): Record<string, number> {
  return { events, statements, unknown, malformed };
}
