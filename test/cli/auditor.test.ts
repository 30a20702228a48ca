/** `head`, `consistency` and `fsck`: what outsiders run against a log. */

import assert from 'node:assert/strict';
import { cp, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openLevelStore } from '../../src/storage/level.ts';
import { entriesKey, slotKey, tileKey } from '../../src/storage/keys.ts';
import { type Ran, runCli } from '../support/cli.ts';
import { loseRound } from '../support/lost-round.ts';
import { DISK_ORIGIN, newDiskLog, type ServedLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { serveLoopback } from '../support/loopback-server.ts';

interface Setup extends ServedLog {
  readonly cwd: string;
  readonly dir: string;
  readonly token: string;
  readonly grow: (count: number) => Promise<void>;
  readonly newel: (...args: string[]) => Promise<Ran>;
  /** Saves what a command prints. */
  readonly save: (file: string, ...args: string[]) => Promise<void>;
}

async function setUp(t: TestContext, entries: number): Promise<Setup> {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd);
  const served = await serveDiskLog(t, dir);
  let size = 0;
  const setup: Setup = {
    ...served,
    cwd,
    dir,
    token,
    async grow(count) {
      await Promise.all(Array.from({ length: count }, (_, i) => served.add(`entry ${size + i}`, token)));
      size += count;
      await served.published(size);
    },
    newel: (...args) => runCli([...args, '--url', served.url], { cwd }),
    async save(file, ...args) {
      const { code, out, err } = await setup.newel(...args);
      assert.equal(code, 0, err);
      await writeFile(join(cwd, file), out);
    },
  };
  await setup.grow(entries);
  await writeFile(join(cwd, 'log.json'), await (await fetch(`${served.url}/v1/log`)).text());
  return setup;
}

test('head prints the verified head, and says whether its key was pinned', async (t) => {
  const { newel, url, cwd, service } = await setUp(t, 3);
  const { vkey } = service;
  const unpinned = await newel('head');
  assert.equal(unpinned.code, 0, unpinned.err);
  assert.match(unpinned.out, /^size +3$/m);
  assert.match(unpinned.out, /^level +signed$/m);
  assert.match(unpinned.out, /^time +\d{4}-\d\d-\d\dT\S+Z \(as the log says\)$/m);
  assert.match(unpinned.out, /taken from the log itself, not pinned/);
  assert.match((await newel('head', '--trust', 'log.json')).out, /pinned by .*log\.json$/m);

  const { out } = await newel('head', '--trust', 'log.json', '--json');
  const head: unknown = JSON.parse(out);
  assert.ok(typeof head === 'object' && head !== null && 'root_hash' in head && 'time' in head);
  const note = await (await fetch(`${url}/checkpoint`)).text();
  const { vkeys } = (await (await fetch(`${url}/v1/log`)).json()) as { vkeys: readonly string[] };
  assert.deepEqual([vkeys[0], vkeys.length], [vkey, 2]);
  const { time, ...rest } = head;
  assert.ok(typeof time === 'string' && Math.abs(Date.parse(time) - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    origin: DISK_ORIGIN,
    tree_size: 3,
    root_hash: note.split('\n')[2],
    level: 'signed',
    keys: vkeys.map((vkey) => vkey.split('+').slice(0, 2).join('+')),
    url,
    pinned: true,
  });
  assert.equal((await newel('head', '--checkpoint')).out, note);

  const fromEnv = await runCli(['head'], { cwd, env: { NEWEL_URL: `${url}/` } });
  assert.match(fromEnv.out, /^size +3$/m);
});

test('head believes no other key than the pinned one', async (t) => {
  const { newel, cwd } = await setUp(t, 1);
  const other = await newDiskLog(cwd, 'other');
  const { url } = await serveDiskLog(t, other.dir);
  await writeFile(join(cwd, 'other.json'), await (await fetch(`${url}/v1/log`)).text());
  const { code, out, err } = await newel('head', '--trust', 'other.json');
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /no signature by a known key/);
});

test('what cannot be read or reached exits with 3', async (t) => {
  const { newel, service, save, cwd } = await setUp(t, 1);
  assert.equal((await newel('head', '--trust', 'missing.json')).code, 3);
  await writeFile(join(cwd, 'spoilt.json'), '{');
  assert.equal((await newel('head', '--trust', 'spoilt.json')).code, 3);
  assert.equal((await newel('consistency', 'missing')).code, 3);
  await writeFile(join(cwd, 'spoilt'), 'not a note\n');
  assert.equal((await newel('consistency', 'spoilt')).code, 3);
  await save('old', 'head', '--checkpoint');
  await service.stop();
  for (const args of [['head'], ['consistency', 'old'], ['fsck']]) {
    const { code, out, err } = await newel(...args, '--trust', 'log.json');
    assert.deepEqual([code, out], [3, ''], args.join(' '));
    assert.match(err, /does not answer/);
  }
});

test('consistency proves that the log, or a later saved head, extends a saved one', async (t) => {
  const { newel, grow, save, cwd } = await setUp(t, 0);
  await save('empty', 'head', '--checkpoint');
  await grow(3);
  await save('three', 'head', '--checkpoint');
  await grow(300);
  await save('all', 'head', '--checkpoint');
  await grow(1);
  for (const [args, result] of [
    [['three'], /^✔ 304 leaves extend 3: nothing was changed or removed$/m],
    [['three', 'all'], /^✔ 303 leaves extend 3: /m],
    [['all', 'all'], /^✔ 303 leaves extend 303: /m],
    [['empty', 'three'], /^✔ 3 leaves extend 0: /m],
  ] as const) {
    const { code, out, err } = await newel('consistency', ...args, '--trust', 'log.json');
    assert.equal(code, 0, err + out);
    assert.match(out, result);
  }
  const { out } = await newel('consistency', 'three', 'all', '--json');
  const shown: unknown = JSON.parse(out);
  assert.ok(typeof shown === 'object' && shown !== null && 'consistent' in shown && 'proof' in shown);
  assert.equal(shown.consistent, true);
  assert.ok(Array.isArray(shown.proof) && shown.proof.length > 0);

  const swapped = await newel('consistency', 'all', 'three');
  assert.equal(swapped.code, 2);
  assert.match(swapped.err, /OLD has 303 leaves, NEW only 3/);

  const note = await readFile(join(cwd, 'three'), 'utf8');
  await writeFile(join(cwd, 'forged'), note.replace('\n3\n', '\n2\n'));
  const forged = await newel('consistency', 'forged');
  assert.deepEqual([forged.code, forged.out], [1, '']);
  assert.match(forged.err, /forged: note has a false signature/);
});

interface Forked {
  readonly cwd: string;
  readonly one: ServedLog;
  readonly two: ServedLog;
  readonly token: string;
  readonly consistency: (...args: string[]) => Promise<Ran>;
  /** Saves the head of a log. */
  readonly save: (file: string, log: ServedLog) => Promise<void>;
  /** What `newel verify` says of the evidence in a folder. */
  readonly convict: (folder: string) => Promise<Ran>;
}

/** Two copies of one log, each served, and its keys in log.json. */
async function fork(t: TestContext): Promise<Forked> {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd);
  for (const end of ['', '.guard'])
    await cp(`${dir}${end}`, `${join(cwd, 'copy')}${end}`, { recursive: true });
  const one = await serveDiskLog(t, dir);
  const two = await serveDiskLog(t, join(cwd, 'copy'));
  await writeFile(join(cwd, 'log.json'), await (await fetch(`${one.url}/v1/log`)).text());
  return {
    cwd,
    one,
    two,
    token,
    consistency: (...args) => runCli(['consistency', '--trust', 'log.json', ...args], { cwd }),
    async save(file, { url }) {
      const { code, out } = await runCli(['head', '--checkpoint', '--url', url], { cwd });
      assert.equal(code, 0);
      await writeFile(join(cwd, file), out);
    },
    async convict(folder) {
      const files = await readdir(join(cwd, folder));
      const evidence = files.filter((name) => name.endsWith('.evidence.json'));
      assert.equal(evidence.length, 1, files.join(' '));
      return runCli(['verify', join(folder, evidence[0]!), '--trust', 'log.json'], { cwd });
    },
  };
}

async function grow({ one, two, token }: Forked, ones: string[], twos: string[]): Promise<void> {
  for (const [log, entries] of [
    [one, ones],
    [two, twos],
  ] as const) {
    for (const entry of entries) await log.add(entry, token);
    await log.published(entries.length);
  }
}

test('consistency convicts two copies of one log that went on differently, and keeps what does', async (t) => {
  const forked = await fork(t);
  const { cwd, one, two, token, consistency, save, convict } = forked;
  await grow(forked, ['this'], ['that']);
  await save('one', one);

  const same = await consistency('one', '--url', two.url);
  assert.equal(same.code, 1);
  assert.match(same.out, /^✘ two trees of 1 leaves with different roots were signed$/m);
  assert.match(
    same.out,
    /^Both heads are kept in fork-[0-9a-f]{8}\.evidence\.json: newel verify says what they show/m,
  );
  const proven = await convict('.');
  assert.equal(proven.code, 0, proven.out + proven.err);
  assert.match(proven.out, /signed a tree of 1 leaves/);

  await two.add('and on', token);
  await two.published(2);
  const later = await consistency('one', '--url', two.url, '--out', 'found/here', '--json');
  assert.equal(later.code, 1);
  const shown = JSON.parse(later.out) as Record<string, unknown>;
  assert.deepEqual([shown['consistent'], shown['code']], [false, 'inconsistent']);
  assert.deepEqual(
    (await readdir(join(cwd, 'found/here'))).map((name) => join('found/here', name)),
    [shown['evidence']],
  );
  const extended = await convict('found/here');
  assert.equal(extended.code, 0, extended.out + extended.err);
  assert.match(extended.out, /begins with a tree of 1 whose root is/);
});

test('consistency of a log that went back: no proof, unless the tiles of the larger tree show one', async (t) => {
  const forked = await fork(t);
  const { cwd, one, two, consistency, save, convict } = forked;
  await grow(forked, ['this'], ['that', 'and on']);
  await save('two', two);
  const shrunk = await consistency('two', '--url', one.url);
  assert.equal(shrunk.code, 1);
  assert.match(shrunk.out, /^✘ the tree shrank from 2 to 1$/m);
  assert.match(shrunk.out, /^What the log shows does not convict it: ask again, and keep what you have\.$/m);
  assert.ok(!(await readdir(cwd)).some((name) => name.startsWith('fork-')));

  // The head of one copy, with the tiles of the other.
  const mixed = await play(t, (path) => `${path === '/checkpoint' ? one.url : two.url}${path}`);
  const both = await consistency('two', '--url', mixed);
  assert.equal(both.code, 1);
  assert.match(both.out, /^✘ the tree of 2 leaves does not begin with the tree of 1 that was signed$/m);
  assert.equal((await convict('.')).code, 0);
});

/** Serves what is at another URL, its bytes perhaps changed; closes after the test. */
async function play(
  t: TestContext,
  at: (path: string) => string,
  change: (path: string, bytes: Buffer) => void = () => {},
): Promise<string> {
  return serveLoopback(t, (request, response) => {
    const path = request.url ?? '';
    void fetch(at(path)).then(async (answer) => {
      const bytes = Buffer.from(await answer.arrayBuffer());
      change(path, bytes);
      response.writeHead(answer.status).end(bytes);
    });
  });
}

test('consistency over a spoilt tile, or one that is missing: nothing is known, and nothing is called false', async (t) => {
  const { newel, grow, save, cwd, url } = await setUp(t, 3);
  await save('three', 'head', '--checkpoint');
  await grow(2);
  const spoilt = await play(
    t,
    (path) => `${url}${path}`,
    (path, bytes) => {
      if (path.startsWith('/tile/0/')) bytes[0]! ^= 1;
    },
  );
  const missing = await play(t, (path) => `${url}${path.startsWith('/tile/') ? '/none' : path}`);
  for (const [at, code, flaw] of [
    [spoilt, 'root_mismatch', /have not the root of the checkpoint of size 5/],
    [missing, 'unreachable', /the log has no tile\/0\/000/],
  ] as const) {
    const args = ['consistency', 'three', '--url', at, '--trust', 'log.json'];
    const ran = await runCli(args, { cwd });
    assert.deepEqual([ran.code, ran.out], [3, '']);
    assert.match(ran.err, /^newel: whether 5 leaves extend 3 is not known: /);
    assert.match(ran.err, flaw);
    const { error } = JSON.parse((await runCli([...args, '--json'], { cwd })).err) as {
      error: { code: string };
    };
    assert.equal(error.code, code);
  }
  assert.ok(!(await readdir(cwd)).some((name) => name.startsWith('fork-')));
  assert.equal((await newel('consistency', 'three')).code, 0);
});

test('fsck finds a whole log whole, over HTTP and in its folder', async (t) => {
  const { newel, service, dir, cwd } = await setUp(t, 260);
  const remote = await newel('fsck', '--trust', 'log.json');
  assert.deepEqual([remote.code, remote.err], [0, '']);
  assert.match(remote.out, /^✔ http\S+: 260 entries of log\.example\/disk, all whole, root \S{44}$/m);

  const busy = await runCli(['fsck', '--data', dir], { cwd });
  assert.equal(busy.code, 1);
  assert.match(busy.err, new RegExp(`${dir} is being served by another process.*newel fsck --url URL`));
  await service.stop();
  const local = await runCli(['fsck', '--data', dir, '--json'], { cwd });
  assert.equal(local.code, 0, local.err);
  const report: unknown = JSON.parse(local.out);
  assert.ok(typeof report === 'object' && report !== null);
  assert.deepEqual(
    { ...report, root_hash: '' },
    { origin: DISK_ORIGIN, tree_size: 260, signed_size: 260, root_hash: '', ok: true, findings: [] },
  );
});

test('fsck names every file that is wrong, and exits with 1', async (t) => {
  const { service, dir, cwd } = await setUp(t, 3);
  await service.stop();
  const store = await openLevelStore(join(dir, 'db'), { create: false });
  const [tile, entry] = await store.getMany([tileKey(0, 0), entriesKey(1)]);
  assert.ok(tile && entry);
  const flip = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
  await store.commit({
    puts: [
      { key: tileKey(0, 0), value: flip(tile, 0) },
      { key: entriesKey(1), value: flip(entry, entry.length - 1) },
    ],
  });
  await store.close();
  const { code, out } = await runCli(['fsck', '--data', dir], { cwd });
  assert.equal(code, 1);
  assert.match(out, /^✘ tile\/0\/000\.p\/3 {2}\S/m);
  assert.match(out, /^✘ tile\/entries\/000\.p\/3 {2}\S/m);
  assert.match(out, /^✘ database {2}round \d+ is damaged/m);
  assert.match(out, /^\d findings: .*log is not whole$/m);
  assert.match(out, /^ {2}signed size 3, published size 3$/m);
});

for (const how of ['flip', 'cut'] as const) {
  test(`fsck of a folder that has lost a round (${how}): names it, and keeps what there was`, async (t) => {
    const cwd = await tempFolder(t);
    const { dir, token, folder } = await newDiskLog(cwd);
    const served = await serveDiskLog(t, dir);
    for (let i = 0; i < 4; i++) await served.add(`entry ${i}`, token);
    await served.published(4);
    await served.service.stop();
    const { name, bytes } = await loseRound(folder.paths.db, 2, how);
    const aside = `${folder.paths.db}.before-open`;

    const { code, out } = await runCli(['fsck', '--data', dir], { cwd });
    assert.equal(code, 1);
    assert.match(out, new RegExp(`^✘ database  .*round 2\\b.* are in ${aside}$`, 'm'));
    assert.match(out, how === 'flip' ? /^ {2}signed size 1, /m : /^ {2}signed size 4, published size 4$/m);
    assert.deepEqual(await readFile(join(aside, name)), bytes);

    const again = await runCli(['fsck', '--data', dir, '--json'], { cwd });
    assert.equal(again.code, 1);
    assert.match(again.out, /"ok":false,"findings":\[\{"path":"database"/);
    assert.deepEqual(await readFile(join(aside, name)), bytes);
  });
}

test('fsck of a whole folder sets nothing aside for good; without its guard it is not whole', async (t) => {
  const { service, dir, cwd } = await setUp(t, 2);
  await service.stop();
  const whole = await runCli(['fsck', '--data', dir], { cwd });
  assert.equal(whole.code, 0, whole.err);
  assert.match(whole.out, /^ {2}signed size 2, published size 2$/m);
  await assert.rejects(stat(join(dir, 'db.before-open')), { code: 'ENOENT' });

  await rename(`${dir}.guard`, join(cwd, 'elsewhere'));
  const alone = await runCli(['fsck', '--data', dir], { cwd });
  assert.equal(alone.code, 1);
  assert.match(alone.out, /^✘ database {2}there is no guard at .*\n1 finding: .*log is not whole$/m);
  const told = await runCli(['fsck', '--data', dir, '--guard', 'elsewhere'], { cwd });
  assert.equal(told.code, 0, told.out);
  await assert.rejects(stat(join(dir, 'db.before-open')), { code: 'ENOENT' });
  assert.equal((await runCli(['fsck', '--url', 'http://127.0.0.1:1', '--guard', 'x'], { cwd })).code, 2);
});

for (const [what, slot] of [
  ['missing', undefined],
  ['cut', new Uint8Array(4)],
  ['of an impossible time', new Uint8Array(200).fill(0xff)],
] as const) {
  test(`fsck of a folder whose published checkpoint is ${what}: both findings, exit 1`, async (t) => {
    const { service, dir, cwd } = await setUp(t, 2);
    await service.stop();
    const store = await openLevelStore(join(dir, 'db'), { create: false });
    const key = slotKey('none');
    await store.commit(slot ? { puts: [{ key, value: slot }] } : { puts: [], deletes: [key] });
    await store.close();
    const { code, out, err } = await runCli(['fsck', '--data', dir], { cwd });
    assert.equal(code, 1, err);
    assert.match(
      out,
      /^✘ database {2}.*round \d+ is damaged: the published checkpoint is (missing|damaged).*before-open/m,
    );
    assert.match(out, /^✘ checkpoint {2}\S/m);
  });
}
