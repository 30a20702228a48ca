/**
 * The Python program `sd_jwt_check.py`: other people's code, made to verify SD-JWTs.
 *
 * It needs a Python that has the packages of `requirements.txt`: the one that NEWEL_PYTHON names, or else `python3`. Where
 * there is none, its tests say so in one line and are not run, except where `CI` is set: there they fail.
 */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { JsonObject } from '../../src/formats/json.ts';

export interface CheckCase {
  readonly sdJwt: string;
  readonly jwk: JsonObject;
}

/** The processed claims, or the name of the exception that refused. */
export type CheckResult = { readonly claims: JsonObject } | { readonly error: string };

const execute = promisify(execFile);
const PYTHON = process.env['NEWEL_PYTHON'] ?? 'python3';
const PROGRAM = fileURLToPath(new URL('sd_jwt_check.py', import.meta.url));
const RUN_TIMEOUT_MS = 180_000;
const MAX_OUTPUT_BYTES = 16 * 2 ** 20;

/** For the `skip` option of a test: why the program cannot be run here, or false. Never a reason where `CI` is set. */
export async function whyNoPython(): Promise<string | false> {
  if (process.env['CI']) return false;
  try {
    await execute(PYTHON, ['-c', 'import jwcrypto, sd_jwt'], { timeout: RUN_TIMEOUT_MS });
    return false;
  } catch {
    return 'there is no Python with the sd-jwt package (NEWEL_PYTHON): it is not tried';
  }
}

/** What Python makes of each SD-JWT, in order. */
export async function checkByPython(cases: readonly CheckCase[]): Promise<CheckResult[]> {
  const options = { timeout: RUN_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
  const running = execute(PYTHON, [PROGRAM], options);
  running.child.stdin!.end(JSON.stringify(cases));
  const { stdout } = await running;
  return JSON.parse(stdout) as CheckResult[];
}
