/** Which level verified lines reach, under which policy: by key, by time, and never by what a line is named. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { assertLevel, assertReachable, levelOf } from '../../src/client/level.ts';
import { formatTimestampedSignature } from '../../src/formats/cosignature.ts';
import type { NoteSignature } from '../../src/formats/note.ts';
import { isQuorumMet, parsePolicy, type Policy } from '../../src/formats/tlog-policy.ts';
import { formatVkey, KEY_TYPE, newVkey, type Vkey } from '../../src/formats/vkey.ts';
import { SLOW } from '../support/slow.ts';

const ORIGIN = 'log.example/bank';
const own = newVkey(ORIGIN, KEY_TYPE.ed25519, new Uint8Array(32).fill(99));
const NAMES = ['A', 'B', 'C', 'D'] as const;

/** Those of A and B share a name; D's is of ML-DSA-44. */
const keys: Record<(typeof NAMES)[number], Vkey> = {
  A: newVkey('witness.example', KEY_TYPE.cosignatureEd25519, new Uint8Array(32).fill(1)),
  B: newVkey('witness.example', KEY_TYPE.cosignatureEd25519, new Uint8Array(32).fill(2)),
  C: newVkey('c.example', KEY_TYPE.cosignatureEd25519, new Uint8Array(32).fill(3)),
  D: newVkey('d.example', KEY_TYPE.mldsa44, new Uint8Array(1312).fill(4)),
};

function policyOf(...lines: string[]): Policy {
  const witnesses = NAMES.map((name) => `witness ${name} ${formatVkey(keys[name])}`);
  return parsePolicy(
    Buffer.from([`log ${formatVkey(own)}`, ...witnesses, ...lines].map((line) => `${line}\n`).join('')),
  );
}

function lineOf({ name, keyId, type }: Vkey, timestampS: number): NoteSignature {
  const length = type === KEY_TYPE.mldsa44 ? 2420 : 64;
  return { name, keyId, signature: formatTimestampedSignature(timestampS, new Uint8Array(length)) };
}

const ownLine: NoteSignature = { name: ORIGIN, keyId: own.keyId, signature: new Uint8Array(64) };
const twoOfThree = policyOf('group G 2 A B C', 'quorum G');

describe('levelOf', () => {
  test('the log’s line alone is signed', () => {
    assert.deepEqual(levelOf(twoOfThree, [ownLine], ORIGIN), {
      level: 'signed',
      cosigners: [],
      have: 0,
      need: 2,
    });
  });

  test('one line of two is not enough, two are, and the time is that of the second', () => {
    const one = levelOf(twoOfThree, [ownLine, lineOf(keys.C, 50)], ORIGIN);
    assert.deepEqual(one, { level: 'signed', cosigners: ['c.example'], have: 1, need: 2 });
    const two = levelOf(twoOfThree, [ownLine, lineOf(keys.C, 50), lineOf(keys.A, 20)], ORIGIN);
    assert.deepEqual(two, {
      level: 'witnessed',
      cosigners: ['c.example', 'witness.example'],
      have: 2,
      need: 2,
      witnessedTimeS: 50,
    });
  });

  test('a late line does not make the checkpoint younger, and more than enough is enough', () => {
    const lines = [lineOf(keys.A, 30), lineOf(keys.B, 10), lineOf(keys.C, 2 ** 53 - 1)];
    const found = levelOf(twoOfThree, [ownLine, ...lines], ORIGIN);
    assert.equal(found.witnessedTimeS, 30);
    assert.equal(found.have, 2);
    assert.deepEqual(
      found.cosigners,
      ['witness.example', 'c.example'],
      'a name once, though two keys have it',
    );
  });

  test('one line twice counts once', () => {
    const found = levelOf(twoOfThree, [ownLine, lineOf(keys.A, 30), lineOf(keys.A, 31)], ORIGIN);
    assert.equal(found.level, 'signed');
    assert.equal(found.have, 1);
  });

  test('a line counts for the key that made it: two witnesses may have one name', () => {
    const [a, b] = [lineOf(keys.A, 1), lineOf(keys.B, 2)];
    assert.equal(levelOf(twoOfThree, [ownLine, a, b], ORIGIN).level, 'witnessed');
    assert.equal(levelOf(policyOf('quorum A'), [ownLine, b], ORIGIN).level, 'signed');
    assert.equal(levelOf(policyOf('quorum A'), [ownLine, a], ORIGIN).level, 'witnessed');
    const stranger = { ...a, keyId: keys.A.keyId ^ 1 };
    assert.deepEqual(levelOf(twoOfThree, [ownLine, stranger], ORIGIN).cosigners, []);
  });

  test('the log’s own lines count for nothing, whatever the policy takes for a witness', () => {
    const policy: Policy = {
      ...policyOf('quorum A'),
      witnesses: [{ name: 'A', vkey: { ...keys.A, name: ORIGIN } }],
    };
    const line = { ...lineOf(keys.A, 7), name: ORIGIN };
    assert.deepEqual(levelOf(policy, [line], ORIGIN), { level: 'signed', cosigners: [], have: 0, need: 1 });
  });

  test('with a quorum of none nothing is witnessed, and nothing is needed', () => {
    const found = levelOf(policyOf('quorum none'), [ownLine, lineOf(keys.A, 5)], ORIGIN);
    assert.deepEqual(found, { level: 'signed', cosigners: ['witness.example'], have: 0, need: 0 });
  });

  test('witnesses that do not help are not counted as had', () => {
    const both = policyOf('group G all A B', 'group H all G C', 'quorum H');
    assert.equal(levelOf(both, [lineOf(keys.A, 1), lineOf(keys.D, 1)], ORIGIN).have, 1);
    const sides = policyOf('group G 2 A B C', 'group H all G D', 'quorum H');
    const found = levelOf(sides, [lineOf(keys.A, 1), lineOf(keys.B, 1), lineOf(keys.C, 1)], ORIGIN);
    assert.deepEqual([found.level, found.have, found.need], ['signed', 2, 3]);
  });

  test('the time is the first at which the lines so far meet the quorum', () => {
    const policies = [
      twoOfThree,
      policyOf('group G any A B', 'group H all G C D', 'quorum H'),
      policyOf('group G 3 A B C D', 'quorum G'),
      policyOf('quorum D'),
    ];
    const times = fc.array(fc.option(fc.integer({ min: 1, max: 5 })), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...policies), times, (policy, timesS) => {
        const signed = NAMES.flatMap((name, i) => {
          const timeS = timesS[i];
          return timeS === null || timeS === undefined ? [] : [{ name, timeS }];
        });
        const found = levelOf(
          policy,
          [ownLine, ...signed.map(({ name, timeS }) => lineOf(keys[name], timeS))],
          ORIGIN,
        );
        const earliest = [1, 2, 3, 4, 5].find((untilS) =>
          isQuorumMet(policy, new Set(signed.filter(({ timeS }) => timeS <= untilS).map(({ name }) => name))),
        );
        assert.equal(found.witnessedTimeS, earliest);
        assert.equal(found.level, earliest === undefined ? 'signed' : 'witnessed');
        assert.equal(found.have === found.need, earliest !== undefined);
        assert.ok(found.have >= 0 && found.have <= found.need);
      }),
      { numRuns: SLOW ? 5000 : 300 },
    );
  });
});

test('a level that is not there is refused, by whether it ever can be', () => {
  const none = policyOf('quorum none');
  const signed = levelOf(twoOfThree, [ownLine, lineOf(keys.A, 1)], ORIGIN);
  assert.doesNotThrow(() => assertLevel(none, levelOf(none, [ownLine], ORIGIN), 'signed'));
  assert.throws(() => assertLevel(none, levelOf(none, [ownLine], ORIGIN), 'witnessed'), {
    code: 'no_witnesses',
  });
  assert.throws(() => assertReachable(none, 'witnessed'), { code: 'no_witnesses' });
  assert.doesNotThrow(() => assertReachable(twoOfThree, 'witnessed'));
  assert.throws(() => assertLevel(twoOfThree, signed, 'witnessed'), {
    code: 'level_not_met',
    message: '1 of 2 witnesses have signed',
  });
  const witnessed = levelOf(twoOfThree, [lineOf(keys.A, 1), lineOf(keys.B, 1)], ORIGIN);
  assert.doesNotThrow(() => assertLevel(twoOfThree, witnessed, 'witnessed'));
});
