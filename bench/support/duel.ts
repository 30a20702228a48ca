/**
 * Two servers under the same load in turns, A B A B …, so that whatever else the machine does meets both. The ratio is
 * taken round by round; its median is the result, its extremes say how much to believe it.
 */

import type { Child } from './child.ts';
import { runLoad } from './load.ts';
import { median, quantile } from './quantiles.ts';

export interface Contestant {
  readonly name: string;
  readonly server: { readonly child: Child; readonly port: number };
  readonly request: (connection: number) => Buffer;
  /** Of its answers; 200 where it is not given. */
  readonly status?: number;
  readonly onAnswer?: (body: Buffer, connection: number) => void;
}

export interface DuelOptions {
  readonly connections: number;
  readonly rounds: number;
  readonly roundMs: number;
  /** Load that is not counted, before the first round. */
  readonly warmUpMs: number;
}

export interface Score {
  readonly name: string;
  readonly requests: number;
  /** Median over the rounds. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of the server for each request, all its threads; `undefined` where the system does not tell. */
  readonly serverCpuUs: number | undefined;
  /** CPU time of the load generator for each request. */
  readonly loadCpuUs: number;
}

export interface DuelResult {
  readonly ours: Score;
  readonly bare: Score;
  /** Requests a second of ours to those of the bare one. */
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number };
  /** CPU time of the bare server for a request to that of ours: the same question, less disturbed by a busy machine. */
  readonly cpuRatio: number | undefined;
}

/** One contestant's rounds as they are run. */
interface Tally {
  readonly contestant: Contestant;
  readonly perSecond: number[];
  readonly latenciesMs: number[];
  requests: number;
  serverCpuUs: number | undefined;
  loadCpuUs: number;
}

export async function duel(ours: Contestant, bare: Contestant, options: DuelOptions): Promise<DuelResult> {
  const { connections, rounds, roundMs, warmUpMs } = options;
  for (const { server, request, status, onAnswer } of [ours, bare]) {
    await runLoad({
      port: server.port,
      connections,
      request,
      status,
      onAnswer,
      until: { durationMs: warmUpMs },
    });
  }
  const [a, b] = [newTally(ours), newTally(bare)];
  for (let round = 0; round < rounds; round++) {
    for (const tally of [a, b]) await runRound(tally, connections, roundMs);
  }
  const ratios = a.perSecond.map((perSecond, round) => perSecond / b.perSecond[round]!);
  const scores = { ours: scoreOf(a), bare: scoreOf(b) };
  const cpu = [scores.ours.serverCpuUs, scores.bare.serverCpuUs];
  return {
    ...scores,
    ratio: { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) },
    cpuRatio: cpu[0] === undefined || cpu[1] === undefined ? undefined : cpu[1] / cpu[0],
  };
}

async function runRound(tally: Tally, connections: number, roundMs: number): Promise<void> {
  const { server, request, status, onAnswer } = tally.contestant;
  const before = server.child.cpuUs();
  const load = { port: server.port, connections, request, status, onAnswer };
  const { requests, durationMs, latenciesMs, ownCpuUs } = await runLoad({
    ...load,
    until: { durationMs: roundMs },
  });
  const after = server.child.cpuUs();
  tally.perSecond.push((requests / durationMs) * 1000);
  for (const latencyMs of latenciesMs) tally.latenciesMs.push(latencyMs);
  tally.requests += requests;
  tally.loadCpuUs += ownCpuUs;
  const known = tally.serverCpuUs !== undefined && before !== undefined && after !== undefined;
  tally.serverCpuUs = known ? tally.serverCpuUs! + after - before : undefined;
}

function newTally(contestant: Contestant): Tally {
  return { contestant, perSecond: [], latenciesMs: [], requests: 0, serverCpuUs: 0, loadCpuUs: 0 };
}

function scoreOf({ contestant, perSecond, latenciesMs, requests, serverCpuUs, loadCpuUs }: Tally): Score {
  return {
    name: contestant.name,
    requests,
    perSecond: median(perSecond),
    p50Ms: median(latenciesMs),
    p99Ms: quantile(latenciesMs, 0.99),
    serverCpuUs: serverCpuUs === undefined ? undefined : serverCpuUs / requests,
    loadCpuUs: loadCpuUs / requests,
  };
}
