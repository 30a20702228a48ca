import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimOf, textsOf } from '../../src/access/claims.ts';

test('a claim is a member by its name, or a place by its pointer', () => {
  const payload = {
    scope: 'a b',
    'https://bank.example/roles': ['x'],
    realm_access: { roles: ['y'], 'a/b': 1, 'c~d': 2 },
    list: [['z']],
  };
  assert.equal(claimOf(payload, 'scope'), 'a b');
  assert.deepEqual(claimOf(payload, 'https://bank.example/roles'), ['x']);
  assert.deepEqual(claimOf(payload, '/realm_access/roles'), ['y']);
  assert.equal(claimOf(payload, '/realm_access/a~1b'), 1);
  assert.equal(claimOf(payload, '/realm_access/c~0d'), 2);
  assert.deepEqual(claimOf(payload, '/list/0'), ['z']);
  const absent = ['/', 'realm_access.roles', '/scope/length', 'constructor', '/__proto__/x', '/a/b'];
  for (const place of absent) {
    assert.equal(claimOf(payload, place), undefined, place);
  }
});

test('texts are an array of nothing else, or between spaces', () => {
  assert.deepEqual(textsOf('a  b '), ['a', 'b']);
  assert.deepEqual(textsOf(['a b', '']), ['a b', '']);
  for (const claim of [undefined, null, 7, {}, '', ' ', ['a', 1], [['a']], { 0: 'a', length: 1 }]) {
    assert.deepEqual(textsOf(claim), [], JSON.stringify(claim));
  }
});
