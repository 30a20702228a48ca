/** `newel serve` as a process: signals, exit codes, lines. What it refuses is in refusals.test.ts. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { runCli, startServe } from '../support/cli.ts';
import { newDiskLog } from '../support/served-log.ts';
import { systemClock } from '../../src/log/clock.ts';
import { tempFolder } from '../support/temp-folder.ts';

function add(url: string, token: string, entry: string | Uint8Array<ArrayBuffer>): Promise<Response> {
  return fetch(`${url}/add`, { method: 'POST', body: entry, headers: { Authorization: `Bearer ${token}` } });
}

test('SIGTERM under load: what was acknowledged is in the published tree, and it exits with 0', async (t) => {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd);
  const { child, url, ended, written } = await startServe(t, dir);
  const acknowledged: number[] = [];
  let stop = false;
  const submitters = Array.from({ length: 8 }, async (_, i) => {
    for (let n = 0; !stop; n++) {
      try {
        const response = await add(url, token, `entry ${i} ${n}`);
        const text = await response.text();
        if (response.status === 200) acknowledged.push(Number(text));
        else stop = true;
      } catch {
        stop = true;
      }
    }
  });
  while (acknowledged.length < 100) await new Promise((resolve) => setTimeout(resolve, 10));
  const toldMs = performance.now();
  child.kill('SIGTERM');
  const { code, out, err } = await ended;
  const tookMs = performance.now() - toldMs;
  await Promise.all(submitters);
  assert.deepEqual([code, out], [0, ''], err);
  assert.ok(tookMs < 10_000, `${tookMs} ms`);

  // Log lines are JSON, every one of them, and none has the token in it.
  for (const line of written.err.trimEnd().split('\n')) assert.doesNotThrow(() => JSON.parse(line), line);
  assert.ok(!written.err.includes(token.slice(6)));
  assert.match(written.err, /"guard_on_own_volume":(true|false),"witnesses":0/);

  const fsck = await runCli(['fsck', '--data', dir, '--json'], { cwd });
  assert.equal(fsck.code, 0, fsck.out + fsck.err);
  const report: unknown = JSON.parse(fsck.out);
  assert.ok(typeof report === 'object' && report !== null && 'tree_size' in report);
  assert.equal(new Set(acknowledged).size, acknowledged.length);
  assert.ok(Number(report.tree_size) > Math.max(...acknowledged));
});

test('a second signal ends it at once, though a request is under way', async (t) => {
  const { dir, token } = await newDiskLog(await tempFolder(t));
  const { child, url, waitFor, ended } = await startServe(t, dir);
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // The other side goes away while it waits.
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(
    `POST /add HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${token}\r\nContent-Length: 5\r\n\r\nhe`,
  );
  // Whatever comes later has been read later.
  await (await fetch(`${url}/healthz`)).text();
  child.kill('SIGTERM');
  await waitFor('err', /"signal":"SIGTERM","msg":"ending/);
  const toldMs = performance.now();
  child.kill('SIGINT');
  const { code } = await ended;
  assert.equal(code, 1);
  assert.ok(performance.now() - toldMs < 2000);
});

test('a write that fails is answered 503 and ends the process with 1; the next start goes on from what holds', async (t) => {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd);
  // No file may grow beyond 2,048 blocks of 512 or 1,024 bytes, so LevelDB's write-ahead log soon cannot.
  const prefix = ['sh', '-c', 'ulimit -f 2048 && exec "$@"', 'sh'];
  const { url, ended, written } = await startServe(t, dir, [], { prefix });
  const entry = new Uint8Array(60_000).fill(7);
  let acknowledged = 0;
  let refusal: Response | undefined;
  while (!refusal) {
    assert.ok(acknowledged < 100, 'the limit does not hold');
    const response = await add(url, token, entry);
    if (response.status === 200) acknowledged += 1;
    else refusal = response;
    if (!refusal) await response.text();
  }
  assert.equal(refusal.status, 503);
  assert.match(await refusal.text(), /"code":"storage_failed"/);
  assert.ok(acknowledged > 0);
  const { code } = await ended;
  assert.equal(code, 1);
  assert.match(written.err, /"level":"error".*"msg":"a write failed and its outcome is unknown/);

  const again = await startServe(t, dir);
  const response = await add(again.url, token, 'after');
  assert.equal(response.status, 200);
  const index = Number(await response.text());
  assert.ok(index === acknowledged || index === acknowledged + 1, `${index} after ${acknowledged}`);
  again.child.kill('SIGTERM');
  assert.equal((await again.ended).code, 0);
});

test('--accept-clock starts a log whose last head is from the future, and says so', async (t) => {
  const ahead = { ...systemClock, now: () => Date.now() + 3_600_000 };
  const { dir, token } = await newDiskLog(await tempFolder(t), 'log', { clock: ahead });
  const { url, child, ended, written } = await startServe(t, dir, [
    '--accept-clock',
    '--publish-interval-ms',
    '20',
  ]);
  assert.match(written.err, /"behind_ms":3\d{6},"msg":"the clock is behind the last head, and was accepted"/);
  assert.equal((await add(url, token, 'entry')).status, 200);
  child.kill('SIGINT');
  assert.equal((await ended).code, 0);
});

test('--listen-public serves what is public there and nothing else', async (t) => {
  const { dir, token } = await newDiskLog(await tempFolder(t));
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  assert.ok(typeof address === 'object' && address !== null);
  probe.close();
  await once(probe, 'close');
  const { url } = await startServe(t, dir, ['--listen-public', `127.0.0.1:${address.port}`]);
  const open = `http://127.0.0.1:${address.port}`;
  assert.equal((await fetch(`${open}/checkpoint`)).status, 200);
  assert.equal((await add(open, token, 'entry')).status, 404);
  assert.equal((await add(url, token, 'entry')).status, 200);
});

test('a reader of the log lines that goes away does not end the log', async (t) => {
  const { dir, token } = await newDiskLog(await tempFolder(t));
  const { url, child, ended } = await startServe(t, dir, ['--log-level', 'debug']);
  child.stderr?.destroy();
  for (let i = 0; i < 3; i++) assert.equal((await add(url, token, `entry ${i}`)).status, 200);
  child.kill('SIGTERM');
  assert.equal((await ended).code, 0);
});
