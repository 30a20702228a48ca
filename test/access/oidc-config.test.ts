import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALGORITHMS, formatOidcConfig, parseOidcConfig } from '../../src/access/oidc-config.ts';

const MEMBER = {
  issuer: 'https://id.bank.example/realms/bank',
  audience: 'https://log.bank.example',
  role_claim: '/realm_access/roles',
  roles: { 'log-auditor': 'audit' },
};

test('the member is read with its defaults, and back as it was written', () => {
  const config = parseOidcConfig(MEMBER);
  assert.deepEqual(config, {
    issuer: MEMBER.issuer,
    audience: MEMBER.audience,
    roleClaim: MEMBER.role_claim,
    roles: new Map([['log-auditor', 'audit']]),
    algorithms: ALGORITHMS,
  });
  const full = {
    ...MEMBER,
    issuer: 'http://127.0.0.1:8080',
    jwks_uri: 'http://localhost:8080/keys?v=1',
    roles: { a: 'submit', b: 'admin' },
    sources_claim: 'https://bank.example/sources',
    algorithms: ['EdDSA', 'RS256'],
  };
  for (const member of [full, MEMBER]) {
    const read = parseOidcConfig(member);
    const text = JSON.stringify(formatOidcConfig(read));
    assert.deepEqual(parseOidcConfig(JSON.parse(text)), read);
  }
});

test('whatever is not exactly that is refused, saying what is wrong', () => {
  const flawed: readonly [members: unknown, message: RegExp][] = [
    [null, /is not an object/],
    [[], /is not an object/],
    [{ ...MEMBER, role_claims: 'x' }, /unknown member "role_claims"/],
    [{ ...MEMBER, issuer: undefined }, /no issuer/],
    [{ ...MEMBER, issuer: 'http://id.bank.example' }, /no issuer/],
    [{ ...MEMBER, issuer: 'http://127.0.0.1.evil.example' }, /no issuer/],
    [{ ...MEMBER, issuer: 'https://u:p@id.bank.example' }, /no issuer/],
    [{ ...MEMBER, issuer: 'https://id.bank.example?' }, /no issuer/],
    [{ ...MEMBER, issuer: 'https://id.bank.example#x' }, /no issuer/],
    [{ ...MEMBER, issuer: 'id.bank.example' }, /no issuer/],
    [{ ...MEMBER, audience: '' }, /no audience/],
    [{ ...MEMBER, audience: ['a', 'b'] }, /no audience/],
    [{ ...MEMBER, jwks_uri: 'http://id.bank.example/keys' }, /jwks_uri/],
    [{ ...MEMBER, jwks_uri: 'http://127.0.0.1/keys' }, /jwks_uri/],
    [{ ...MEMBER, jwks_uri: 'file:///keys' }, /jwks_uri/],
    [{ ...MEMBER, jwks_uri: null }, /jwks_uri/],
    [{ ...MEMBER, role_claim: '' }, /no role_claim/],
    [{ ...MEMBER, roles: {} }, /no roles/],
    [{ ...MEMBER, roles: ['audit'] }, /no roles|not visible|not submit/],
    [{ ...MEMBER, roles: { x: 'root' } }, /a role that is not/],
    [{ ...MEMBER, roles: { 'a b': 'audit' } }, /a value that is not visible ASCII/],
    [{ ...MEMBER, roles: { x: 'submit' } }, /no sources_claim/],
    [{ ...MEMBER, sources_claim: 5 }, /sources_claim that is not one/],
    [{ ...MEMBER, algorithms: [] }, /algorithms/],
    [{ ...MEMBER, algorithms: ['HS256'] }, /algorithms/],
    [{ ...MEMBER, algorithms: ['none'] }, /algorithms/],
    [{ ...MEMBER, algorithms: 'ES256' }, /algorithms/],
  ];
  for (const [member, message] of flawed) {
    assert.throws(() => parseOidcConfig(member), { code: 'malformed', message }, JSON.stringify(member));
  }
});
