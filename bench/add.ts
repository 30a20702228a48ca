/**
 * `POST /add` of 200 bytes against a bare `node:http` echo under the same load: what an entry costs that is signed,
 * durable and in the tree. Every acknowledged index is checked against the tree in the end.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { numberOfKey, roundKey } from '../src/storage/keys.ts';
import { openLevelStore } from '../src/storage/level.ts';
import { parseRoundRecord } from '../src/log/round-record.ts';
import { Acknowledged, addRequests, ENTRY_BYTES, parseAdded } from './support/add-requests.ts';
import { copyLog } from './support/build-log.ts';
import { type Contestant, duel } from './support/duel.ts';
import { runLoad } from './support/load.ts';
import { mean, quantile } from './support/quantiles.ts';
import {
  formatCpuRatio,
  formatFloor,
  formatRatio,
  grouped,
  say,
  SCORE_HEADINGS,
  scoreRow,
  table,
} from './support/report.ts';
import { type DataFolder, serve, serveBare } from './support/server.ts';
import type { Workbench } from './support/workbench.ts';

const FLOOR = 0.25;
const WARM_UP_MS = 2000;
/** Entries of the run whose fsyncs are counted. */
const COUNTED_ENTRIES = 20_000;
const ROUNDS_AT_ONCE = 4096;

export async function add(bench: Workbench): Promise<boolean> {
  const { connections, rounds, roundMs } = bench.options;
  const large = await bench.largeLog();
  const folder = await copyLog(large, bench.newDir());
  const ours = await serve(folder);
  const bare = await serveBare();
  const acknowledged = new Acknowledged(large.size);
  const newel: Contestant = {
    name: 'newel serve',
    server: ours,
    request: addRequests(folder.submitToken, connections),
    onAnswer: (body) => acknowledged.add(parseAdded(body)),
  };
  const echo: Contestant = {
    name: 'node:http echo',
    server: bare,
    request: addRequests(folder.submitToken, connections),
    onAnswer: checkEcho,
  };
  const result = await duel(newel, echo, { connections, rounds, roundMs, warmUpMs: WARM_UP_MS });
  await Promise.all([ours.child.stop(), bare.child.stop()]);

  say(
    `POST /add of ${ENTRY_BYTES} B at ${connections} connections to a log of ${grouped(large.size)} leaves, ` +
      `${rounds} rounds of ${roundMs / 1000} s in turns`,
  );
  table([SCORE_HEADINGS, scoreRow(result.ours), scoreRow(result.bare)]);
  say(
    `ratio ${formatRatio(result.ratio)}, ${formatFloor(String(FLOOR), result.ratio.median >= FLOOR)}; ` +
      `by CPU time ${formatCpuRatio(result)}`,
  );

  const stored = await readRounds(folder, large.size);
  acknowledged.check(stored.size);
  say(`${grouped(acknowledged.count)} entries were acknowledged, each is in the tree once`);
  sayRounds(stored.entries);
  await saySyncs(folder, connections);
  return true;
}

function checkEcho(body: Buffer): void {
  if (body.length !== ENTRY_BYTES) throw new Error(`the echo has ${body.length} bytes`);
}

function sayRounds(entries: readonly number[]): void {
  const some = [0.05, 0.5, 0.95].map((at) => quantile(entries, at));
  say(
    `${grouped(entries.length)} rounds with entries, ${mean(entries).toFixed(1)} entries each ` +
      `(5 %, 50 %, 95 %: ${some.join(', ')}), from the round records`,
  );
}

/** Entries of each round after the tree had `first` leaves that has any, from the round records; the size of the tree. */
async function readRounds({ dir }: DataFolder, first: number): Promise<{ entries: number[]; size: number }> {
  const store = await openLevelStore(join(dir, 'db'), { create: false });
  try {
    const entries: number[] = [];
    let size = 0;
    for (let next = 0; ;) {
      const to = roundKey(Number.MAX_SAFE_INTEGER);
      const rows = await store.scan({ from: roundKey(next), to, limit: ROUNDS_AT_ONCE });
      for (const row of rows) {
        const record = parseRoundRecord(row.value);
        if (record.first >= first && record.size > record.first) entries.push(record.size - record.first);
        size = record.size;
        next = numberOfKey(row.key) + 1;
      }
      if (rows.length < ROUNDS_AT_ONCE) return { entries, size };
    }
  } finally {
    await store.close();
  }
}

/** Counts the syncs of a run of its own on the same log, because watching a process slows it. */
async function saySyncs(folder: DataFolder, connections: number): Promise<void> {
  const counted = await countSyncs(folder, connections);
  if (typeof counted === 'string') return say(`fdatasync and fsync calls: not measured (${counted})`);
  const { calls, entries } = counted;
  const each = [...calls].map(([name, count]) => `${((count / entries) * 1000).toFixed(1)} ${name}`);
  say(
    `for 1,000 entries: ${each.join(', ') || 'no sync at all'} ` +
      `(strace over ${grouped(entries)} entries, ${connections} connections)`,
  );
}

async function countSyncs(
  folder: DataFolder,
  connections: number,
): Promise<{ calls: Map<string, number>; entries: number } | string> {
  const summary = `${folder.dir}.strace`;
  // With a seccomp filter only the calls that are counted stop the process; with -D the process that is started is the
  // server itself, and strace its grandchild.
  const strace = ['strace', '-D', '-f', '--seccomp-bpf', '-c', '-e', 'trace=fdatasync,fsync', '-o', summary];
  let server: Awaited<ReturnType<typeof serve>>;
  try {
    server = await serve(folder, { prefix: strace });
  } catch (error) {
    return `strace does not run here: ${error instanceof Error ? error.message.split('\n')[0] : 'no reason given'}`;
  }
  const request = addRequests(folder.submitToken, connections);
  await runLoad({ port: server.port, connections, request, until: { requests: COUNTED_ENTRIES } });
  await server.child.stop();
  return { calls: parseSummary(await readFile(summary, 'utf8')), entries: COUNTED_ENTRIES };
}

/** The table of `strace -c`: `% time  seconds  usecs/call  calls  [errors]  syscall`. */
function parseSummary(text: string): Map<string, number> {
  const row = /^\s*[0-9.]+\s+[0-9.]+\s+[0-9]+\s+([0-9]+)\s+(?:[0-9]+\s+)?(fdatasync|fsync)$/gm;
  return new Map([...text.matchAll(row)].map(([, calls, name]) => [name!, Number(calls)]));
}
