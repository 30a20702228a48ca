/** Witnesses under test: the shipped `newel witness serve`, each on a folder and a port of its own. */

import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Child } from './child.ts';
import { freePort, newel, sleep, startNewel } from './server.ts';

/** A witness that cosigns with Ed25519 alone. */
export interface BenchWitness {
  readonly name: string;
  /** The line of a policy. */
  readonly policyLine: string;
  /** Starts it; resolves when it answers. */
  start(): Promise<Child>;
}

const SERVING = '"msg":"serving"';
const POLL_MS = 2;

/** `newel witness init` in `dir`, which is not there yet, for the log of that key. */
export async function makeWitness(name: string, dir: string, logVkey: string): Promise<BenchWitness> {
  const address = `127.0.0.1:${await freePort()}`;
  const args = ['witness', 'init', '--data', dir, '--name', name, '--listen', address, '--json'];
  const { policy } = JSON.parse(await newel(args)) as { policy: readonly string[] };
  const line = policy.find((text) => text.startsWith(`witness ${name}-ed25519 `));
  if (line === undefined) throw new Error('newel witness init --json did not say the line of a policy');
  // Without this key only the other one cosigns.
  await rm(join(dir, 'keys', 'witness-mldsa44'));
  await appendFile(join(dir, 'logs'), `vkey ${logVkey}\n`);
  return {
    name: `${name}-ed25519`,
    policyLine: line,
    async start() {
      const child = startNewel(['witness', 'serve', '--data', dir]);
      while (!child.err.includes(SERVING)) {
        if (child.hasEnded) throw new Error(`${child.name} ended:\n${child.err}`);
        await sleep(POLL_MS);
      }
      return child;
    },
  };
}
