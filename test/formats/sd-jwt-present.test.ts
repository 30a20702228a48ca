import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { type ClaimPath, processPayload } from '../../src/formats/sd-jwt-verify.ts';
import { parseSdJwt } from '../../src/formats/sd-jwt.ts';
import { issueSdJwt } from '../support/sd-jwt-issuer.ts';
import { SLOW } from '../support/slow.ts';
import { hasCode, runCases } from './cases.ts';

const numRuns = SLOW ? 10_000 : 300;

const samePath = (a: ClaimPath, b: ClaimPath): boolean => JSON.stringify(a) === JSON.stringify(b);

runCases<{ sdJwt: string; keep: ClaimPath[] }>('sd-jwt/present.json', ({ sdJwt, keep }) =>
  presentSdJwt(sdJwt, (path) => keep.some((wanted) => samePath(wanted, path))),
);

const EVENT: JsonObject = {
  iss: 'https://log.example',
  type: 'stepup.completed',
  subject: { sub_id: { format: 'opaque', id: 'u-8841' }, actor_type: 'user' },
  challenge: {
    id: 'ch-1',
    methods: ['webauthn', 'totp', ['push', 'sms']],
    provider: { name: 'idp', region: 'eu' },
  },
  action: { resource: { type: 'account', id: 'acc-1' } },
};

/** What is left of claims when every hidden place is left out that no kept one needs: written down anew, as an oracle. */
function shown(value: JsonValue, path: ClaimPath, isHidden: Choice, isKept: Choice): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  const stays = (place: ClaimPath, member: JsonValue): boolean =>
    !isHidden(place) || placesOf(member, place).some((inner) => isHidden(inner) && isKept(inner));
  if (Array.isArray(value)) {
    return value
      .map((element, index) => ({ element, place: [...path, index] }))
      .filter(({ element, place }) => stays(place, element))
      .map(({ element, place }) => shown(element, place, isHidden, isKept));
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, member]) => stays([...path, name], member))
      .map(([name, member]) => [name, shown(member, [...path, name], isHidden, isKept)]),
  );
}

type Choice = (path: ClaimPath) => boolean;

/** The place of a value and those of all values in it. */
function placesOf(value: JsonValue, path: ClaimPath): ClaimPath[] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries: [string | number, JsonValue][] = Array.isArray(value)
    ? Array.from(value.entries())
    : Object.entries(value);
  return [path, ...entries.flatMap(([step, member]) => placesOf(member, [...path, step]))];
}

const anyChoice = fc.func(fc.boolean()).map(
  (choose): Choice =>
    (path) =>
      choose(JSON.stringify(path)),
);

test('any choice shows what was chosen, what it stands in, and nothing else', () => {
  fc.assert(
    fc.property(anyChoice, anyChoice, (isHidden, isKept) => {
      const text = issueSdJwt(EVENT, { isHidden });
      const presented = presentSdJwt(text, isKept);
      assert.deepEqual(processPayload(parseSdJwt(presented)), shown(EVENT, [], isHidden, isKept));
      const issued = text.split('~');
      const kept = new Set(presented.split('~'));
      assert.deepEqual(
        presented.split('~'),
        issued.filter((part) => kept.has(part)),
      );
      assert.equal(
        presentSdJwt(presented, () => true),
        presented,
      );
    }),
    { numRuns },
  );
});

test('is asked for each disclosure once', () => {
  const text = issueSdJwt(EVENT, { isHidden: () => true, decoys: 3 });
  const asked: string[] = [];
  presentSdJwt(text, (path) => {
    asked.push(JSON.stringify(path));
    return false;
  });
  const places = placesOf(EVENT, [])
    .slice(1)
    .map((path) => JSON.stringify(path));
  assert.deepEqual(asked.sort(), places.sort());
});

test('refuses what would not verify, and what is bound to a key', () => {
  const text = issueSdJwt(EVENT, { isHidden: ([first]) => first === 'type' });
  const [jwt, disclosure] = text.split('~');
  for (const wrong of [
    `${text}e30.e30.AA`,
    `${jwt}~${disclosure}~${disclosure}~`,
    `${jwt}~WyJzIiwiYSIsMV0~`,
    jwt!,
    '',
  ]) {
    assert.throws(() => presentSdJwt(wrong, () => true), hasCode('malformed'));
  }
});
