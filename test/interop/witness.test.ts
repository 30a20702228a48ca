/**
 * Our witness, asked by code that others wrote: tessera, whose log publishes nothing that its witnesses have not cosigned.
 * And asked what litewitness is asked: both answer alike, and where they do not, it is said which of them the spec is with.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseBase64 } from '../../src/formats/base64.ts';
import { formatCheckpoint, openCheckpoint } from '../../src/formats/checkpoint.ts';
import { cosignatureVerifier } from '../../src/formats/cosignature.ts';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import {
  ed25519Signer,
  ed25519Verifier,
  formatNote,
  type NoteSignature,
  openNote,
  parseNote,
  parseSignatureLines,
  signNote,
  type Verifier,
} from '../../src/formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { formatSkey, formatVkey, KEY_TYPE, newVkey, parseVkey, type Vkey } from '../../src/formats/vkey.ts';
import { formatAddCheckpoint, parseAddCheckpoint } from '../../src/witness/add-checkpoint-body.ts';
import { formatSignSubtree } from '../../src/witness/sign-subtree-body.ts';
import { runCli, startCli } from '../support/cli.ts';
import { ReferenceTree } from '../support/reference-tree.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { buildGoProgram, buildLitewitness, type GoProgram, whyNoGo, writeJson } from './go-program.ts';
import { startLitewitness } from './litewitness.ts';

/** One log for each subtest, so that one witness does for all. */
const ORIGINS = { tessera: 'go.example/tessera', compared: 'go.example/compared', shown: 'go.example/shown' };
const SEED = new Uint8Array(32).fill(5);
const ENTRIES = Array.from({ length: 8 }, (_, i) => encodeUtf8(`entry ${i}`));
const vkeyOf = (origin: string): Vkey => newVkey(origin, KEY_TYPE.ed25519, nobleEd25519.publicKey(SEED));

test('our witness', { skip: await whyNoGo() }, async (t) => {
  const go = await buildGoProgram(t);
  const witness = await serveWitness(t);
  await t.test('cosigns tessera’s log', { skip: whyNoTessera() }, (t) => cosignTessera(t, go, witness));
  await t.test('answers as litewitness does', (t) => compareAnswers(t, go, witness));
  await t.test('shows what it cosigned, and signs a subtree of it', (t) => checkShown(t, go, witness));
});

function whyNoTessera(): string | false {
  return process.platform === 'win32' ? 'tessera’s storage in files needs a Unix' : false;
}

interface ServedWitness {
  readonly url: string;
  /** Of the types 0x04 and 0x06. */
  readonly vkeys: readonly [string, string];
}

/** `newel witness serve`, for the logs of this file. */
async function serveWitness(t: TestContext): Promise<ServedWitness> {
  const cwd = await tempFolder(t);
  const dir = join(cwd, 'witness');
  const name = 'witness.example/ours';
  const made = await runCli(['witness', 'init', '--data', dir, '--name', name, '--json'], { cwd });
  assert.equal(made.code, 0, made.err);
  const { vkeys } = JSON.parse(made.out) as { vkeys: [string, string] };
  const types = vkeys.map((vkey) => parseVkey(vkey).type);
  assert.deepEqual(types, [KEY_TYPE.cosignatureEd25519, KEY_TYPE.mldsa44]);
  const logs = Object.values(ORIGINS).map((origin) => `vkey ${formatVkey(vkeyOf(origin))}\n`);
  await writeFile(join(dir, 'logs'), `logs/v0\n${logs.join('')}`);
  const started = startCli(t, ['witness', 'serve', '--data', dir, '--listen', '127.0.0.1:0'], { cwd });
  const [line] = await started.waitFor('err', /^.*"msg":"serving".*$/m);
  const { url } = JSON.parse(line) as { url: string };
  return { url, vkeys };
}

async function cosignTessera(t: TestContext, go: GoProgram, witness: ServedWitness): Promise<void> {
  const origin = ORIGINS.tessera;
  const folder = await tempFolder(t);
  const [key, policy] = [join(folder, 'key'), join(folder, 'policy')];
  await writeFile(key, `${formatSkey({ name: origin, seed: SEED })}\n`);
  const grow = async (...lines: string[]): Promise<string[]> => {
    await writeFile(policy, `${lines.join('\n')}\n`);
    const args = ['-key', key, '-policy', policy, '-dir', join(folder, 'log')];
    const { heads } = (await go.run('witnessed', args)) as { heads: string[] };
    return heads;
  };
  const log = ed25519Verifier(vkeyOf(origin));

  await t.test('which is larger than the witness knows when it is asked first', async () => {
    assert.equal((await grow('quorum none')).length, 3);
  });
  for (const vkey of witness.vkeys) {
    const verifier = cosignatureVerifier(parseVkey(vkey), { mldsa44: nobleMldsa44 });
    await t.test(`by its key of type ${parseVkey(vkey).type}`, async () => {
      const heads = await grow(`witness ours ${vkey} ${witness.url}`, 'quorum ours');
      assert.equal(heads.length, 3);
      for (const head of heads) {
        const { signatures } = openCheckpoint(parseBase64(head, 'head'), [log, verifier], origin);
        assert.deepEqual(
          signatures.map(({ keyId }) => keyId),
          [log.keyId, verifier.keyId],
        );
      }
    });
  }
}

interface Asked {
  readonly what: string;
  readonly body: Uint8Array;
  /** What the spec demands. */
  readonly status: number;
  /** Of a 409. */
  readonly size?: number;
  /** What litewitness v0.9.0 answers otherwise. */
  readonly litewitness?: number;
}

async function compareAnswers(t: TestContext, go: GoProgram, ours: ServedWitness): Promise<void> {
  const log = { origin: ORIGINS.compared, vkey: formatVkey(vkeyOf(ORIGINS.compared)) };
  const theirs = await startLitewitness(t, go, await buildLitewitness(t), log);
  const verifiers = {
    ours: ours.vkeys.map((vkey) => cosignatureVerifier(parseVkey(vkey), { mldsa44: nobleMldsa44 })),
    theirs: [cosignatureVerifier(parseVkey(theirs.vkey))],
  };
  for (const { what, body, status, size, litewitness = status } of questions()) {
    const [our, their] = await Promise.all([ask(ours.url, body), ask(theirs.url, body)]);
    assert.deepEqual([our.status, their.status], [status, litewitness], what);
    if (status === 409) {
      const said = { type: 'text/x.tlog.size', text: `${size}\n` };
      assert.deepEqual([our.said, their.said], [said, said], what);
    }
    if (status === 200) {
      assertCosigned(our.said.text, body, verifiers.ours, what);
      assertCosigned(their.said.text, body, verifiers.theirs, what);
    }
  }
}

async function checkShown(t: TestContext, go: GoProgram, { url, vkeys }: ServedWitness): Promise<void> {
  const origin = ORIGINS.shown;
  const tree = ReferenceTree.ofEntries(ENTRIES);
  const [size, start, end] = [8, 4, 6];
  const head = { origin, size, root: tree.root(size) };
  const note = signNote(formatCheckpoint(head), [ed25519Signer(origin, SEED)]);
  const body = formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: note });
  assert.equal((await ask(url, body)).status, 200);
  const originHash = createHash('sha256').update(origin).digest('hex');
  const shown = await fetch(`${url}/${originHash}/checkpoint`);
  assert.equal(shown.status, 200);
  const checkpoint = new Uint8Array(await shown.arrayBuffer());
  const hash = tree.range(start, end);
  // Of the tree of 8 leaves: what is beside [4, 6), then beside [4, 8).
  const proof = [tree.range(6, 8), tree.range(0, 4)];
  const answer = await fetch(`${url}/sign-subtree`, {
    method: 'POST',
    body: new Uint8Array(formatSignSubtree({ start, end, hash, proof, checkpoint })),
  });
  const lines = parseSignatureLines(await answer.text());
  assert.equal(lines.length, 1, 'only its ML-DSA-44 key signs subtrees');
  const file = await writeJson(t, {
    ...head,
    note: checkpoint,
    log: formatVkey(vkeyOf(origin)),
    cosigners: vkeys.map((vkey) => ({ vkey })),
    subtrees: lines.map(({ signature }) => ({ vkey: vkeys[1], start, end, hash, signature })),
  });
  const report = await go.run('cosigned', ['-in', file]);
  assert.deepEqual(report, { lines: 3, subtrees: 1, tampered: checkpoint.length });
}

async function ask(
  url: string,
  body: Uint8Array,
): Promise<{ status: number; said: { type: string | null; text: string } }> {
  const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: new Uint8Array(body) });
  return {
    status: answer.status,
    said: { type: answer.headers.get('Content-Type'), text: await answer.text() },
  };
}

/** Behind the checkpoint that was asked for, the answer makes a note that each of the keys has signed. */
function assertCosigned(lines: string, body: Uint8Array, verifiers: readonly Verifier[], what: string): void {
  const { text, signatures } = parseNote(parseAddCheckpoint(body).checkpoint);
  const own = formatNote({ text, signatures: signatures.slice(0, 1) });
  const { verified, unverified } = openNote(encodeUtf8(decodeUtf8(own) + lines), [
    ed25519Verifier(vkeyOf(ORIGINS.compared)),
    ...verifiers,
  ]);
  assert.deepEqual([verified.length, unverified.length], [1 + verifiers.length, 0], what);
}

/** One after the other: what is asked changes what is known. */
function questions(): Asked[] {
  const tree = ReferenceTree.ofEntries(ENTRIES);
  const origin = ORIGINS.compared;
  const signer = ed25519Signer(origin, SEED);
  const textOf = (size: number, root = tree.root(size)): string => formatCheckpoint({ origin, size, root });
  const head = (size: number, root?: Uint8Array): Uint8Array => signNote(textOf(size, root), [signer]);
  const body = (oldSize: number, checkpoint: Uint8Array, proof: readonly Uint8Array[] = []): Uint8Array =>
    formatAddCheckpoint({ oldSize, proof, checkpoint });
  const elsewhere = new Uint8Array(32).fill(1);
  const signedBy = (...signatures: NoteSignature[]): Uint8Array =>
    formatNote({ text: textOf(3), signatures });
  const { name, keyId } = signer;
  const otherSigner = ed25519Signer(origin, new Uint8Array(32).fill(6));
  const otherLine = { name, keyId: otherSigner.keyId, signature: otherSigner.sign(encodeUtf8(textOf(3))) };
  const falseLine = { name, keyId, signature: otherLine.signature };
  const ownLine = { name, keyId, signature: signer.sign(encodeUtf8(textOf(3))) };
  const unknown = formatCheckpoint({ origin: 'other.example', size: 3, root: tree.root(3) });
  const extended = signNote(`${textOf(8)}more\n`, [signer]);
  return [
    { what: 'no empty line', body: encodeUtf8('old 0\n'), status: 400 },
    { what: 'no old size', body: encodeUtf8('new 0\n\nx'), status: 400 },
    { what: 'another origin', body: body(0, signNote(unknown, [signer])), status: 404 },
    { what: 'a key that is not known', body: body(0, signedBy(otherLine)), status: 403 },
    { what: 'a false signature', body: body(0, signedBy(falseLine)), status: 403 },
    { what: 'an old size above the new one', body: body(4, head(3)), status: 400 },
    {
      what: 'an old size of nothing it has seen',
      body: body(1, head(3), tree.proof(1, 3)),
      status: 409,
      size: 0,
    },
    { what: 'the first head', body: body(0, head(3)), status: 200 },
    { what: 'the first head as the first again', body: body(0, head(3)), status: 409, size: 3 },
    { what: 'the same head again', body: body(3, head(3)), status: 200 },
    { what: 'with a line by somebody else', body: body(3, signedBy(ownLine, otherLine)), status: 200 },
    // A known key's second line; Go's sumdb/note leaves it unread.
    {
      what: 'with a false line behind the true one',
      body: body(3, signedBy(ownLine, falseLine)),
      status: 403,
      litewitness: 200,
    },
    { what: 'another tree of that size', body: body(3, head(3, elsewhere)), status: 422 },
    { what: 'a larger tree without a proof', body: body(3, head(8)), status: 422 },
    { what: 'with the proof from another size', body: body(3, head(8), tree.proof(2, 8)), status: 422 },
    { what: 'with a hash too many', body: body(3, head(8), [...tree.proof(3, 8), elsewhere]), status: 422 },
    { what: 'another larger tree', body: body(3, head(8, elsewhere), tree.proof(3, 8)), status: 422 },
    { what: 'with its proof', body: body(3, head(8), tree.proof(3, 8)), status: 200 },
    { what: 'a smaller tree', body: body(8, head(5)), status: 400 },
    { what: 'a smaller tree from before', body: body(3, head(5), tree.proof(3, 5)), status: 409, size: 8 },
    {
      what: 'the larger tree once more from there',
      body: body(3, head(8), tree.proof(3, 8)),
      status: 409,
      size: 8,
    },
    { what: 'with extension lines', body: body(8, extended), status: 200 },
    { what: 'a proof where none is needed', body: body(8, head(8), [elsewhere]), status: 422 },
  ];
}
