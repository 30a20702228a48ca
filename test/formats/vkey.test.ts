import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import {
  formatKeyId,
  formatSkey,
  formatVkey,
  KEY_TYPE,
  keyIdOf,
  MAX_KEY_CHARS,
  newVkey,
  parseSkey,
  parseVkey,
} from '../../src/formats/vkey.ts';
import { SLOW } from '../support/slow.ts';
import { bytesOf, fromHex, hasCode, readCases, runCases, toHex } from './cases.ts';
import { allMutationsOf, assertStrict } from './mutations.ts';

const numRuns = SLOW ? 5_000 : 200;
const EXAMPLE = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';

runCases<{ vkey: string }>('vkey/parse.json', ({ vkey }) => {
  const parsed = parseVkey(vkey);
  assert.equal(formatVkey(parsed), vkey);
  return {
    name: parsed.name,
    keyId: formatKeyId(parsed.keyId),
    type: parsed.type,
    publicKey: toHex(parsed.publicKey),
  };
});

runCases<{ skey: string }>('vkey/skey.json', ({ skey }) => {
  const { name, keyId, seed } = parseSkey(skey);
  assert.equal(formatSkey({ name, seed }), skey);
  const vkey = newVkey(name, KEY_TYPE.ed25519, nobleEd25519.publicKey(seed));
  assert.equal(vkey.keyId, keyId);
  return { name, keyId: formatKeyId(keyId), seed: toHex(seed), vkey: formatVkey(vkey) };
});

test('vkeys of every known type read back', () => {
  const name = fc.string({ minLength: 1, maxLength: 30 }).map((text) => text.replace(/[\s+]/g, '-'));
  const lengths = [
    [KEY_TYPE.ed25519, 32],
    [KEY_TYPE.cosignatureEd25519, 32],
    [KEY_TYPE.mldsa44, 1312],
  ] as const;
  for (const [type, length] of lengths) {
    fc.assert(
      fc.property(name, fc.uint8Array({ minLength: length, maxLength: length }), (keyName, publicKey) => {
        const vkey = newVkey(keyName, type, new Uint8Array(publicKey));
        const parsed = parseVkey(formatVkey(vkey));
        assert.deepEqual(
          { ...parsed, publicKey: toHex(parsed.publicKey) },
          { ...vkey, publicKey: toHex(publicKey) },
        );
      }),
      { numRuns: Math.ceil(numRuns / 3) },
    );
  }
});

test('no damaged vkey is accepted', () => {
  const { refused, accepted } = assertStrict(
    allMutationsOf(bytesOf(EXAMPLE, undefined)),
    (bytes) => parseVkey(Buffer.from(bytes).toString('latin1')),
    (vkey) => bytesOf(formatVkey(vkey), undefined),
  );
  // What is left is a changed type byte: to this program a type whose key id follows a rule of its own.
  assert.ok(refused > 2000 && accepted > 0, `${refused} refused, ${accepted} accepted`);
  for (const [what, mutant] of allMutationsOf(bytesOf(EXAMPLE, undefined))) {
    let vkey;
    try {
      vkey = parseVkey(Buffer.from(mutant).toString('latin1'));
    } catch {
      continue;
    }
    assert.ok(![1, 4, 6].includes(vkey.type), `${what}: accepted with a key id that was checked`);
  }
});

test('no damaged signer key is accepted, and no refusal tells of it', () => {
  const { skey } = readCases<{ skey: string }>('vkey/skey.json')[0]!;
  const secret = skey.slice(skey.lastIndexOf('+') + 1);
  for (let at = 0; at < skey.length; at++) {
    for (const text of [
      skey.slice(0, at) + skey.slice(at + 1),
      `${skey.slice(0, at)}${String.fromCharCode(skey.charCodeAt(at) + 1)}${skey.slice(at + 1)}`,
    ]) {
      assert.throws(
        () => parseSkey(text),
        (error: Error) => {
          assert.ok(hasCode('malformed')(error));
          for (let i = 0; i + 6 <= secret.length; i++) {
            assert.ok(!error.message.includes(secret.slice(i, i + 6)), 'tells of the secret');
          }
          return true;
        },
        `character ${at}`,
      );
    }
  }
});

test('signer keys of every type read back, and not with any character changed', () => {
  const name = 'witness.example/w1';
  const arithmetic = { mldsa44: nobleMldsa44 };
  const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const change = fc.tuple(fc.nat(), fc.constantFrom('A', '+', '0', 'f', ' ', '\n', '='));
  fc.assert(
    fc.property(seeds, fc.constantFrom(1, 4, 6), change, (seed, type, [at, char]) => {
      const skey = formatSkey({ name, seed, type }, arithmetic);
      const { keyId, ...read } = parseSkey(skey, arithmetic);
      assert.deepEqual({ ...read, seed: toHex(read.seed) }, { name, type, seed: toHex(seed) });
      assert.equal(skey.split('+')[3], formatKeyId(keyId));
      const i = at % skey.length;
      const changed = skey.slice(0, i) + char + skey.slice(i + 1);
      if (changed !== skey) assert.throws(() => parseSkey(changed, arithmetic), hasCode('malformed'));
    }),
    { numRuns: SLOW ? 300 : 30 },
  );
});

test('signer keys of other lengths and names are refused, and nothing of the secret is told', () => {
  const name = 'witness.example/w1';
  const arithmetic = { mldsa44: nobleMldsa44 };
  const seed = new Uint8Array(32).fill(0xa7);
  const skey = formatSkey({ name, seed, type: KEY_TYPE.mldsa44 }, arithmetic);
  const secret = skey.slice(-44);
  for (const text of [
    skey.slice(0, -4),
    `${skey}AAAA`,
    skey.replace(name, 'witness.example/w2'),
    skey.replace(name, 'a b'),
    skey.replace('PRIVATE', 'PUBLIC'),
    '',
  ]) {
    assert.throws(
      () => parseSkey(text, arithmetic),
      (error: Error) => hasCode('malformed')(error) && !error.message.includes(secret.slice(4, 20)),
    );
  }
  const short = { name, seed: seed.slice(1) };
  for (const type of [KEY_TYPE.ed25519, KEY_TYPE.cosignatureEd25519, KEY_TYPE.mldsa44])
    assert.throws(() => formatSkey({ ...short, type }, arithmetic), RangeError, `type ${type}`);
});

test('signer keys of cosigners are taken with arithmetic for ML-DSA-44, and not without', () => {
  const seed = new Uint8Array(32).fill(3);
  const publicKeys = new Map([
    [KEY_TYPE.ed25519 as number, nobleEd25519.publicKey(seed)],
    [KEY_TYPE.cosignatureEd25519, nobleEd25519.publicKey(seed)],
    [KEY_TYPE.mldsa44, nobleMldsa44.publicKey(seed)],
  ]);
  for (const [type, publicKey] of publicKeys) {
    const skey = formatSkey({ name: 'w', seed, type }, { mldsa44: nobleMldsa44 });
    const { keyId } = newVkey('w', type, publicKey);
    assert.deepEqual(parseSkey(skey, { mldsa44: nobleMldsa44 }), { name: 'w', keyId, type, seed });
    const flawed = skey.replace(/.(?=\+[^+]*$)/, (digit) => (digit === '0' ? '1' : '0'));
    assert.throws(() => parseSkey(flawed, { mldsa44: nobleMldsa44 }), hasCode('malformed'));
    if (type === KEY_TYPE.ed25519) continue;
    assert.throws(() => parseSkey(skey), hasCode('malformed'));
    assert.throws(() => formatSkey({ name: 'w', seed, type }), RangeError);
  }
  assert.throws(() => formatSkey({ name: 'w', seed, type: 2 }, { mldsa44: nobleMldsa44 }), RangeError);
});

test('what is too long is not decoded', () => {
  const long = `a+00000000+${'A'.repeat(MAX_KEY_CHARS)}`;
  assert.throws(() => parseVkey(long), hasCode('too_large'));
  assert.throws(() => parseSkey(`PRIVATE+KEY+${long}`), hasCode('too_large'));
});

test('the key id is the first four bytes of SHA-256, the first bit included', () => {
  const publicKey = fromHex('e932791ae6e7a840a46164c904786426d5e7821dd8b29a00d61cae72afdd4da4');
  assert.equal(formatKeyId(keyIdOf('example.com/foo', 1, publicKey)), '530d903a');
  let high = 0;
  for (let i = 0; i < 64; i++) {
    const keyId = keyIdOf(`key${i}`, 1, publicKey);
    assert.ok(keyId >= 0 && keyId < 2 ** 32);
    assert.match(formatKeyId(keyId), /^[0-9a-f]{8}$/);
    if (keyId >= 2 ** 31) high++;
  }
  assert.ok(high > 10 && high < 54, `${high} of 64 have the first bit`);
});

test('wrong arguments are a RangeError', () => {
  const key = new Uint8Array(32);
  assert.throws(() => newVkey('a b', 1, key), RangeError);
  assert.throws(() => newVkey('', 1, key), RangeError);
  assert.throws(() => newVkey('a', 2, key), RangeError);
  assert.throws(() => newVkey('a', 1, key.subarray(1)), RangeError);
  assert.throws(() => newVkey('a', 6, key), RangeError);
  assert.throws(() => formatVkey({ name: 'a+b', keyId: 0, type: 1, publicKey: key }), RangeError);
  assert.throws(() => formatVkey({ name: 'a', keyId: 2 ** 32, type: 1, publicKey: key }), RangeError);
  assert.throws(() => formatVkey({ name: 'a', keyId: 0, type: 256, publicKey: key }), RangeError);
  assert.throws(() => formatKeyId(-1), RangeError);
});
