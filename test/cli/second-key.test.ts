/** The log's second key: as init makes it, as it signs, and every state of its file that a log does not start with. */

import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { type Folder, folderPaths } from '../../src/cli/folder.ts';
import { assertNeverHadSecondKey, createSecondKey, readSecondKey } from '../../src/cli/second-key.ts';
import { parseTimestampedSignature } from '../../src/formats/cosignature.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { formatNote, type NoteSignature, parseNote } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatSkey, formatVkey, KEY_TYPE, type Vkey } from '../../src/formats/vkey.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { seedOf, testCosigners, WitnessedLog } from '../support/witnessed-log.ts';

const TIME_S = 1_800_000_000;
const ARITHMETIC = { ed25519: nodeEd25519, mldsa44: nobleMldsa44 };
const log = new WitnessedLog('log.example/bank', { leaves: 4 });

async function emptyFolder(t: TestContext): Promise<Folder> {
  const paths = folderPaths(await tempFolder(t));
  await mkdir(paths.keys);
  return { kind: 'opaque', origin: log.origin, instance: '0'.repeat(32), serve: {}, paths };
}

async function folderWithKey(t: TestContext): Promise<{ folder: Folder; vkey: Vkey }> {
  const folder = await emptyFolder(t);
  return { folder, vkey: await createSecondKey(folder.paths, folder.origin) };
}

const skey = (name: string, type: number): string =>
  formatSkey({ name, seed: seedOf('key'), type }, ARITHMETIC);

test('a log that has none goes on without it', async (t) => {
  assert.equal(await readSecondKey(await emptyFolder(t)), undefined);
});

test('it is made for its owner alone, at random, and never over another', async (t) => {
  const { folder, vkey } = await folderWithKey(t);
  const { secondKey } = folder.paths;
  assert.deepEqual([vkey.name, vkey.type], [log.origin, KEY_TYPE.mldsa44]);
  if (process.platform !== 'win32') assert.equal((await stat(secondKey)).mode & 0o777, 0o600);
  const text = await readFile(secondKey, 'utf8');
  assert.match(text, /^PRIVATE\+KEY\+log\.example\/bank\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}\n$/);
  await assert.rejects(createSecondKey(folder.paths, folder.origin));
  assert.equal(await readFile(secondKey, 'utf8'), text, 'what was there is there');
  const other = await folderWithKey(t);
  assert.notEqual(formatVkey(other.vkey), formatVkey(vkey));
});

test('it signs what its verifier and its vkey hold for, and no more once it is closed', async (t) => {
  const { folder, vkey } = await folderWithKey(t);
  const key = await readSecondKey(folder);
  assert.ok(key);
  assert.equal(key.vkey, formatVkey(vkey));
  const text = log.text(3);
  const { name, keyId, signature } = await key.cosigner.cosign(text, TIME_S);
  assert.deepEqual([name, keyId], [log.origin, vkey.keyId]);
  assert.equal(parseTimestampedSignature(signature).timestampS, TIME_S);
  assert.deepEqual([key.verifier.name, key.verifier.keyId], [name, keyId]);
  assert.equal(key.verifier.verify(encodeUtf8(text), signature), true);
  assert.equal(key.verifier.verify(encodeUtf8(log.text(2)), signature), false);
  const again = await key.cosigner.cosign(text, TIME_S);
  assert.deepEqual(again.signature, signature, 'deterministic');
  await key.close();
  await assert.rejects(key.cosigner.cosign(text, TIME_S), /closed/);
});

test('with or without the newline at its end it is the same key', async (t) => {
  const { folder, vkey } = await folderWithKey(t);
  const { secondKey } = folder.paths;
  await writeFile(secondKey, (await readFile(secondKey, 'utf8')).trimEnd());
  const key = await readSecondKey(folder);
  assert.equal(key?.vkey, formatVkey(vkey));
  await key?.close();
});

const WINDOWS = process.platform === 'win32' ? 'Windows has no such bits' : false;
for (const mode of [0o640, 0o604, 0o620, 0o601, 0o666]) {
  const bits = mode.toString(8);
  test(`a file of mode ${bits} is refused, and changed nothing of`, { skip: WINDOWS }, async (t) => {
    const { folder } = await folderWithKey(t);
    await chmod(folder.paths.secondKey, mode);
    await assert.rejects(readSecondKey(folder), {
      code: 'log_refused',
      message: new RegExp(`log-mldsa44 is open to others \\(mode ${bits}\\): chmod 600`),
    });
    assert.equal((await stat(folder.paths.secondKey)).mode & 0o777, mode);
  });
}

const OWN = skey(log.origin, KEY_TYPE.mldsa44);
const SEED_CHARS = /[A-Za-z0-9+/]{44}$/;
const REFUSED: readonly [what: string, text: string, message: RegExp][] = [
  ['an empty file', '', /is damaged \(signer key does not begin with PRIVATE\+KEY\+\)/],
  ['a public key', formatVkey(log.vkey), /is damaged \(signer key does not begin/],
  [
    'a seed that is too short',
    OWN.replace(SEED_CHARS, (seed) => seed.slice(0, 40)),
    /is damaged \(.*29 bytes/,
  ],
  ['a seed that is too long', OWN.replace(SEED_CHARS, (seed) => `${seed}AAAA`), /is damaged \(.*35 bytes/],
  ['another seed', OWN.replace(/.{10}$/, 'AAAAAAAAAA'), /is damaged \(.*key id of another name or key\)/],
  ['two newlines', `${OWN}\n\n`, /is damaged/],
  ['two keys', `${OWN}\n${OWN}\n`, /is damaged/],
  [
    'the key of another log',
    skey('log.example/shop', KEY_TYPE.mldsa44),
    /is the key of log\.example\/shop, and/,
  ],
  ['the log’s first key', skey(log.origin, KEY_TYPE.ed25519), /is of another type/],
  ['the key of a witness', skey(log.origin, KEY_TYPE.cosignatureEd25519), /is of another type/],
];
for (const [what, text, message] of REFUSED) {
  test(`refused: ${what}`, async (t) => {
    const folder = await emptyFolder(t);
    await writeFile(folder.paths.secondKey, text, { mode: 0o600 });
    const rejected: unknown = await readSecondKey(folder).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(rejected instanceof Error);
    const { code, message: said } = rejected as Error & { code?: string };
    assert.equal(code, 'log_refused');
    assert.match(said, message);
    assert.match(said, /log-mldsa44 .*: bring back the one that init made$/);
    for (const chars of text.match(/[A-Za-z0-9+/]{40,}/g) ?? []) {
      assert.ok(!said.includes(chars), 'nothing of a key is told');
    }
  });
}

test('a folder in its place is refused', async (t) => {
  const folder = await emptyFolder(t);
  await mkdir(folder.paths.secondKey, { mode: 0o700 });
  await assert.rejects(readSecondKey(folder), { code: 'log_refused', message: /log-mldsa44 cannot be read/ });
});

test('a log that has signed with it does not go on without it; one that never has does', async (t) => {
  const { folder } = await folderWithKey(t);
  const key = await readSecondKey(folder);
  assert.ok(key);
  await rm(folder.paths.secondKey);
  const text = log.text(3);
  const { signatures } = parseNote(log.note(3));
  const checkpoint = async (...more: Promise<NoteSignature>[]): Promise<Uint8Array> =>
    formatNote({ text, signatures: [...signatures, ...(await Promise.all(more))] });
  const never = await checkpoint();
  assertNeverHadSecondKey(folder, never);
  // A witness's line of that length is not the log's.
  const [, pq] = testCosigners('witness.example/pq');
  assertNeverHadSecondKey(folder, await checkpoint(pq!.cosign(text, TIME_S)));
  const once = await checkpoint(key.cosigner.cosign(text, TIME_S));
  assert.throws(() => assertNeverHadSecondKey(folder, once), {
    code: 'log_refused',
    message: /log-mldsa44 is not there, though the log has signed with it: bring back/,
  });
  await key.close();
});
