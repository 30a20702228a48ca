/**
 * A monitor that catches up: the shipped `newel monitor` over HTTP on a log that it has never seen, killed half way and
 * started again, then once more with nothing new. Beside it, what no monitor can do without: each entry hashed, and the
 * tree grown from the hashes, in this process and from memory.
 */

import { randomFillSync } from 'node:crypto';
import { hashLeaf, setSha256 } from '../src/core/hash.ts';
import { CompactRange } from '../src/core/range.ts';
import { nodeSha256 } from '../src/cli/sha256-node.ts';
import { ENTRY_BYTES } from './support/add-requests.ts';
import type { Child, Resident } from './support/child.ts';
import { formatMiB, formatSeconds, grouped, say, table } from './support/report.ts';
import { serve, sleep, startNewel } from './support/server.ts';
import type { Workbench } from './support/workbench.ts';

/** Of hashing alone; leaves of one buffer, over and over. */
const HASHED = 200_000;
const HASH_ROUNDS = 5;
const WATCH_EVERY_MS = 50;

interface Pass {
  readonly durationMs: number;
  readonly cpuUs: number | undefined;
  readonly peakBytes: number | undefined;
  readonly out: string;
}

export async function monitor(bench: Workbench): Promise<boolean> {
  const log = await bench.largeLog();
  const server = await serve(log);
  const url = `http://127.0.0.1:${server.port}`;
  const dir = bench.newDir();
  const args = (data: string): string[] => [
    'monitor',
    '--data',
    data,
    '--log',
    url,
    '--vkey',
    log.vkey,
    '--once',
    '--json',
  ];
  const first = await watch(startNewel(args(dir)));
  const second = await watch(startNewel(args(dir)));
  const killed = bench.newDir();
  const victim = startNewel(args(killed));
  await sleep(first.durationMs / 2);
  victim.kill();
  await victim.ended;
  const resumed = await watch(startNewel(args(killed)));
  await server.child.stop();

  const hashPerSecond = hashAlone();
  const perSecond = (log.size / first.durationMs) * 1000;
  table([
    ['', 'time', 'leaves/s', 'CPU µs/leaf', 'peak memory'],
    row('catch-up from nothing', first, log.size),
    row('after a kill half way', resumed, undefined),
    row('nothing new', second, undefined),
    ['hashing alone, in process', '', grouped(hashPerSecond), (1e6 / hashPerSecond).toFixed(2), ''],
  ]);
  say(
    `ratio to hashing alone: ${(perSecond / hashPerSecond).toFixed(3)}, the start of the process and fsync included`,
  );
  const isWhole = [first, second, resumed].every(({ out }) => hasVerified(out, log.size));
  if (!isWhole) say('WRONG: a pass has not verified every entry, or has found what is not there');
  return isWhole;
}

/** Waits for its end and looks at it meanwhile; what it used is read just before it is gone. */
async function watch(child: Child): Promise<Pass> {
  const startedMs = performance.now();
  let resident: Resident | undefined;
  let cpuUs: number | undefined;
  while (!child.hasEnded) {
    resident = child.resident() ?? resident;
    const now = child.cpuUs();
    if (now !== undefined && !Number.isNaN(now)) cpuUs = now;
    await Promise.race([child.ended, sleep(WATCH_EVERY_MS)]);
  }
  const durationMs = performance.now() - startedMs;
  return { durationMs, cpuUs, peakBytes: resident?.peakBytes, out: await child.succeed() };
}

function row(name: string, { durationMs, cpuUs, peakBytes }: Pass, leaves: number | undefined): string[] {
  return [
    name,
    formatSeconds(durationMs),
    leaves === undefined ? '' : grouped((leaves / durationMs) * 1000),
    leaves === undefined || cpuUs === undefined ? '' : (cpuUs / leaves).toFixed(2),
    peakBytes === undefined ? '' : formatMiB(peakBytes),
  ];
}

/** Leaves a second: the best of some rounds. */
function hashAlone(): number {
  setSha256(nodeSha256);
  const entry = randomFillSync(new Uint8Array(ENTRY_BYTES));
  let best = 0;
  for (let round = 0; round < HASH_ROUNDS; round++) {
    const range = new CompactRange();
    const startedMs = performance.now();
    for (let i = 0; i < HASHED; i++) range.append(hashLeaf(entry));
    best = Math.max(best, (HASHED / (performance.now() - startedMs)) * 1000);
  }
  return best;
}

/** Whether the last line says that every entry was verified, and no other line says anything. */
function hasVerified(out: string, size: number): boolean {
  const lines = out.trimEnd().split('\n');
  const state: unknown = JSON.parse(lines.at(-1) ?? '{}');
  return (
    lines.length === 1 &&
    typeof state === 'object' &&
    state !== null &&
    'verified_entries' in state &&
    state.verified_entries === size
  );
}
