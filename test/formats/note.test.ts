import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import {
  ed25519Signer,
  ed25519Verifier,
  formatNote,
  MAX_NOTE_BYTES,
  MAX_NOTE_LINES,
  type Note,
  type NoteSignature,
  openNote,
  parseNote,
  signNote,
  type Verifier,
} from '../../src/formats/note.ts';
import { formatKeyId, KEY_TYPE, newVkey, parseSkey, parseVkey } from '../../src/formats/vkey.ts';
import { SLOW } from '../support/slow.ts';
import { bytesOf, hasCode, readCases, runCases } from './cases.ts';
import { assertStrict, mutationsOf } from './mutations.ts';

const numRuns = SLOW ? 5_000 : 200;

interface OpenCase {
  readonly note?: string;
  readonly noteHex?: string;
  readonly vkeys: readonly string[];
}

const reference = ({ name, keyId }: NoteSignature): object => ({ name, keyId: formatKeyId(keyId) });

runCases<OpenCase>('note/open.json', ({ note, noteHex, vkeys }) => {
  const bytes = bytesOf(note, noteHex);
  const verifiers = vkeys.map((vkey) => ed25519Verifier(parseVkey(vkey)));
  const { text, verified, unverified } = openNote(bytes, verifiers);
  assert.deepEqual(Buffer.from(formatNote(parseNote(bytes))), Buffer.from(bytes));
  return { text, verified: verified.map(reference), unverified: unverified.map(reference) };
});

runCases<{ text: string; skeys: readonly string[] }>('note/sign.json', ({ text, skeys }) => {
  const signers = skeys
    .map((skey) => parseSkey(skey))
    .map(({ name, seed }) => ed25519Signer(name, seed, nodeEd25519));
  return Buffer.from(signNote(text, signers)).toString('utf8');
});

const seed = new Uint8Array(32).fill(9);
const signer = ed25519Signer('log.example', seed, nodeEd25519);
const vkey = newVkey('log.example', KEY_TYPE.ed25519, nodeEd25519.publicKey(seed));
const verifier = ed25519Verifier(vkey, nodeEd25519);

test('a damaged note is refused, or is the one note of its parts; and none opens', () => {
  const text = 'a text\n\nwith — blank line é\n';
  const note = signNote(text, [signer]);
  const { refused, accepted } = assertStrict(mutationsOf(note), parseNote, formatNote);
  assert.ok(refused > 500 && accepted > 500, `${refused} refused, ${accepted} accepted`);
  for (const [what, mutant] of mutationsOf(note))
    assert.throws(() => openNote(mutant, [verifier]), `${what} opens`);
});

test('a damaged line of an unknown key never changes what is verified', () => {
  const other = ed25519Signer('other.example', new Uint8Array(32).fill(8), nodeEd25519);
  const note = signNote('a\n', [signer, other]);
  const lineAt = Buffer.from(note).indexOf('— other');
  for (const [what, mutant] of mutationsOf(note.subarray(lineAt))) {
    const damaged = Buffer.concat([note.subarray(0, lineAt), mutant]);
    try {
      assert.equal(openNote(damaged, [verifier]).text, 'a\n', what);
    } catch (error) {
      assert.ok(hasCode('malformed')(error));
    }
  }
});

const keyName = fc.stringMatching(/^[a-z—é/.:0-9]{1,20}$/u);
const signature: fc.Arbitrary<NoteSignature> = fc.record({
  name: keyName,
  keyId: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  signature: fc.uint8Array({ minLength: 1, maxLength: 100 }),
});
const text = fc
  .string({ unit: 'grapheme' })
  .map((line) => `${Array.from(line, (char) => (char < ' ' ? '\n' : char)).join('')}\n`);

test('notes read back part by part', () => {
  const plain = ({ text: signed, signatures }: Note): object => ({
    text: signed,
    signatures: signatures.map((line) => ({
      ...line,
      signature: Buffer.from(line.signature).toString('hex'),
    })),
  });
  fc.assert(
    fc.property(text, fc.array(signature, { minLength: 1, maxLength: 20 }), (signed, signatures) => {
      const note = { text: signed, signatures };
      assert.deepEqual(plain(parseNote(formatNote(note))), plain(note));
    }),
    { numRuns },
  );
});

test('every key id has a line, the first and the last too', () => {
  for (const [keyId, line] of [
    [0, '— a AAAAAAE=\n'],
    [2 ** 32 - 1, '— a /////wE=\n'],
  ] as const) {
    const note = formatNote({ text: 'a\n', signatures: [{ name: 'a', keyId, signature: Uint8Array.of(1) }] });
    assert.equal(Buffer.from(note).toString('utf8'), `a\n\n${line}`);
    assert.equal(parseNote(note).signatures[0]?.keyId, keyId);
  }
});

test('what is signed opens to the same text', () => {
  fc.assert(
    fc.property(text, (signed) => {
      const opened = openNote(signNote(signed, [signer]), [verifier]);
      assert.equal(opened.text, signed);
      assert.equal(opened.verified.length, 1);
      assert.equal(opened.unverified.length, 0);
    }),
    { numRuns: Math.min(numRuns, 200) },
  );
});

test('any bytes are refused, or are the one note of their parts', () => {
  const piece = fc.constantFrom('\n', '\n\n', '— ', 'a', ' ', 'AAAAAAA=', '+', '\r', '—', '\u0085');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const bytes = bytesOf(pieces.join(''), undefined);
      let note: Note;
      try {
        note = parseNote(bytes);
      } catch (error) {
        assert.ok(hasCode('malformed')(error));
        return;
      }
      assert.deepEqual(Buffer.from(formatNote(note)), Buffer.from(bytes));
    }),
    { numRuns: numRuns * 10 },
  );
});

test('a note has at most 100 lines and 256 KiB', () => {
  const line: NoteSignature = { name: 'a', keyId: 1, signature: Uint8Array.of(1) };
  const hundred = formatNote({ text: 'a\n', signatures: Array.from({ length: MAX_NOTE_LINES }, () => line) });
  assert.equal(parseNote(hundred).signatures.length, MAX_NOTE_LINES);
  const lineBytes = Buffer.from('— a AAAAAQE=\n');
  assert.throws(() => parseNote(Buffer.concat([hundred, lineBytes])), hasCode('too_large'));
  assert.throws(
    () => formatNote({ text: 'a\n', signatures: Array.from({ length: 101 }, () => line) }),
    RangeError,
  );

  const fill = MAX_NOTE_BYTES - 1 - 1 - lineBytes.length;
  const largest = formatNote({ text: `${'a'.repeat(fill)}\n`, signatures: [line] });
  assert.equal(largest.length, MAX_NOTE_BYTES);
  assert.equal(parseNote(largest).text.length, fill + 1);
  assert.throws(() => parseNote(Buffer.concat([Buffer.from('a'), largest])), hasCode('too_large'));
  assert.throws(() => formatNote({ text: `${'a'.repeat(fill + 1)}\n`, signatures: [line] }), RangeError);
});

test('a known key is asked once for a line and its repetitions', () => {
  let calls = 0;
  const counting: Verifier = {
    name: verifier.name,
    keyId: verifier.keyId,
    verify(message, line) {
      calls++;
      return verifier.verify(message, line);
    },
  };
  const { text: signed, signatures } = parseNote(signNote('a\n', [signer]));
  const repeated = formatNote({
    text: signed,
    signatures: Array.from({ length: 100 }, () => signatures[0]!),
  });
  assert.equal(openNote(repeated, [counting]).verified.length, 1);
  assert.equal(calls, 1);
});

test('the signed bytes are those of the text', () => {
  const seen: string[] = [];
  const spy: Verifier = {
    name: 'a',
    keyId: 7,
    verify(message, line) {
      seen.push(`${Buffer.from(message).toString('utf8')}|${Buffer.from(line).toString('hex')}`);
      return true;
    },
  };
  const note = signNote('é\n\nb\n', [
    { name: 'a', keyId: 7, sign: (message) => Uint8Array.of(message.length, 0xff) },
  ]);
  assert.deepEqual(openNote(note, [spy]).verified, [
    { name: 'a', keyId: 7, signature: Uint8Array.of(6, 0xff) },
  ]);
  assert.deepEqual(seen, ['é\n\nb\n|06ff']);
});

test('wrong arguments are a RangeError', () => {
  const note = signNote('a\n', [signer]);
  assert.throws(() => openNote(note, [verifier, verifier]), RangeError);
  assert.throws(() => signNote('a\n', []), RangeError);
  assert.throws(() => signNote('a\n', [signer, signer]), RangeError);
  for (const bad of ['', 'a', 'a\t\n', 'a\r\n', '\0\n', '\ud800\n']) {
    assert.throws(() => signNote(bad, [signer]), RangeError, JSON.stringify(bad));
  }
  const line: NoteSignature = { name: 'a', keyId: 1, signature: Uint8Array.of(1) };
  assert.throws(() => formatNote({ text: 'a\n', signatures: [] }), RangeError);
  for (const bad of [
    { name: 'a b' },
    { name: 'a\u0001' },
    { keyId: 2 ** 32 },
    { keyId: -1 },
    { signature: new Uint8Array(0) },
  ]) {
    assert.throws(() => formatNote({ text: 'a\n', signatures: [{ ...line, ...bad }] }), RangeError);
  }
});

test('an Ed25519 signer keeps its own copy of the seed', () => {
  const mine = new Uint8Array(32).fill(5);
  const before = ed25519Signer('a', mine);
  const expected = before.sign(Uint8Array.of(1));
  mine.fill(0);
  assert.deepEqual(before.sign(Uint8Array.of(1)), expected);
});

test('an Ed25519 verifier refuses other types, other key ids and unacceptable keys', () => {
  assert.throws(
    () => ed25519Verifier(newVkey('a', KEY_TYPE.cosignatureEd25519, vkey.publicKey)),
    hasCode('malformed'),
  );
  assert.throws(
    () => ed25519Verifier(newVkey('a', KEY_TYPE.mldsa44, new Uint8Array(1312))),
    hasCode('malformed'),
  );
  assert.throws(() => ed25519Verifier({ ...vkey, keyId: vkey.keyId ^ 1 }), hasCode('malformed'));
  assert.throws(() => ed25519Verifier({ ...vkey, name: 'another' }), hasCode('malformed'));
  for (const { desc, publicKey, want } of readCases<{ publicKey: string }>('ed25519/keys.json')) {
    const bytes = new Uint8Array(Buffer.from(publicKey, 'hex'));
    if (want === true) assert.equal(ed25519Verifier(newVkey('a', KEY_TYPE.ed25519, bytes)).name, 'a', desc);
    else
      assert.throws(
        () => ed25519Verifier({ name: 'a', keyId: 0, type: 1, publicKey: bytes }),
        hasCode('malformed'),
        desc,
      );
  }
});
