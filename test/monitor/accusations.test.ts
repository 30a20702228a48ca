import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accusationOf, Accusations, MAX_BUNDLES_OF_ACCUSED } from '../../src/monitor/accusations.ts';
import type { VerifiedEvidence } from '../../src/client/verify-evidence.ts';

function found(
  kind: VerifiedEvidence['kind'],
  keys: readonly string[],
  sizes: readonly [number, number],
): VerifiedEvidence {
  const [one, other] = sizes.map((size) => new Uint8Array(32).fill(size));
  return { kind, keys, sizes, roots: [one!, other!], origin: 'o', timesS: [undefined, undefined], words: [] };
}

test('what was accused of is known, in whatever order its keys are, and by some of its keys', () => {
  const accusations = new Accusations();
  assert.equal(accusations.stateOf(found('rollback', ['a', 'b'], [9, 8])), 'new');
  accusations.add(found('rollback', ['a', 'b'], [9, 8]));
  for (const keys of [['a', 'b'], ['b', 'a'], ['a'], ['b']]) {
    assert.equal(accusations.stateOf(found('rollback', keys, [9, 8])), 'known', keys.join());
  }
  assert.equal(accusations.stateOf(found('rollback', ['a', 'c'], [9, 8])), 'new', 'c is not accused yet');
  assert.equal(accusations.stateOf(found('fork', ['a', 'b'], [9, 8])), 'new');
  assert.equal(accusations.stateOf(found('rollback', ['a', 'b'], [9, 7])), 'new');
  assert.equal(
    accusationOf(found('rollback', ['a', 'b'], [9, 8])),
    accusationOf(found('rollback', ['b', 'a'], [9, 8])),
  );
});

test('each key has its own room, and whoever is accused beside it takes none of it', () => {
  const accusations = new Accusations();
  const add = (keys: readonly string[], n: number): string => {
    const verified = found('rollback', keys, [100 + n, n]);
    const state = accusations.stateOf(verified);
    if (state === 'new') accusations.add(verified);
    return state;
  };
  for (let n = 0; n < MAX_BUNDLES_OF_ACCUSED; n++) assert.equal(add(['a'], n), 'new');
  assert.equal(add(['a'], 50), 'full');
  assert.equal(add(['a', 'b'], 50), 'new', 'b is accused of nothing yet');
  assert.equal(add(['a', 'b'], 0), 'new');
  assert.equal(add(['a'], 51), 'full');
  for (let n = 1; n < MAX_BUNDLES_OF_ACCUSED - 1; n++) assert.equal(add(['b'], n), 'new');
  assert.equal(add(['b'], 52), 'full');
  assert.equal(add(['a', 'b'], 53), 'full');
});

test('however many keys are accused together, what is kept is bounded by their number', () => {
  const accusations = new Accusations();
  const keys = ['a', 'b', 'c', 'd'];
  let kept = 0;
  for (let round = 0; round < 40; round++) {
    for (let set = 1; set < 16; set++) {
      const accused = keys.filter((_, i) => set & (1 << i));
      const verified = found('rollback', accused, [round * 16 + set, round]);
      if (accusations.stateOf(verified) !== 'new') continue;
      accusations.add(verified);
      kept += 1;
    }
  }
  assert.ok(kept >= MAX_BUNDLES_OF_ACCUSED && kept <= MAX_BUNDLES_OF_ACCUSED * keys.length, String(kept));
});
