import assert from 'node:assert/strict';
import { createPublicKey, verify as verifyWith } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { NewelError } from '../../src/errors.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/formats/json.ts';
import { parseJwk } from '../../src/formats/jwk.ts';
import {
  type ClaimPath,
  MAX_CLAIM_DEPTH,
  processPayload,
  verifySdJwt,
} from '../../src/formats/sd-jwt-verify.ts';
import {
  digestOf,
  encodeDisclosure,
  parseSdJwt,
  type SdJwt,
  signingInputOf,
} from '../../src/formats/sd-jwt.ts';
import { issueSdJwt, issuerJwk, signSdJwt } from '../support/sd-jwt-issuer.ts';
import { SLOW } from '../support/slow.ts';
import { spentCpuMs } from '../support/spent-cpu.ts';
import { hasCode, readCases, runCases } from './cases.ts';

const numRuns = SLOW ? 10_000 : 300;

const HEADER = '{"alg":"Ed25519"}';

/** Verifies as the owner of this key: Ed25519 by our rule, and ES256 by Node for the RFC's own examples. */
const signedBy =
  (jwk: JsonObject) =>
  (sdJwt: SdJwt): void => {
    const { alg } = sdJwt.header;
    const message = signingInputOf(sdJwt);
    const holds =
      jwk['kty'] === 'EC'
        ? alg === 'ES256' &&
          verifyWith(
            'sha256',
            message,
            { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
            sdJwt.signature,
          )
        : (alg === 'Ed25519' || alg === 'EdDSA') &&
          nodeEd25519.verify(parseJwk(jwk).publicKey, message, sdJwt.signature);
    if (!holds) throw new NewelError('signature_invalid', 'not signed by the key');
  };

const byIssuer = signedBy({ ...issuerJwk });

runCases<{ sdJwt: string; jwk: JsonObject }>('sd-jwt/verify.json', ({ sdJwt, jwk }) =>
  verifySdJwt(parseSdJwt(sdJwt), signedBy(jwk)),
);

test('the signature is checked before anything that it covers is used', () => {
  for (const { sdJwt, wantErr } of readCases<{ sdJwt: string }>('sd-jwt/verify.json')) {
    let parsed: SdJwt;
    try {
      parsed = parseSdJwt(sdJwt);
    } catch {
      assert.equal(wantErr, 'malformed');
      continue;
    }
    const refuse = (): void => {
      throw new NewelError('signer_unknown', 'nobody');
    };
    assert.throws(() => verifySdJwt(parsed, refuse), hasCode('signer_unknown'));
  }
});

const claimName = fc
  .oneof(fc.constantFrom('iss', 'sub', '__proto__', 'constructor', 'a', ''), fc.string({ maxLength: 4 }))
  .filter((name) => !['_sd', '...', '_sd_alg'].includes(name));
const { claims: anyClaims } = fc.letrec<{ claims: JsonObject; value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string({ unit: 'grapheme', maxLength: 5 })),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('claims'),
  ),
  claims: fc
    .uniqueArray(fc.tuple(claimName, tie('value')), { selector: ([name]) => name, maxLength: 5 })
    .map((entries) => {
      const object = Object.fromEntries(entries);
      return JSON.parse(JSON.stringify(object)) as JsonObject;
    }),
}));

/** Some choice for every place, the same each time it is asked. */
const anyChoice = fc.func(fc.boolean()).map((choose) => (path: ClaimPath) => choose(JSON.stringify(path)));

test('what any issuer hides anywhere comes back where it was', () => {
  fc.assert(
    fc.property(anyClaims, anyChoice, fc.integer({ min: 0, max: 3 }), (claims, isHidden, decoys) => {
      const sdJwt = parseSdJwt(issueSdJwt(claims, { isHidden, decoys }));
      const { claims: verified, used } = verifySdJwt(sdJwt, byIssuer);
      assert.deepEqual(verified, claims);
      assert.equal(used, sdJwt.disclosures.length);
    }),
    { numRuns },
  );
});

test('each disclosure is visited once, at its claim, after the one that it stands in', () => {
  const at = (value: JsonValue, path: ClaimPath): JsonValue | undefined => {
    let place: JsonValue | undefined = value;
    for (const step of path) {
      if (Array.isArray(place)) place = place[step as number];
      else if (isJsonObject(place)) place = place[step];
    }
    return place;
  };
  fc.assert(
    fc.property(anyClaims, anyChoice, (claims, isHidden) => {
      const sdJwt = parseSdJwt(issueSdJwt(claims, { isHidden, decoys: 1 }));
      const seen = new Map<object, ClaimPath>();
      processPayload(sdJwt, (disclosure, path, within) => {
        assert.ok(!seen.has(disclosure));
        if (within !== undefined) {
          const outer = seen.get(within);
          assert.ok(outer !== undefined && outer.length < path.length);
          assert.deepEqual(path.slice(0, outer.length), outer);
        }
        if (disclosure.name !== undefined) assert.equal(path.at(-1), disclosure.name);
        if (typeof disclosure.value !== 'object') assert.equal(disclosure.value, at(claims, path));
        assert.ok(isHidden(path));
        seen.set(disclosure, path);
      });
      assert.equal(seen.size, sdJwt.disclosures.length);
    }),
    { numRuns },
  );
});

test('a prototype that somebody has extended adds no digests', () => {
  const encoded = encodeDisclosure('["salt","admin",true]');
  const sdJwt = parseSdJwt(signSdJwt(HEADER, '{"iss":"a"}', [{ encoded }]));
  const prototype = Object.prototype as { _sd?: unknown };
  prototype._sd = [digestOf(encoded)];
  try {
    assert.throws(() => verifySdJwt(sdJwt, byIssuer), hasCode('malformed'));
  } finally {
    delete prototype._sd;
  }
});

test('a claim stands at most 32 deep, however many disclosures it takes', () => {
  const chain = (length: number): string => {
    const disclosures: { encoded: string }[] = [];
    let payload: JsonObject = { end: {} };
    for (let i = 0; i < length; i++) {
      const encoded = encodeDisclosure(JSON.stringify([`salt ${i}`, 'c', payload]));
      disclosures.push({ encoded });
      payload = { _sd: [digestOf(encoded)] };
    }
    return signSdJwt(HEADER, JSON.stringify(payload), disclosures);
  };
  assert.equal(verifySdJwt(parseSdJwt(chain(MAX_CLAIM_DEPTH - 2)), byIssuer).used, MAX_CLAIM_DEPTH - 2);
  for (const length of [MAX_CLAIM_DEPTH, 256]) {
    assert.throws(() => verifySdJwt(parseSdJwt(chain(length)), byIssuer), hasCode('malformed'));
  }
});

test('time is linear in the length: 256 KiB of digests, disclosures or nesting', () => {
  const digests = Array.from({ length: 4_000 }, (_, i) => digestOf(String(i)));
  const disclosures = Array.from({ length: 256 }, (_, i) => ({
    encoded: encodeDisclosure(JSON.stringify([`salt ${i}`, `claim ${i}`, 'v'.repeat(500)])),
  }));
  const payloads = [
    { _sd: digests },
    { a: digests.slice(0, 3_000).map((digest) => ({ '...': digest })) },
    { _sd: disclosures.map(({ encoded }) => digestOf(encoded)) },
    { a: Array.from({ length: 20_000 }, () => ({ b: {} })) },
  ];
  const ms = spentCpuMs(() => {
    for (const [i, payload] of payloads.entries()) {
      const sdJwt = parseSdJwt(signSdJwt(HEADER, JSON.stringify(payload), i === 2 ? disclosures : []));
      assert.equal(verifySdJwt(sdJwt, byIssuer).used, i === 2 ? 256 : 0);
    }
  });
  assert.ok(ms < 3_000, `${ms} ms`);
});
