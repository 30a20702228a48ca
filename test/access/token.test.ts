import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashToken, isToken, newToken, parseBearer } from '../../src/access/token.ts';
import { SLOW } from '../support/slow.ts';

const NUM_RUNS = SLOW ? 10_000 : 200;

test('a new token is newel_ and 43 characters of base64url, and never the same', () => {
  const tokens = Array.from({ length: 100 }, newToken);
  for (const token of tokens) {
    assert.match(token, /^newel_[A-Za-z0-9_-]{43}$/);
    assert.ok(isToken(token));
    assert.equal(Buffer.from(token.slice(6), 'base64url').length, 32);
  }
  assert.equal(new Set(tokens).size, tokens.length);
});

test('what does not encode back to the same characters is no token', () => {
  const character = fc.constantFrom(
    ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+/=. '.split(''),
  );
  const body = fc.array(character, { minLength: 42, maxLength: 44 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(body, (text) => {
      const bytes = Buffer.from(text, 'base64url');
      const canonical = bytes.length === 32 && bytes.toString('base64url') === text;
      assert.equal(isToken(`newel_${text}`), canonical);
    }),
    { numRuns: NUM_RUNS },
  );
  const token = newToken();
  for (const other of [`${token}\n`, ` ${token}`, token.toUpperCase(), token.slice(6), `${token}A`, '']) {
    assert.equal(isToken(other), false, JSON.stringify(other));
  }
});

test('a Bearer header is parsed strictly', () => {
  const token = newToken();
  assert.equal(parseBearer(`Bearer ${token}`), token);
  assert.equal(parseBearer(`bearer ${token}`), token);
  for (const header of [
    token,
    '',
    'Bearer',
    'Bearer ',
    `Bearer  ${token}`,
    `Bearer ${token} `,
    `Bearer ${token}, Bearer ${token}`,
    `Basic ${token}`,
    `Bearer\t${token}`,
    `Bearer ${'A'.repeat(100_000)}`,
  ]) {
    assert.equal(parseBearer(header), undefined, header.slice(0, 80));
  }
});

test('a token is known by the SHA-256 of its characters', () => {
  const token = `newel_${'A'.repeat(43)}`;
  assert.equal(hashToken(token), createHash('sha256').update(token).digest('hex'));
  assert.equal(hashToken(token).length, 64);
});
