/**
 * Reading: what monitors and mirrors do all day, against a bare `node:http` server that answers as many bytes from
 * memory. The log has a million leaves, so the tiles are more than the server keeps in memory.
 */

import { hashesAt, TILE_BYTES, TILE_WIDTH, tileWidth } from '../src/core/tile.ts';
import { formatTilePath } from '../src/formats/tile-path.ts';
import { duel } from './support/duel.ts';
import { getRequest } from './support/load.ts';
import {
  formatCpuRatio,
  formatFloor,
  formatRatio,
  say,
  SCORE_HEADINGS,
  scoreRow,
  table,
} from './support/report.ts';
import { ask, serve, serveBare } from './support/server.ts';
import type { Workbench } from './support/workbench.ts';

const FLOOR = 0.6;
const WARM_UP_MS = 1000;

interface Row {
  readonly name: string;
  /** Where it is asked for; `pick` is from 0 to 1. */
  readonly path: (pick: number) => string;
  readonly hasFloor?: boolean;
}

export async function tiles(bench: Workbench): Promise<boolean> {
  const { connections, rounds, roundMs } = bench.options;
  const log = await bench.largeLog();
  const ours = await serve(log);
  const bare = await serveBare();
  say(
    `${connections} connections, ${rounds} rounds of ${roundMs / 1000} s in turns; "bare" answers as many bytes`,
  );
  const printed: string[][] = [];
  const ratios: string[][] = [];
  for (const row of rowsOf(log.size)) {
    const requests = requestsOf(row, log.size);
    const bytes = await lengthOf(ours.port, row.path(0));
    const bareRequest = getRequest(`/bytes/${bytes}`);
    const result = await duel(
      { name: row.name, server: ours, request: () => requests[Math.floor(Math.random() * requests.length)]! },
      { name: `bare, ${bytes} B`, server: bare, request: () => bareRequest },
      { connections, rounds, roundMs, warmUpMs: WARM_UP_MS },
    );
    printed.push(scoreRow(result.ours), scoreRow(result.bare));
    const floor = row.hasFloor ? formatFloor(String(FLOOR), result.ratio.median >= FLOOR) : '';
    ratios.push([row.name, formatRatio(result.ratio), formatCpuRatio(result), floor]);
  }
  await Promise.all([ours.child.stop(), bare.child.stop()]);
  table([SCORE_HEADINGS, ...printed]);
  say('');
  table([['', 'ratio', 'by CPU time', ''], ...ratios]);
  return true;
}

function rowsOf(size: number): readonly Row[] {
  const full = Math.floor(size / TILE_WIDTH);
  const tile = (index: number, width: number = TILE_WIDTH): string =>
    `/${formatTilePath({ kind: 'tile', level: 0, index, width })}`;
  const bundle = (index: number): string =>
    `/${formatTilePath({ kind: 'entries', index, width: TILE_WIDTH })}`;
  const at = (pick: number): number => Math.floor(pick * full);
  const edge = tileWidth(0, full, size);
  return [
    { name: 'a hot tile', path: () => tile(at(0.5)), hasFloor: true },
    { name: `random tiles of ${full}`, path: (pick) => tile(at(pick)) },
    ...(edge > 0 ? [{ name: `the edge tile, ${edge} hashes`, path: () => tile(full, edge) }] : []),
    { name: 'random upper tiles', path: (pick) => upperTile(size, pick) },
    { name: 'the checkpoint', path: () => '/checkpoint' },
    { name: 'a hot bundle', path: () => bundle(at(0.5)) },
    { name: `random bundles of ${full}`, path: (pick) => bundle(at(pick)) },
  ];
}

/** A full tile of level 1, or its partial one where there is no full one. */
function upperTile(size: number, pick: number): string {
  const full = Math.floor(hashesAt(1, size) / TILE_WIDTH);
  const index = Math.floor(pick * Math.max(1, full));
  return `/${formatTilePath({ kind: 'tile', level: 1, index, width: tileWidth(1, index, size) })}`;
}

/** Every request that a row picks from, made beforehand. */
function requestsOf(row: Row, size: number): readonly Buffer[] {
  const picks = Math.floor(size / TILE_WIDTH);
  const paths = new Set(Array.from({ length: picks }, (_, i) => row.path((i + 0.5) / picks)));
  return [...paths].map((path) => getRequest(path));
}

async function lengthOf(port: number, path: string): Promise<number> {
  const answer = await ask(port, path);
  if (answer?.status !== 200) throw new Error(`${path} is answered with ${answer?.status ?? 'nothing'}`);
  if (path.startsWith('/tile/0/') && !path.includes('.p/') && answer.body.length !== TILE_BYTES) {
    throw new Error(`${path} has ${answer.body.length} bytes`);
  }
  return answer.body.length;
}
