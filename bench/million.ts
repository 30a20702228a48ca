/**
 * A log of a million leaves: how long it takes to start, how much memory and disk it takes, how long a stranger needs
 * to check all of it, and how long the start takes that has the most to prove: after a kill under load, with a full
 * write-ahead log of rounds of one entry.
 */

import { randomInt } from 'node:crypto';
import { TILE_WIDTH } from '../src/core/tile.ts';
import { formatTilePath } from '../src/formats/tile-path.ts';
import { WRITE_BUFFERS_BYTES } from '../src/log/limits.ts';
import { WRITE_BUFFER_BYTES } from '../src/storage/write-buffer.ts';
import { Acknowledged, addRequests, parseAdded } from './support/add-requests.ts';
import { type BuiltLog, copyLog, databaseBytes, writeAheadBytes } from './support/build-log.ts';
import { getRequest, runLoad } from './support/load.ts';
import { formatFloor, formatMiB, formatSeconds, grouped, say } from './support/report.ts';
import { ask, type DataFolder, type NewelServer, serve, sleep, startNewel } from './support/server.ts';
import type { Workbench } from './support/workbench.ts';

const START_FLOOR_MS = 2000;
const RESIDENT_FLOOR_BYTES = 200 * 10 ** 6;
const FSCK_FLOOR_MS = 60_000;
const STARTS = 5;
const READS_MS = 10_000;
/** What a round of one entry writes at the least; what it writes on average is larger by the tile's growth. */
const SINGLE_ROUND_MIN_BYTES = 1024;
const BETWEEN_LOOKS = 250;

export async function million(bench: Workbench): Promise<boolean> {
  const log = await bench.largeLog();
  const bytes = await databaseBytes(log.dir);
  say(`disk: ${formatMiB(bytes)}, ${(bytes / log.size).toFixed(1)} bytes an entry of 200 B`);
  await sayStarts(log);
  await sayReads(bench, log);
  await sayKilledStart(bench, log);
  return true;
}

async function sayStarts(log: BuiltLog): Promise<void> {
  const startsMs: number[] = [];
  const proved: (number | undefined)[] = [];
  for (let i = 0; i < STARTS; i++) {
    const server = await serve(log);
    startsMs.push(server.startMs);
    proved.push(server.provedRounds);
    if (i === STARTS - 1) sayResident(server, 'after the start');
    await server.child.stop();
  }
  const each = startsMs.map((startMs) => startMs.toFixed(0)).join(', ');
  say(`start, from spawn to the first 200 of /readyz: ${each} ms (${proved.join(', ')} rounds proven)`);
  sayStartFloor(Math.max(...startsMs));
}

/** Reads of every kind, then memory; then a whole fsck by the shipped command, over HTTP. */
async function sayReads(bench: Workbench, log: BuiltLog): Promise<void> {
  const { connections } = bench.options;
  const server = await serve(log);
  const requests = Array.from({ length: 20_000 }, () => getRequest(randomRead(log.size)));
  const { requests: answered, durationMs } = await runLoad({
    port: server.port,
    connections,
    request: () => requests[randomInt(requests.length)]!,
    until: { durationMs: READS_MS },
  });
  say(
    `mixed random reads: ${grouped((answered / durationMs) * 1000)} a second for ${formatSeconds(durationMs)}`,
  );
  sayResident(server, 'after the reads');

  const startedMs = performance.now();
  const fsck = startNewel(['fsck', '--url', `http://127.0.0.1:${server.port}`]);
  await fsck.succeed();
  const fsckMs = performance.now() - startedMs;
  const progress = fsck.err.split('\n').filter((line) => line.startsWith('checking'));
  if (progress.length === 0 && fsckMs > 12_000) throw new Error(`fsck told no progress:\n${fsck.err}`);
  say(
    `newel fsck --url: clean in ${formatSeconds(fsckMs)}, ${progress.length} lines of progress; ` +
      formatFloor('60 s', fsckMs < FSCK_FLOOR_MS),
  );
  sayResident(server, 'after the fsck');
  await server.child.stop();
}

/** Tiles, bundles, proofs and leaves in equal parts, anywhere in the tree, and the checkpoint. */
function randomRead(size: number): string {
  const leaf = randomInt(size);
  const index = randomInt(Math.floor(size / TILE_WIDTH));
  switch (randomInt(5)) {
    case 0:
      return `/${formatTilePath({ kind: 'tile', level: 0, index, width: TILE_WIDTH })}`;
    case 1:
      return `/${formatTilePath({ kind: 'entries', index, width: TILE_WIDTH })}`;
    case 2:
      return `/v1/proofs/inclusion?leaf_index=${leaf}&tree_size=${size}`;
    case 3:
      return `/v1/leaves/${leaf}`;
    default:
      return '/checkpoint';
  }
}

/** On a copy: what happens here must not happen to the log that other scenarios read. */
async function sayKilledStart(bench: Workbench, original: BuiltLog): Promise<void> {
  const log = await copyLog(original, bench.newDir());
  const server = await serve(log);
  const acknowledged = new Acknowledged(original.size);
  await fillWriteAhead(log, server, acknowledged);
  const singles = acknowledged.count;
  await killUnderLoad(bench, log, server, acknowledged);
  const walBytes = await writeAheadBytes(log.dir);

  const again = await serve(log);
  say(
    `start after kill -9 under load (${grouped(singles)} rounds of one entry, ${formatMiB(walBytes)} of write-ahead ` +
      `log): ${again.startMs.toFixed(0)} ms, ${grouped(again.provedRounds ?? Number.NaN)} rounds proven`,
  );
  sayStartFloor(again.startMs);
  sayResident(again, 'after that start');
  await checkAcknowledged(again, acknowledged);
  say(`${grouped(acknowledged.count)} entries were acknowledged before the kill, none is lost`);
  await again.child.stop();
}

/**
 * One connection, so each round has one entry, which is the most rounds that the same bytes can hold: until as much is
 * written as the proved mark stays behind, and the newest write-ahead log is nearly full.
 */
async function fillWriteAhead(
  log: DataFolder,
  server: NewelServer,
  acknowledged: Acknowledged,
): Promise<void> {
  const request = addRequests(log.submitToken, 1);
  const most = Math.ceil((2 * WRITE_BUFFERS_BYTES) / SINGLE_ROUND_MIN_BYTES);
  let writtenBytes = 0;
  let lastBytes = 0;
  for (let sent = 0; sent < most; sent += BETWEEN_LOOKS) {
    await runLoad({
      port: server.port,
      connections: 1,
      request,
      onAnswer: (body) => acknowledged.add(parseAdded(body)),
      until: { requests: BETWEEN_LOOKS },
    });
    const bytes = await writeAheadBytes(log.dir);
    // It shrinks when a buffer has been flushed and its log removed.
    writtenBytes += bytes >= lastBytes ? bytes - lastBytes : bytes;
    lastBytes = bytes;
    if (writtenBytes > 1.2 * WRITE_BUFFERS_BYTES && bytes > 0.85 * WRITE_BUFFER_BYTES) return;
  }
  throw new Error(`the write-ahead log is not full after ${grouped(most)} rounds`);
}

async function killUnderLoad(
  bench: Workbench,
  log: DataFolder,
  server: NewelServer,
  acknowledged: Acknowledged,
): Promise<void> {
  const { connections } = bench.options;
  const load = runLoad({
    port: server.port,
    connections,
    request: addRequests(log.submitToken, connections),
    onAnswer: (body) => acknowledged.add(parseAdded(body)),
    until: { durationMs: 60_000 },
  });
  const broken = load.then(
    () => false,
    () => true,
  );
  await sleep(100);
  server.child.kill();
  if (!(await broken)) throw new Error('the load went on after the kill');
  await server.child.ended;
}

/** The tree has every index that was acknowledged. */
async function checkAcknowledged(server: NewelServer, acknowledged: Acknowledged): Promise<void> {
  // What was revealed when the process was killed is published within the interval.
  await sleep(1500);
  const checkpoint = await ask(server.port, '/checkpoint');
  const size = Number(checkpoint?.body.toString('utf8').split('\n')[1]);
  if (!Number.isSafeInteger(size)) throw new Error('there is no checkpoint after the kill');
  acknowledged.check(size, { cutOff: true });
}

function sayStartFloor(startMs: number): void {
  say(`  ${formatFloor('2 s', startMs < START_FLOOR_MS)}`);
}

function sayResident({ child }: NewelServer, when: string): void {
  const resident = child.resident();
  if (!resident) return say(`resident ${when}: not measured, the system does not tell`);
  const { bytes, peakBytes, mappedBytes } = resident;
  say(
    `resident ${when}: ${formatMiB(bytes)}, of it ${formatMiB(mappedBytes)} mapped files; at its highest ` +
      `${formatMiB(peakBytes)}; ${formatFloor('200 MB', bytes < RESIDENT_FLOOR_BYTES)}`,
  );
}
