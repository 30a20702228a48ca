import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from '../../src/formats/json.ts';
import {
  digestOf,
  encodeDisclosure,
  formatDisclosure,
  formatSdJwt,
  MAX_DISCLOSURES,
  MAX_SD_JWT_CHARS,
  parseSdJwt,
  signingInputOf,
} from '../../src/formats/sd-jwt.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { issueSdJwt, signSdJwt } from '../support/sd-jwt-issuer.ts';
import { SLOW } from '../support/slow.ts';
import { hasCode, readCases, runCases } from './cases.ts';
import { assertStrict, mutationsOf } from './mutations.ts';

const numRuns = SLOW ? 20_000 : 500;

const HEADER = '{"alg":"Ed25519"}';

/** The one disclosure of an SD-JWT that has nothing else. */
function parseDisclosure(encoded: string): object {
  const { digest, name, value } = parseSdJwt(signSdJwt(HEADER, '{}', [{ encoded }])).disclosures[0]!;
  return { encoded, digest, ...(name === undefined ? {} : { name }), value };
}

runCases<{ json: string }>('sd-jwt/disclosures.json', ({ json }) => parseDisclosure(encodeDisclosure(json)));

test('a disclosure reads back, and its JSON is what JSON.stringify writes', () => {
  const salt = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const name = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(salt, name, fc.jsonValue(), (bytes, claim, anyValue) => {
      const value = JSON.parse(JSON.stringify(anyValue)) as JsonValue;
      const json = formatDisclosure(bytes, claim, value);
      assert.equal(json, JSON.stringify([Buffer.from(bytes).toString('base64url'), claim, value]));
      const encoded = encodeDisclosure(json);
      assert.equal(encoded, Buffer.from(json, 'utf8').toString('base64url'));
      const digest = createHash('sha256').update(encoded, 'ascii').digest('base64url');
      assert.deepEqual(parseDisclosure(encoded), { encoded, digest, name: claim, value });
    }),
    { numRuns },
  );
});

test('short and long texts are hashed and encoded alike', () => {
  for (const length of [0, 1, 1364, 1365, 1366, 4096, 4097, 100_000, 2]) {
    const ascii = 'a'.repeat(length);
    assert.equal(digestOf(ascii), createHash('sha256').update(ascii).digest('base64url'));
    const wide = '水'.repeat(length);
    assert.equal(encodeDisclosure(wide), Buffer.from(wide, 'utf8').toString('base64url'));
  }
  for (const text of ['\ud800', `${'a'.repeat(10_000)}\udc00`]) {
    assert.throws(() => encodeDisclosure(text), hasCode('malformed'));
  }
});

test('what is written is read back part by part', () => {
  const text = issueSdJwt(
    { iss: 'https://log.example', subject: { id: 'u-8841', kind: 'user' }, methods: ['totp', 'push'] },
    { isHidden: (path) => path.at(-1) !== 'iss', decoys: 2 },
  );
  const sdJwt = parseSdJwt(text);
  const [jwt, ...rest] = text.split('~');
  const [header, payload, signature] = jwt!.split('.');
  assert.equal(sdJwt.encodedHeader, header);
  assert.equal(sdJwt.encodedPayload, payload);
  assert.deepEqual(sdJwt.payload, JSON.parse(Buffer.from(payload!, 'base64url').toString()));
  assert.deepEqual(sdJwt.header, JSON.parse(Buffer.from(header!, 'base64url').toString()));
  assert.equal(Buffer.from(sdJwt.signature).toString('base64url'), signature);
  assert.deepEqual(
    sdJwt.disclosures.map(({ encoded }) => encoded),
    rest.slice(0, -1),
  );
  assert.deepEqual(
    sdJwt.disclosures.map(({ name }) => name),
    ['id', 'kind', 'subject', undefined, undefined, 'methods'],
  );
  assert.equal(sdJwt.keyBinding, undefined);
  assert.equal(formatSdJwt(sdJwt), text);
  assert.equal(Buffer.from(signingInputOf(sdJwt)).toString(), `${header}.${payload}`);
  const bound = parseSdJwt(`${text}e30.e30.AA`);
  assert.equal(bound.keyBinding, 'e30.e30.AA');
  assert.equal(formatSdJwt(bound), `${text}e30.e30.AA`);
});

test('a damaged SD-JWT is refused, or is the one text of its parts', () => {
  const text = issueSdJwt({ iss: 'a', b: { c: 1 } }, { isHidden: ([first]) => first === 'b' });
  const read = (bytes: Uint8Array): string => formatSdJwt(parseSdJwt(Buffer.from(bytes).toString('latin1')));
  const { refused, accepted } = assertStrict(mutationsOf(encodeUtf8(text)), read, encodeUtf8);
  assert.ok(refused > 1_000 && accepted > 100, `${refused} refused, ${accepted} accepted`);
});

test('an SD-JWT has at most 256 KiB and 256 disclosures', () => {
  const encoded = (count: number): { encoded: string }[] =>
    Array.from({ length: count }, (_, i) => ({ encoded: encodeDisclosure(`["salt","a",${i}]`) }));
  const most = signSdJwt(HEADER, '{}', encoded(MAX_DISCLOSURES));
  assert.equal(parseSdJwt(most).disclosures.length, MAX_DISCLOSURES);
  assert.equal(parseSdJwt(`${most}e30.e30.AA`).disclosures.length, MAX_DISCLOSURES);
  assert.throws(
    () => parseSdJwt(signSdJwt(HEADER, '{}', encoded(MAX_DISCLOSURES + 1))),
    hasCode('too_large'),
  );
  assert.throws(() => parseSdJwt('~'.repeat(MAX_DISCLOSURES + 2)), hasCode('too_large'));
  assert.throws(() => parseSdJwt('~'.repeat(MAX_SD_JWT_CHARS)), hasCode('too_large'));

  const jwt = signSdJwt(HEADER, '{}', []);
  let fill = Math.floor(((MAX_SD_JWT_CHARS - jwt.length - 1) * 3) / 4);
  const filled = (length: number): string =>
    signSdJwt(HEADER, '{}', [{ encoded: encodeDisclosure(`["${'s'.repeat(length - 10)}","",0]`) }]);
  while (filled(fill).length > MAX_SD_JWT_CHARS) fill--;
  assert.ok(filled(fill).length > MAX_SD_JWT_CHARS - 4);
  assert.equal(parseSdJwt(filled(fill)).disclosures.length, 1);
  assert.throws(() => parseSdJwt(filled(fill + 3)), hasCode('too_large'));
});

test('depth is bounded within each part', () => {
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  assert.throws(() => parseSdJwt(signSdJwt(HEADER, `{"a":${deep(32)}}`, [])), hasCode('malformed'));
  assert.throws(
    () => parseSdJwt(signSdJwt(`{"alg":"Ed25519","a":${deep(32)}}`, '{}', [])),
    hasCode('malformed'),
  );
  const encoded = encodeDisclosure(`["s","a",${deep(32)}]`);
  assert.throws(() => parseSdJwt(signSdJwt(HEADER, '{}', [{ encoded }])), hasCode('malformed'));
});

test('names what is wrong and does not repeat it', () => {
  for (const { sdJwt, wantErr } of readCases<{ sdJwt: string }>('sd-jwt/verify.json')) {
    if (wantErr !== 'malformed') continue;
    try {
      parseSdJwt(sdJwt);
    } catch (error) {
      assert.match((error as Error).message, /(SD-JWT|key-binding JWT|JSON|UTF-8)[a-zA-Z0-9 ,[\]-]*$/);
      for (const part of sdJwt.split(/[~.]/)) {
        if (part.length > 3) assert.ok(!(error as Error).message.includes(part));
      }
    }
  }
});
