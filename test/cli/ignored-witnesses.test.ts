import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ignoredWitnesses } from '../../src/cli/ignored-witnesses.ts';
import type { ReadPolicy } from '../../src/cli/policies.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parsePolicy } from '../../src/formats/tlog-policy.ts';
import { policyText } from '../support/witnessed-receipt.ts';

function read(text: string): ReadPolicy {
  return { text, policy: parsePolicy(encodeUtf8(text)) };
}

const fast = read(policyText('group pair 2 a b\ngroup all all pair c\nquorum all\n'));
const open = read(policyText('group world any d pq\nquorum world\n', ['d', 'pq']));
const policies = {
  fast,
  public: open,
  witnesses: [...fast.policy.witnesses, ...open.policy.witnesses],
};

test('a name of a policy, a group with the groups in it, and a key name: all the witnesses behind them', () => {
  for (const [names, ignored] of [
    [[], []],
    [['a'], ['a']],
    [['pair'], ['a', 'b']],
    [['all'], ['a', 'b', 'c']],
    [['world'], ['d', 'pq']],
    [['witness.example/c'], ['c']],
    [
      ['pair', 'b', 'witness.example/pq'],
      ['a', 'b', 'pq'],
    ],
  ] as const)
    assert.deepEqual([...ignoredWitnesses(policies, names)], ignored, names.join(' '));
});

test('a name that is in neither is refused, with those that there are', () => {
  for (const names of [['e'], ['a', 'witness.example/e'], ['none'], ['']]) {
    assert.throws(() => ignoredWitnesses(policies, names), {
      code: 'usage',
      message:
        '--ignore-witness names a witness that is in no policy of this log: there are pair, all, a, witness.example/a, ' +
        'b, witness.example/b, c, witness.example/c, world, d, witness.example/d, pq, witness.example/pq',
    });
  }
  const none = read(policyText('quorum none\n', []));
  assert.throws(() => ignoredWitnesses({ fast: none, public: undefined, witnesses: [] }, ['a']), {
    message: /in no policy of this log: there is none$/,
  });
});
