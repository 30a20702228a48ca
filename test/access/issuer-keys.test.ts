import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { COOLDOWN_MS, IssuerKeys, MAX_AGE_MS, RETRY_MS } from '../../src/access/issuer-keys.ts';
import type { IssuerSignal } from '../../src/access/signals.ts';
import { FakeIssuer, ISSUER, KEYS_URL, oidcConfig } from '../support/issuer.ts';

const UNAUTHENTICATED = { code: 'unauthenticated' } as const;
const UNAVAILABLE = { code: 'issuer_unavailable' } as const;
const DISCOVERY_URL = `${ISSUER}/.well-known/openid-configuration`;
const K1 = { alg: 'ES256', kid: 'k1' } as const;
const K2 = { alg: 'ES256', kid: 'k2' } as const;

interface Opened {
  readonly issuer: FakeIssuer;
  readonly keys: IssuerKeys;
  readonly signals: IssuerSignal[];
}

async function open(members?: Readonly<Record<string, unknown>>): Promise<Opened> {
  const issuer = await FakeIssuer.open();
  const signals: IssuerSignal[] = [];
  const onSignal = (signal: IssuerSignal): void => void signals.push(signal);
  return { issuer, signals, keys: new IssuerKeys(oidcConfig(members), { ...issuer.options, onSignal }) };
}

function breakDown(issuer: FakeIssuer): void {
  issuer.answers.set(KEYS_URL, () => Promise.reject(new TypeError('fetch failed')));
}

test('keys are found by discovery, or where the configuration says, and fetched once for all', async () => {
  const { issuer, keys } = await open();
  assert.deepEqual(issuer.fetched, [], 'nothing is fetched before it is needed');
  await Promise.all(Array.from({ length: 50 }, () => keys.keyOf(K1)));
  assert.deepEqual(issuer.fetched, ['/.well-known/openid-configuration', '/keys']);

  const given = await open({ jwks_uri: KEYS_URL });
  assert.equal((await given.keys.keyOf(K1)).type, 'public');
  assert.deepEqual(given.issuer.fetched, ['/keys']);
  assert.deepEqual(given.signals, [{ event: 'issuer_keys_read', keys: 1 }]);
});

test('a kid that is not there is fetched for once in 30 s, however many ask', async () => {
  const { issuer, keys } = await open({ jwks_uri: KEYS_URL });
  await keys.keyOf(K1);
  for (let i = 0; i < 100; i++)
    await assert.rejects(keys.keyOf({ alg: 'ES256', kid: `x${i}` }), UNAUTHENTICATED);
  assert.equal(issuer.fetched.length, 1);
  issuer.pass(COOLDOWN_MS);
  await issuer.addKey('k2');
  await Promise.all(Array.from({ length: 20 }, () => keys.keyOf(K2)));
  assert.equal(issuer.fetched.length, 2, 'a rotated key is found');
  issuer.keys.shift();
  issuer.pass(COOLDOWN_MS);
  await assert.rejects(keys.keyOf({ alg: 'ES256', kid: 'none' }), UNAUTHENTICATED);
  await assert.rejects(keys.keyOf(K1), UNAUTHENTICATED);
});

test('keys are renewed beside their use, and an issuer that is away for a while is not noticed', async () => {
  const { issuer, keys, signals } = await open({ jwks_uri: KEYS_URL });
  await keys.keyOf(K1);
  const { fresh } = keys;
  assert.ok(fresh);
  issuer.pass(MAX_AGE_MS / 2);
  assert.equal(keys.fresh, undefined);
  breakDown(issuer);
  await keys.keyOf(K1);
  await settle();
  assert.equal(signals.at(-1)?.event, 'issuer_unreachable');
  issuer.pass(MAX_AGE_MS / 2 - 1);
  await keys.keyOf(K1);
  await settle();
  // Too old to be believed, and nobody there to ask.
  issuer.pass(RETRY_MS);
  await assert.rejects(keys.keyOf(K1), UNAVAILABLE);
  const before = issuer.fetched.length;
  for (let i = 0; i < 20; i++) await assert.rejects(keys.keyOf(K1), UNAVAILABLE);
  assert.equal(issuer.fetched.length, before, 'it is asked again only after a while');
  issuer.pass(RETRY_MS);
  issuer.answers.clear();
  await keys.keyOf(K1);
  assert.ok(keys.fresh && keys.fresh !== fresh);
});

test('while the issuer cannot be asked, an unknown kid is nobody’s fault', async () => {
  const { issuer, keys } = await open({ jwks_uri: KEYS_URL });
  await keys.keyOf(K1);
  issuer.pass(COOLDOWN_MS);
  breakDown(issuer);
  await assert.rejects(keys.keyOf(K2), UNAVAILABLE);
  await assert.rejects(keys.keyOf(K2), UNAVAILABLE);
  assert.equal(issuer.fetched.length, 2);
  await keys.keyOf(K1);
});

describe('an issuer that answers wrongly is as good as none', () => {
  const json =
    (value: unknown): (() => Response) =>
    () =>
      Response.json(value);
  const endless = (): Response =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(0x20)),
      }),
    );
  const CASES: readonly [what: string, url: string, answer: () => Response][] = [
    ['an error', KEYS_URL, () => new Response(null, { status: 500 })],
    [
      'a redirect',
      KEYS_URL,
      () => new Response(null, { status: 302, headers: { Location: 'https://evil.example/' } }),
    ],
    ['no JSON', KEYS_URL, () => new Response('<html>')],
    ['bytes that are not UTF-8', KEYS_URL, () => new Response(Uint8Array.of(0x22, 0xff, 0x22))],
    ['an array', KEYS_URL, json([])],
    ['no keys', KEYS_URL, json({})],
    ['keys that are none', KEYS_URL, json({ keys: [null] })],
    ['too many keys', KEYS_URL, json({ keys: Array.from({ length: 101 }, () => ({ kty: 'oct' })) })],
    ['without end', KEYS_URL, endless],
    ['as another issuer', DISCOVERY_URL, json({ issuer: `${ISSUER}/`, jwks_uri: KEYS_URL })],
    ['without jwks_uri', DISCOVERY_URL, json({ issuer: ISSUER })],
    ['with keys in clear', DISCOVERY_URL, json({ issuer: ISSUER, jwks_uri: 'http://id.example/keys' })],
    ['with keys on this machine', DISCOVERY_URL, json({ issuer: ISSUER, jwks_uri: 'http://127.0.0.1/keys' })],
    ['with keys in a file', DISCOVERY_URL, json({ issuer: ISSUER, jwks_uri: 'file:///etc/keys' })],
  ];
  for (const [what, url, answer] of CASES) {
    test(what, async () => {
      const { issuer, keys, signals } = await open();
      issuer.answers.set(url, answer);
      await assert.rejects(keys.keyOf(K1), UNAVAILABLE);
      assert.deepEqual(
        signals.map(({ event }) => event),
        ['issuer_unreachable'],
      );
      assert.ok(issuer.fetched.every((path) => path !== '/'));
    });
  }
});

test('a key that cannot be used is as good as none, and takes no other with it', async () => {
  const { issuer, keys } = await open({ jwks_uri: KEYS_URL });
  const [good] = issuer.keys;
  issuer.keys.push({ ...good, kid: 'flawed', x: 'AA' }, { kty: 'oct', k: 'AAAA', kid: 'secret' });
  issuer.keys.push({ ...good, kid: 'twice' }, { ...good, kid: 'twice' });
  await keys.keyOf(K1);
  for (const kid of ['flawed', 'secret', 'twice']) {
    await assert.rejects(keys.keyOf({ alg: 'ES256', kid }), UNAUTHENTICATED, kid);
  }
});

/** What goes on beside is done after a turn of the event loop, as nothing here waits for a network. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
