/** Witnesses of ours as a log's policy names them: served in this process, stopped, and started again at the same address. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { startWitness, type WitnessService } from '../../src/cli/witness-service.ts';
import { readWitnessFolder } from '../../src/cli/witness-folder.ts';
import { createLines } from '../../src/telemetry/lines.ts';
import { runCli } from './cli.ts';

export interface PolicyWitness {
  /** In the policy, and in its lines. */
  readonly name: string;
  /** Its own line of a policy. */
  readonly policyLine: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Makes a witness that cosigns with Ed25519 alone, for the log of that key. It is not started. */
export async function makePolicyWitness(
  t: TestContext,
  cwd: string,
  name: string,
  logVkey: string,
): Promise<PolicyWitness> {
  const listen = { host: '127.0.0.1', port: await freePort() };
  const address = `${listen.host}:${listen.port}`;
  const args = ['witness', 'init', '--data', name, '--name', name, '--listen', address, '--json'];
  const { code, out, err } = await runCli(args, { cwd });
  assert.equal(code, 0, err);
  const { vkeys } = JSON.parse(out) as { vkeys: string[] };
  const dir = join(cwd, name);
  await rm(join(dir, 'keys', 'witness-mldsa44'));
  await appendFile(join(dir, 'logs'), `vkey ${logVkey}\n`);
  let service: WitnessService | undefined;
  const stop = async (): Promise<void> => {
    await service?.stop();
    service = undefined;
  };
  t.after(stop);
  return {
    name,
    policyLine: `witness ${name} ${vkeys[0]!} http://${address}`,
    stop,
    async start() {
      const lines = createLines({ level: 'error', write: () => {} });
      service = await startWitness({ folder: await readWitnessFolder(dir), lines });
    },
  };
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
