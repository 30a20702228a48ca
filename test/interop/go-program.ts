/**
 * The Go program in `go/`: other people's code, made to check a log that is served (`main.go` says how).
 *
 * It needs `go` and the modules of `go/go.mod`. Where they cannot be had, its tests say so in one line and are not run,
 * except where `CI` is set: there they fail.
 */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tempFolder } from '../support/temp-folder.ts';

export interface GoProgram {
  /** Runs a command and returns its report. Rejects with its words where something does not hold. */
  run(command: string, args?: readonly string[]): Promise<unknown>;
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
/** The modules are about 10 MB; a newer Go, if that has to come too, 80 MB. */
const DOWNLOAD_TIMEOUT_MS = 60_000;
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
  const program = join(await tempFolder(t), process.platform === 'win32' ? 'interop.exe' : 'interop');
  await goTool(['build', '-o', program, '.'], BUILD_TIMEOUT_MS);
  return {
    async run(command, args = []) {
      const options = { timeout: RUN_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
      const { stdout } = await execute(program, [command, ...args], options);
      return JSON.parse(stdout) as unknown;
    },
  };
}

async function goTool(args: readonly string[], timeoutMs: number): Promise<void> {
  await execute('go', [...args], { cwd: SOURCES, env: ENVIRONMENT, timeout: timeoutMs });
}
