/** The servers under test: the shipped `newel serve` on a real folder, and the bare one beside it. */

import { existsSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { AnswerReader } from './answer-reader.ts';
import { Child } from './child.ts';
import { getRequest } from './load.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
/** What `npm run build` makes, and `npm install` links as `newel`. */
export const NEWEL: string = join(PROJECT, 'dist', 'cli', 'main.js');

export interface Server {
  readonly child: Child;
  readonly port: number;
}

export interface NewelServer extends Server {
  /** From the start of the process to the first 200 of `/readyz`. */
  readonly startMs: number;
  /** Rounds that the start has proven again, as its log line says. */
  readonly provedRounds: number | undefined;
}

/** A data folder with what its `init` printed. */
export interface DataFolder {
  readonly dir: string;
  readonly vkey: string;
  readonly submitToken: string;
}

const READY_EVERY_MS = 2;
const READY_WITHIN_MS = 120_000;

/** Runs one command of the shipped program to its end and returns what it printed. Throws unless it exits with 0. */
export function newel(args: readonly string[]): Promise<string> {
  return startNewel(args).succeed();
}

/** Starts a command of the shipped program. */
export function startNewel(args: readonly string[], prefix: readonly string[] = []): Child {
  if (!existsSync(NEWEL)) throw new Error(`there is no ${NEWEL}: run npm run build first`);
  const [program, ...rest] = [...prefix, process.execPath, NEWEL, ...args];
  return Child.start(program!, rest);
}

/** `newel init`. `dir` must not be there yet. */
export async function initFolder(dir: string, kind: 'events' | 'opaque' = 'opaque'): Promise<DataFolder> {
  const args = ['init', '--data', dir, '--origin', 'bench.example/log', '--kind', kind, '--json'];
  const made: unknown = JSON.parse(await newel(args));
  if (typeof made === 'object' && made !== null && 'vkey' in made && 'tokens' in made) {
    const { vkey, tokens } = made;
    if (typeof tokens === 'object' && tokens !== null && 'submit' in tokens) {
      return { dir, vkey: String(vkey), submitToken: String(tokens.submit) };
    }
  }
  throw new Error('newel init --json did not say vkey and tokens');
}

/** `newel serve`, ready. `prefix` is a program that runs it (`strace …`). */
export async function serve(
  { dir }: Pick<DataFolder, 'dir'>,
  { flags = [], prefix = [] }: { flags?: readonly string[]; prefix?: readonly string[] } = {},
): Promise<NewelServer> {
  const port = await freePort();
  const startedMs = performance.now();
  const child = startNewel(['serve', '--data', dir, '--listen', `127.0.0.1:${port}`, ...flags], prefix);
  await waitUntilReady(child, port, startedMs + READY_WITHIN_MS);
  const startMs = performance.now() - startedMs;
  const proved = /"proved_rounds":([0-9]+)/.exec(child.err)?.[1];
  return { child, port, startMs, provedRounds: proved === undefined ? undefined : Number(proved) };
}

/** The bare `node:http` server. */
export async function serveBare(): Promise<Server> {
  const child = Child.start(
    process.execPath,
    ['--import', 'tsx', join(import.meta.dirname, 'bare-server.ts')],
    {
      cwd: PROJECT,
    },
  );
  while (!child.out.includes('\n')) {
    if (child.hasEnded) throw new Error(`the bare server ended:\n${child.err}`);
    await sleep(READY_EVERY_MS);
  }
  return { child, port: Number(child.out) };
}

export function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

async function waitUntilReady(child: Child, port: number, deadlineMs: number): Promise<void> {
  while ((await statusOf(port, '/readyz')) !== 200) {
    if (child.hasEnded) throw new Error(`${child.name} ended:\n${child.err}${child.out}`);
    if (performance.now() > deadlineMs) {
      child.kill();
      throw new Error(`${child.name} is not ready in time:\n${child.err}`);
    }
    await sleep(READY_EVERY_MS);
  }
}

async function statusOf(port: number, path: string): Promise<number | undefined> {
  return (await ask(port, path))?.status;
}

/** One GET over a connection of its own; `undefined` where nobody listens, or hangs up. */
export function ask(port: number, path: string): Promise<{ status: number; body: Buffer } | undefined> {
  return new Promise((resolve) => {
    const reader = new AnswerReader();
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => socket.write(getRequest(path)));
    socket.on('data', (chunk: Buffer) => {
      try {
        const answer = reader.take(chunk);
        if (!answer) return;
        resolve({ status: answer.status, body: Buffer.from(answer.body) });
      } catch {
        // A server that is still starting may say so and hang up.
      }
      socket.destroy();
    });
    socket.once('error', () => {});
    socket.once('close', () => resolve(undefined));
  });
}

/** A port of 127.0.0.1 that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
