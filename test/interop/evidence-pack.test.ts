/**
 * Evidence packs of the preset `auditor`, of the full example and of the whole wire transfer, in the hands of others: an
 * SD-JWT library, a JWT library and, in Python, the reference implementation of SD-JWT read them; and nothing that the
 * preset leaves out is in any file, in whatever spelling.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { SDJwtInstance } from '@sd-jwt/core';
import { importJWK, jwtVerify } from 'jose';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { namesOfEvent } from '../../src/client/evidence-manifest.ts';
import { checkPack } from '../../src/client/evidence-pack.ts';
import { chooseClaims } from '../../src/event/claims.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/formats/json.ts';
import { type Ed25519Jwk, parseJwk } from '../../src/formats/jwk.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { type Canary, canaryEvent, CanaryMaker } from '../support/canary-events.ts';
import { CanaryScanner } from '../support/canary-scanner.ts';
import { AUDIENCE, makeMemoryPack, type MemoryPack, NONCE } from '../support/evidence.ts';
import { exampleEvents, TEST_SOURCES } from '../support/test-vault.ts';
import { checkByPython, whyNoPython } from './python-program.ts';

const EVENTS = ['full.json', 'wire-transfer.ndjson'].flatMap(exampleEvents) as JsonObject[];
const CHOSEN = chooseClaims({ preset: 'auditor' });
const SHOWN = new Set([...CHOSEN.claims, ...CHOSEN.travelsAlong]);

const NO_PYTHON = await whyNoPython();

let pack: MemoryPack;
before(async () => {
  pack = await makeMemoryPack(EVENTS);
});

const textIn = (name: string): string => decodeUtf8(pack.files.get(name)!);

/** What the preset shows of an event, made without the code under test. */
function auditorView(event: JsonObject): JsonObject {
  const show = (object: JsonObject, prefix: string): JsonObject =>
    Object.fromEntries(
      Object.entries(object).flatMap(([name, value]): [string, JsonValue][] => {
        const path = `${prefix}${name}`;
        if (!SHOWN.has(path)) return [];
        return [[name, isJsonObject(value) ? show(value, `${path}.`) : value]];
      }),
    );
  return show(event, '');
}

/** Leaves of an event that the preset does not show, with their paths. */
function withheld(value: JsonValue, path = ''): [path: string, text: string][] {
  if (isJsonObject(value)) {
    return Object.entries(value).flatMap(([name, inner]) =>
      withheld(inner, path === '' ? name : `${path}.${name}`),
    );
  }
  if (Array.isArray(value)) return value.flatMap((item) => withheld(item, path));
  return path === 'schema' || SHOWN.has(path) ? [] : [[path, String(value)]];
}

/** A text as it could stand in a file: itself, in hex, its hash, and all of these in base64 wherever they begin in it. */
function* spellingsOf(text: string): Generator<string> {
  const bytes = Buffer.from(text);
  yield text;
  yield JSON.stringify(text).slice(1, -1);
  yield bytes.toString('hex');
  for (const part of [bytes, createHash('sha256').update(bytes).digest()]) {
    if (part !== bytes) yield part.toString('hex');
    for (let before_ = 0; before_ < 3; before_++) {
      const padded = Buffer.concat([Buffer.alloc(before_), part]);
      const [first, last] = [Math.ceil((8 * before_) / 6), Math.floor((8 * (before_ + part.length)) / 6)];
      yield padded.toString('base64').slice(first, last);
      yield padded.toString('base64url').slice(first, last);
    }
  }
}

function presented(i: number): { statement: string; presentation: string } {
  const names = namesOfEvent(pack.eventIds[i]!);
  return { statement: textIn(names.statement), presentation: textIn(names.presentation) };
}

function openOf(i: number): JsonObject {
  return {
    iss: 'https://log.example/test',
    log: 'log.example/test',
    jti: pack.eventIds[i]!,
    schema: 'stepup/1',
  };
}

function keyOf(): Ed25519Jwk {
  const { keys } = pack.trust['jwks'] as unknown as { keys: Ed25519Jwk[] };
  assert.equal(keys.length, 1);
  return keys[0]!;
}

describe('a pack of the full example and the wire transfer', () => {
  test('holds, and shows of each event exactly what the preset says', () => {
    const report = checkPack(pack.files, {
      trust: pack.trust,
      ed25519: nodeEd25519,
      nowMs: pack.nowMs,
      audience: AUDIENCE,
      nonce: NONCE,
    });
    assert.equal(report.ok, true, String(report.error));
    assert.equal(report.events.length, EVENTS.length);
    for (const [i, { report: found }] of report.events.entries()) {
      assert.deepEqual(found.event, { schema: 'stepup/1', ...auditorView(EVENTS[i]!) });
    }
    assert.ok('transaction_data_hash' in (report.events[0]!.report.event!['action'] as JsonObject));
  });

  test('@sd-jwt/core shows exactly these claims, and jose the audience', async () => {
    const key = keyOf();
    const { publicKey } = parseJwk({ ...key });
    const core = new SDJwtInstance<JsonObject>({
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
    for (const [i, event] of EVENTS.entries()) {
      const { statement, presentation } = presented(i);
      const { payload } = await core.verify(statement);
      const { iat, ...claims } = payload as JsonObject;
      assert.equal(typeof iat, 'number');
      assert.deepEqual(claims, { ...openOf(i), ...auditorView(event) });
      const said = await jwtVerify(presentation, await importJWK({ ...key }, 'Ed25519'), {
        audience: AUDIENCE,
        issuer: 'https://log.example/test',
        typ: 'newel-presentation+jwt',
      });
      assert.equal(said.payload['nonce'], NONCE);
      assert.equal(said.payload['sd_hash'], createHash('sha256').update(statement).digest('base64url'));
    }
  });

  test('the reference implementation in Python shows them too', { skip: NO_PYTHON }, async () => {
    const jwk = { ...keyOf() } as unknown as JsonObject;
    const results = await checkByPython(EVENTS.map((_, i) => ({ sdJwt: presented(i).statement, jwk })));
    for (const [i, result] of results.entries()) {
      assert.ok('claims' in result, JSON.stringify(result));
      const { iat: _iat, ...claims } = result.claims;
      assert.deepEqual(claims, { ...openOf(i), ...auditorView(EVENTS[i]!) });
    }
  });

  test('has nothing that the preset leaves out in any file, in no spelling', () => {
    const found = EVENTS.flatMap((event) => withheld(event));
    const paths = new Set(found.map(([path]) => path));
    for (const path of [
      'src.ip',
      'subject.sub_id.sub',
      'device.fingerprint',
      'device.user_agent',
      'session.uid',
      'txn',
      'id',
      'source',
    ]) {
      assert.ok(paths.has(path), path);
    }
    const shown = JSON.stringify(EVENTS.map(auditorView));
    // What is so short, or is shown in another place too, stands in any file.
    const secret = new Set(
      found.flatMap(([, text]) => (text.length >= 6 && !shown.includes(text) ? [text] : [])),
    );
    for (const text of ['192.0.2.10', 'u-8841']) assert.ok(secret.has(text), text);
    assert.ok(secret.size > 20, `${secret.size} are looked for`);
    for (const [name, bytes] of pack.files) {
      const file = Buffer.from(bytes).toString('latin1');
      for (const text of secret) {
        // Words of the program itself, in the page.
        if (name === 'verify.html' && /^[a-z_]+$/.test(text)) continue;
        for (const spelling of spellingsOf(text)) {
          assert.ok(
            !file.includes(Buffer.from(spelling).toString('latin1')),
            `${text} is in ${name} as ${spelling}`,
          );
        }
      }
    }
  });

  test('of events with a canary in every member shows those of the preset, and no other', async () => {
    const maker = new CanaryMaker(20_261_121);
    const source: Canary = { place: 'source', value: TEST_SOURCES[1]!, random: TEST_SOURCES[1]! };
    const made = (['stepup.completed', 'action.executed', 'stepup.required'] as const).map((type) => {
      const { event, canaries } = canaryEvent(maker, { type, isWhole: true, source });
      // Its key is open in every statement.
      const { holder: _holder, ...rest } = event;
      return { event: rest, canaries: canaries.filter(({ place }) => place !== 'stepup/1 holder') };
    });
    const { files } = await makeMemoryPack(made.map(({ event }) => event));
    const canaries = made.flatMap(({ event, canaries: own }) =>
      own.filter(({ random }) => JSON.stringify(event).includes(random)),
    );
    const isShown = ({ place }: Canary): boolean => SHOWN.has(place.split(' ')[1] ?? '');
    const scanner = new CanaryScanner(canaries);
    const seen = new Set<Canary>();
    for (const [name, bytes] of files) {
      for (const { canary, spelling } of scanner.find(bytes)) {
        assert.ok(isShown(canary), `${canary.place} is in ${name} as ${spelling}`);
        seen.add(canary);
      }
    }
    assert.deepEqual(
      canaries.filter((canary) => isShown(canary) && !seen.has(canary)).map(({ place }) => place),
      [],
    );
    assert.ok(canaries.filter((canary) => !isShown(canary)).length > 60);
  });
});
