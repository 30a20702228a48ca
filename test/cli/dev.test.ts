/** `newel dev`, which is `npm start`. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { runCli, startCli } from '../support/cli.ts';
import { fetchDescribed } from '../support/openapi.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Client {
  readonly url: string;
  readonly token: string;
  readonly trust: Readonly<Record<string, unknown>>;
}

async function readClient(cwd: string): Promise<Client> {
  return JSON.parse(await readFile(join(cwd, 'data', 'client.json'), 'utf8')) as Client;
}

async function statusOfEvent({ url, token }: Client): Promise<number> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const body = await readFile(new URL('../../spec/examples/flat.json', import.meta.url));
  const response = await fetchDescribed(`${url}/v1/events`, { method: 'POST', body, headers });
  await response.text();
  return response.status;
}

test('dev makes a log and serves it on the next free port, in six lines of which the last can be pasted', async (t) => {
  const cwd = await tempFolder(t);
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const address = taken.address();
  assert.ok(typeof address === 'object' && address !== null);
  const args = ['dev', '--listen', `127.0.0.1:${address.port}`];

  const first = startCli(t, args, { cwd });
  await first.waitFor('out', /^try .*\n/m);
  const lines = first.written.out.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    ['url', 'origin', 'vkey', 'folder', 'token', 'try'],
  );
  assert.match(lines[0]!, new RegExp(`^url +http://127\\.0\\.0\\.1:\\d+ \\(port ${address.port} is taken`));
  assert.match(lines[1]!, /^origin +localhost\/dev$/);
  assert.ok(lines[4]!.endsWith(join(cwd, 'data', 'client.json')));
  assert.equal(first.written.err, '');

  assert.equal((await stat(join(cwd, 'data', 'client.json'))).mode & 0o777, 0o600);
  const client = await readClient(cwd);
  assert.ok(lines[0]!.includes(client.url) && !first.written.out.includes(client.token));
  assert.deepEqual(client.trust, await (await fetchDescribed(`${client.url}/v1/log`)).json());

  // The line itself, in a shell; where there is no curl, the part of it that a shell has to get right.
  const attempt = lines[5]!.replace(/^try +/, '');
  const [, substitution = ''] = /Bearer \$\((.*)\)"/.exec(attempt) ?? [];
  const shell = promisify(execFile);
  assert.equal((await shell('sh', ['-c', substitution])).stdout, `${client.token}\n`);
  const hasCurl = await shell('curl', ['--version']).then(
    () => true,
    () => false,
  );
  if (hasCurl) assert.match((await shell('sh', ['-c', attempt])).stdout, /"leaf_index":1,.*"level":"signed"/);
  else assert.equal(await statusOfEvent(client), 201);

  const head = await runCli(['head'], { cwd });
  assert.match(head.out, /^log key +pinned by .*client\.json$/m);

  // A second one on the same folder is told so.
  const second = await runCli(['dev', '--listen', '127.0.0.1:0'], { cwd });
  assert.equal(second.code, 1);
  assert.match(second.err, /data is being served by another process/);

  first.child.kill('SIGINT');
  assert.equal((await first.ended).code, 0);

  // Again: the same log and the same token; with client.json lost, another token in place of the first.
  const again = startCli(t, args, { cwd });
  await again.waitFor('out', /^try .*\n/m);
  assert.equal(again.written.out.split('\n')[2], lines[2]);
  assert.equal((await readClient(cwd)).token, client.token);
  again.child.kill('SIGTERM');
  assert.equal((await again.ended).code, 0);

  await rm(join(cwd, 'data', 'client.json'));
  const third = startCli(t, [...args, '--json'], { cwd });
  await third.waitFor('out', /\}\n$/);
  const said: unknown = JSON.parse(third.written.out);
  assert.deepEqual(Object.keys(said ?? {}), ['url', 'origin', 'vkey', 'folder', 'client', 'try']);
  const renewed = await readClient(cwd);
  assert.notEqual(renewed.token, client.token);
  assert.equal(await statusOfEvent(renewed), 201);
  assert.equal(await statusOfEvent({ ...renewed, token: client.token }), 401);
  third.child.kill('SIGTERM');
  assert.equal((await third.ended).code, 0);
});
