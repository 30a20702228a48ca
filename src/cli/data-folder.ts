/** Which data folder a command means: `--data`, else NEWEL_DATA, else ./data. */

import { resolve } from 'node:path';
import type { Call, Option } from './command.ts';
import type { Terminal } from './terminal.ts';

export const DATA_OPTION: Option = {
  value: 'DIR',
  help: 'the data folder (default: NEWEL_DATA, else ./data)',
};

export function dataDir(call: Call): string {
  return resolve(call.terminal.cwd, call.text('data') ?? defaultDataDir(call.terminal));
}

export function defaultDataDir({ env, cwd }: Terminal): string {
  const { NEWEL_DATA: fromEnv } = env;
  return resolve(cwd, fromEnv === undefined || fromEnv === '' ? 'data' : fromEnv);
}
