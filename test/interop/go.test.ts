/**
 * What Newel emits is taken by code that others wrote, in Go: sumdb/note and sumdb/tlog, transparency-dev's formats,
 * merkle and tessera, and torchwood. What that code emits is taken by Newel.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashLeaf } from '../../src/core/hash.ts';
import { verifyConsistency, verifyInclusion } from '../../src/core/proof.ts';
import { NewelError } from '../../src/errors.ts';
import { parseBase64 } from '../../src/formats/base64.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { formatEntries } from '../../src/formats/entry-bundle.ts';
import { ed25519Signer, ed25519Verifier, openNote, signNote } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatTlogProof, parseTlogProof } from '../../src/formats/tlog-proof.ts';
import { formatSkey, formatVkey, parseSkey, parseVkey } from '../../src/formats/vkey.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { buildGoProgram, type GoProgram, whyNoGo } from './go-program.ts';
import { CONNECTIONS, type ServedLog, serveLog } from './served-log.ts';

/** Two levels of full tiles, and partial ones on three. */
const SIZE = 70_000;
const POLL_MS = 100;

test('other people’s Go', { skip: await whyNoGo() }, async (t) => {
  const go = await buildGoProgram(t);
  await t.test('reads, proves, checks and tails a log', (t) => readServedLog(t, go));
  await t.test('makes keys, notes, checkpoints and proofs', (t) => openWhatGoMade(t, go));
});

async function readServedLog(t: TestContext, go: GoProgram): Promise<void> {
  const log = await serveLog(t);
  const known = ['-url', log.url, '-vkey', log.vkey, '-origin', log.origin];
  const heads = join(await tempFolder(t), 'heads.json');
  let sha256 = '';
  let published: readonly string[] = [];

  await t.test('torchwood and tessera tail it while it grows from nothing', async () => {
    const tailing = go.run('tail', [...known, '-until', `${SIZE}`]);
    const growing = grow(log);
    const [report] = await Promise.all([tailing, growing]);
    const grown = await growing;
    published = grown.heads;
    sha256 = digestOf(grown.entries);
    await writeFile(heads, JSON.stringify(published));
    const { torchwood, tessera } = report as { torchwood: Tailed; tessera: Tailed };
    for (const tailed of [torchwood, tessera]) {
      assert.equal(tailed.entries, SIZE);
      assert.equal(tailed.sha256, sha256, 'the entries that were tailed are those that were added');
      assert.ok(tailed.heads > 5, `${tailed.heads} heads: it was not tailed while it grew`);
    }
    assert.ok(published.length > 5, `${published.length} heads were published while it grew`);
  });

  await t.test(
    'sumdb/note opens the checkpoint by both keys of the log, and refuses it with any byte changed',
    async () => {
      const checkpoint = await log.readCheckpoint();
      assert.deepEqual(await go.run('note', known), {
        size: SIZE,
        lines: 2,
        tampered: encodeUtf8(checkpoint).length,
      });
    },
  );

  await t.test('sumdb/tlog proves every leaf, and every earlier head, from the tiles', async () => {
    assert.deepEqual(await go.run('tiles', [...known, '-heads', heads]), {
      size: SIZE,
      proved: SIZE,
      heads: published.length,
      sha256,
    });
  });

  await t.test('formats, merkle and torchwood verify the proofs', async () => {
    const report = await go.run('proofs', [...known, '-heads', heads]);
    const { size, inclusion, consistency } = report as Record<string, number>;
    assert.equal(size, SIZE);
    assert.ok(inclusion! > 500);
    assert.ok(consistency! >= published.length);
  });

  await t.test('tessera’s fsck finds it clean', async () => {
    const { resources } = (await go.run('fsck', known)) as Record<string, number>;
    // 273 full bundles and a partial one, as many tiles above, two of level 1, one of level 2, the checkpoint.
    assert.equal(resources, 2 * 274 + 2 + 1 + 1);
  });

  await t.test('SIGTERM ends it in order', async () => {
    log.process.child.kill('SIGTERM');
    assert.equal((await log.process.ended).code, 0);
  });
}

interface Tailed {
  readonly entries: number;
  readonly heads: number;
  readonly sha256: string;
}

/** Adds `SIZE` entries; returns them by the indexes that were answered, and the checkpoints published meanwhile. */
async function grow(log: ServedLog): Promise<{ entries: Uint8Array[]; heads: string[] }> {
  const entries: Uint8Array[] = [];
  const heads = new Set<string>();
  let next = 0;
  let done = false;
  const add = async (): Promise<void> => {
    while (next < SIZE) {
      const entry = makeEntry(next++);
      const index = await log.add(entry);
      assert.equal(entries[index], undefined, `index ${index} was answered twice`);
      entries[index] = entry;
    }
  };
  const watch = async (): Promise<void> => {
    while (!done) {
      heads.add(await log.readCheckpoint());
      await sleep(POLL_MS);
    }
  };
  const watching = watch();
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, add));
  } finally {
    done = true;
    await watching;
  }
  assert.equal(entries.length, SIZE);
  return { entries, heads: [...heads] };
}

/** Entries of many lengths, one without a byte, one as long as can be, some equal. */
function makeEntry(n: number): Uint8Array {
  if (n === 300) return new Uint8Array(0);
  if (n === 3000) return new Uint8Array(65_535).map((_, i) => i * 31);
  if (n % 1000 === 7) return encodeUtf8('the same again');
  return encodeUtf8(`entry ${n} ${'.'.repeat((n * 7) % 150)}`);
}

/** SHA-256 over the entries, each framed as in a bundle. */
function digestOf(entries: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const entry of entries) hash.update(formatEntries([entry]));
  return hash.digest('hex');
}

interface Made {
  readonly origin: string;
  readonly skey: string;
  readonly vkey: string;
  readonly text: string;
  readonly note: string;
  readonly trees: readonly {
    readonly size: number;
    readonly root: string;
    readonly checkpoint: string;
    readonly consistency: readonly string[] | null;
    readonly proofs: readonly {
      readonly index: number;
      readonly entry: string;
      readonly formats: string;
      readonly torchwood: string;
      readonly extra: string;
    }[];
  }[];
}

async function openWhatGoMade(t: TestContext, go: GoProgram): Promise<void> {
  const made = (await go.run('make')) as Made;
  const key = parseVkey(made.vkey);
  const verifiers = [ed25519Verifier(key)];
  const open = (checkpoint: Uint8Array): ReturnType<typeof openCheckpoint> =>
    openCheckpoint(checkpoint, verifiers, made.origin);

  await t.test('keys', () => {
    const { name, seed } = parseSkey(made.skey);
    assert.equal(formatSkey({ name, seed }), made.skey);
    assert.equal(formatVkey(key), made.vkey);
    assert.equal(name, made.origin);
  });

  await t.test('a note, opened and signed again byte for byte', () => {
    const { text, verified, unverified } = openNote(bytes(made.note), verifiers);
    assert.equal(text, made.text);
    assert.deepEqual(
      verified.map((line) => line.name),
      [made.origin],
    );
    assert.deepEqual(
      unverified.map((line) => line.name),
      ['other.example'],
    );
    const { name, seed } = parseSkey(made.skey);
    const again = signNote(made.text, [ed25519Signer(name, seed)]);
    const ours = bytes(made.note).subarray(0, again.length);
    assert.deepEqual(again, ours, 'Ed25519 has one signature for a text and a key');
    assertEveryByteMatters(again, (note) => openNote(note, verifiers));
  });

  await t.test('checkpoints with a line by a witness, and consistency between them', () => {
    let before: { size: number; root: Uint8Array } | undefined;
    for (const tree of made.trees) {
      const { size, root } = open(bytes(tree.checkpoint));
      assert.equal(size, tree.size);
      assert.deepEqual(root, bytes(tree.root));
      if (before) {
        const proof = (tree.consistency ?? []).map(bytes);
        verifyConsistency(before.size, size, before.root, root, proof);
      }
      before = { size, root };
    }
    assert.equal(made.trees.length, 9);
  });

  await t.test('proofs by two libraries', () => {
    let proofs = 0;
    for (const tree of made.trees) {
      for (const { index, entry, formats, torchwood, extra } of tree.proofs) {
        for (const [text, wantExtra] of [
          [formats, undefined],
          [torchwood, bytes(extra)],
        ] as const) {
          const proof = parseTlogProof(bytes(text));
          assert.equal(proof.index, index);
          assert.deepEqual(proof.extra, wantExtra);
          assert.deepEqual(encodeUtf8(formatTlogProof(proof)), bytes(text));
          const { size, root } = open(proof.checkpoint);
          verifyInclusion(proof.index, size, hashLeaf(bytes(entry)), proof.path, root);
          assert.throws(
            () => verifyInclusion(proof.index, size, hashLeaf(encodeUtf8('another')), proof.path, root),
            (error) => error instanceof NewelError && error.code === 'root_mismatch',
          );
          proofs++;
        }
      }
    }
    assert.ok(proofs > 60, `${proofs} proofs`);
  });
}

/** With any one byte changed, `open` refuses. */
function assertEveryByteMatters(genuine: Uint8Array, open: (changed: Uint8Array) => unknown): void {
  for (let at = 0; at < genuine.length; at++) {
    const changed = genuine.slice();
    changed[at]! ^= 1;
    assert.throws(() => open(changed), NewelError, `byte ${at}`);
  }
}

function bytes(base64: string): Uint8Array {
  return parseBase64(base64, 'base64');
}
