/** What scenarios share: the options, a folder for what they make, and one log of a million leaves. */

import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { randomInt } from 'node:crypto';
import { type BuiltLog, buildLog } from './build-log.ts';
import { grouped, say } from './report.ts';

export interface BenchOptions {
  /** Rounds of each contestant. */
  readonly rounds: number;
  readonly roundMs: number;
  readonly connections: number;
  /** Leaves of the large log. */
  readonly leaves: number;
  /** Of all that is random in `flips`. */
  readonly seed: number;
  /** Where the folders are made: on the disk that is to be measured. */
  readonly dir: string;
}

export const DEFAULTS: BenchOptions = {
  rounds: 5,
  roundMs: 3000,
  connections: 64,
  leaves: 1_000_000,
  seed: randomInt(2 ** 32),
  dir: tmpdir(),
};

/** A scenario resolves to whether all that it checks holds. How fast it was is never a failure. */
export type Scenario = (bench: Workbench) => Promise<boolean>;

/** `f_type` of file systems in memory, where an fsync does nothing (statfs(2)). */
const IN_MEMORY: readonly number[] = [0x01021994, 0x858458f6];

export class Workbench {
  readonly options: BenchOptions;
  readonly #root: string;
  #made = 0;
  #large: Promise<BuiltLog> | undefined;

  private constructor(options: BenchOptions, root: string) {
    this.options = options;
    this.#root = root;
    // However this ends, nothing is left behind.
    process.once('exit', () => rmSync(root, { recursive: true, force: true }));
  }

  static async open(options: BenchOptions): Promise<Workbench> {
    const root = await mkdtemp(join(resolve(options.dir), 'newel-bench-'));
    const { type } = await statfs(root);
    if (IN_MEMORY.includes(type)) {
      say(
        `WARNING: ${options.dir} is in memory, where fsync does nothing: give a folder on a disk with --dir`,
      );
    }
    return new Workbench(options, root);
  }

  /** The path of a folder that is not there yet. */
  newDir(): string {
    this.#made += 1;
    return join(this.#root, `log-${this.#made}`);
  }

  /** The log of `leaves` leaves, built when it is first asked for. It may be served, and must not grow. */
  largeLog(): Promise<BuiltLog> {
    this.#large ??= this.#buildLarge();
    return this.#large;
  }

  async close(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }

  async #buildLarge(): Promise<BuiltLog> {
    const { leaves } = this.options;
    const built = await buildLog(this.newDir(), leaves);
    const perSecond = (leaves / built.buildMs) * 1000;
    say(
      `built a log of ${grouped(leaves)} leaves of 200 B in process: ${grouped(perSecond)} leaves a second\n`,
    );
    return built;
  }
}
