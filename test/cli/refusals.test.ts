/** What `serve` finds and does not serve, with what it says about it. */

import assert from 'node:assert/strict';
import {
  chmod,
  copyFile,
  cp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { readLogKey } from '../../src/cli/log-key.ts';
import { formatSkey, formatVkey } from '../../src/formats/vkey.ts';
import { systemClock } from '../../src/log/clock.ts';
import { runCli } from '../support/cli.ts';
import { loseRound } from '../support/lost-round.ts';
import { DISK_ORIGIN, newDiskLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { WITNESSES } from '../support/witnessed-receipt.ts';

/** Asserts that `serve` does not start, with this on stderr and nothing on stdout. */
async function assertRefused(
  dir: string,
  message: RegExp,
  args: readonly string[] = [],
  exitCode = 1,
): Promise<void> {
  const all = ['serve', '--data', dir, '--listen', '127.0.0.1:0', ...args];
  const { code, out, err } = await runCli(all, { cwd: '/' });
  const said = err.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  assert.equal(said.length, 1, err);
  assert.match(said[0]!, message);
  assert.deepEqual([code, out], [exitCode, '']);
}

async function newLog(t: TestContext): Promise<Awaited<ReturnType<typeof newDiskLog>>> {
  return newDiskLog(await tempFolder(t));
}

test('a folder that is not there is not made', async (t) => {
  const dir = join(await tempFolder(t), 'typo');
  await assertRefused(dir, /there is no log at .*typo; make one with newel init/);
  await assert.rejects(readFile(dir), { code: 'ENOENT' });
});

test('a folder of another format', async (t) => {
  const { dir, folder } = await newLog(t);
  const text = await readFile(folder.paths.config, 'utf8');
  await writeFile(folder.paths.config, text.replace('"format": 1', '"format": 2'));
  await assertRefused(dir, /newel\.json has format 2, and this newel reads format 1: see UPGRADING\.md/);
});

test('a folder whose newel.json is gone', async (t) => {
  const { dir, folder } = await newLog(t);
  await rm(folder.paths.config);
  await assertRefused(
    dir,
    /there is no newel\.json in .*; if it is the folder of a log, bring that file back/,
  );
});

test('a folder whose database is gone: no new one is made', async (t) => {
  const { dir, folder } = await newLog(t);
  await rm(folder.paths.db, { recursive: true });
  await assertRefused(
    dir,
    /there is no database in .*db, though .*newel\.json is there: bring back a whole copy/,
  );
  await assert.rejects(readFile(folder.paths.db), { code: 'ENOENT' });
});

test("another log's key", async (t) => {
  const { dir, folder } = await newLog(t);
  const seed = new Uint8Array(32).fill(9);
  await writeFile(
    folder.paths.logKey,
    `${formatSkey({ name: 'log.example/other', seed }, { ed25519: nodeEd25519 })}\n`,
  );
  await assertRefused(
    dir,
    /log-ed25519 is the key of log\.example\/other, and the folder is of log\.example\/disk/,
  );
});

test('another key of the same name', async (t) => {
  const { dir, folder } = await newLog(t);
  const skey = formatSkey({ name: DISK_ORIGIN, seed: new Uint8Array(32).fill(9) }, { ed25519: nodeEd25519 });
  await writeFile(folder.paths.logKey, `${skey}\n`);
  await assertRefused(
    dir,
    /policy has no line for the key in .*log-ed25519: bring back that key as init made it/,
  );
  const { vkey } = await readLogKey(folder);
  await writeFile(folder.paths.policy, `log ${vkey}\nquorum none\n`);
  await assertRefused(dir, /the database has vkey .*another log, or the wrong key/);
});

test('a key that is missing or damaged, without a word of it', async (t) => {
  const { dir, folder } = await newLog(t);
  const skey = await readFile(folder.paths.logKey, 'utf8');
  const secret = skey.trim().slice(-44);
  await writeFile(folder.paths.logKey, skey.replace(secret, `${secret.slice(0, -3)}AA=`));
  const { err } = await runCli(['serve', '--data', dir, '--listen', '127.0.0.1:0'], { cwd: '/' });
  assert.match(err, /log-ed25519 is damaged/);
  assert.ok(!err.includes(secret.slice(0, 20)));
  await rm(folder.paths.logKey);
  await assertRefused(dir, /log-ed25519 cannot be read: bring back the one that init made .*ENOENT/);
});

test(
  'a key that others may read',
  { skip: process.platform === 'win32' ? 'there are no such bits' : false },
  async (t) => {
    const { dir, folder } = await newLog(t);
    await chmod(folder.paths.logKey, 0o640);
    await assertRefused(dir, /log-ed25519 is open to others \(mode 640\): chmod 600/);
  },
);

test('a guard that is missing', async (t) => {
  const { dir, folder } = await newLog(t);
  await rm(folder.paths.guard);
  await assertRefused(dir, /there is no guard at .*log\.guard/);
});

test("another log's guard", async (t) => {
  const parent = await tempFolder(t);
  const { dir, folder } = await newDiskLog(parent);
  const other = await newDiskLog(parent, 'other');
  await assertRefused(dir, /the guard is of another log/, ['--guard', other.folder.paths.guard]);
  await copyFile(other.folder.paths.guard, folder.paths.guard);
  await assertRefused(dir, /the guard is of another log/);
});

test('a log that has lost a round keeps its database as it was, until a whole one is served', async (t) => {
  const parent = await tempFolder(t);
  const { dir, folder, token } = await newDiskLog(parent);
  const served = await serveDiskLog(t, dir);
  for (let i = 0; i < 3; i++) await served.add(`entry ${i}`, token);
  assert.equal(await served.service.stop(), 'stopped');
  const { db } = folder.paths;
  const aside = `${db}.before-open`;
  await assert.rejects(stat(aside), { code: 'ENOENT' });
  await cp(db, join(parent, 'whole'), { recursive: true });

  const { name, bytes } = await loseRound(db, 2, 'flip');
  await assertRefused(dir, new RegExp(`round 2\\b.*before this opening, are in ${aside}$`));
  assert.deepEqual(await readFile(join(aside, name)), bytes);
  // Opening has replayed the damaged log and removed it; what is aside is the older evidence and stays.
  await assert.rejects(stat(join(db, name)), { code: 'ENOENT' });
  await assertRefused(dir, new RegExp(`round 2\\b.*before an earlier opening .* are in ${aside}$`));
  assert.deepEqual(await readFile(join(aside, name)), bytes);

  await rm(db, { recursive: true });
  await cp(join(parent, 'whole'), db, { recursive: true });
  const again = await serveDiskLog(t, dir);
  await assert.rejects(stat(aside), { code: 'ENOENT' });
  assert.equal(await again.add('entry 3', token), 3);
});

test('an older copy of the database under a newer guard', async (t) => {
  const parent = await tempFolder(t);
  const { dir, folder, token } = await newDiskLog(parent);
  await cp(folder.paths.db, join(parent, 'backup'), { recursive: true });
  const served = await serveDiskLog(t, dir);
  await served.add('entry', token);
  assert.equal(await served.service.stop(), 'stopped');
  await rm(folder.paths.db, { recursive: true });
  await cp(join(parent, 'backup'), folder.paths.db, { recursive: true });
  await assertRefused(dir, /the guard knows of round \d+ .*it is an older copy/);
});

test('a folder that is being served', async (t) => {
  const { dir } = await newLog(t);
  await serveDiskLog(t, dir);
  await assertRefused(dir, /the log in .*log is being served by another process; stop that one first$/);
  assert.ok(!(await readdir(dir)).some((name) => name.includes('before-open')));
});

test('a clock that is behind the last head, unless it is accepted', async (t) => {
  const ahead = { ...systemClock, now: () => Date.now() + 3_600_000 };
  const { dir, token } = await newDiskLog(await tempFolder(t), 'log', { clock: ahead });
  await assertRefused(dir, /the clock is 3\d\d\d s behind the last signed head; .*--accept-clock/);
  const served = await serveDiskLog(t, dir, { acceptClock: true });
  assert.ok(served.said.some((line) => line.includes('was accepted')));
  assert.equal(await served.add('entry', token), 0);
});

test('a policy that is none, or that does not know the log', async (t) => {
  const { dir, folder } = await newLog(t);
  const policy = await readFile(folder.paths.policy, 'utf8');
  await writeFile(folder.paths.policy, policy.replace('none', 'all'));
  await assertRefused(dir, /policy: policy line 2: no earlier line defines .*; put line 2 right$/);
  await writeFile(folder.paths.policy, policy.replace(/quorum.*\n/, ''));
  await assertRefused(dir, /policy: policy has no quorum line; put it right$/);
  await writeFile(folder.paths.policy, 'quorum none\n');
  await assertRefused(
    dir,
    /policy has no line for the key in .*log-ed25519: bring back that key .*: log log\.example\/disk\+/,
  );
  await rm(folder.paths.policy);
  const once =
    /policy: it is missing; bring it back, or write the one that init made: log \S+ and[^(]*quorum none$/;
  await assertRefused(dir, once);
  await writeFile(folder.paths.policy, policy);
  await writeFile(folder.paths.publicPolicy, `${policy}\nquorum\n`);
  await assertRefused(dir, /policy\.public: policy line 4: .*; put line 4 right, or remove the file$/);
});

test('a witness whose URL cannot be asked', async (t) => {
  const { dir, folder } = await newLog(t);
  const policy = await readFile(folder.paths.policy, 'utf8');
  for (const url of ['ftp://witness.example', 'witness.example', 'https://']) {
    const line = `witness w1 ${formatVkey(WITNESSES.a.vkey)} ${url}\n`;
    await writeFile(folder.paths.policy, policy.replace('quorum', `${line}quorum`));
    await assertRefused(
      dir,
      /policy: the URL of witness w1 is not one of http or https; put it right, or leave it out/,
    );
  }
});

test('a second key that is gone, of a log that has signed with it; one that never had it goes on', async (t) => {
  const { dir, folder, token } = await newLog(t);
  const key = await readFile(folder.paths.secondKey);
  await rm(folder.paths.secondKey);
  const without = await serveDiskLog(t, dir);
  assert.ok(without.said.some((line) => line.includes('holds against quantum computers')));
  await without.service.stop();

  await writeFile(folder.paths.secondKey, key, { mode: 0o600 });
  const served = await serveDiskLog(t, dir);
  await served.add('entry', token);
  await served.published(1);
  await served.service.stop();
  await rm(folder.paths.secondKey);
  await assertRefused(
    dir,
    /second key .*log-mldsa44 is not there, though the log has signed with it: bring back the one that init made$/,
  );
});

test('what is beside the log is read before it is opened: the database is not touched, nothing is signed', async (t) => {
  const { dir, folder } = await newLog(t);
  const files = async (): Promise<string[]> => (await readdir(folder.paths.db)).toSorted();
  const before = await files();
  const spoilt: [path: string, message: RegExp][] = [
    [folder.paths.policy, /policy/],
    [
      folder.paths.tokens,
      /the token list .*tokens\.json: it cannot be read; .*newel token create \(ENOENT[^(]*\)$/,
    ],
    [folder.paths.logKey, /log-ed25519/],
    [folder.paths.guard, /there is no guard/],
  ];
  for (const [path, message] of spoilt) {
    await rename(path, `${path}.away`);
    await assertRefused(dir, message);
    await rename(`${path}.away`, path);
    assert.deepEqual(await files(), before, path);
  }
  await assert.rejects(stat(`${folder.paths.db}.before-open`), { code: 'ENOENT' });
});

test('a guard in the data folder', async (t) => {
  const { dir, folder } = await newLog(t);
  await copyFile(folder.paths.guard, join(dir, '..guard'));
  const args = ['--guard', join(dir, '..guard')];
  await assertRefused(dir, /--guard lies in the data folder .*: put it outside/, args, 2);
});

test('a token list that is broken', async (t) => {
  const { dir, folder } = await newLog(t);
  await writeFile(folder.paths.tokens, '[{}]');
  await assertRefused(dir, /tokens\.json: token 1 has a name .*newel token create/);
});

test('settings that are wrong, each by its name', async (t) => {
  const { dir, folder } = await newLog(t);
  await assertRefused(dir, /--max-queue is not from 1 to/, ['--max-queue', '0'], 2);
  const text = await readFile(folder.paths.config, 'utf8');
  await writeFile(folder.paths.config, text.replace('"serve": {}', '"serve": {"max_que": 5}'));
  await assertRefused(dir, /serve has an unknown member "max_que"/);
});

test('a port that is taken: serve takes no other', async (t) => {
  const { dir } = await newLog(t);
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const { code, err } = await runCli(['serve', '--data', dir, '--listen', `127.0.0.1:${address.port}`], {
    cwd: '/',
  });
  assert.equal(code, 2);
  assert.match(err, new RegExp(`port ${address.port} of 127\\.0\\.0\\.1 is taken`));
  // Nothing was left open: it can be served elsewhere.
  await serveDiskLog(t, dir);
});

test(
  'a disk without room for opening the database is no damage, and room is all it takes',
  { skip: process.platform === 'linux' ? false : 'there is no /dev/full' },
  async (t) => {
    const { dir, folder, token } = await newLog(t);
    const served = await serveDiskLog(t, dir);
    await served.add('entry', token);
    await served.service.stop();
    // What LevelDB would write its log into, whatever number that has.
    const { db } = folder.paths;
    const numbers = (await readdir(db)).map((name) => parseInt(name.replace('MANIFEST-', ''), 10));
    const last = Math.max(...numbers.filter((number) => !Number.isNaN(number)));
    const names = Array.from({ length: 8 }, (_, i) => String(last + 1 + i).padStart(6, '0'));
    for (const name of names) await symlink('/dev/full', join(db, `${name}.ldb`));
    for (const name of names) await symlink('/dev/full', join(db, `MANIFEST-${name}`));
    await assertRefused(dir, /there is no room on the disk for opening the database in .*: make room/);
    for (const name of names) {
      await rm(join(db, `${name}.ldb`), { force: true });
      await rm(join(db, `MANIFEST-${name}`), { force: true });
    }
    assert.equal(await (await serveDiskLog(t, dir)).add('another', token), 1);
  },
);
