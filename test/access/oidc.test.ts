import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { SignJWT, UnsecuredJWT } from 'jose';
import { isJwt, type Oidc, openOidc } from '../../src/access/oidc.ts';
import { NewelError } from '../../src/errors.ts';
import { FakeIssuer, oidcConfig, type Signed } from '../support/issuer.ts';
import { SLOW } from '../support/slow.ts';

const UNAUTHENTICATED = { code: 'unauthenticated' } as const;
const FORBIDDEN = { code: 'forbidden' } as const;

async function open(
  members?: Readonly<Record<string, unknown>>,
): Promise<{ issuer: FakeIssuer; oidc: Oidc }> {
  const issuer = await FakeIssuer.open();
  return { issuer, oidc: openOidc(oidcConfig(members), issuer.options) };
}

/** Never an exception where a rejection is meant. */
async function authenticate(oidc: Oidc, jwt: string): Promise<unknown> {
  return oidc.authenticate(jwt);
}

test('a JWT of the issuer tells its bearer: subject, role, and sources where they bind', async () => {
  const { issuer, oidc } = await open();
  const bearer = async (claims: NonNullable<Signed['claims']>): Promise<unknown> =>
    authenticate(oidc, await issuer.sign({ claims }));
  assert.deepEqual(await bearer({}), { name: 'oidc:u1', role: 'audit', sources: [] });
  assert.deepEqual(await bearer({ sub: 'a@b.example', roles: 'x log-admin', log_sources: ['s'] }), {
    name: 'oidc:a@b.example',
    role: 'admin',
    sources: [],
  });
  for (const log_sources of [['a', 'https://b.example'], 'a https://b.example']) {
    assert.deepEqual(await bearer({ roles: ['log-writer'], log_sources }), {
      name: 'oidc:u1',
      role: 'submit',
      sources: ['a', 'https://b.example'],
    });
  }
  assert.deepEqual(await bearer({ aud: ['other', 'https://log.example'] }), {
    name: 'oidc:u1',
    role: 'audit',
    sources: [],
  });
});

test('claims may lie deeper, and two values that mean one role are one role', async () => {
  const { issuer, oidc } = await open({ role_claim: '/realm_access/roles' });
  const jwt = (roles: unknown): Promise<string> =>
    issuer.sign({ claims: { roles: ['log-admin'], realm_access: { roles } } });
  const both = await authenticate(oidc, await jwt(['log-auditor', 'log-examiner', 'offline_access']));
  assert.deepEqual(both, { name: 'oidc:u1', role: 'audit', sources: [] });
  await assert.rejects(async () => authenticate(oidc, await jwt([])), FORBIDDEN);
});

describe('a JWT that is signed by the issuer is refused', () => {
  const CASES: readonly [what: string, signed: Signed, expected: object][] = [
    ['of another issuer', { claims: { iss: 'https://id.example/' } }, UNAUTHENTICATED],
    ['of no issuer', { claims: { iss: undefined as never } }, UNAUTHENTICATED],
    ['for another audience', { claims: { aud: 'https://log.example/' } }, UNAUTHENTICATED],
    ['for no audience', { claims: { aud: undefined as never } }, UNAUTHENTICATED],
    ['that never ends', { claims: { exp: undefined as never } }, UNAUTHENTICATED],
    ['that ends at a text', { claims: { exp: '4000000000' as never } }, UNAUTHENTICATED],
    ['that ended more than 30 s ago', { claims: { exp: 1_795_175_970 } }, UNAUTHENTICATED],
    ['that begins in more than 30 s', { claims: { nbf: 1_795_176_031 } }, UNAUTHENTICATED],
    ['without a subject', { claims: { sub: undefined as never } }, UNAUTHENTICATED],
    ['with an empty subject', { claims: { sub: '' } }, UNAUTHENTICATED],
    ['with a subject of two lines', { claims: { sub: 'a\nb' } }, UNAUTHENTICATED],
    ['with a subject that is too long', { claims: { sub: 'x'.repeat(256) } }, UNAUTHENTICATED],
    ['that is a logout token', { header: { typ: 'logout+jwt' } }, UNAUTHENTICATED],
    ['that is a presentation of ours', { header: { typ: 'newel-presentation+jwt' } }, UNAUTHENTICATED],
    ['that is bound to a key', { claims: { cnf: { jkt: 'x' } } }, UNAUTHENTICATED],
    ['without a role', { claims: { roles: undefined } }, FORBIDDEN],
    ['with a role of others', { claims: { roles: ['admin', 'audit', 'submit'] } }, FORBIDDEN],
    ['with a role that is a number', { claims: { roles: ['log-auditor', 7] } }, FORBIDDEN],
    [
      'with a role like a member of every object',
      { claims: { roles: ['constructor', '__proto__'] } },
      FORBIDDEN,
    ],
    ['with two of our roles', { claims: { roles: ['log-auditor', 'log-admin'] } }, FORBIDDEN],
    ['that may submit, for no source', { claims: { roles: 'log-writer' } }, FORBIDDEN],
    ['that may submit, for an empty list', { claims: { roles: 'log-writer', log_sources: [] } }, FORBIDDEN],
    [
      'that may submit, for the log itself',
      { claims: { roles: 'log-writer', log_sources: ['a', 'newel:log'] } },
      FORBIDDEN,
    ],
    ['that may submit, for no text', { claims: { roles: 'log-writer', log_sources: ['a', 1] } }, FORBIDDEN],
    [
      'that may submit, for too many',
      { claims: { roles: 'log-writer', log_sources: Array.from({ length: 65 }, (_, i) => `s${i}`) } },
      FORBIDDEN,
    ],
  ];
  for (const [what, signed, expected] of CASES) {
    test(what, async () => {
      const { issuer, oidc } = await open();
      const jwt = await issuer.sign(signed);
      await assert.rejects(authenticate(oidc, jwt), expected);
      await assert.rejects(authenticate(oidc, jwt), expected, 'the second time too');
    });
  }

  test('and taken at the very edge of the clock tolerance', async () => {
    const { issuer, oidc } = await open();
    await authenticate(oidc, await issuer.sign({ claims: { exp: 1_795_175_971, nbf: 1_795_176_030 } }));
  });
});

describe('a JWT that the issuer did not sign is refused', () => {
  test('without a signature', async () => {
    const { issuer, oidc } = await open();
    const claims = {
      iss: 'https://id.example',
      aud: 'https://log.example',
      sub: 'u1',
      roles: ['log-auditor'],
    };
    const unsecured = new UnsecuredJWT({ ...claims, exp: issuer.nowMs }).encode();
    assert.ok(!isJwt(unsecured));
    await assert.rejects(authenticate(oidc, unsecured), UNAUTHENTICATED);
    const [header, payload] = unsecured.split('.');
    await assert.rejects(authenticate(oidc, `${header}.${payload}.AA`), UNAUTHENTICATED);
  });

  test('with a MAC under the public key', async () => {
    const { issuer, oidc } = await open();
    const good = await issuer.sign();
    const payload = JSON.parse(Buffer.from(good.split('.')[1]!, 'base64url').toString()) as object;
    for (const secret of [JSON.stringify(issuer.keys[0]), issuer.keys[0]!.x!]) {
      const jwt = await new SignJWT({ ...payload })
        .setProtectedHeader({ alg: 'HS256', kid: 'k1', typ: 'at+jwt' })
        .sign(new TextEncoder().encode(secret.padEnd(32)));
      await assert.rejects(authenticate(oidc, jwt), UNAUTHENTICATED);
    }
    assert.deepEqual(await authenticate(oidc, good), { name: 'oidc:u1', role: 'audit', sources: [] });
  });

  test('with a key of its own in the header', async () => {
    const { issuer, oidc } = await open();
    const other = await FakeIssuer.open();
    for (const header of [{ jwk: other.keys[0] }, { jku: 'https://evil.example/keys' }, { kid: 'k1' }]) {
      const jwt = await other.sign({ header });
      await assert.rejects(authenticate(oidc, jwt), UNAUTHENTICATED);
    }
    assert.deepEqual(new Set(issuer.fetched), new Set(['/.well-known/openid-configuration', '/keys']));
  });

  test('with any one character changed', async () => {
    const { issuer, oidc } = await open();
    const jwt = await issuer.sign();
    await authenticate(oidc, jwt);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=';
    const property = fc.asyncProperty(
      fc.nat(jwt.length - 1),
      fc.constantFrom(...Array.from(alphabet)),
      async (at, letter) => {
        fc.pre(jwt[at] !== letter);
        const changed = `${jwt.slice(0, at)}${letter}${jwt.slice(at + 1)}`;
        await assert.rejects(authenticate(oidc, changed), UNAUTHENTICATED);
      },
    );
    await fc.assert(property, { numRuns: SLOW ? 2000 : 150 });
  });

  test('with an algorithm that is not allowed, whatever key the issuer has', async () => {
    const { issuer, oidc } = await open({ algorithms: ['RS256', 'PS256'] });
    await assert.rejects(async () => authenticate(oidc, await issuer.sign()), UNAUTHENTICATED);
  });

  test('with an extension that must be understood', async () => {
    const { issuer, oidc } = await open();
    const good = await issuer.sign();
    const header = { alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 };
    const [, payload, signature] = good.split('.');
    const jwt = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${signature}`;
    await assert.rejects(authenticate(oidc, jwt), UNAUTHENTICATED);
  });
});

test('every algorithm that is allowed by default is verified', async () => {
  for (const alg of ['RS256', 'PS384', 'ES256', 'ES512', 'EdDSA', 'Ed25519']) {
    const issuer = await FakeIssuer.open(alg);
    const oidc = openOidc(oidcConfig(), issuer.options);
    assert.deepEqual(await authenticate(oidc, await issuer.sign()), {
      name: 'oidc:u1',
      role: 'audit',
      sources: [],
    });
  }
});

test('a JWT that was seen is answered at once, until it ends or its key is old', async () => {
  const { issuer, oidc } = await open();
  await authenticate(oidc, await issuer.sign({ claims: { sub: 'first' } }));
  const jwt = await issuer.sign({ claims: { exp: issuer.nowMs / 1000 + 3600 } });
  const short = await issuer.sign({ claims: { exp: issuer.nowMs / 1000 + 100 } });
  for (const one of [jwt, short]) {
    assert.ok(oidc.authenticate(one) instanceof Promise);
    await oidc.authenticate(one);
    assert.deepEqual(oidc.authenticate(one), { name: 'oidc:u1', role: 'audit', sources: [] });
  }
  issuer.pass(129_999);
  assert.ok(!(oidc.authenticate(short) instanceof Promise));
  issuer.pass(1);
  await assert.rejects(authenticate(oidc, short), UNAUTHENTICATED);

  // Its key is taken back: the keys are read again, and what was remembered with them is forgotten.
  issuer.keys.length = 0;
  issuer.pass(600_000);
  await assert.rejects(authenticate(oidc, jwt), UNAUTHENTICATED);
});

test('no message of a refusal holds what was presented', async () => {
  const { issuer, oidc } = await open();
  const signed: readonly Signed[] = [
    { claims: { iss: 'https://canary.example' } },
    { claims: { aud: 'canary' } },
    { claims: { roles: ['canary'] } },
    { claims: { roles: 'log-writer', log_sources: ['newel:canary'] } },
    { header: { typ: 'canary' } },
    { header: { kid: 'canary' } },
  ];
  for (const one of signed) {
    const jwt = await issuer.sign(one);
    await assert.rejects(authenticate(oidc, jwt), (error) => {
      assert.ok(error instanceof NewelError);
      assert.ok(!/canary/.test(error.message) && !error.message.includes(jwt.slice(0, 20)), error.message);
      return true;
    });
  }
});

test('a JWT is told by its form', async () => {
  const issuer = await FakeIssuer.open();
  assert.ok(isJwt(await issuer.sign()));
  for (const text of [
    '',
    `newel_${'A'.repeat(43)}`,
    'eyJ.e30.AA',
    'eyJhIjox.e30.',
    'eyJhIjox..AA',
    'eyJhIjox.e30',
    'eyJhIjox.e30.AA.AA',
    'eyJhIjox.e30.A A',
    ' eyJhIjox.e30.AA',
    'eyJhIjox.e30.AA\n',
    'xyJhIjox.e30.AA',
    `eyJhIjox.${'A'.repeat(8192)}.AA`,
  ]) {
    assert.ok(!isJwt(text), text.slice(0, 40));
  }
});
