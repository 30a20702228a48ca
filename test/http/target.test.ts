import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatHex } from '../../src/formats/hex.ts';
import { parseLeafRef, pathOf, targetOf } from '../../src/http/target.ts';

function targetFrom(url: string): string {
  return targetOf(new Request('http://unused.invalid/'), { incoming: { url, headers: {} } });
}

test('the target is what came over the wire', () => {
  const targets = ['/', '//', '/a/../b', '/a//b?x=/y', '/%2e%2e/', '/a#b', '/?', '/http://x/', '/\\'];
  for (const target of targets) assert.equal(targetFrom(target), target);
  const origin = new Request('http://test.invalid/a%20b?c=%64');
  assert.equal(targetOf(origin, undefined), '/a%20b?c=%64');
});

test('an absolute form is its path', () => {
  assert.equal(targetFrom('http://log.example/checkpoint'), '/checkpoint');
  assert.equal(targetFrom('HTTPS://user@log.example:8443/a/../b?c'), '/a/../b?c');
  assert.equal(targetFrom('http://log.example'), '/');
  assert.equal(targetFrom('http://log.example?a=b'), '/?a=b');
  assert.equal(targetFrom('*'), '/*');
  assert.equal(targetFrom(''), '/');
});

test('the path ends before the first question mark', () => {
  assert.equal(pathOf('/a?b?c'), '/a');
  assert.equal(pathOf('/a?'), '/a');
  assert.equal(pathOf('/a'), '/a');
});

test('a leaf is named in one way by its index and in one by its hash', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (index) => assert.deepEqual(parseLeafRef(String(index)), { index })),
  );
  const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(hashes, (hash) => {
      const ref = parseLeafRef(formatHex(hash));
      assert.ok('hash' in ref);
      assert.deepEqual(ref.hash, Uint8Array.from(hash));
    }),
  );
  assert.ok('hash' in parseLeafRef('1'.repeat(64)));
  const bad = [
    '',
    '-1',
    '+1',
    '01',
    '1.0',
    '1e3',
    '0x1',
    ' 1',
    '1 ',
    '9007199254740992',
    'ab',
    'A'.repeat(64),
  ];
  for (const text of [...bad, '1'.repeat(63), '1'.repeat(65), `${'a'.repeat(63)}é`]) {
    assert.throws(() => parseLeafRef(text), { code: 'malformed' }, text);
  }
});
