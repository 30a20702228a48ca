/** Child processes: started, measured by what the kernel says of them, ended by pid. None outlives the bench. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** How long `stop` waits before it kills. */
  readonly graceMs?: number;
}

const GRACE_MS = 15_000;
/** Linux counts the time of a process in hundredths of a second, whatever the kernel's own clock (`times(2)`). */
const US_A_TICK = 10_000;

const running = new Set<Child>();
process.once('exit', () => {
  for (const child of running) child.kill();
});

export class Child {
  readonly pid: number;
  readonly name: string;
  /** How it ended: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly #process: ChildProcess;
  readonly #graceMs: number;
  #out = '';
  #err = '';
  #hasEnded = false;

  private constructor(name: string, child: ChildProcess, graceMs: number) {
    if (child.pid === undefined) throw new Error(`${name} does not start`);
    this.name = name;
    this.pid = child.pid;
    this.#process = child;
    this.#graceMs = graceMs;
    running.add(this);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#out += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#err += text));
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        running.delete(this);
        this.#hasEnded = true;
        resolve(code ?? signal ?? 'SIGKILL');
      });
    });
  }

  /** Starts `node` with these arguments, or another program. */
  static start(program: string, args: readonly string[], options: ChildOptions = {}): Child {
    const { env = {}, cwd, graceMs = GRACE_MS } = options;
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    // Where there is no such program; `close` follows, and the pid is missing.
    child.on('error', () => {});
    return new Child([program, ...args].join(' '), child, graceMs);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  /** Waits for its end by itself. Throws unless it exits with 0. */
  async succeed(): Promise<string> {
    const end = await this.ended;
    if (end !== 0) throw new Error(`${this.name} ended with ${end}:\n${this.#err}${this.#out}`);
    return this.#out;
  }

  /** SIGTERM; then SIGKILL where it does not end in time. Throws unless it exits with 0. */
  async stop(): Promise<void> {
    if (!this.#hasEnded) this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), this.#graceMs);
    try {
      await this.succeed();
    } finally {
      clearTimeout(timer);
    }
  }

  /** SIGKILL, without waiting. */
  kill(): void {
    if (!this.#hasEnded) this.#process.kill('SIGKILL');
  }

  /** CPU time so far, of all its threads, user and system. `undefined` where the system does not tell. */
  cpuUs(): number | undefined {
    return cpuUsOf(this.pid);
  }

  /** Resident memory. `undefined` where the system does not tell. */
  resident(): Resident | undefined {
    const status = readProc(this.pid, 'status') ?? '';
    const bytesOf = (field: string): number => {
      const kilobytes = new RegExp(`^${field}:\\s+([0-9]+) kB$`, 'm').exec(status)?.[1];
      return Number(kilobytes) * 1024;
    };
    const resident = {
      bytes: bytesOf('VmRSS'),
      peakBytes: bytesOf('VmHWM'),
      mappedBytes: bytesOf('RssFile'),
    };
    return Object.values(resident).some(Number.isNaN) ? undefined : resident;
  }
}

export interface Resident {
  /** All of it: the process's own, and what is mapped. */
  readonly bytes: number;
  readonly peakBytes: number;
  /** Pages of files, the program's and LevelDB's tables: the system takes them back when it needs room. */
  readonly mappedBytes: number;
}

function cpuUsOf(pid: number): number | undefined {
  const stat = readProc(pid, 'stat');
  // Fields are counted from the state, which follows the name in parentheses: utime is number 14, stime 15.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (!fields) return undefined;
  return (Number(fields[11]) + Number(fields[12])) * US_A_TICK;
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}
