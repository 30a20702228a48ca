/** The landing page in a real browser: it shows the log's name, key and head, and nothing in it fails. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createPublicApp } from '../../src/http/app.ts';
import { listen } from '../../src/http/listen.ts';
import { openTestLog } from '../support/test-log.ts';

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);

/** A browser that starts empty, asks nobody on the network, and ends by itself. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-logging=stderr',
  '--virtual-time-budget=3000',
];

test('the landing page in Chromium', { skip: skipReason(), timeout: 60_000 }, async () => {
  assert.ok(CHROMIUM, 'Chromium is installed on CI');
  const { log, verifier, vkey, origin } = await openTestLog({ entries: 300 });
  const listening = await listen({ host: '127.0.0.1', port: 0 });
  const profile = await mkdtemp(join(tmpdir(), 'newel-chromium-'));
  try {
    const software = { name: 'newel', version: '0' };
    const policy = `log ${vkey}\nquorum none\n`;
    const site = {
      log,
      url: listening.url,
      vkeys: [vkey],
      verifier,
      policy,
      software,
      now: () => Date.now(),
    };
    listening.serve(createPublicApp(site));
    const { stdout, stderr } = await dump([
      ...FLAGS,
      `--user-data-dir=${profile}`,
      '--dump-dom',
      listening.url,
    ]);
    assert.match(stdout, /<!DOCTYPE html>/i);
    for (const shown of [origin, vkey, '300']) assert.ok(stdout.includes(shown), `${shown} is on the page`);
    const complaints = stderr.split('\n').filter((line) => /CONSOLE/.test(line));
    assert.deepEqual(complaints, []);
  } finally {
    await listening.close(0);
    await log.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
});

function skipReason(): string | false {
  return CHROMIUM || process.env['CI'] ? false : 'Chromium is not installed';
}

/** Runs the browser beside the server, which is in this process. */
async function dump(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const child = spawn(CHROMIUM!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return { stdout, stderr };
}
