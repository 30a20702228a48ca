/**
 * `POST /v1/events` against a bare `node:http` echo of the same bodies: what an event costs that is validated, salted,
 * sealed, durable, in the tree and, but for `return=minimal`, handed back as a signed statement with its proof. Each
 * answer is looked at: a leaf of its own, and every acknowledged one is in the tree in the end.
 */

import { createToken } from '../src/access/token-list.ts';
import { folderPaths } from '../src/cli/folder.ts';
import { Acknowledged } from './support/add-requests.ts';
import { type Contestant, duel } from './support/duel.ts';
import { completedEvent, EVENT_SOURCE, eventRequests, fullestEvent } from './support/event-requests.ts';
import { formatFloor, formatRatio, grouped, say, SCORE_HEADINGS, scoreRow, table } from './support/report.ts';
import { ask, initFolder, serve, serveBare } from './support/server.ts';
import type { Workbench } from './support/workbench.ts';

const WARM_UP_MS = 3000;
/** Events a second, on two cores of which the load has one. */
const FLOORS = { whole: 2500, minimal: 4000 } as const;

interface Case {
  readonly name: string;
  readonly template: string;
  readonly answer: keyof typeof FLOORS;
}

export async function events(bench: Workbench): Promise<boolean> {
  const completed = completedEvent();
  const cases: Case[] = [
    { name: 'stepup.completed', template: completed, answer: 'whole' },
    { name: 'stepup.completed', template: completed, answer: 'minimal' },
    { name: 'the fullest example', template: fullestEvent(), answer: 'whole' },
  ];
  for (const each of cases) await run(bench, each);
  return true;
}

async function run(bench: Workbench, { name, template, answer }: Case): Promise<void> {
  const { connections, rounds, roundMs } = bench.options;
  const folder = await initFolder(bench.newDir(), 'events');
  const input = { name: 'bench', role: 'submit', sources: [EVENT_SOURCE], nowMs: Date.now() } as const;
  const token = await createToken(folderPaths(folder.dir).tokens, input);
  const ours = await serve(folder);
  const bare = await serveBare();
  const acknowledged = new Acknowledged(1);
  const requests = {
    template,
    token,
    ...(answer === 'minimal' && { prefer: 'return=minimal' }),
  };
  const result = await duel(
    {
      name: `newel, ${answer}`,
      server: ours,
      status: 201,
      request: eventRequests(requests),
      onAnswer: (body) => acknowledged.add(leafIndexOf(body, answer)),
    },
    {
      name: 'node:http echo',
      server: bare,
      request: eventRequests(requests),
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
