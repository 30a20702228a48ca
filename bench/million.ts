/**
 * A log of a million leaves: how long it takes to start, how much memory and disk it takes, how long a stranger needs
 * to check all of it.
 *
 * A start proves again every round of the last three write buffers of LevelDB. What that costs depends on what is in
 * them, so beside the log as it was built there are the two extremes: the most rounds (of one entry, and a kill under
 * load with a full write-ahead log) and the most leaves (full rounds of the smallest entries).
 */

import { TILE_WIDTH } from '../src/core/tile.ts';
import { formatTilePath } from '../src/formats/tile-path.ts';
import { WRITE_BUFFERS_BYTES } from '../src/log/limits.ts';
import { WRITE_BUFFER_BYTES } from '../src/storage/write-buffer.ts';
import { Acknowledged, addRequests, NUMBER_BYTES, parseAdded } from './support/add-requests.ts';
import { appendMany, type BuiltLog, copyLog, databaseBytes, writeAheadBytes } from './support/build-log.ts';
import { getRequest, runLoad } from './support/load.ts';
import { formatFloor, formatMiB, formatSeconds, grouped, say } from './support/report.ts';
import { SeededRandom } from './support/seeded-random.ts';
import { ask, type DataFolder, type NewelServer, serve, sleep, startNewel } from './support/server.ts';
import type { Workbench } from './support/workbench.ts';

const START_FLOOR_MS = 2000;
const RESIDENT_FLOOR_BYTES = 200 * 10 ** 6;
const FSCK_FLOOR_MS = 60_000;
const STARTS = 5;
const READS_MS = 10_000;
/** The shipped fsck tells its progress every 5 s where nobody looks at a terminal. */
const PROGRESS_WITHIN_MS = 12_000;
/** A round of one entry writes more; this only ends a loop that would not end. */
const SINGLE_ROUND_MIN_BYTES = 1024;
const BETWEEN_LOOKS = 250;
/** An entry of 8 bytes writes its run, its hash in a tile and the key of its index row: about 83 bytes. */
const SMALLEST_WRITES_BYTES = 80;
const KILL_AFTER_MS = 100;
/** A publication interval, and some. */
const PUBLISHED_WITHIN_MS = 1500;

export async function million(bench: Workbench): Promise<boolean> {
  const log = await bench.largeLog();
  const bytes = await databaseBytes(log.dir);
  say(`disk: ${formatMiB(bytes)}, ${(bytes / log.size).toFixed(1)} bytes an entry of 200 B`);
  await sayStarts(log);
  await sayReads(bench, log);
  await sayKilledStart(bench, log);
  await sayStartOfSmallest(bench, log);
  return true;
}

async function sayStarts(log: BuiltLog): Promise<void> {
  const startsMs: number[] = [];
  const proved: string[] = [];
  for (let i = 1; i <= STARTS; i++) {
    const server = await serve(log);
    startsMs.push(server.startMs);
    proved.push(formatRounds(server));
    if (i === STARTS) sayResident(server, 'after a start');
    await server.child.stop();
  }
  const each = startsMs.map((startMs) => startMs.toFixed(0)).join(', ');
  say(`start, from spawn to the first 200 of /readyz: ${each} ms (${proved.join(', ')} rounds proven)`);
  sayStartFloor(Math.max(...startsMs));
}

/** Reads of every kind, then memory; then a whole fsck by the shipped command, over HTTP. */
async function sayReads(bench: Workbench, log: BuiltLog): Promise<void> {
  const { connections, seed } = bench.options;
  const server = await serve(log);
  const random = new SeededRandom(seed);
  const requests = Array.from({ length: 20_000 }, () => getRequest(randomRead(random, log.size)));
  const { requests: answered, durationMs } = await runLoad({
    port: server.port,
    connections,
    request: () => requests[random.below(requests.length)]!,
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
  if (progress.length === 0 && fsckMs > PROGRESS_WITHIN_MS)
    throw new Error(`fsck tells no progress:\n${fsck.err}`);
  say(
    `newel fsck --url: clean in ${formatSeconds(fsckMs)}, ${progress.length} lines of progress; ` +
      formatFloor('60 s', fsckMs < FSCK_FLOOR_MS),
  );
  sayResident(server, 'after the fsck');
  await server.child.stop();
}

/** Tiles, bundles, proofs and leaves in equal parts, anywhere in the tree, and the checkpoint. */
function randomRead(random: SeededRandom, size: number): string {
  const leaf = random.below(size);
  const index = random.below(Math.floor(size / TILE_WIDTH));
  switch (random.below(5)) {
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
    `start after kill -9 under load (${grouped(singles)} rounds of one entry before it, ${formatMiB(walBytes)} of ` +
      `write-ahead log): ${again.startMs.toFixed(0)} ms, ${formatRounds(again)} rounds proven`,
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
  const hasBroken = load.then(
    () => false,
    () => true,
  );
  const before = acknowledged.count;
  await sleep(KILL_AFTER_MS);
  server.child.kill();
  if (!(await hasBroken)) throw new Error('the load went on after the kill');
  await server.child.ended;
  if (acknowledged.count === before) throw new Error('nothing was acknowledged before the kill');
}

/** The tree has every index that was acknowledged. */
async function checkAcknowledged(server: NewelServer, acknowledged: Acknowledged): Promise<void> {
  // What was revealed when the process was killed is published within the interval.
  await sleep(PUBLISHED_WITHIN_MS);
  const checkpoint = await ask(server.port, '/checkpoint');
  const size = Number(checkpoint?.body.toString('utf8').split('\n')[1]);
  if (!Number.isSafeInteger(size)) throw new Error('there is no checkpoint after the kill');
  acknowledged.check(size, { cutOff: true });
}

/** The most leaves that a start can have to prove. */
async function sayStartOfSmallest(bench: Workbench, original: BuiltLog): Promise<void> {
  const log = await copyLog(original, bench.newDir());
  const count = Math.ceil((1.2 * WRITE_BUFFERS_BYTES) / SMALLEST_WRITES_BYTES);
  await appendMany(log, count, NUMBER_BYTES);
  const server = await serve(log);
  say(
    `start after ${grouped(count)} entries of ${NUMBER_BYTES} B in full rounds: ${server.startMs.toFixed(0)} ms, ` +
      `${formatRounds(server)} rounds proven`,
  );
  sayStartFloor(server.startMs);
  await server.child.stop();
}

function formatRounds({ provedRounds }: NewelServer): string {
  return provedRounds === undefined ? 'an unknown number of' : grouped(provedRounds);
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
