/** What a scenario prints. */

import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { formatTable } from '../../src/cli/terminal.ts';
import type { DuelResult, Score } from './duel.ts';

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function table(rows: readonly (readonly string[])[]): void {
  process.stdout.write(formatTable(rows));
}

/** Which machine this is, and what it was doing beforehand. */
export function sayMachine(): void {
  const all = cpus();
  const GiB = 2 ** 30;
  const load = loadavg().map((value) => value.toFixed(2));
  say(`${new Date().toISOString().slice(0, 10)}  Node ${process.version}, ${type()} ${release()}`);
  say(`${all.length} × ${all[0]?.model ?? 'unknown CPU'}, ${(totalmem() / GiB).toFixed(0)} GiB`);
  say(`load before: ${load.join(' ')} (1, 5, 15 minutes)`);
}

export const SCORE_HEADINGS: readonly string[] = [
  '',
  'req/s',
  'p50 ms',
  'p99 ms',
  'server µs/req',
  'load µs/req',
];

export function scoreRow(score: Score): string[] {
  return [
    score.name,
    grouped(score.perSecond),
    score.p50Ms.toFixed(2),
    score.p99Ms.toFixed(2),
    score.serverCpuUs === undefined ? 'not measured' : score.serverCpuUs.toFixed(1),
    score.loadCpuUs.toFixed(1),
  ];
}

export function formatRatio({ median, min, max }: DuelResult['ratio']): string {
  return `${median.toFixed(3)} (${min.toFixed(3)} to ${max.toFixed(3)})`;
}

export function formatCpuRatio({ cpuRatio }: DuelResult): string {
  return cpuRatio === undefined ? 'not measured' : cpuRatio.toFixed(3);
}

/** A floor that the project has set itself: said, never enforced. */
export function formatFloor(text: string, isMet: boolean): string {
  return `floor ${text}: ${isMet ? 'met' : 'NOT met'}`;
}

export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function formatMiB(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

export function formatSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(2)} s`;
}
