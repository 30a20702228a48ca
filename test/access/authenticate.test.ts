import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authenticateWith } from '../../src/access/authenticate.ts';
import { openOidc } from '../../src/access/oidc.ts';
import type { Principal } from '../../src/access/principal.ts';
import { newToken } from '../../src/access/token.ts';
import type { Tokens } from '../../src/access/tokens.ts';
import { NewelError } from '../../src/errors.ts';
import { FakeIssuer, oidcConfig } from '../support/issuer.ts';

const APP: Principal = { name: 'app', role: 'submit', sources: ['s'] };
const TOKEN = newToken();

/** One token, and what else was asked of it. */
function oneToken(): { tokens: Tokens; asked: (string | undefined)[] } {
  const asked: (string | undefined)[] = [];
  const tokens: Tokens = {
    authenticate(authorization) {
      if (authorization === `Bearer ${TOKEN}`) return APP;
      asked.push(authorization);
      throw new NewelError('unauthenticated', 'not a token');
    },
    watch: () => {},
    close: () => {},
  };
  return { tokens, asked };
}

test('tokens of our own are answered at once, with an issuer or without', async () => {
  const issuer = await FakeIssuer.open();
  const { tokens } = oneToken();
  for (const oidc of [undefined, openOidc(oidcConfig(), issuer.options)]) {
    assert.equal(authenticateWith(tokens, oidc)(`Bearer ${TOKEN}`), APP);
    assert.throws(() => authenticateWith(tokens, oidc)(undefined), { code: 'unauthenticated' });
  }
  assert.deepEqual(issuer.fetched, []);
});

test('a JWT goes to the issuer, whatever the case of its scheme; anything else never does', async () => {
  const issuer = await FakeIssuer.open();
  const { tokens, asked } = oneToken();
  const authenticate = authenticateWith(tokens, openOidc(oidcConfig(), issuer.options));
  const jwt = await issuer.sign();
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    assert.deepEqual(await authenticate(`${scheme} ${jwt}`), { name: 'oidc:u1', role: 'audit', sources: [] });
  }
  const others = [
    jwt,
    `Basic ${jwt}`,
    `Bearer  ${jwt}`,
    `Bearer ${jwt} `,
    `Bearer ${jwt}, Bearer ${jwt}`,
    'Bearer eyJ',
  ];
  for (const header of others) assert.throws(() => authenticate(header), { code: 'unauthenticated' }, header);
  assert.deepEqual(asked, others);
});

test('without an issuer a JWT is a token that nobody knows', async () => {
  const issuer = await FakeIssuer.open();
  const jwt = await issuer.sign();
  const { tokens } = oneToken();
  assert.throws(() => authenticateWith(tokens, undefined)(`Bearer ${jwt}`), { code: 'unauthenticated' });
});
