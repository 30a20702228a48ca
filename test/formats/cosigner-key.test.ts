import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NewelError } from '../../src/errors.ts';
import { formatCosignerKey, newCosignerKey, parseCosignerKey } from '../../src/formats/cosigner-key.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { formatSkey, KEY_TYPE } from '../../src/formats/vkey.ts';

const ARITHMETIC = { mldsa44: nobleMldsa44 };
const NAME = 'witness.example/w1';
const TYPES = [KEY_TYPE.cosignatureEd25519, KEY_TYPE.mldsa44];

test('a key is read back as it was formatted, and not with any character changed', () => {
  const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const change = fc.tuple(fc.nat(), fc.constantFrom('A', '+', '0', 'f', ' ', '\n', '='));
  fc.assert(
    fc.property(seeds, fc.constantFrom(...TYPES), change, (seed, type, [at, char]) => {
      const key = newCosignerKey({ name: NAME, type, seed }, ARITHMETIC);
      const text = formatCosignerKey(key);
      assert.deepEqual(parseCosignerKey(text, ARITHMETIC), key);
      const i = at % text.length;
      const changed = text.slice(0, i) + char + text.slice(i + 1);
      if (changed !== text) assert.throws(() => parseCosignerKey(changed, ARITHMETIC), isMalformed);
    }),
    { numRuns: process.env['SLOW'] ? 300 : 30 },
  );
});

const isMalformed = (error: unknown): boolean => error instanceof NewelError && error.code === 'malformed';

test('a key of a log, other lengths and names are refused, and nothing of the secret is told', () => {
  const seed = new Uint8Array(32).fill(0xa7);
  const good = formatCosignerKey(newCosignerKey({ name: NAME, type: KEY_TYPE.mldsa44, seed }, ARITHMETIC));
  const secret = good.slice(-44);
  for (const text of [
    formatSkey({ name: NAME, seed }),
    good.slice(0, -4),
    `${good}AAAA`,
    good.replace(NAME, 'witness.example/w2'),
    good.replace(NAME, 'a b'),
    good.replace('PRIVATE', 'PUBLIC'),
    '',
  ]) {
    assert.throws(
      () => parseCosignerKey(text, ARITHMETIC),
      (error) => isMalformed(error) && !String(error).includes(secret.slice(4, 20)),
    );
  }
  assert.throws(() => newCosignerKey({ name: NAME, type: 1, seed }, ARITHMETIC), RangeError);
  assert.throws(() => newCosignerKey({ name: NAME, type: 4, seed: seed.slice(1) }, ARITHMETIC), RangeError);
});
