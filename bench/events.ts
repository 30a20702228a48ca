/**
 * `POST /v1/events` against a bare `node:http` echo of the same bodies: what an event costs that is validated, salted,
 * sealed, durable, in the tree and, but for `return=minimal`, handed back as a signed statement with its proof. Each
 * answer is looked at: a leaf of its own, and every acknowledged one is in the tree in the end.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomFillSync } from 'node:crypto';
import { createToken } from '../src/access/token-list.ts';
import { folderPaths } from '../src/cli/folder.ts';
import { Acknowledged } from './support/add-requests.ts';
import { type Contestant, duel } from './support/duel.ts';
import { formatFloor, formatRatio, grouped, say, SCORE_HEADINGS, scoreRow, table } from './support/report.ts';
import { ask, initFolder, serve, serveBare } from './support/server.ts';
import type { Workbench } from './support/workbench.ts';

const EXAMPLES = join(import.meta.dirname, '..', 'spec', 'examples');
const SOURCE = 'https://bank.example/payments';
const WARM_UP_MS = 3000;
/** Events a second, on two cores of which the load has one. */
const FLOORS = { whole: 2500, minimal: 4000 } as const;
const ID_CHARS = 26;
const ID_PLACE = '0'.repeat(ID_CHARS);

interface Case {
  readonly name: string;
  readonly event: string;
  readonly answer: keyof typeof FLOORS;
}

export async function events(bench: Workbench): Promise<boolean> {
  const completed = readFileSync(join(EXAMPLES, 'wire-transfer.ndjson'), 'utf8').split('\n')[4]!;
  const full = JSON.stringify(JSON.parse(readFileSync(join(EXAMPLES, 'full.json'), 'utf8')));
  const cases: Case[] = [
    { name: 'stepup.completed', event: completed, answer: 'whole' },
    { name: 'stepup.completed', event: completed, answer: 'minimal' },
    { name: 'the fullest example', event: full, answer: 'whole' },
  ];
  for (const each of cases) await run(bench, each);
  return true;
}

async function run(bench: Workbench, { name, event, answer }: Case): Promise<void> {
  const { connections, rounds, roundMs } = bench.options;
  const folder = await initFolder(bench.newDir(), 'events');
  const input = { name: 'bench', role: 'submit', sources: [SOURCE], nowMs: Date.now() } as const;
  const token = await createToken(folderPaths(folder.dir).tokens, input);
  const ours = await serve(folder);
  const bare = await serveBare();
  const acknowledged = new Acknowledged(1);
  const template = templateOf(event);
  const result = await duel(
    {
      name: `newel, ${answer}`,
      server: ours,
      status: 201,
      request: eventRequests(template, token, answer, connections),
      onAnswer: (body) => acknowledged.add(leafIndexOf(body, answer)),
    },
    {
      name: 'node:http echo',
      server: bare,
      request: eventRequests(template, token, answer, connections),
      onAnswer: (body) => {
        if (body.length !== template.length) throw new Error(`the echo has ${body.length} bytes`);
      },
    } satisfies Contestant,
    { connections, rounds, roundMs, warmUpMs: WARM_UP_MS },
  );
  const size = await publishedSize(ours.port, acknowledged.count + 1);
  await Promise.all([ours.child.stop(), bare.child.stop()]);
  acknowledged.check(size);
  say(
    `POST /v1/events of ${grouped(template.length)} B (${name}), ${answer === 'whole' ? 'statement and proof in the answer' : 'return=minimal'}, ` +
      `${connections} connections, ${rounds} rounds of ${roundMs / 1000} s in turns`,
  );
  table([SCORE_HEADINGS, scoreRow(result.ours), scoreRow(result.bare)]);
  const floor = FLOORS[answer];
  say(
    `${grouped(Math.round(result.ours.perSecond))} events a second, ${formatFloor(grouped(floor), result.ours.perSecond >= floor)}; ` +
      `ratio ${formatRatio(result.ratio)}; CPU ${result.ours.serverCpuUs?.toFixed(0) ?? '?'} µs an event; ` +
      `${grouped(acknowledged.count)} acknowledged, each in the tree once`,
  );
}

/**
 * An event with places for id and transaction. It has no number of its source: what 64 connections send arrives in any
 * order, and each would open or close a gap.
 */
function templateOf(event: string): string {
  return event
    .replace(/"id":"01JD4X[0-9A-Z]{20}"/, `"id":"${ID_PLACE}"`)
    .replace(/"txn":"[^"]+"/, `"txn":"${ID_PLACE}"`)
    .replace(/"seq":[0-9]+,/, '');
}

/** Requests whose events differ in id and transaction; one buffer a connection is written over and over. */
function eventRequests(
  template: string,
  token: string,
  answer: Case['answer'],
  connections: number,
): (connection: number) => Buffer {
  const prefer = answer === 'minimal' ? 'Prefer: return=minimal\r\n' : '';
  const head =
    `POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${prefer}` +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(template)}\r\n\r\n`;
  const run = randomFillSync(Buffer.alloc(4)).toString('hex');
  const requests = Array.from({ length: connections }, () => Buffer.from(head + template));
  const first = requests[0]!.indexOf(ID_PLACE);
  const second = requests[0]!.indexOf(ID_PLACE, first + 1);
  if (second < 0) throw new Error('the event has no id and transaction to be written over');
  let number = 0;
  return (connection) => {
    const request = requests[connection]!;
    const id = `${run}-${String(number++).padStart(ID_CHARS - run.length - 1, '0')}`;
    for (const at of [first, second]) request.write(id, at, 'latin1');
    return request;
  };
}

/** The leaf index of a receipt. Throws unless the answer is one, whole or minimal as asked for. */
function leafIndexOf(body: Buffer, answer: Case['answer']): number {
  const text = body.toString('latin1');
  const index = /"leaf_index":([0-9]+),/.exec(text)?.[1];
  const isWhole = text.includes('"statement":"eyJ') && text.includes('"proof":"c2sp.org/tlog-proof@v1');
  if (index === undefined || isWhole !== (answer === 'whole'))
    throw new Error(`not the receipt: ${text.slice(0, 200)}`);
  return Number(index);
}

/** The size of the published tree, once it has `atLeast` leaves. */
async function publishedSize(port: number, atLeast: number): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const size = Number((await ask(port, '/checkpoint'))?.body.toString('latin1').split('\n')[1]);
    if (size >= atLeast || attempt === 100) return size;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
