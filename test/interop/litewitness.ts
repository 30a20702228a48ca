/** torchwood's witness as a process, with one log that it knows. */

import type { TestContext } from 'node:test';
import { tempFolder } from '../support/temp-folder.ts';
import type { GoProgram } from './go-program.ts';

export interface Litewitness {
  /** Its submission prefix. It has no monitoring endpoint. */
  readonly url: string;
  /** Its key, of type 0x04. */
  readonly vkey: string;
  /** Ends it. Returns the size of the log that it cosigned last, as its database says. */
  stop(): Promise<number>;
}

/** Runs it, from where it was built, until the test is over. */
export async function startLitewitness(
  t: TestContext,
  go: GoProgram,
  program: string,
  log: { readonly origin: string; readonly vkey: string },
): Promise<Litewitness> {
  const dir = await tempFolder(t);
  const args = ['-program', program, '-dir', dir, '-origin', log.origin, '-vkey', log.vkey];
  const running = await go.start('litewitness', args);
  const { url, vkey } = running.started as { url: string; vkey: string };
  return { url, vkey, stop: async () => ((await running.stop()) as { size: number }).size };
}
