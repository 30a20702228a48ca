/** Evidence of a fork as a file: what is proof is written, and what could not be written is said and stays proof. */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { InconsistentHeadsError, type KnownHead } from '../../src/client/consistency.ts';
import { parseEvidenceBundle } from '../../src/client/evidence-bundle.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { type Call, parseCall } from '../../src/cli/command.ts';
import { consistency } from '../../src/cli/commands/consistency.ts';
import { writeForkEvidence } from '../../src/cli/fork-file.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { parseTlogProof } from '../../src/formats/tlog-proof.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { makeTestReceipt, RECEIPT_ORIGIN, type TestReceipt } from '../support/test-receipt.ts';

const made = makeTestReceipt();
const ORIGIN = RECEIPT_ORIGIN;

function headOf({ receipt, trustFile }: TestReceipt): KnownHead {
  const trust = parseTrust(trustFile);
  const note = parseTlogProof(encodeUtf8(receipt.proof)).checkpoint;
  return { ...openCheckpoint(note, trust.verifiers, trust.origin), note };
}

function callIn(cwd: string, ...args: string[]): Call {
  const silent = { write: () => {}, isTerminal: false };
  return parseCall(consistency, ['old', ...args], { input: [], out: silent, err: silent, env: {}, cwd });
}

const one = headOf(made);
const other = headOf(makeTestReceipt({ others: 'forked' }));

test('two heads of one size are kept, as they were signed', async (t) => {
  const cwd = await tempFolder(t);
  const { path, words } = await writeForkEvidence(
    callIn(cwd),
    ORIGIN,
    new InconsistentHeadsError('', one, other),
  );
  assert.ok(path !== undefined && words.includes(path));
  const { heads } = parseEvidenceBundle(await readFile(join(cwd, path)));
  assert.deepEqual(heads, [one.note, other.note]);
});

test('what is no proof is not written: a smaller head after a larger one, or a head without what was signed', async (t) => {
  const cwd = await tempFolder(t);
  const smaller = { ...other, size: other.size - 1 };
  const { size, root } = one;
  for (const [older, newer] of [
    [one, smaller],
    [smaller, one],
    [{ size, root }, other],
  ] as const) {
    const error = new InconsistentHeadsError('', older, newer);
    const { path, words } = await writeForkEvidence(callIn(cwd), ORIGIN, error);
    assert.equal(path, undefined);
    assert.match(words, /does not convict/);
  }
  assert.deepEqual(await readdir(cwd), []);
});

test('proof that could not be written is still called proof, with what to do', async (t) => {
  const cwd = await tempFolder(t);
  const error = new InconsistentHeadsError('', one, other);
  const { path, words } = await writeForkEvidence(callIn(cwd, '--out', 'none'), ORIGIN, error);
  assert.equal(path, undefined);
  assert.match(
    words,
    /^The two heads convict the log, and could not be kept \(ENOENT.*\): ask again, .* --out\.$/,
  );
});
