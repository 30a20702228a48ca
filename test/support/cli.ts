/**
 * The command line under test: in this process where only words and exit codes matter, as a process of its own where
 * signals and sockets do.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/cli/run.ts';
import { builtProgram } from './built-program.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether somebody looks. */
  readonly isTerminal?: boolean;
  /** What is piped in, in the pieces that it comes in. */
  readonly input?: readonly Uint8Array[];
}

/** Runs a command in this process, with nothing of this process's environment. */
export async function runCli(
  args: readonly string[],
  { cwd, env = {}, isTerminal = false, input = [] }: RunOptions,
): Promise<Ran> {
  const written = { out: '', err: '' };
  const output = (stream: 'out' | 'err'): { write(text: string): void; isTerminal: boolean } => ({
    write: (text) => {
      written[stream] += text;
    },
    isTerminal,
  });
  const code = await run(args, { input, out: output('out'), err: output('err'), env, cwd });
  return { code, ...written };
}

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it has written so far. */
  readonly written: { out: string; err: string };
  /** Resolves with the first match in what is written; rejects when it ends or takes too long without one. */
  readonly waitFor: (stream: 'out' | 'err', pattern: RegExp) => Promise<RegExpExecArray>;
  /** Resolves when it has ended. */
  readonly ended: Promise<Ran>;
}

const WAIT_MS = 60_000;

/** Starts the program as a process. It is killed when the test is over. `prefix` is a command that runs it. */
export function startCli(
  t: TestContext,
  args: readonly string[],
  { cwd, env = {}, prefix = [] }: RunOptions & { readonly prefix?: readonly string[] },
): Started {
  const [file = process.execPath, ...rest] = [...prefix, process.execPath, builtProgram(), ...args];
  const child = spawn(file, rest, {
    cwd,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: process.env['TMPDIR'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const written = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (written.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (written.err += text));
  let code: number | null | undefined;
  const ended = once(child, 'close').then((): Ran => {
    code = child.exitCode;
    return { code: child.exitCode, ...written };
  });
  return {
    child,
    pid: child.pid ?? -1,
    written,
    ended,
    async waitFor(stream, pattern) {
      for (const endMs = performance.now() + WAIT_MS; performance.now() < endMs;) {
        const match = pattern.exec(written[stream]);
        if (match) return match;
        if (code !== undefined) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`no ${pattern} in ${stream}; out: ${written.out}; err: ${written.err}`);
    },
  };
}

/** Starts `newel serve` on a free port and waits until it serves. */
export async function startServe(
  t: TestContext,
  dir: string,
  args: readonly string[] = [],
  options: { readonly prefix?: readonly string[] } = {},
): Promise<Started & { url: string }> {
  const started = startCli(t, ['serve', '--data', dir, '--listen', '127.0.0.1:0', ...args], {
    cwd: PROJECT,
    ...options,
  });
  const [line] = await started.waitFor('err', /^.*"msg":"serving"\}$/m);
  const said: unknown = JSON.parse(line);
  if (typeof said !== 'object' || said === null || !('url' in said)) throw new Error(`no url in ${line}`);
  return { ...started, url: String(said.url) };
}
