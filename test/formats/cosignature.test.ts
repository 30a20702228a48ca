import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Cosigner,
  cosignatureMessage,
  cosignatureVerifier,
  ed25519Cosigner,
  formatTimestampedSignature,
  mldsa44Cosigner,
  parseTimestampedSignature,
  type SubtreeStatement,
  subtreeMessage,
} from '../../src/formats/cosignature.ts';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import {
  formatSignatureLines,
  MAX_NOTE_LINES,
  openNote,
  parseSignatureLines,
} from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatKeyId, KEY_TYPE, newVkey, parseVkey } from '../../src/formats/vkey.ts';
import { SLOW } from '../support/slow.ts';
import { bytesOf, fromHex, hasCode, readCases, runCases, toHex } from './cases.ts';
import { assertStrict, mutationsOf } from './mutations.ts';

const numRuns = SLOW ? 5_000 : 200;
const mldsa44 = nobleMldsa44;
const NAME = 'witness.example/w1';
const TEXT = `log.example/newel\n1\n${Buffer.alloc(32, 5).toString('base64')}\n`;
const TIME_S = 1_700_000_000;
const seed = new Uint8Array(32).fill(3);

function cosignerOf(name: string, type: number, secret: Uint8Array): Cosigner {
  return type === KEY_TYPE.mldsa44
    ? mldsa44Cosigner(newVkey(name, type, mldsa44.publicKey(secret)), (message) =>
        mldsa44.sign(secret, message),
      )
    : ed25519Cosigner(name, secret);
}

interface PlainStatement extends Omit<SubtreeStatement, 'hash' | 'timestampS'> {
  readonly timestamp: number;
  readonly hash: string;
}

const plainLine = ({
  name,
  keyId,
  signature,
}: {
  name: string;
  keyId: number;
  signature: Uint8Array;
}): object => {
  const { timestampS } = parseTimestampedSignature(signature);
  return { name, keyId: formatKeyId(keyId), timestamp: timestampS };
};

runCases<{ lines: string }>('cosignature/lines.json', ({ lines }) => {
  const parsed = parseSignatureLines(lines);
  assert.equal(formatSignatureLines(parsed), lines);
  return parsed.map((line) => {
    const { timestampS, signature } = parseTimestampedSignature(line.signature);
    assert.deepEqual(formatTimestampedSignature(timestampS, signature), line.signature);
    return { ...plainLine(line), signature: toHex(signature) };
  });
});

runCases<{ text?: string; timestamp: number; statement?: PlainStatement }>(
  'cosignature/message.json',
  ({ text, timestamp, statement }) => {
    if (!statement) return toHex(cosignatureMessage(text!, timestamp));
    return toHex(
      subtreeMessage({ ...statement, timestampS: statement.timestamp, hash: fromHex(statement.hash) }),
    );
  },
);

runCases<{ note: string; vkeys: string[] }>('cosignature/open.json', ({ note, vkeys }) => {
  const verifiers = vkeys.map((vkey) => cosignatureVerifier(parseVkey(vkey), { mldsa44 }));
  return openNote(bytesOf(note, undefined), verifiers).verified.map(plainLine);
});

interface SignCase {
  readonly name: string;
  readonly type: number;
  readonly seed: string;
  readonly text?: string;
  readonly subtree?: Omit<PlainStatement, 'cosigner' | 'timestamp'>;
  readonly timestamp: number;
  readonly want?: string;
  readonly wantErr?: string;
  readonly desc: string;
}

test('cosignature/sign.json: what a cosigner signs, in every case the same bytes again', async () => {
  for (const one of readCases<SignCase>('cosignature/sign.json')) {
    const cosigner = cosignerOf(one.name, one.type, fromHex(one.seed));
    const { text, subtree, timestamp } = one;
    const sign = async (): Promise<string> =>
      formatSignatureLines([
        text !== undefined
          ? await cosigner.cosign(text, timestamp)
          : await cosigner.cosignSubtree!({
              ...subtree!,
              timestampS: timestamp,
              hash: fromHex(subtree!.hash),
            }),
      ]);
    if (one.wantErr === undefined) assert.equal(await sign(), one.want, one.desc);
    else await assert.rejects(sign, hasCode(one.wantErr), one.desc);
  }
});

test('what is signed as a cosigner is verified as one, and as no other', async () => {
  for (const type of [KEY_TYPE.cosignatureEd25519, KEY_TYPE.mldsa44]) {
    const cosigner = cosignerOf(NAME, type, seed);
    const { signature } = await cosigner.cosign(TEXT, TIME_S);
    const verifier = cosignatureVerifier(cosigner.vkey, { mldsa44 });
    const other = cosignatureVerifier(cosignerOf(NAME, type, seed.with(0, 4)).vkey, { mldsa44 });
    assert.equal(verifier.name, NAME);
    assert.equal(verifier.keyId, cosigner.vkey.keyId);
    assert.equal(verifier.verify(encodeUtf8(TEXT), signature), true);
    assert.equal(other.verify(encodeUtf8(TEXT), signature), false);
    const beforehand = [
      TEXT.replace('newel', 'newer'),
      TEXT.replace('\n1\n', '\n2\n'),
      `x${TEXT}`,
      'x\n',
      '',
    ];
    for (const text of beforehand) assert.equal(verifier.verify(encodeUtf8(text), signature), false, text);
    assert.equal(verifier.verify(Uint8Array.of(0xff, 0x0a), signature), false, 'not UTF-8');
  }
});

test('a cosignature with any small damage does not verify', async () => {
  const cosigner = ed25519Cosigner(NAME, seed);
  const { signature } = await cosigner.cosign(TEXT, TIME_S);
  const verifier = cosignatureVerifier(cosigner.vkey);
  for (const [what, mutant] of mutationsOf(signature)) {
    if (toHex(mutant) === toHex(signature)) continue;
    assert.equal(verifier.verify(encodeUtf8(TEXT), mutant), false, what);
  }
});

test('an ML-DSA-44 key commits to its name, an Ed25519 key does not', async () => {
  for (const type of [KEY_TYPE.cosignatureEd25519, KEY_TYPE.mldsa44]) {
    const { signature } = await cosignerOf(NAME, type, seed).cosign(TEXT, TIME_S);
    const renamed = cosignatureVerifier(cosignerOf('witness.example/w2', type, seed).vkey, { mldsa44 });
    assert.equal(renamed.verify(encodeUtf8(TEXT), signature), type !== KEY_TYPE.mldsa44);
  }
});

test('a line over a subtree is none over a checkpoint', async () => {
  const cosigner = cosignerOf(NAME, KEY_TYPE.mldsa44, seed);
  const statement = { origin: 'log.example/newel', start: 0, end: 1, hash: new Uint8Array(32).fill(5) };
  const verifier = cosignatureVerifier(cosigner.vkey, { mldsa44 });
  const untimed = await cosigner.cosignSubtree!({ ...statement, timestampS: 0 });
  assert.equal(verifier.verify(encodeUtf8(TEXT), untimed.signature), false);
  const timed = await cosigner.cosignSubtree!({ ...statement, timestampS: TIME_S });
  assert.deepEqual(timed, await cosigner.cosign(TEXT, TIME_S));
  assert.ok(!('cosignSubtree' in ed25519Cosigner(NAME, seed)));
});

test('no two statements have one message', () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 4 });
  const number = fc.integer({ min: 0, max: 5 });
  const hash = fc.constantFrom(new Uint8Array(32), new Uint8Array(32).fill(1));
  const statement = fc
    .record({ cosigner: name, origin: name, timestampS: number, start: number, end: number, hash })
    .map((one) => ({ ...one, end: one.start + one.end, timestampS: one.start === 0 ? one.timestampS : 0 }));
  const key = ({ hash: root, ...rest }: SubtreeStatement): string =>
    JSON.stringify([...Object.entries(rest), toHex(root)]);
  fc.assert(
    fc.property(statement, statement, (a, b) => {
      assert.equal(toHex(subtreeMessage(a)) === toHex(subtreeMessage(b)), key(a) === key(b));
    }),
    { numRuns },
  );
});

test('a timestamped signature is refused, or read back as it is', () => {
  const lengths = fc.constantFrom(0, 7, 8, 9, 71, 72, 73, 2427, 2428, 2429);
  const bytes = lengths.chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  fc.assert(
    fc.property(bytes, fc.boolean(), (input, isEarly) => {
      const given = isEarly ? input.map((byte, i) => (i === 0 || i === 1 ? 0 : byte)) : input;
      assertStrict([['any', given]], parseTimestampedSignature, ({ timestampS, signature }) =>
        formatTimestampedSignature(timestampS, signature),
      );
    }),
    { numRuns },
  );
});

test('keys that cannot be verified make no verifier', () => {
  const ed = ed25519Cosigner(NAME, seed).vkey;
  const pq = cosignerOf(NAME, KEY_TYPE.mldsa44, seed).vkey;
  const publicKey = nobleEd25519.publicKey(seed);
  const unfit = [
    newVkey(NAME, KEY_TYPE.ed25519, publicKey),
    { ...ed, keyId: ed.keyId ^ 1 },
    { ...ed, name: 'witness.example/w2' },
    { ...ed, type: KEY_TYPE.mldsa44 },
    newVkey(NAME, KEY_TYPE.cosignatureEd25519, new Uint8Array(32)),
    { ...pq, keyId: pq.keyId ^ 1 },
    { ...pq, type: 0xff },
    newVkey('w'.repeat(256), KEY_TYPE.mldsa44, pq.publicKey),
  ];
  for (const vkey of unfit)
    assert.throws(() => cosignatureVerifier(vkey, { mldsa44 }), hasCode('malformed'), `${vkey.type}`);
  assert.throws(() => cosignatureVerifier(pq), hasCode('malformed'));
  assert.doesNotThrow(() => cosignatureVerifier(ed));
});

test('neither verifier nor cosigner changes with the bytes that it was given', async () => {
  const secret = seed.slice();
  const cosigner = ed25519Cosigner(NAME, secret);
  const vkey = { ...cosigner.vkey, publicKey: cosigner.vkey.publicKey.slice() };
  const verifier = cosignatureVerifier(vkey);
  secret.fill(0);
  vkey.publicKey.fill(0);
  const { signature } = await cosigner.cosign(TEXT, TIME_S);
  assert.equal(verifier.verify(encodeUtf8(TEXT), signature), true);
});

test('a line is made by whoever signs, wherever that is', async () => {
  const { vkey } = cosignerOf(NAME, KEY_TYPE.mldsa44, seed);
  const broken = mldsa44Cosigner(vkey, () => Promise.reject(new Error('no thread')));
  await assert.rejects(broken.cosign(TEXT, TIME_S), /no thread/);
  const short = mldsa44Cosigner(vkey, () => new Uint8Array(7));
  await assert.rejects(short.cosign(TEXT, TIME_S), RangeError);
});

test('wrong arguments are a RangeError', async () => {
  const statement = {
    cosigner: NAME,
    timestampS: 0,
    origin: 'o',
    start: 0,
    end: 1,
    hash: new Uint8Array(32),
  };
  assert.doesNotThrow(() => subtreeMessage(statement));
  const wrong: Partial<SubtreeStatement>[] = [
    { cosigner: '' },
    { cosigner: 'w'.repeat(256) },
    { origin: '' },
    { origin: 'é'.repeat(128) },
    { start: 2 },
    { start: 1, end: 2, timestampS: 1 },
    { start: -1 },
    { end: 2 ** 53 },
    { end: 0.5 },
    { timestampS: 2 ** 53 },
    { timestampS: -1 },
    { hash: new Uint8Array(31) },
  ];
  for (const change of wrong)
    assert.throws(() => subtreeMessage({ ...statement, ...change }), RangeError, Object.keys(change).join());
  assert.throws(() => cosignatureMessage(TEXT, 2 ** 53), RangeError);
  assert.throws(() => formatTimestampedSignature(-1, new Uint8Array(64)), RangeError);
  assert.throws(() => formatTimestampedSignature(1, new Uint8Array(65)), RangeError);
  assert.throws(() => mldsa44Cosigner(ed25519Cosigner(NAME, seed).vkey, () => seed), RangeError);
  const pq = cosignerOf(NAME, KEY_TYPE.mldsa44, seed);
  assert.throws(
    () => mldsa44Cosigner(newVkey('w'.repeat(256), KEY_TYPE.mldsa44, pq.vkey.publicKey), () => seed),
    RangeError,
  );
  for (const cosigner of [pq, ed25519Cosigner(NAME, seed)]) {
    for (const timestampS of [0, -1, 1.5, 2 ** 53])
      await assert.rejects(cosigner.cosign(TEXT, timestampS), RangeError, `${timestampS}`);
  }
  await assert.rejects(pq.cosignSubtree!({ ...statement, start: 1, end: 2, timestampS: 1 }), RangeError);
});

test('lines without a note are capped, and none are none', async () => {
  const line = await ed25519Cosigner(NAME, seed).cosign(TEXT, TIME_S);
  const lines = Array<typeof line>(MAX_NOTE_LINES).fill(line);
  assert.equal(parseSignatureLines(formatSignatureLines(lines)).length, MAX_NOTE_LINES);
  assert.throws(() => formatSignatureLines([...lines, line]), RangeError);
  assert.throws(() => formatSignatureLines([]), RangeError);
  const text = formatSignatureLines([line]);
  assert.throws(() => parseSignatureLines(text.repeat(MAX_NOTE_LINES + 1)), hasCode('too_large'));
  const long = { ...line, signature: new Uint8Array(200 * 1024) };
  assert.throws(() => formatSignatureLines([long]), RangeError);
  assert.throws(() => parseSignatureLines(`— w ${'A'.repeat(300 * 1024)}\n`), hasCode('too_large'));
});
