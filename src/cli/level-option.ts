/** `--level`: what is to be proven. `--wait`: how long it may take. `--lines`: what is kept of it. */

import type { Level } from '../client/level.ts';
import type { Lines } from '../client/trim-lines.ts';
import { MAX_WAIT_S } from '../client/upgrade.ts';
import { type Call, type Option, usage } from './command.ts';

export const LEVEL_OPTION: Option = {
  value: 'LEVEL',
  help: 'signed: the log’s own word (default) · witnessed: as many witnesses as the policy asks for',
};

export const LINES_OPTION: Option = {
  value: 'LINES',
  help: 'all: every line that the log gave (default) · policy: the fewest that the policy in the trust file needs',
};

/** Throws `usage` for what is neither. */
export function linesOf(call: Call, command: { readonly name: string }): Lines {
  const lines = call.text('lines') ?? 'all';
  if (lines !== 'all' && lines !== 'policy') throw usage(command, '--lines is all or policy');
  return lines;
}

/** Throws `usage` for what is no level. */
export function levelOf(call: Call, command: { readonly name: string }, otherwise: Level = 'signed'): Level {
  const level = call.text('level') ?? otherwise;
  if (level !== 'signed' && level !== 'witnessed') throw usage(command, '--level is signed or witnessed');
  return level;
}

const SECONDS = /^(0|[1-9][0-9]{0,4})$/;

/** `--wait`, in seconds; `undefined` where it is not given. Throws `usage` for what is no count of at most `maxS`. */
export function waitOf(
  call: Call,
  command: { readonly name: string },
  maxS: number = MAX_WAIT_S,
): number | undefined {
  const text = call.text('wait');
  if (text === undefined) return undefined;
  const seconds = SECONDS.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  if (seconds > maxS) throw usage(command, `--wait is whole seconds, 0 to ${maxS}`);
  return seconds;
}
