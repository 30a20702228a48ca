import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress, parsePublicUrl } from '../../src/cli/address.ts';

test('an address is read and written back', () => {
  for (const [text, host, port] of [
    ['127.0.0.1:8080', '127.0.0.1', 8080],
    ['localhost:0', 'localhost', 0],
    ['[::1]:65535', '::1', 65_535],
  ] as const) {
    assert.deepEqual(parseAddress(text), { host, port });
    assert.equal(formatAddress({ host, port }), text);
  }
  for (const text of [
    '',
    '8080',
    ':8080',
    'localhost',
    'a:65536',
    'a:08',
    '::1:80',
    '[::g]:80',
    '[a]:80',
    'a b:80',
  ]) {
    assert.throws(
      () => parseAddress(text),
      { code: 'malformed', message: /^is not HOST:PORT, for example / },
      text,
    );
  }
});

test('a public URL has no slash at its end, and nothing that would be a secret or no place', () => {
  assert.equal(parsePublicUrl('https://log.example/'), 'https://log.example');
  assert.equal(parsePublicUrl('http://127.0.0.1:8080/log//'), 'http://127.0.0.1:8080/log');
  for (const text of [
    '',
    'log.example',
    'ftp://a',
    'https://a:b@c',
    'https://a@c',
    'https://a?',
    'https://a#b',
    ' https://a',
  ]) {
    assert.throws(() => parsePublicUrl(text), { code: 'malformed' }, text);
  }
});
