/**
 * What is said of one pass that a signal has ended, in one line on stderr: of each log what was reached, and what was
 * waited for.
 *
 *   newel: told to stop before the pass was over: log.example/bank: 1,200 of 3,000 entries verified, waits for entries;
 *   log.example/mint: no head verified, waits for its head
 */

import type { AwaitedHead } from '../monitor/witness-heads.ts';
import type { LogPosition, Step } from '../monitor/monitor.ts';
import { grouped } from './progress.ts';
import { printable, type Terminal } from './terminal.ts';

export function sayStopped({ err }: Pick<Terminal, 'err'>, positions: readonly LogPosition[]): void {
  const logs = positions.map((position) => {
    const awaited = awaitedOf(position);
    const waits = awaited.length === 0 ? '' : `, waits for ${awaited.join(' and ')}`;
    return `${position.follower.log.origin}: ${reachedOf(position)}${waits}`;
  });
  err.write(`newel: told to stop before the pass was over: ${printable(logs.join('; '))}\n`);
}

function reachedOf({ follower: { state } }: LogPosition): string {
  if (!state) return 'no head verified';
  return `${grouped(state.range.size)} of ${grouped(state.head.size)} entries verified`;
}

const STEPS: Readonly<Record<Step, string>> = {
  head: 'its head',
  witnesses: 'what witnesses have cosigned',
  peers: 'peers',
  entries: 'entries',
};

function awaitedOf({ follower: { state }, step, awaited }: LogPosition): string[] {
  const mine = state?.head.size ?? 0;
  const heads = awaited.map((head) => wordsOf(head, mine));
  return step === undefined ? heads : [STEPS[step], ...heads];
}

function wordsOf({ source, size }: AwaitedHead, mine: number): string {
  const head = `the head of ${grouped(size)} leaves that ${source} has shown`;
  return size > mine ? `the log to serve ${head}` : `tiles that show whether ${head} is of its tree`;
}
