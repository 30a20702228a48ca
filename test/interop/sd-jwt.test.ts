/**
 * SD-JWTs as we issue and present them are taken by code that others wrote: @sd-jwt/core and jose, and in Python the
 * reference implementation. What @sd-jwt/core issues is taken by us.
 *
 * On the name of the algorithm: jose and jwcrypto (from 1.6 on) verify under "Ed25519" and under "EdDSA", and @sd-jwt/core
 * leaves it to its caller.
 */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { SDJwtInstance } from '@sd-jwt/core';
import { compactVerify, importJWK } from 'jose';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { NewelError } from '../../src/errors.ts';
import { formatBase64Url, parseBase64Url } from '../../src/formats/base64url.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { formatJwk } from '../../src/formats/jwk.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { type ClaimPath, verifySdJwt } from '../../src/formats/sd-jwt-verify.ts';
import { parseSdJwt, signingInputOf } from '../../src/formats/sd-jwt.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { issueSdJwt, issuerJwk, issuerKey, issuerSeed, type IssueOptions } from '../support/sd-jwt-issuer.ts';
import { readCases } from '../formats/cases.ts';
import { checkByPython, type CheckCase, whyNoPython } from './python-program.ts';

const ALGORITHMS = ['Ed25519', 'EdDSA'];

const CLAIMS: JsonObject = {
  iss: 'https://log.example/bank',
  iat: 1_700_000_000,
  jti: 'evt_AAAAAAAAAAAAAAAAAAAAAA',
  type: 'stepup.completed',
  subject: { sub_id: { format: 'opaque', id: 'u-8841' }, actor_type: 'user' },
  challenge: {
    id: 'ch-1',
    attempt: 1,
    methods: ['webauthn', 'totp', ['push', 'sms']],
    provider: null,
    passed: true,
  },
  src: { ip: '192.0.2.10', location: { country: 'FR', city: 'Orléans 水 😀' }, risk: 0.71 },
};

const OPEN = ['iss', 'iat', 'jti'];

/** Which claims are disclosures: none, each top-level one, every second place, and all of them, elements of arrays too. */
const SHAPES: Record<string, IssueOptions['isHidden']> = {
  none: () => false,
  flat: (path) => path.length === 1 && !OPEN.includes(String(path[0])),
  alternate: (path) => !OPEN.includes(String(path[0])) && path.length % 2 === 0,
  all: (path) => !OPEN.includes(String(path[0])),
};

/** Which of them are presented. */
const CHOICES: Record<string, (path: ClaimPath) => boolean> = {
  none: () => false,
  one: (path) => path.join('.') === 'subject.sub_id.id',
  some: (path) => path.length <= 2 && path[0] !== 'src',
  elements: (path) => path[1] === 'methods',
  all: () => true,
};

/** Every shape under both algorithms, issued in full and presented in part, and the claims that are then shown. */
function* allSdJwts(): Generator<{ what: string; alg: string; sdJwt: string; claims: JsonObject }> {
  for (const alg of ALGORITHMS) {
    for (const [shape, isHidden] of Object.entries(SHAPES)) {
      const header = { alg, kid: issuerJwk.kid!, typ: 'stepup-event+sd-jwt' };
      const issued = issueSdJwt(CLAIMS, { isHidden, decoys: 3, header });
      yield { what: `${alg}, ${shape}`, alg, sdJwt: issued, claims: CLAIMS };
      for (const [choice, keep] of Object.entries(CHOICES)) {
        const sdJwt = presentSdJwt(issued, keep);
        yield { what: `${alg}, ${shape}, presenting ${choice}`, alg, sdJwt, claims: claimsOf(sdJwt) };
      }
    }
  }
}

function claimsOf(sdJwt: string): JsonObject {
  return verifySdJwt(parseSdJwt(sdJwt), (parsed) => {
    if (!nodeEd25519.verify(issuerKey, signingInputOf(parsed), parsed.signature)) {
      throw new NewelError('signature_invalid', 'not signed by the issuer');
    }
  }).claims;
}

/** SD-JWTs that nobody takes, and what is false about each. (What §7.1 asks beyond a true signature, most leave out.) */
function falseOnes(): Record<string, string> {
  const issued = issueSdJwt(CLAIMS, { isHidden: SHAPES['all']! });
  const [jwt = '', ...rest] = issued.split('~');
  const [header, payload, signature] = jwt.split('.');
  const encode = (value: JsonObject): string => formatBase64Url(encodeUtf8(JSON.stringify(value)));
  return {
    'another payload': `${header}.${encode({ iss: 'https://log.example/other' })}.${signature}~`,
    'a signature of zeros': [`${header}.${payload}.${formatBase64Url(new Uint8Array(64))}`, ...rest].join(
      '~',
    ),
    'alg none': [`${encode({ alg: 'none' })}.${payload}.`, ...rest].join('~'),
  };
}

const sha256 = (data: string | ArrayBuffer): Uint8Array => {
  const bytes = typeof data === 'string' ? encodeUtf8(data) : new Uint8Array(data);
  return new Uint8Array(createHash('sha256').update(bytes).digest());
};

const sdJwtCore = new SDJwtInstance({
  omitTyp: true,
  hasher: sha256,
  hashAlg: 'sha-256',
  saltGenerator: (length) => randomBytes(length).toString('base64url').slice(0, length),
  signer: (data) => formatBase64Url(nodeEd25519.sign(issuerSeed, encodeUtf8(data))),
  signAlg: 'Ed25519',
  verifier: (data, signature) =>
    nodeEd25519.verify(issuerKey, encodeUtf8(data), parseBase64Url(signature, 'signature')),
});

describe('@sd-jwt/core', () => {
  test('takes what is issued and presented, and shows the same claims', async () => {
    for (const { what, sdJwt, claims } of allSdJwts()) {
      const { payload, header } = await sdJwtCore.verify(sdJwt);
      assert.deepEqual(payload, claims, what);
      assert.deepEqual(header, parseSdJwt(sdJwt).header, what);
    }
  });

  test('finds the same disclosures and digests', async () => {
    const issued = issueSdJwt(CLAIMS, { isHidden: SHAPES['all']!, decoys: 2 });
    const theirs = await sdJwtCore.decode(issued);
    assert.deepEqual(
      await Promise.all(
        theirs.disclosures!.map(async (one) => ({
          encoded: one.encode(),
          digest: await one.digest({ alg: 'sha-256', hasher: sha256 }),
          name: one.key,
          value: one.value,
        })),
      ),
      parseSdJwt(issued).disclosures,
    );
  });

  test('refuses what we refuse', async () => {
    for (const [what, sdJwt] of Object.entries(falseOnes())) {
      await assert.rejects(sdJwtCore.verify(sdJwt), what);
      assert.throws(() => claimsOf(sdJwt), NewelError, what);
    }
  });

  test('issues and presents what we take', async () => {
    // Their frames are typed after claims that have a type.
    const issued = await sdJwtCore.issue(CLAIMS, {
      _sd: ['type', 'subject', 'challenge', 'src'],
      _sd_decoy: 2,
      subject: { _sd: ['sub_id'], sub_id: { _sd: ['id'], _sd_decoy: 1 } },
      challenge: { _sd: ['methods', 'provider'], methods: { _sd: [0, 2], _sd_decoy: 1 } },
      src: { _sd: ['location', 'ip'] },
    } as never);
    assert.deepEqual(claimsOf(issued), CLAIMS);
    const presented = await sdJwtCore.present(issued, {
      subject: { sub_id: true },
      challenge: { methods: { 2: true } },
    });
    const keep = [
      ['subject', 'sub_id'],
      ['challenge', 'methods', 2],
    ].map((path) => JSON.stringify(path));
    const ours = presentSdJwt(issued, (path) => keep.includes(JSON.stringify(path)));
    assert.deepEqual(ours.split('~').sort(), presented.split('~').sort());
    assert.deepEqual(claimsOf(presented), {
      iss: CLAIMS['iss'],
      iat: CLAIMS['iat'],
      jti: CLAIMS['jti'],
      subject: { actor_type: 'user', sub_id: { format: 'opaque' } },
      challenge: { id: 'ch-1', attempt: 1, passed: true, methods: ['totp', ['push', 'sms']] },
    });
  });
});

test('jose verifies the signature, under either name of the algorithm', async () => {
  const other = formatJwk(nodeEd25519.publicKey(new Uint8Array(32).fill(6)));
  for (const { what, alg, sdJwt } of allSdJwts()) {
    const [jwt = ''] = sdJwt.split('~');
    const { payload, protectedHeader } = await compactVerify(jwt, await importJWK({ ...issuerJwk }, alg));
    assert.deepEqual(JSON.parse(Buffer.from(payload).toString()), parseSdJwt(sdJwt).payload, what);
    assert.deepEqual(protectedHeader, parseSdJwt(sdJwt).header);
    await assert.rejects(compactVerify(jwt, await importJWK({ ...other }, alg)), {
      code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    });
  }
});

test('the reference implementation in Python', { skip: await whyNoPython() }, async (t) => {
  await t.test('takes what is issued and presented, and shows the same claims', async () => {
    const cases = [...allSdJwts()];
    const results = await checkByPython(cases.map(({ sdJwt }) => ({ sdJwt, jwk: { ...issuerJwk } })));
    assert.equal(results.length, cases.length);
    for (const [i, { what, claims }] of cases.entries()) assert.deepEqual(results[i], { claims }, what);
  });

  await t.test('takes every vector that is taken, the ones of the RFC too', async () => {
    const cases = readCases<CheckCase>('sd-jwt/verify.json').filter(({ wantErr }) => wantErr === undefined);
    const results = await checkByPython(cases.map(({ sdJwt, jwk }) => ({ sdJwt, jwk })));
    for (const [i, { desc, want }] of cases.entries()) {
      assert.deepEqual(results[i], { claims: (want as { claims: JsonObject }).claims }, desc);
    }
  });

  await t.test('refuses what we refuse', async () => {
    const wrong = Object.entries(falseOnes());
    const results = await checkByPython(wrong.map(([, sdJwt]) => ({ sdJwt, jwk: { ...issuerJwk } })));
    for (const [i, [what]] of wrong.entries()) assert.ok('error' in results[i]!, what);
  });
});
