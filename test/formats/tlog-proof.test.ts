import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashLeaf } from '../../src/core/hash.ts';
import { verifyInclusion } from '../../src/core/proof.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { ed25519Verifier, formatNote } from '../../src/formats/note.ts';
import {
  formatTlogProof,
  MAX_PROOF_BYTES,
  MAX_PROOF_EXTRA_BYTES,
  parseTlogProof,
} from '../../src/formats/tlog-proof.ts';
import { parseVkey } from '../../src/formats/vkey.ts';
import { SLOW } from '../support/slow.ts';
import { bytesOf, fromHex, hasCode, readCases, runCases, toHex } from './cases.ts';
import { assertStrict, mutationsOf } from './mutations.ts';

const numRuns = SLOW ? 5_000 : 200;

interface ProofCase {
  readonly proof?: string;
  readonly proofHex?: string;
  readonly entry?: string;
  readonly vkey?: string;
}

runCases<ProofCase>('tlog-proof/parse.json', ({ proof, proofHex, entry, vkey }) => {
  const bytes = bytesOf(proof, proofHex);
  const { index, path, checkpoint, extra } = parseTlogProof(bytes);
  assert.deepEqual(bytesOf(formatTlogProof(parseTlogProof(bytes)), undefined), bytes);
  if (entry !== undefined && vkey !== undefined) {
    const parsed = parseVkey(vkey);
    const { size, root } = openCheckpoint(checkpoint, [ed25519Verifier(parsed)], parsed.name);
    verifyInclusion(index, size, hashLeaf(fromHex(entry)), path, root);
  }
  return {
    index,
    path: path.map(toHex),
    ...(extra !== undefined && { extra: toHex(extra) }),
    checkpoint: Buffer.from(checkpoint).toString('utf8'),
  };
});

test('some of the vectors are verified to the root', () => {
  const whole = readCases<ProofCase>('tlog-proof/parse.json').filter(({ entry, vkey }) => entry && vkey);
  assert.ok(whole.length >= 4);
});

const [example] = readCases<ProofCase>('tlog-proof/parse.json');
const exampleBytes = bytesOf(example!.proof, undefined);
const { checkpoint } = parseTlogProof(exampleBytes);

test('proofs read back part by part', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const extra = fc.option(fc.uint8Array({ minLength: 1, maxLength: 200 }), { nil: undefined });
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.array(hash, { maxLength: 63 }), extra, (index, path, data) => {
      const text = formatTlogProof({ index, path, checkpoint, ...(data !== undefined && { extra: data }) });
      const parsed = parseTlogProof(bytesOf(text, undefined));
      assert.equal(parsed.index, index);
      assert.deepEqual(parsed.path.map(toHex), path.map(toHex));
      assert.equal(parsed.extra && toHex(parsed.extra), data && toHex(data));
      assert.equal('extra' in parsed, data !== undefined);
      assert.equal(toHex(parsed.checkpoint), toHex(checkpoint));
    }),
    { numRuns },
  );
});

test('a damaged proof is refused, or is the one proof of its parts; and none verifies', () => {
  const withExtra = formatTlogProof({ ...parseTlogProof(exampleBytes), extra: Buffer.from('opaque') });
  for (const bytes of [exampleBytes, bytesOf(withExtra, undefined)]) {
    const { refused, accepted } = assertStrict(mutationsOf(bytes), parseTlogProof, (proof) =>
      bytesOf(formatTlogProof(proof), undefined),
    );
    assert.ok(refused > 1000 && accepted > 500, `${refused} refused, ${accepted} accepted`);
  }
  // The head stands on arithmetic, the checkpoint on its signature; the latter's damage is in the checkpoint's tests.
  const vkey = parseVkey(example!.vkey!);
  const { size, root } = openCheckpoint(checkpoint, [ed25519Verifier(vkey)], vkey.name);
  const leaf = hashLeaf(fromHex(example!.entry!));
  let verified = 0;
  for (const [what, mutant] of mutationsOf(
    exampleBytes.subarray(0, exampleBytes.length - checkpoint.length),
  )) {
    assert.throws(() => {
      const proof = parseTlogProof(Buffer.concat([mutant, checkpoint]));
      verifyInclusion(proof.index, size, leaf, proof.path, root);
      verified++;
    }, `${what} verifies`);
  }
  assert.equal(verified, 0);
});

test('the checkpoint is kept byte for byte, as a view', () => {
  assert.equal(checkpoint.buffer, exampleBytes.buffer);
  assert.deepEqual(Buffer.from(exampleBytes).subarray(-checkpoint.length), Buffer.from(checkpoint));
});

test('the extra data, the head and the whole are capped', () => {
  const proof = { index: 0, path: [], checkpoint };
  const largest = formatTlogProof({ ...proof, extra: new Uint8Array(MAX_PROOF_EXTRA_BYTES) });
  assert.equal(parseTlogProof(bytesOf(largest, undefined)).extra?.length, MAX_PROOF_EXTRA_BYTES);
  assert.throws(
    () => formatTlogProof({ ...proof, extra: new Uint8Array(MAX_PROOF_EXTRA_BYTES + 1) }),
    RangeError,
  );
  const over = largest.replace('extra ', 'extra AAAA');
  assert.throws(() => parseTlogProof(bytesOf(over, undefined)), hasCode('too_large'));
  const long = largest.replace('extra ', `extra ${'A'.repeat(8192)}`);
  assert.throws(() => parseTlogProof(bytesOf(long, undefined)), hasCode('too_large'));
  assert.throws(() => parseTlogProof(new Uint8Array(MAX_PROOF_BYTES + 1).fill(0x61)), hasCode('too_large'));

  const line = { name: 'a', keyId: 1, signature: new Uint8Array(1500) };
  const text = 'a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n';
  const note = formatNote({ text, signatures: Array.from({ length: 100 }, () => line) });
  const large = bytesOf(formatTlogProof({ ...proof, checkpoint: note }), undefined);
  assert.equal(parseTlogProof(large).checkpoint.length, note.length);
  const tooLarge = Buffer.concat([
    large,
    ...Array.from({ length: 30 }, () => note.subarray(text.length + 1)),
  ]);
  assert.throws(() => parseTlogProof(tooLarge), hasCode('too_large'));
});

test('wrong arguments are a RangeError', () => {
  const proof = { index: 0, path: [], checkpoint };
  assert.throws(() => formatTlogProof({ ...proof, index: 2 ** 53 }), RangeError);
  assert.throws(() => formatTlogProof({ ...proof, index: -1 }), RangeError);
  assert.throws(() => formatTlogProof({ ...proof, path: [new Uint8Array(31)] }), RangeError);
  assert.throws(
    () => formatTlogProof({ ...proof, path: Array.from({ length: 64 }, () => new Uint8Array(32)) }),
    RangeError,
  );
  assert.throws(() => formatTlogProof({ ...proof, extra: new Uint8Array(0) }), RangeError);
});
