/** A policy in words, and each way in which one differs from another. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyChanges, quorumWords, vkeyChanges } from '../../src/cli/policy-words.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parsePolicy } from '../../src/formats/tlog-policy.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';
import { policyText, TWO_OF_THREE, WITNESSES, type WitnessName } from '../support/witnessed-receipt.ts';

const ALL: readonly WitnessName[] = ['a', 'b', 'c', 'd'];

test('a quorum in words', () => {
  for (const [rest, words] of [
    ['quorum none\n', 'none'],
    ['quorum a\n', 'a'],
    [TWO_OF_THREE, '2 of a, b, c'],
    ['group q any a b\nquorum q\n', 'any of a, b'],
    ['group q all a b\nquorum q\n', 'all of a, b'],
    ['group x 2 a b c\ngroup q all x d\nquorum q\n', 'all of (2 of a, b, c), d'],
  ] as const)
    assert.equal(quorumWords(parsePolicy(encodeUtf8(policyText(rest, ALL)))), words);
});

test('what differs between two policies', () => {
  const was = policyText(TWO_OF_THREE);
  const [keyOfA, keyOfD] = [WITNESSES.a, WITNESSES.d].map(({ vkey }) => formatVkey(vkey));
  const other = formatVkey(newVkey('log.example/other', KEY_TYPE.ed25519, WITNESSES.d.vkey.publicKey));
  const nameOf = (vkey: string): string => vkey.split('+').slice(0, 2).join('+');
  for (const [is, changes] of [
    [was, []],
    [`# the same\n\n${was.replaceAll('\n', ' \n')}`, []],
    [was.replace('group q 2 ', 'group q 1 '), ['the quorum was 2 of a, b, c and is any of a, b, c']],
    [policyText(TWO_OF_THREE, ALL), ['witness d is new']],
    [policyText('quorum a\n', ['a', 'b']), ['witness c is gone', 'the quorum was 2 of a, b, c and is a']],
    [was.replace(keyOfA!, keyOfD!), ['witness a has another key']],
    [was.replace(keyOfA!, `${keyOfA!} https://witness.example/a`), ['witness a has another URL']],
    [`log ${other}\n${was}`, [`log key ${nameOf(other)} of type 1 is new`]],
    ['quorum nobody\n', ['its text is another']],
  ] as const)
    assert.deepEqual(policyChanges(was, is), changes);
});

test('what differs between two lists of keys', () => {
  const { vkey } = makeTestReceipt();
  const second = formatVkey(WITNESSES.pq.vkey);
  const name = second.split('+').slice(0, 2).join('+');
  assert.deepEqual(vkeyChanges([vkey], [vkey]), []);
  assert.deepEqual(vkeyChanges([vkey], [vkey, second]), [`key ${name} of type 6 is new`]);
  assert.deepEqual(vkeyChanges([second], []), [`key ${name} of type 6 is gone`]);
  assert.deepEqual(vkeyChanges(['x'], [vkey]), ['one of them is no key']);
});
