/**
 * Receipts that are `witnessed`, as long as there are enough witnesses and when there are not: three `newel witness serve`
 * (Ed25519), two of which the policy wants, a head every 50 ms, 200 events a second in an open loop. Beside it the same
 * load without waiting for anybody. Then witnesses are taken away, and one comes back.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createToken } from '../src/access/token-list.ts';
import { folderPaths } from '../src/cli/folder.ts';
import type { Child } from './support/child.ts';
import { completedEvent, EVENT_SOURCE, eventRequests } from './support/event-requests.ts';
import { type OpenAnswer, runOpenLoad } from './support/open-load.ts';
import { quantile } from './support/quantiles.ts';
import { formatFloor, formatSeconds, grouped, say, table } from './support/report.ts';
import { ask, initFolder, type NewelServer, serve, sleep, startNewel } from './support/server.ts';
import { makeWitness } from './support/witness.ts';
import type { Workbench } from './support/workbench.ts';

const WITNESSES = ['w1', 'w2', 'w3'] as const;
const THRESHOLD = 2;
const PER_SECOND = 200;
const INTERVAL_MS = 50;
/** Of each contestant, in all. */
const MEASURED_MS = 60_000;
const WARM_UP_MS = 5000;
const ONE_STOPPED_MS = 15_000;
const TWO_STOPPED_MS = 8000;
const RECOVERY_WITHIN_MS = 60_000;
/** How long a request waits for witnesses, where there are too few: so that the answers of a while are enough to see. */
const WAIT_S = 1;
const TARGETS = { p50Ms: 60, p99Ms: 250 } as const;

/** What came of one kind of load. */
interface Tally {
  readonly name: string;
  readonly latenciesMs: number[];
  readonly lateMs: number[];
  readonly statuses: Map<number, number>;
  /** Why answers were below what was asked for. */
  readonly reasons: Map<string, number>;
}

interface Setup {
  readonly server: NewelServer;
  readonly token: string;
  readonly template: string;
}

export async function witnesses(bench: Workbench): Promise<boolean> {
  const dir = bench.newDir();
  const folder = await initFolder(dir, 'events');
  const made = await Promise.all(WITNESSES.map((name) => makeWitness(name, bench.newDir(), folder.vkey)));
  const paths = folderPaths(dir);
  const names = made.map(({ name }) => name).join(' ');
  const policy = [
    `log ${folder.vkey}`,
    ...made.map(({ policyLine }) => policyLine),
    `group enough ${THRESHOLD} ${names}`,
    'quorum enough',
  ];
  await writeFile(paths.policy, policy.map((line) => `${line}\n`).join(''));
  const input = { name: 'bench', role: 'submit', sources: [EVENT_SOURCE], nowMs: Date.now() } as const;
  const token = await createToken(paths.tokens, input);
  const children = await Promise.all(made.map((witness) => witness.start()));
  const server = await serve(folder, { flags: ['--witness-interval-ms', String(INTERVAL_MS)] });
  const setup: Setup = { server, token, template: completedEvent() };

  await sayLatency(setup, children, bench.options.rounds);
  let isRight = true;
  const check = (holds: boolean, what: string): void => {
    if (!holds) say(`WRONG: ${what}`);
    isRight &&= holds;
  };

  await children[0]!.stop();
  const two = await load(setup, newTally('one stopped: witnessed'), ONE_STOPPED_MS);
  await children[1]!.stop();
  const one = newTally('two stopped: witnessed was asked for');
  let pending: Buffer | undefined;
  await load(setup, one, TWO_STOPPED_MS, ({ status, body }) => {
    if (status === 202) pending = Buffer.from(body);
  });
  say('');
  table([HEADINGS, rowOf(two), rowOf(one)]);
  say(`reasons of the answers below: ${formatCounts(one.reasons)}`);
  check(two.statuses.has(201), 'with one of three stopped nothing was witnessed');
  check(!one.statuses.has(201), 'with two of three stopped something was said to be witnessed');
  check(pending !== undefined && one.reasons.size > 0, 'with two of three stopped no answer said why');

  const cli = new ReceiptCli(bench.newDir(), server.port, token);
  if (pending) {
    await cli.save(pending);
    const code = await cli.run('verify', '--level', 'witnessed');
    check(code === 4, `newel verify --level witnessed of a pending receipt exited with ${code} instead of 4`);
  }
  isRight = (await recover(setup, () => made[1]!.start())) && isRight;
  if (pending) {
    const codes = [await cli.run('receipt', 'upgrade'), await cli.run('verify', '--level', 'witnessed')];
    check(
      codes.every((code) => code === 0),
      `upgrade and verify exited with ${codes.join(', ')} instead of 0`,
    );
    say(`a receipt of meanwhile: verify exits with 4, then upgrade and verify with ${codes.join(' and ')}`);
  }
  await server.child.stop();
  await children[2]!.stop();
  return isRight;
}

/** Two kinds of load in turns, so that whatever else the machine does meets both. */
async function sayLatency(setup: Setup, children: readonly Child[], rounds: number): Promise<void> {
  const witnessed = newTally('witnessed');
  const signed = newTally('signed');
  const unwarmed = newTally('');
  for (const level of ['witnessed', 'signed'] as const)
    await load(setup, unwarmed, WARM_UP_MS, undefined, level);
  const before = cpuMsOf(setup, children);
  for (let round = 0; round < rounds; round++) {
    await load(setup, witnessed, MEASURED_MS / rounds);
    await load(setup, signed, MEASURED_MS / rounds, undefined, 'signed');
  }
  const after = cpuMsOf(setup, children);
  say(
    `${PER_SECOND} events a second in an open loop, ${THRESHOLD} of ${WITNESSES.length} witnesses (Ed25519), a head every ` +
      `${INTERVAL_MS} ms; ${MEASURED_MS / 1000} s each, in ${rounds} turns`,
  );
  table([HEADINGS, rowOf(witnessed), rowOf(signed)]);
  const [p50Ms, p99Ms] = [quantile(witnessed.latenciesMs, 0.5), quantile(witnessed.latenciesMs, 0.99)];
  say(
    `witnessed: p50 ${formatFloor(`at most ${TARGETS.p50Ms} ms`, p50Ms <= TARGETS.p50Ms)}; ` +
      `p99 ${formatFloor(`at most ${TARGETS.p99Ms} ms`, p99Ms <= TARGETS.p99Ms)}`,
  );
  const shares = ['newel serve', ...WITNESSES].map((name, i) => {
    const share = (after[i]! - before[i]!) / (2 * MEASURED_MS);
    return `${name} ${(100 * share).toFixed(0)} %`;
  });
  say(`of one core, over both: ${shares.join(', ')}`);
}

async function load(
  { server, token, template }: Setup,
  tally: Tally,
  durationMs: number,
  onAnswer: (answer: OpenAnswer) => void = () => {},
  level: 'witnessed' | 'signed' = 'witnessed',
  isOver?: () => boolean,
): Promise<Tally> {
  const { lateMs } = await runOpenLoad({
    port: server.port,
    perSecond: PER_SECOND,
    durationMs,
    request: eventRequests({ template, token, query: `?level=${level}`, prefer: `wait=${WAIT_S}` }),
    onAnswer: (answer) => {
      note(tally, answer, level);
      onAnswer(answer);
    },
    ...(isOver && { isOver }),
  });
  for (const each of lateMs) tally.lateMs.push(each);
  return tally;
}

/** Starts a witness under load and waits until receipts are witnessed again. */
async function recover(setup: Setup, start: () => Promise<Child>): Promise<boolean> {
  const tally = newTally('recovering');
  let recoveredMs: number | undefined;
  const startedMs = performance.now();
  const starting = start().then((child) => ({ child, servingMs: performance.now() }));
  await load(
    setup,
    tally,
    RECOVERY_WITHIN_MS,
    ({ status, atMs }) => {
      if (status === 201) recoveredMs ??= atMs;
    },
    'witnessed',
    () => recoveredMs !== undefined,
  );
  const { child, servingMs } = await starting;
  await sleep(1000);
  const states = (await ask(setup.server.port, '/readyz'))?.body.toString() ?? '';
  const isWell = recoveredMs !== undefined;
  say(
    isWell
      ? `one started again: witnessed ${formatSeconds(recoveredMs! - startedMs)} after its start, ` +
          `${formatSeconds(recoveredMs! - servingMs)} after it served; ${grouped(tally.statuses.get(202) ?? 0)} answers below before that`
      : `WRONG: one started again: nothing witnessed within ${formatSeconds(RECOVERY_WITHIN_MS)}; /readyz: ${states}`,
  );
  await child.stop();
  return isWell;
}

/** Commands about one receipt in a folder. */
class ReceiptCli {
  readonly #dir: string;
  readonly #port: number;
  readonly #token: string;

  constructor(dir: string, port: number, token: string) {
    this.#dir = dir;
    this.#port = port;
    this.#token = token;
  }

  async save(receipt: Buffer): Promise<void> {
    const trust = await ask(this.#port, '/v1/log');
    if (trust?.status !== 200) throw new Error('/v1/log has no trust file');
    await mkdir(this.#dir);
    await writeFile(join(this.#dir, 'log.json'), trust.body);
    await writeFile(join(this.#dir, 'token'), this.#token, { mode: 0o600 });
    await writeFile(this.#receipt, receipt);
  }

  /** Returns the exit code. */
  async run(...command: readonly string[]): Promise<number | NodeJS.Signals> {
    const isUpgrade = command.includes('upgrade');
    const url = ['--url', `http://127.0.0.1:${this.#port}`, '--token-file', join(this.#dir, 'token')];
    const trust = ['--trust', join(this.#dir, 'log.json')];
    return startNewel([...command, this.#receipt, ...trust, ...(isUpgrade ? url : [])]).ended;
  }

  get #receipt(): string {
    return join(this.#dir, 'pending.receipt.json');
  }
}

function newTally(name: string): Tally {
  return { name, latenciesMs: [], lateMs: [], statuses: new Map(), reasons: new Map() };
}

/** Throws for an answer that is none of those that there should be. */
function note(tally: Tally, { status, body, latencyMs }: OpenAnswer, level: string): void {
  const text = body.toString('latin1');
  const reached = /"level":"(signed|witnessed)",/.exec(text)?.[1];
  const reason = /"pending":\{"level":"witnessed","reason":"([a-z_]+)"/.exec(text)?.[1];
  const isRight =
    status === 201 ? reached === level || level === 'signed' : status === 202 && reached === 'signed';
  if (!isRight || (status === 202) !== (reason !== undefined))
    throw new Error(`status ${status}, not the receipt: ${text.slice(0, 300)}`);
  tally.latenciesMs.push(latencyMs);
  tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1);
  if (reason !== undefined) tally.reasons.set(reason, (tally.reasons.get(reason) ?? 0) + 1);
}

function cpuMsOf({ server }: Setup, children: readonly Child[]): number[] {
  return [server.child, ...children].map((child) => (child.cpuUs() ?? Number.NaN) / 1000);
}

const HEADINGS = ['', 'answers', '201', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms', 'sent late p99 ms'];

function rowOf({ name, latenciesMs, lateMs, statuses }: Tally): string[] {
  const share = (statuses.get(201) ?? 0) / latenciesMs.length;
  const quantiles = [0.5, 0.95, 0.99, 1].map((at) => quantile(latenciesMs, at).toFixed(1));
  const late = quantile(lateMs, 0.99).toFixed(1);
  return [name, grouped(latenciesMs.length), `${(100 * share).toFixed(2)} %`, ...quantiles, late];
}

function formatCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ${grouped(count)}`).join(', ') || 'none';
}
