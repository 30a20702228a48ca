import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import {
  formatCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  parseCheckpointWithExtensions,
} from '../../src/formats/checkpoint.ts';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import { ed25519Signer, ed25519Verifier, signNote, type Verifier } from '../../src/formats/note.ts';
import { formatKeyId, KEY_TYPE, newVkey, parseVkey } from '../../src/formats/vkey.ts';
import { SLOW } from '../support/slow.ts';
import { bytesOf, hasCode, runCases, toHex } from './cases.ts';
import { allMutationsOf, assertStrict, mutationsOf } from './mutations.ts';

const numRuns = SLOW ? 20_000 : 500;

runCases<{ text: string }>('checkpoint/parse.json', ({ text }) => {
  const checkpoint = parseCheckpoint(text);
  assert.equal(formatCheckpoint(checkpoint), text);
  return { ...checkpoint, root: toHex(checkpoint.root) };
});

interface OpenCase {
  readonly note: string;
  readonly vkeys: readonly string[];
  readonly origin: string;
}

runCases<OpenCase>('checkpoint/open.json', ({ note, vkeys, origin }) => {
  const verifiers = vkeys.map((vkey) => ed25519Verifier(parseVkey(vkey)));
  const { signatures, root, ...checkpoint } = openCheckpoint(bytesOf(note, undefined), verifiers, origin);
  const signers = signatures.map(({ name, keyId }) => ({ name, keyId: formatKeyId(keyId) }));
  return { ...checkpoint, root: toHex(root), signers };
});

const root = new Uint8Array(32).fill(0xab);

test('checkpoints read back, at sizes near 2^31, 2^32 and 2^53 too', () => {
  const near = (power: number): fc.Arbitrary<number> =>
    fc.integer({ min: 2 ** power - 100, max: Math.min(2 ** power + 100, Number.MAX_SAFE_INTEGER) });
  const size = fc.oneof(near(31), near(32), near(53), fc.nat(), fc.maxSafeNat());
  const origin = fc.string({ minLength: 1 }).map((line) => line.replace(/\p{Cc}/gu, '-'));
  fc.assert(
    fc.property(origin, size, fc.uint8Array({ minLength: 32, maxLength: 32 }), (name, leaves, hash) => {
      const parsed = parseCheckpoint(formatCheckpoint({ origin: name, size: leaves, root: hash }));
      assert.deepEqual(
        { ...parsed, root: toHex(parsed.root) },
        { origin: name, size: leaves, root: toHex(hash) },
      );
    }),
    { numRuns },
  );
});

test('a size of 2^53 or more is refused whatever its digits, never rounded', () => {
  const last = formatCheckpoint({ origin: 'a', size: Number.MAX_SAFE_INTEGER, root });
  for (let past = 1n; past <= 300n; past++) {
    const text = last.replace('9007199254740991', String(2n ** 53n - 1n + past));
    assert.notEqual(text, last);
    assert.throws(() => parseCheckpoint(text), hasCode('malformed'), text);
  }
});

test('a damaged text is refused, or is the one text of its parts', () => {
  const text = formatCheckpoint({ origin: 'log.example', size: 70_000, root });
  const { refused, accepted } = assertStrict(
    allMutationsOf(bytesOf(text, undefined)),
    (bytes) => parseCheckpoint(Buffer.from(bytes).toString('latin1')),
    (checkpoint) => new Uint8Array(Buffer.from(formatCheckpoint(checkpoint), 'latin1')),
  );
  assert.ok(refused > 1000 && accepted > 100, `${refused} refused, ${accepted} accepted`);
});

test('no damaged checkpoint opens', () => {
  const seed = new Uint8Array(32).fill(1);
  const verifier = ed25519Verifier(
    newVkey('log.example', KEY_TYPE.ed25519, nodeEd25519.publicKey(seed)),
    nodeEd25519,
  );
  const text = formatCheckpoint({ origin: 'log.example', size: 70_000, root });
  const note = signNote(text, [ed25519Signer('log.example', seed, nodeEd25519)]);
  assert.equal(openCheckpoint(note, [verifier], 'log.example').size, 70_000);
  for (const [what, mutant] of mutationsOf(note)) {
    assert.throws(() => openCheckpoint(mutant, [verifier], 'log.example'), `${what} opens`);
  }
});

test('says that extension lines are what it does not take', () => {
  assert.throws(
    () => parseCheckpoint(`${formatCheckpoint({ origin: 'a', size: 1, root })}ext\n`),
    /extension lines/,
  );
});

test('reads the extension lines of another log where they are asked for', () => {
  const text = formatCheckpoint({ origin: 'o', size: 7, root: new Uint8Array(32) });
  assert.deepEqual(parseCheckpointWithExtensions(text), { ...parseCheckpoint(text), extensions: [] });
  const { extensions, ...checkpoint } = parseCheckpointWithExtensions(`${text}one\n— two\n`);
  assert.deepEqual(extensions, ['one', '— two']);
  assert.deepEqual(checkpoint, parseCheckpoint(text));
  for (const flaw of ['\n', 'one\n\n', 'one\n\ntwo\n', 'o\rne\n', 'one'])
    assert.throws(
      () => parseCheckpointWithExtensions(text + flaw),
      hasCode('malformed'),
      JSON.stringify(flaw),
    );
});

test('a line by a secondary key must be true, and is not the log’s word alone', () => {
  const origin = 'log.example/newel';
  const text = formatCheckpoint({ origin, size: 7, root: new Uint8Array(32) });
  const signers = [1, 2].map((n) => ed25519Signer(origin, new Uint8Array(32).fill(n)));
  const verifiers = [1, 2].map((n): Verifier => {
    const publicKey = nobleEd25519.publicKey(new Uint8Array(32).fill(n));
    const verifier = ed25519Verifier(newVkey(origin, KEY_TYPE.ed25519, publicKey));
    return n === 1 ? verifier : { ...verifier, isSecondary: true };
  });
  assert.equal(openCheckpoint(signNote(text, signers), verifiers, origin).signatures.length, 2);
  assert.equal(openCheckpoint(signNote(text, [signers[0]!]), verifiers, origin).signatures.length, 1);
  assert.throws(
    () => openCheckpoint(signNote(text, [signers[1]!]), verifiers, origin),
    hasCode('signer_unknown'),
  );
  const forged = { ...signers[1]!, sign: () => new Uint8Array(64) };
  assert.throws(
    () => openCheckpoint(signNote(text, [signers[0]!, forged]), verifiers, origin),
    hasCode('signature_invalid'),
  );
});

test('wrong arguments are a RangeError', () => {
  const good = { origin: 'a', size: 1, root };
  for (const origin of ['', 'a\nb', 'a\tb', '\ud800']) {
    assert.throws(() => formatCheckpoint({ ...good, origin }), RangeError);
  }
  for (const size of [-1, 0.5, 2 ** 53, Number.NaN]) {
    assert.throws(() => formatCheckpoint({ ...good, size }), RangeError);
  }
  assert.throws(() => formatCheckpoint({ ...good, root: root.subarray(1) }), RangeError);
});
