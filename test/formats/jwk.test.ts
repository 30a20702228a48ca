import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { calculateJwkThumbprint } from 'jose';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import type { JsonValue } from '../../src/formats/json.ts';
import {
  formatJwk,
  MAX_JWKS_KEYS,
  type NamedKey,
  parseJwk,
  parseJwks,
  thumbprintOf,
} from '../../src/formats/jwk.ts';
import { hasCode, readCases, runCases, toHex } from './cases.ts';

const spell = ({ publicKey, kid }: NamedKey): object => ({ publicKey: toHex(publicKey), kid });

runCases<{ jwk: JsonValue }>('jwk/parse.json', ({ jwk }) => {
  const key = parseJwk(jwk);
  assert.equal(thumbprintOf(key.publicKey), key.kid);
  return spell(key);
});

runCases<{ jwks: JsonValue }>('jwk/jwks.json', ({ jwks }) => parseJwks(jwks).map(spell));

const publicKeyOf = (seed: number): Uint8Array => nodeEd25519.publicKey(new Uint8Array(32).fill(seed));

test('writes what it reads, and what others read', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const publicKey = publicKeyOf(seed);
    const jwk = formatJwk(publicKey);
    assert.deepEqual(Object.keys(jwk), ['kty', 'crv', 'x', 'kid']);
    assert.deepEqual(parseJwk({ ...jwk }), { publicKey, kid: jwk.kid });
    assert.equal(await calculateJwkThumbprint({ ...jwk }), jwk.kid);
    const imported = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    assert.equal(imported.export({ format: 'jwk' }).x, jwk.x);
  }
});

test('reads what Node writes', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' }) as Record<string, string>;
  assert.equal(formatJwk(parseJwk(jwk).publicKey).x, jwk['x']);
  assert.throws(
    () => parseJwk(privateKey.export({ format: 'jwk' }) as Record<string, string>),
    hasCode('malformed'),
  );
});

test('a set has at most 100 keys, of whatever kind', () => {
  const other = { kty: 'EC' };
  assert.deepEqual(parseJwks({ keys: Array.from({ length: MAX_JWKS_KEYS }, () => other) }), []);
  assert.throws(
    () => parseJwks({ keys: Array.from({ length: MAX_JWKS_KEYS + 1 }, () => other) }),
    hasCode('too_large'),
  );
});

test('names what is wrong and does not repeat it', () => {
  for (const { jwk, wantErr } of readCases<{ jwk: JsonValue }>('jwk/parse.json')) {
    if (wantErr !== undefined) assert.throws(() => parseJwk(jwk), /: (x of a )?JWK [a-zA-Z0-9 ]+$/);
  }
});
