/** Asking before what cannot be taken back. */

import type { Terminal } from './terminal.ts';

const MAX_ANSWER_CHARS = 64;

/** Whether the next line of the input is `yes`. Anything else, and the end of the input, is a no. */
export async function confirm({ input, err }: Terminal, question: string): Promise<boolean> {
  err.write(`${question} Type yes: `);
  let answer = '';
  for await (const chunk of input) {
    answer += Buffer.from(chunk).toString('latin1');
    if (answer.includes('\n') || answer.length > MAX_ANSWER_CHARS) break;
  }
  if (!answer.includes('\n')) err.write('\n');
  return answer.split('\n')[0]!.trim() === 'yes';
}
