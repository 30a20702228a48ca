/**
 * torchwood's litewitness cosigns our log: asked with what we write, and asked by `newel serve` itself. It is also what
 * keeps an older copy of the log from being served.
 */

import assert from 'node:assert/strict';
import { cp, rename, rm, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { EXIT } from '../../src/cli/exit-code.ts';
import { parseBase64 } from '../../src/formats/base64.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { cosignatureVerifier, parseTimestampedSignature } from '../../src/formats/cosignature.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { ed25519Verifier, openNote, parseNote, parseSignatureLines } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { KEY_TYPE, parseVkey } from '../../src/formats/vkey.ts';
import { formatAddCheckpoint } from '../../src/witness/add-checkpoint-body.ts';
import { startCli } from '../support/cli.ts';
import { until } from '../support/until.ts';
import { buildGoProgram, buildLitewitness, whyNoGo } from './go-program.ts';
import { type Litewitness, startLitewitness } from './litewitness.ts';
import { makeLog, type MadeLog, type ServedLog, serveLog, startLog } from './served-log.ts';

test('litewitness', { skip: await whyNoGo() }, async (t) => {
  const go = await buildGoProgram(t);
  const program = await buildLitewitness(t);
  const start = (log: { origin: string; vkey: string }): Promise<Litewitness> =>
    startLitewitness(t, go, program, log);
  await t.test('cosigns our heads as we write them', (t) => cosignDirectly(t, start));
  await t.test('is asked by newel serve', (t) => cosignServed(t, start));
});

type Start = (log: { origin: string; vkey: string }) => Promise<Litewitness>;

async function cosignDirectly(t: TestContext, start: Start): Promise<void> {
  const log = await serveLog(t);
  const witness = await start(log);
  const verifier = cosignatureVerifier(parseVkey(witness.vkey));
  const ask = (oldSize: number, proof: readonly Uint8Array[], checkpoint: string): Promise<Response> =>
    fetch(`${witness.url}/add-checkpoint`, {
      method: 'POST',
      body: new Uint8Array(formatAddCheckpoint({ oldSize, proof, checkpoint: encodeUtf8(checkpoint) })),
    });
  let old = 0;
  for (const size of [1, 2, 7, 60]) {
    const checkpoint = await grow(log, size);
    const proof = old === 0 ? [] : await readProof(log, old, size);
    const conflict = await ask(size, [], checkpoint);
    assert.equal(conflict.status, 409);
    assert.equal(conflict.headers.get('Content-Type'), 'text/x.tlog.size');
    assert.equal(await conflict.text(), `${old}\n`);
    if (proof.length > 0) {
      const spoilt = proof.map((hash, i) => (i === 0 ? hash.map((octet) => octet ^ 1) : hash));
      assert.equal((await ask(old, spoilt, checkpoint)).status, 422);
    }
    const answer = await ask(old, proof, checkpoint);
    const lines = await answer.text();
    assert.equal(answer.status, 200, lines);
    const [line, ...rest] = parseSignatureLines(lines);
    assert.deepEqual(rest, []);
    assert.deepEqual([line!.name, line!.keyId], [verifier.name, verifier.keyId]);
    const { text } = parseNote(encodeUtf8(checkpoint));
    assert.ok(verifier.verify(encodeUtf8(text), line!.signature), 'its line holds over the text of our head');
    assert.ok(!verifier.verify(encodeUtf8(text.replace(`${size}`, `${size + 1}`)), line!.signature));
    const { timestampS } = parseTimestampedSignature(line!.signature);
    assert.ok(Math.abs(Date.now() / 1000 - timestampS) < 60, `${timestampS}`);
    assert.deepEqual(openNote(encodeUtf8(checkpoint + lines), [verifier]).verified, [line]);
    old = size;
  }
  assert.equal(await witness.stop(), old);
}

async function readProof(log: ServedLog, first: number, second: number): Promise<Uint8Array[]> {
  const answer = await log.read(`/v1/proofs/consistency?first=${first}&second=${second}`);
  const { consistency } = JSON.parse(answer) as { consistency: string[] };
  return consistency.map((hash) => parseBase64(hash, 'hash'));
}

async function cosignServed(t: TestContext, start: Start): Promise<void> {
  const made = await makeLog(t);
  const witness = await start(made);
  await writePolicy(made, witness);

  await t.test('for every head', async (t) => {
    const log = await startLog(t, made);
    for (const size of [1, 2, 60]) {
      await grow(log, size);
      assert.equal(await cosignedSize(log, witness, size), size);
    }
    const { vkeys } = JSON.parse(await log.read('/v1/log')) as { vkeys: string[] };
    const [first, second] = vkeys.map(parseVkey);
    assert.deepEqual([first?.type, second?.type], [KEY_TYPE.ed25519, KEY_TYPE.mldsa44]);
    const verifiers = [
      ed25519Verifier(first!),
      cosignatureVerifier(second!, { mldsa44: nobleMldsa44 }),
      cosignatureVerifier(parseVkey(witness.vkey)),
    ];
    const { signatures } = openCheckpoint(encodeUtf8(await log.readCheckpoint()), verifiers, log.origin);
    assert.equal(signatures.length, 3);
    await stop(log);
  });

  const copies = ['', '.guard'].map((end) => [`${made.dir}${end}`, `${made.dir}.copy${end}`] as const);
  for (const [original, copy] of copies) await cp(original, copy, { recursive: true });

  await t.test('again after a restart', async (t) => {
    const log = await startLog(t, made);
    await grow(log, 63);
    assert.equal(await cosignedSize(log, witness, 63), 63);
    await stop(log);
  });

  for (const [original, copy] of copies) {
    await rm(original, { recursive: true });
    await rename(copy, original);
  }

  await t.test(
    'which refuses an older copy of the log with its own guard, because of the witness',
    async (t) => {
      const args = ['serve', '--data', made.dir, '--listen', '127.0.0.1:0', '--json'];
      const { code, err } = await startCli(t, args, { cwd: made.folder }).ended;
      assert.equal(code, EXIT.refused, err);
      const { error } = JSON.parse(err.trimEnd().split('\n').at(-1)!) as {
        error: { code: string; message: string };
      };
      assert.equal(error.code, 'log_refused');
      assert.match(
        error.message,
        /^witness lite has cosigned 63 leaves of log\.example\/interop, more than the 60 /,
      );
      assert.doesNotMatch(err, /"msg":"serving"/);
    },
  );
  assert.equal(await witness.stop(), 63);
}

async function stop({ process }: ServedLog): Promise<void> {
  process.child.kill('SIGTERM');
  assert.equal((await process.ended).code, 0);
}

async function writePolicy({ dir, vkey }: MadeLog, witness: Litewitness): Promise<void> {
  const lines = [`log ${vkey}`, `witness lite ${witness.vkey} ${witness.url}`, 'quorum lite'];
  await writeFile(`${dir}/policy`, `${lines.join('\n')}\n`);
}

/** Adds entries up to that size, and returns the log's own checkpoint of it once it is published. */
async function grow(log: ServedLog, size: number): Promise<string> {
  const first = await log.add(encodeUtf8(`on the way to ${size}`));
  await Promise.all(
    Array.from({ length: size - 1 - first }, (_, i) => log.add(encodeUtf8(`${i} of ${size}`))),
  );
  return until(async () => {
    const checkpoint = await log.read('/v1/checkpoint?policy=none');
    return checkpoint.split('\n')[1] === `${size}` ? checkpoint : undefined;
  }, `published ${size}`);
}

/** The size of the checkpoint that the witness has cosigned, once it is at least `size`. */
function cosignedSize(log: ServedLog, { vkey }: Litewitness, size: number): Promise<number> {
  const verifiers = [ed25519Verifier(parseVkey(log.vkey)), cosignatureVerifier(parseVkey(vkey))];
  return until(async () => {
    const checkpoint = encodeUtf8(await log.readCheckpoint());
    const head = openCheckpoint(checkpoint, verifiers, log.origin);
    return head.signatures.length === 2 && head.size >= size ? head.size : undefined;
  }, `cosigned ${size}`);
}
