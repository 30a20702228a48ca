import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { type Ed25519, isAcceptableKey, nobleEd25519 } from '../../src/formats/ed25519.ts';
import { SLOW } from '../support/slow.ts';
import { readVectors } from '../support/vectors.ts';
import { fromHex, readCases, runCases, toHex } from './cases.ts';

const numRuns = SLOW ? 500 : 20;
const implementations: readonly [string, Ed25519][] = [
  ['noble', nobleEd25519],
  ['node:crypto', nodeEd25519],
];

runCases<{ publicKey: string }>('ed25519/keys.json', ({ publicKey }) => isAcceptableKey(fromHex(publicKey)));

runCases<{ seed: string; message: string }>('ed25519/sign.json', ({ seed, message }) => {
  const [noble, node] = implementations.map(([, ed25519]) => ({
    publicKey: toHex(ed25519.publicKey(fromHex(seed))),
    signature: toHex(ed25519.sign(fromHex(seed), fromHex(message))),
  }));
  assert.deepEqual(node, noble);
  return noble;
});

interface Signed {
  readonly publicKey: string;
  readonly message: string;
  readonly signature: string;
}

runCases<Signed>('ed25519/verify.json', ({ publicKey, message, signature }) => {
  const [noble, node] = implementations.map(([, ed25519]) =>
    ed25519.verify(fromHex(publicKey), fromHex(message), fromHex(signature)),
  );
  assert.equal(node, noble);
  return noble;
});

interface EdgeCase {
  readonly number: number;
  readonly key: string;
  readonly sig: string;
  readonly msg: string;
  readonly flags: readonly string[] | null;
}

/**
 * Of the C2SP/CCTV vectors each is a signature that the equation with the cofactor holds for. So the rule says false
 * exactly where an encoding is not canonical or the key is of small order; it says true where R is of small order,
 * where R or A has a component of small order, and where the equation without the cofactor would not hold.
 */
const REFUSED = new Set(['non_canonical_A', 'non_canonical_R', 'low_order_A']);
const ACCEPTED = new Set([
  'low_order_R',
  'low_order_component_A',
  'low_order_component_R',
  'low_order_residue',
  'reencoded_k',
]);

const shared = readVectors('shared', 'ed25519/ed25519vectors.json');

test('vectors: the 914 edge cases of C2SP/CCTV, flag by flag', { skip: shared.absent }, () => {
  const cases = shared.files()[0]!.json() as EdgeCase[];
  assert.equal(cases.length, 914);
  const accepted = new Map<string, number>();
  for (const { number, key, sig, msg, flags } of cases) {
    for (const flag of flags ?? [])
      assert.ok(REFUSED.has(flag) || ACCEPTED.has(flag), `unknown flag ${flag}`);
    const want = !(flags ?? []).some((flag) => REFUSED.has(flag));
    for (const [name, ed25519] of implementations) {
      const got = ed25519.verify(fromHex(key), Buffer.from(msg), fromHex(sig));
      assert.equal(got, want, `number ${number}, ${name}: ${(flags ?? []).join(', ')}`);
    }
    const badKey = (flags ?? []).some((flag) => flag === 'non_canonical_A' || flag === 'low_order_A');
    assert.equal(isAcceptableKey(fromHex(key)), !badKey, `number ${number}`);
    for (const flag of want ? (flags ?? ['none']) : []) accepted.set(flag, (accepted.get(flag) ?? 0) + 1);
    if (want) accepted.set('all', (accepted.get('all') ?? 0) + 1);
  }
  // Each kind that the rule admits is really there, so that a rule grown stricter is noticed as well.
  assert.equal(accepted.get('all'), 212);
  for (const flag of ['low_order_R', 'low_order_component_A', 'low_order_component_R', 'low_order_residue']) {
    assert.ok((accepted.get(flag) ?? 0) > 0, flag);
  }
});

test('both make the same keys and signatures, and verify each other’s', () => {
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(seed, fc.uint8Array({ maxLength: 300 }), (secret, message) => {
      const publicKey = nobleEd25519.publicKey(secret);
      const signature = nobleEd25519.sign(secret, message);
      assert.equal(toHex(nodeEd25519.publicKey(secret)), toHex(publicKey));
      assert.equal(toHex(nodeEd25519.sign(secret, message)), toHex(signature));
      assert.equal(publicKey.length, 32);
      assert.equal(signature.length, 64);
      for (const [name, ed25519] of implementations) {
        assert.ok(ed25519.verify(publicKey, message, signature), name);
        assert.ok(!ed25519.verify(publicKey, Uint8Array.of(...message, 0), signature), name);
      }
    }),
    { numRuns },
  );
});

test('both say false, and nothing else, to a signature with any bit changed', () => {
  const { publicKey, message, signature } = readCases<Signed>('ed25519/verify.json')[0]!;
  const bytes = fromHex(signature);
  for (let at = 0; at < bytes.length; at += SLOW ? 1 : 5) {
    const changed = bytes.with(at, bytes[at]! ^ 0x10);
    for (const [name, ed25519] of implementations) {
      assert.equal(
        ed25519.verify(fromHex(publicKey), fromHex(message), changed),
        false,
        `${name}, byte ${at}`,
      );
    }
  }
});

test('a wrong length is false to verify and a RangeError to sign with', () => {
  const key = new Uint8Array(31);
  for (const [name, ed25519] of implementations) {
    for (const length of [0, 31, 33, 64]) {
      assert.equal(ed25519.verify(new Uint8Array(length), key, new Uint8Array(64)), false, name);
    }
    for (const length of [0, 32, 63, 65, 128]) {
      assert.equal(
        ed25519.verify(ed25519.publicKey(new Uint8Array(32)), key, new Uint8Array(length)),
        false,
        name,
      );
    }
    assert.throws(() => ed25519.publicKey(key), RangeError, name);
    assert.throws(() => ed25519.sign(key, key), RangeError, name);
  }
});

test('answers stay right when more keys pass through than are kept ready', () => {
  const message = Buffer.from('newel');
  const seeds = Array.from({ length: 600 }, (_, i) => new Uint8Array(32).fill(i & 255).with(31, i >> 8));
  const keys = seeds.map((seed) => nodeEd25519.publicKey(seed));
  const signatures = seeds.map((seed) => nodeEd25519.sign(seed, message));
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < seeds.length; i++) assert.ok(nodeEd25519.verify(keys[i]!, message, signatures[i]!));
  }
  assert.equal(nodeEd25519.verify(keys[1]!, message, signatures[0]!), false);
  assert.equal(toHex(nodeEd25519.sign(seeds[0]!, message)), toHex(nobleEd25519.sign(seeds[0]!, message)));
});
