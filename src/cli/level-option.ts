/** `--level`: what is to be proven. */

import type { Level } from '../client/level.ts';
import { type Call, type Option, usage } from './command.ts';

export const LEVEL_OPTION: Option = {
  value: 'LEVEL',
  help: 'signed: the log’s own word (default) · witnessed: as many witnesses as the policy asks for',
};

/** Throws `usage` for what is no level. */
export function levelOf(call: Call, command: { readonly name: string }, otherwise: Level = 'signed'): Level {
  const level = call.text('level') ?? otherwise;
  if (level !== 'signed' && level !== 'witnessed') throw usage(command, '--level is signed or witnessed');
  return level;
}
