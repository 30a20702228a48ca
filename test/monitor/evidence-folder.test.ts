import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type EvidenceBundle,
  FORK,
  formatEvidenceBundle,
  parseEvidenceBundle,
  ROLLBACK,
} from '../../src/client/evidence-bundle.ts';
import { verifyEvidenceBundle } from '../../src/client/verify-evidence.ts';
import { EvidenceFolder } from '../../src/monitor/evidence-folder.ts';
import {
  FOLLOWED_ORIGIN,
  FollowedTestLog,
  OTHER_SEED,
  type ServedHead,
  trustOfFollowed,
} from '../support/followed-log.ts';
import { playedWitness } from '../support/played-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

const trust = trustOfFollowed();
const log = new FollowedTestLog(10);

async function forkAt(size: number, salt = 'other'): Promise<EvidenceBundle> {
  const other = log.fork(2).grow(size - 2, salt);
  const heads = [await log.head(size), await other.head(size)] as const;
  const seen = [
    { source: 'https://one.example', timeMs: 1_800_000_000_000 },
    { source: 'https://other.example', timeMs: 1_800_000_000_001 },
  ];
  return { evidence: FORK, origin: FOLLOWED_ORIGIN, heads, seen };
}

test('proof is kept as a whole file of its owner, that anybody can check', async (t) => {
  const path = join(await tempFolder(t), 'evidence');
  const folder = await EvidenceFolder.open(path);
  const kept = await folder.keep(await forkAt(7), trust);
  assert.ok(typeof kept === 'object');
  assert.match(kept.path, /log\.example-followed-fork-7-7-[0-9a-f]{8}\.evidence\.json$/);
  assert.deepEqual(
    (await readdir(path)).map((name) => join(path, name)),
    [kept.path],
  );
  if (process.platform !== 'win32') assert.equal((await stat(kept.path)).mode & 0o777, 0o600);
  const bundle = parseEvidenceBundle(await readFile(kept.path));
  assert.equal(verifyEvidenceBundle(bundle, { trust }).kind, 'fork');
  assert.equal(folder.count(trust), 1);
  assert.equal(folder.count({ ...trust, origin: 'log.example/other' }), 0);
});

test('the same accusation is kept once, of all processes, and of one accused sixteen', async (t) => {
  const path = await tempFolder(t);
  let folder = await EvidenceFolder.open(path);
  assert.ok(typeof (await folder.keep(await forkAt(7), trust)) === 'object');
  assert.equal(await folder.keep(await forkAt(7), trust), 'known');
  await writeFile(join(path, 'spoilt.evidence.json'), '{');
  await writeFile(join(path, 'notes.txt'), 'not ours');
  folder = await EvidenceFolder.open(path);
  assert.equal(folder.count(trust), 1);
  assert.equal(await folder.keep(await forkAt(7), trust), 'known');
  log.grow(30);
  for (let size = 8; size < 23; size++)
    assert.equal(typeof (await folder.keep(await forkAt(size), trust)), 'object');
  assert.equal(await folder.keep(await forkAt(7, 'third'), trust), 'full');
  assert.equal(await (await EvidenceFolder.open(path)).keep(await forkAt(23), trust), 'full');
  assert.equal(folder.count(trust), 16);
  assert.equal((await readdir(path)).filter((name) => name.includes('-fork-')).length, 16);
});

test('what could not be written is not counted, and is written when it is proven again', async (t) => {
  const path = join(await tempFolder(t), 'evidence');
  const folder = await EvidenceFolder.open(path);
  await rm(path, { recursive: true });
  await assert.rejects(folder.keep(await forkAt(7), trust), { code: 'ENOENT' });
  assert.equal(folder.count(trust), 0);
  await mkdir(path);
  const both = [folder.keep(await forkAt(7), trust), folder.keep(await forkAt(7), trust)];
  assert.deepEqual(
    (await Promise.all(both)).map((kept) => (typeof kept === 'object' ? 'kept' : kept)),
    ['kept', 'known'],
  );
  assert.deepEqual([(await readdir(path)).length, folder.count(trust)], [1, 1]);
});

test('what convicts nobody by these keys does not count, and what is no file is passed over', async (t) => {
  const path = await tempFolder(t);
  const proof = await forkAt(7);
  const texts = {
    proof: formatEvidenceBundle(proof),
    honest: formatEvidenceBundle({ ...proof, heads: [proof.heads[0], proof.heads[0]] }),
    large: ' '.repeat(3 * 1024 * 1024),
  };
  for (const [name, text] of Object.entries(texts))
    await writeFile(join(path, `${name}.evidence.json`), text);
  await mkdir(join(path, 'folder.evidence.json'));
  if (process.platform !== 'win32') await symlink('nowhere', join(path, 'link.evidence.json'));
  const folder = await EvidenceFolder.open(path);
  assert.equal(folder.count(trust), 1);
  assert.equal(folder.count(trust), 1, 'each is judged once');
});

test('what others have signed takes nobody the room of a conviction', async (t) => {
  const witness = playedWitness('witness.example/w');
  const watched = trustOfFollowed({ witnesses: [witness] });
  const folder = await EvidenceFolder.open(await tempFolder(t));
  const rollback = async (size: number, options: (timeS: number) => ServedHead): Promise<EvidenceBundle> => ({
    evidence: ROLLBACK,
    origin: FOLLOWED_ORIGIN,
    heads: [await log.head(size, options(T)), await log.head(2, options(T + 9))],
    seen: [],
  });
  const T = 1_800_000_000;
  log.grow(30);
  const byWitness = (timeS: number): ServedHead => ({ witnesses: [[witness, timeS]] });
  for (let size = 3; size < 19; size++) {
    assert.equal(typeof (await folder.keep(await rollback(size, byWitness), watched)), 'object');
  }
  assert.equal(await folder.keep(await rollback(19, byWitness), watched), 'full');
  // The same heads, of which the log has gone back too.
  const own = await folder.keep(await rollback(3, (timeS) => ({ timeS })), watched);
  assert.ok(typeof own === 'object');
  assert.match(own.proves.keys.join(), /^log\.example\/followed\+/);
  assert.equal(typeof (await folder.keep(await forkAt(7), watched)), 'object');
  assert.equal(folder.count(watched), 18);
});

test('what convicts nobody is never kept', async (t) => {
  const path = await tempFolder(t);
  const folder = await EvidenceFolder.open(path);
  const { seen } = await forkAt(5);
  const origin = FOLLOWED_ORIGIN;
  const honest = [await log.head(5), await log.head(6)] as const;
  const [five, stranger] = [
    await log.head(5),
    await log.fork(2).grow(3, 'other').head(5, { seed: OTHER_SEED }),
  ];
  for (const bundle of [
    { evidence: FORK, origin, heads: honest, seen },
    { evidence: FORK, origin, heads: honest, root: log.root(4), proof: [], seen },
    { evidence: ROLLBACK, origin, heads: [honest[1], honest[0]], seen },
    { evidence: FORK, origin, heads: [five, stranger], seen },
  ] as const) {
    await assert.rejects(folder.keep(bundle, trust), { name: /Error$/ });
  }
  assert.deepEqual([await readdir(path), folder.count(trust)], [[], 0]);
});
