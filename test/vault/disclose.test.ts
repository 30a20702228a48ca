/** Presentations of a vault: exactly the chosen disclosures, in a statement that its leaf commits to. */

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import { openPresentation } from '../../src/client/presentation.ts';
import type { Trust } from '../../src/client/trust.ts';
import { chooseClaims, CLAIM_PATHS, PRESETS } from '../../src/event/claims.ts';
import { commitmentOf, formatEventLeaf } from '../../src/event/leaf.ts';
import { isJsonObject, type JsonObject } from '../../src/formats/json.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { processPayload } from '../../src/formats/sd-jwt-verify.ts';
import { parseSdJwt } from '../../src/formats/sd-jwt.ts';
import { trustOfVault } from '../support/vault-trust.ts';
import { exampleEvents, openTestVault, TEST_ISSUER, type TestVault } from '../support/test-vault.ts';
import type { StoredEvent } from '../../src/vault/vault.ts';

const PRESENTED_TO = { audience: 'auditor.example', nonce: 'n-1', iat: 1795176060 };

function claimsOf(statement: string): { claims: JsonObject; paths: string[] } {
  const paths: string[] = [];
  const claims = processPayload(parseSdJwt(statement), (_, path) => void paths.push(path.join('.')));
  return { claims, paths: paths.sort() };
}

/** Whether an event has a member at a path. */
function has(event: JsonObject, path: string): boolean {
  let value: unknown = event;
  for (const name of path.split('.')) {
    if (!isJsonObject(value as JsonObject) || !Object.hasOwn(value as JsonObject, name)) return false;
    value = (value as JsonObject)[name];
  }
  return true;
}

describe('a presentation', () => {
  let vaulted: TestVault;
  let stored: StoredEvent;
  let trust: Trust;
  const full = exampleEvents('full.json')[0] as JsonObject;
  before(async () => {
    vaulted = await openTestVault();
    stored = (await vaulted.submit(full)).event;
    trust = trustOfVault(vaulted);
  });

  test('shows the disclosures of each choice that the event has, and no others', async () => {
    const choices = [
      ...Object.keys(PRESETS).map((preset) => ({ preset })),
      ...CLAIM_PATHS.map((path) => ({ claims: [path] })),
      { claims: ['*'] },
    ];
    const whole = await stored.statement('Ed25519');
    for (const choice of choices) {
      const chosen = chooseClaims(choice);
      const { statement } = await stored.present((path) => chosen.isShown(path), PRESENTED_TO);
      const { paths } = claimsOf(statement);
      assert.deepEqual(
        paths,
        chosen.claims.filter((path) => has(full, path)),
        JSON.stringify(choice),
      );
      assert.equal(
        statement,
        presentSdJwt(whole, (path) => chosen.isShown(path.map(String))),
      );
    }
  });

  test('brings what a disclosure stands in, although nobody chose that', async () => {
    const { statement } = await stored.present(
      (path) => path.join('.') === 'src.location.country',
      PRESENTED_TO,
    );
    assert.deepEqual(claimsOf(statement).paths, ['src', 'src.location', 'src.location.country']);
  });

  test('of nothing is a statement without disclosures', async () => {
    const { statement } = await stored.present(() => false, PRESENTED_TO);
    assert.match(statement, /^[^~]+~$/);
    assert.deepEqual(Object.keys(claimsOf(statement).claims), ['iss', 'log', 'iat', 'jti', 'schema']);
  });

  test('is of the leaf of its event', async () => {
    const { statement } = await stored.present(() => true, PRESENTED_TO);
    const { encodedPayload } = parseSdJwt(statement);
    assert.deepEqual(formatEventLeaf(commitmentOf(encodedPayload)), stored.leaf);
  });

  test('has a JWT beside it that other libraries verify', async () => {
    const { statement, presentation } = await stored.present((path) => path[0] === 'type', PRESENTED_TO);
    const [jwk] = vaulted.vault.jwks.keys;
    const { payload } = await jwtVerify(presentation, await importJWK({ ...jwk! }, 'Ed25519'), {
      audience: 'auditor.example',
      issuer: TEST_ISSUER,
      typ: 'newel-presentation+jwt',
    });
    const sdHash = createHash('sha256').update(statement, 'ascii').digest('base64url');
    assert.deepEqual(payload, {
      iss: TEST_ISSUER,
      iat: 1795176060,
      aud: 'auditor.example',
      nonce: 'n-1',
      sd_hash: sdHash,
    });
    assert.deepEqual(decodeProtectedHeader(presentation), {
      alg: 'Ed25519',
      kid: jwk!.kid,
      typ: 'newel-presentation+jwt',
    });
    assert.deepEqual(openPresentation(presentation, statement, trust), {
      audience: 'auditor.example',
      nonce: 'n-1',
      issuedTimeS: 1795176060,
      kid: jwk!.kid,
    });
  });

  test('of an event that is read back is the same', async () => {
    const found = await vaulted.vault.find(stored.eventId);
    const isShown = (path: readonly string[]): boolean => path[0] === 'outcome';
    assert.deepEqual(
      await found!.present(isShown, PRESENTED_TO),
      await stored.present(isShown, PRESENTED_TO),
    );
  });

  test('of an event with a holder names its key, and says for whom all the same', async () => {
    const { x, y } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
    const holder = { kty: 'EC', crv: 'P-256', x: x!, y: y! };
    const { event } = await vaulted.submit({ ...full, id: 'held', holder });
    const { statement, presentation } = await event.present(() => false, PRESENTED_TO);
    assert.deepEqual(claimsOf(statement).claims['cnf'], { jwk: holder });
    assert.equal(openPresentation(presentation, statement, trust).audience, 'auditor.example');
  });
});
