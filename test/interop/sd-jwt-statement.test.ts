/**
 * Statements as the vault makes them, whole and presented in part, are taken by code that others wrote: @sd-jwt/core,
 * jose, and in Python the reference implementation of SD-JWT. Each finds the key by the `kid` in the log's JWK Set and
 * shows exactly the claims that the event has.
 */

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { SDJwtInstance } from '@sd-jwt/core';
import { compactVerify, createLocalJWKSet, importJWK } from 'jose';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/formats/json.ts';
import { type Ed25519Jwk, parseJwk } from '../../src/formats/jwk.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { encodeDisclosure, parseSdJwt } from '../../src/formats/sd-jwt.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import type { StatementAlg, StoredEvent } from '../../src/vault/vault.ts';
import { exampleEvents, openTestVault, TEST_ISSUER } from '../support/test-vault.ts';
import { TEST_ORIGIN, TEST_TIME_MS } from '../support/test-log.ts';
import { checkByPython, whyNoPython } from './python-program.ts';

const ALGS: readonly StatementAlg[] = ['Ed25519', 'EdDSA'];

interface Shown {
  readonly what: string;
  readonly alg: StatementAlg;
  readonly sdJwt: string;
  readonly claims: JsonObject;
}

/** Everything that the libraries are to take, and what they are to show. */
const shown: Shown[] = [];
/** What nobody may take. */
const refused: { readonly what: string; readonly sdJwt: string }[] = [];
/** With disclosures that no digest stands for, or twice. RFC 9901 rejects the whole; who does not, shows only the rest. */
const unproven: { readonly what: string; readonly sdJwt: string; readonly claims: JsonObject }[] = [];
let jwks: { readonly keys: readonly Ed25519Jwk[] };

before(async () => {
  const vaulted = await openTestVault();
  const [full] = exampleEvents('full.json');
  assert.ok(full !== undefined && isJsonObject(full));
  const { x, y } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const holder = { kty: 'EC', crv: 'P-256', x: x!, y: y!, kid: 'wallet-1' };
  const held: JsonObject = { ...full, id: 'held', holder };
  const flat = exampleEvents('flat.json')[0]!;
  jwks = vaulted.vault.jwks;

  const first = (await vaulted.submit(full)).event;
  await addAll('the full example', first, full);
  await addAll('the full example with a holder', (await vaulted.submit(held)).event, held);
  const ofFlat = (await vaulted.submit(flat)).event;
  await addAll('the flat example', ofFlat, ofFlat.content);

  const statement = await first.statement('Ed25519');
  const [jwt, ...disclosures] = statement.split('~');
  const [header, payload] = jwt!.split('.');
  const [otherJwt, ...others] = (await ofFlat.statement('Ed25519')).split('~');
  const [, , signature] = otherJwt!.split('.');
  refused.push(
    { what: 'the signature of another', sdJwt: `${header}.${payload}.${signature}~` },
    {
      what: 'the payload of another',
      sdJwt: [otherJwt, ...disclosures].join('~').replace(/[.][^.~]+/, `.${payload}`),
    },
  );
  const denied = encodeDisclosure('["AAAAAAAAAAAAAAAAAAAAAA","outcome","failure"]');
  const { outcome: _outcome, ...rest } = shown[0]!.claims;
  const withoutOutcome = presentSdJwt(statement, (path) => path[0] !== 'outcome');
  unproven.push(
    {
      what: 'a disclosure twice',
      sdJwt: [jwt, disclosures[0], ...disclosures].join('~'),
      claims: shown[0]!.claims,
    },
    {
      what: 'disclosures of another event',
      sdJwt: [jwt, ...disclosures.slice(0, -1), ...others].join('~'),
      claims: shown[0]!.claims,
    },
    { what: 'a claim of somebody’s own', sdJwt: `${withoutOutcome}${denied}~`, claims: rest },
  );
});

/** Three disclosures, one of them within another of the three. */
const THREE = ['outcome', 'src', 'src.location'];
/** Three claims that are chosen; the last of them brings what it stands in. */
const CHOSEN = ['type', 'outcome', 'src.location'];

/** The statement of an event under both names of the algorithm: whole, in part, and with nothing shown. */
async function addAll(what: string, event: StoredEvent, sent: JsonObject): Promise<void> {
  const { schema, holder, ...members } = sent;
  const open: JsonObject = {
    iss: TEST_ISSUER,
    log: TEST_ORIGIN,
    iat: TEST_TIME_MS / 1000 + 1,
    jti: event.eventId,
    schema: schema!,
    ...(holder === undefined ? {} : { cnf: { jwk: holder } }),
  };
  const { outcome, type, src } = members;
  // What is not marked to stand alone goes with its parent: `is_proxy` with `src`, region and city with `location`.
  const { is_proxy, location } = (src ?? {}) as { is_proxy?: JsonValue; location?: JsonObject };
  const { region, city } = location ?? {};
  const source =
    src === undefined ? {} : { src: { is_proxy: is_proxy!, location: { region: region!, city: city! } } };
  for (const alg of ALGS) {
    const whole = await event.statement(alg);
    const keep = (paths: readonly string[]): string =>
      presentSdJwt(whole, (path) => paths.includes(path.join('.')));
    const add = (which: string, sdJwt: string, claims: JsonObject): void => {
      shown.push({ what: `${what}, ${alg}, ${which}`, alg, sdJwt, claims });
    };
    add('whole', whole, { ...open, ...members });
    add('nothing shown', keep([]), open);
    add('type, outcome and location', keep(CHOSEN), { ...open, type: type!, outcome: outcome!, ...source });
    if (src === undefined) continue;
    assert.equal(parseSdJwt(keep(THREE)).disclosures.length, 3);
    add('three disclosures', keep(THREE), { ...open, outcome: outcome!, ...source });
  }
}

function keyOf(sdJwt: string): Ed25519Jwk {
  const { kid } = parseSdJwt(sdJwt).header;
  return (
    jwks.keys.find((key) => key.kid === kid) ?? assert.fail('the key of a statement is not in the JWK Set')
  );
}

function coreOf(sdJwt: string): SDJwtInstance<JsonObject> {
  const { publicKey } = parseJwk({ ...keyOf(sdJwt) });
  return new SDJwtInstance({
    hasher: (data) =>
      new Uint8Array(
        createHash('sha256')
          .update(typeof data === 'string' ? data : new Uint8Array(data))
          .digest(),
      ),
    hashAlg: 'sha-256',
    verifier: (data, signature) =>
      nodeEd25519.verify(publicKey, encodeUtf8(data), Buffer.from(signature, 'base64url')),
  });
}

describe('statements of a vault', () => {
  test('are tried whole, in part and without anything shown, under both names of the algorithm', () => {
    assert.equal(shown.length, ALGS.length * (4 + 4 + 3));
    const disclosed = shown.map(({ sdJwt }) => parseSdJwt(sdJwt).disclosures.length);
    assert.ok(Math.max(...disclosed) >= 28 && Math.min(...disclosed) === 0);
    assert.equal(shown.filter(({ claims }) => 'cnf' in claims).length, ALGS.length * 4);
  });

  test('@sd-jwt/core shows exactly the claims of the event', async () => {
    for (const { what, alg, sdJwt, claims } of shown) {
      const { payload, header } = await coreOf(sdJwt).verify(sdJwt);
      assert.deepEqual(payload, claims, what);
      assert.deepEqual(header, { alg, kid: keyOf(sdJwt).kid, typ: 'stepup-event+sd-jwt' }, what);
    }
  });

  test('@sd-jwt/core presents what we present', async () => {
    const { sdJwt, claims } = shown[0]!;
    const presented = await coreOf(sdJwt).present(sdJwt, {
      type: true,
      outcome: true,
      src: { location: true },
    });
    const ours = presentSdJwt(sdJwt, (path) => CHOSEN.includes(path.join('.')));
    assert.deepEqual(presented.split('~').sort(), ours.split('~').sort());
    assert.ok('subject' in claims);
    const { payload } = await coreOf(ours).verify(ours);
    assert.deepEqual(Object.keys(payload as object).sort(), [
      'iat',
      'iss',
      'jti',
      'log',
      'outcome',
      'schema',
      'src',
      'type',
    ]);
  });

  test('jose finds the key in the JWK Set and verifies the signature', async () => {
    const keys = createLocalJWKSet({ keys: jwks.keys.map((key) => ({ ...key })) });
    for (const { what, alg, sdJwt } of shown) {
      const [jwt = ''] = sdJwt.split('~');
      const { payload, protectedHeader } = await compactVerify(
        jwt,
        await importJWK({ ...keyOf(sdJwt) }, alg),
      );
      assert.deepEqual(JSON.parse(Buffer.from(payload).toString()), parseSdJwt(sdJwt).payload, what);
      assert.equal(protectedHeader.alg, alg);
      await compactVerify(jwt, keys);
    }
  });

  test('jose takes the holder that a statement names as a key', async () => {
    const { cnf } = shown.find(({ claims }) => 'cnf' in claims)!.claims;
    const { jwk } = cnf as { jwk: JsonObject };
    const key = await importJWK({ ...jwk } as { kty: string }, 'ES256');
    assert.ok(!(key instanceof Uint8Array) && key.type === 'public');
  });

  test('@sd-jwt/core shows nothing that is false', async () => {
    assert.deepEqual([refused.length, unproven.length], [2, 3]);
    for (const { what, sdJwt } of refused) await assert.rejects(coreOf(sdJwt).verify(sdJwt), what);
    for (const { what, sdJwt, claims } of unproven) {
      const result = await coreOf(sdJwt)
        .verify(sdJwt)
        .catch(() => undefined);
      if (result) assert.deepEqual(result.payload, claims, what);
    }
  });
});

test('the reference implementation in Python', { skip: await whyNoPython() }, async (t) => {
  const results = await checkByPython(
    [...shown, ...refused, ...unproven].map(({ sdJwt }) => ({
      sdJwt,
      jwk: { ...keyOf(sdJwt) } as JsonObject,
    })),
  );
  assert.equal(results.length, shown.length + refused.length + unproven.length);
  await t.test('shows exactly the claims of the event', () => {
    for (const [i, { what, claims }] of shown.entries()) assert.deepEqual(results[i], { claims }, what);
  });
  await t.test('shows nothing that is false', () => {
    for (const [i, { what }] of refused.entries()) assert.ok('error' in results[shown.length + i]!, what);
    for (const [i, { what, claims }] of unproven.entries()) {
      const result = results[shown.length + refused.length + i]!;
      if (!('error' in result)) assert.deepEqual(result, { claims }, what);
    }
  });
});
