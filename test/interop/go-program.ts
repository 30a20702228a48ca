/**
 * The Go program in `go/`: other people's code, made to check a log that is served (`main.go` says how).
 *
 * It needs `go` and the modules of `go/go.mod`. Where they cannot be had, its tests say so in one line and are not run,
 * except where `CI` is set: there they fail.
 */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { formatBase64 } from '../../src/formats/base64.ts';
import { tempFolder } from '../support/temp-folder.ts';

export interface GoProgram {
  /** Runs a command and returns its report. Rejects with its words where something does not hold. */
  run(command: string, args?: readonly string[]): Promise<unknown>;
  /** Starts a command that goes on until it is stopped, at the latest when the test is over. Rejects where it ends early. */
  start(command: string, args?: readonly string[]): Promise<GoRunning>;
}

export interface GoRunning {
  /** The first line of JSON, which says that it is under way. */
  readonly started: unknown;
  /** Ends it, and returns its report. */
  stop(): Promise<unknown>;
}

const execute = promisify(execFile);
const SOURCES = fileURLToPath(new URL('go/', import.meta.url));
const ENVIRONMENT = {
  GOTOOLCHAIN: 'auto',
  ...process.env,
  GOFLAGS: '-mod=readonly -buildvcs=false',
  GOWORK: 'off',
  CGO_ENABLED: '0',
};
/** The modules are about 80 MB, most of them SQLite; a newer Go, if that has to come too, as much again. */
const DOWNLOAD_TIMEOUT_MS = 120_000;
const BUILD_TIMEOUT_MS = 180_000;
/** The program itself ends after four minutes. */
const RUN_TIMEOUT_MS = 270_000;
const MAX_OUTPUT_BYTES = 16 * 2 ** 20;

/** For the `skip` option of a test: why the program cannot be built here, or false. Never a reason where `CI` is set. */
export async function whyNoGo(): Promise<string | false> {
  if (process.env['CI']) return false;
  try {
    await goTool(['mod', 'download'], DOWNLOAD_TIMEOUT_MS);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT'
      ? 'go is not installed: other clients of the log are not tried'
      : 'the Go modules of other clients cannot be had: they are not tried';
  }
}

/** Builds the program into a folder of its own, which is there as long as the test runs. */
export async function buildGoProgram(t: TestContext): Promise<GoProgram> {
  const program = await goBuild(t, 'interop', '.');
  return {
    async run(command, args = []) {
      const options = { timeout: RUN_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
      const { stdout } = await execute(program, [command, ...args], options);
      return JSON.parse(stdout) as unknown;
    },
    async start(command, args = []) {
      const child = spawn(program, [command, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
      // It ends with its input, and what it has started ends with it: also where this process is killed.
      t.after(() => child.stdin.end());
      let err = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
      const ended = once(child, 'close');
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const report = async (): Promise<unknown> => {
        const { value, done } = await lines.next();
        if (!done) return JSON.parse(value) as unknown;
        await ended;
        throw new Error(`${command} ends with ${child.exitCode}: ${err}`);
      };
      return {
        started: await report(),
        async stop() {
          child.stdin.end();
          const last = await report();
          await ended;
          return last;
        },
      };
    },
  };
}

/** Builds torchwood's witness. Returns the path of the program, which is there as long as the test runs. */
export function buildLitewitness(t: TestContext): Promise<string> {
  return goBuild(t, 'litewitness', 'filippo.io/torchwood/cmd/litewitness');
}

/** A file for a command to read: JSON with bytes in base64. Returns its path. */
export async function writeJson(t: TestContext, value: unknown): Promise<string> {
  const file = join(await tempFolder(t), 'in.json');
  const text = JSON.stringify(value, (_, member: unknown) =>
    member instanceof Uint8Array ? formatBase64(member) : member,
  );
  await writeFile(file, text);
  return file;
}

async function goBuild(t: TestContext, name: string, source: string): Promise<string> {
  const program = join(await tempFolder(t), process.platform === 'win32' ? `${name}.exe` : name);
  await goTool(['build', '-o', program, source], BUILD_TIMEOUT_MS);
  return program;
}

async function goTool(args: readonly string[], timeoutMs: number): Promise<void> {
  await execute('go', [...args], { cwd: SOURCES, env: ENVIRONMENT, timeout: timeoutMs });
}
