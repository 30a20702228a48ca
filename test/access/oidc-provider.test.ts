/** JWTs of a real issuer, `oidc-provider` on loopback: at the door itself with a clock of ours, and at a log that is served. */

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, test, type TestContext } from 'node:test';
import { SignJWT, UnsecuredJWT, decodeJwt, decodeProtectedHeader } from 'jose';
import { COOLDOWN_MS, MAX_AGE_MS } from '../../src/access/issuer-keys.ts';
import { parseOidcConfig } from '../../src/access/oidc-config.ts';
import { type Oidc, openOidc } from '../../src/access/oidc.ts';
import { startIssuer, type TestIssuer } from '../support/oidc-issuer.ts';
import { fetchDescribed } from '../support/openapi.ts';
import { newDiskLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { exampleEvents } from '../support/test-vault.ts';

const AUDIENCE = 'https://log.bank.example';
const UNAUTHENTICATED = { code: 'unauthenticated' } as const;

const CLIENTS = {
  writer: { roles: ['log-writer'], log_sources: ['s'] },
  stranger: { roles: ['log-writer'], log_sources: ['other'] },
  sourceless: { roles: ['log-writer'] },
  auditor: { roles: ['log-auditor'] },
  admin: { roles: ['log-admin'] },
  nobody: {},
  both: { roles: ['log-auditor', 'log-admin'] },
} as const;

function member(issuer: string): Record<string, unknown> {
  return {
    issuer,
    audience: AUDIENCE,
    role_claim: 'roles',
    roles: { 'log-writer': 'submit', 'log-auditor': 'audit', 'log-admin': 'admin' },
    sources_claim: 'log_sources',
  };
}

/** A clock of both kinds that a test moves. */
class Clock {
  nowMs = Date.now();
  elapsedMs = 0;

  pass(durationMs: number): void {
    this.nowMs += durationMs;
    this.elapsedMs += durationMs;
  }

  open(issuer: string): Oidc {
    return openOidc(parseOidcConfig(member(issuer)), {
      now: () => this.nowMs,
      elapsed: () => this.elapsedMs,
    });
  }
}

async function authenticate(oidc: Oidc, jwt: string): Promise<unknown> {
  return oidc.authenticate(jwt);
}

test('each client is who the issuer says, until its token ends', async (t) => {
  const issuer = await startIssuer(t, CLIENTS);
  const clock = new Clock();
  const oidc = clock.open(issuer.issuer);
  const jwt = await issuer.token('auditor', AUDIENCE);
  assert.deepEqual(await authenticate(oidc, jwt), { name: 'oidc:auditor', role: 'audit', sources: [] });
  assert.deepEqual(await authenticate(oidc, await issuer.token('writer', AUDIENCE)), {
    name: 'oidc:writer',
    role: 'submit',
    sources: ['s'],
  });
  for (const name of ['nobody', 'both', 'sourceless']) {
    const refused = await issuer.token(name, AUDIENCE);
    await assert.rejects(authenticate(oidc, refused), { code: 'forbidden' }, name);
  }
  const lifeMs = decodeJwt(jwt).exp! * 1000 - clock.nowMs;
  clock.pass(lifeMs + 30_000);
  await assert.rejects(authenticate(oidc, jwt), { code: 'unauthenticated', message: 'the JWT has expired' });
});

test('what the issuer did not sign for this log is refused', async (t) => {
  const [issuer, other] = await Promise.all([startIssuer(t, CLIENTS), startIssuer(t, CLIENTS)]);
  const clock = new Clock();
  const oidc = clock.open(issuer.issuer);
  const good = await issuer.token('auditor', AUDIENCE);
  const { kid = '' } = decodeProtectedHeader(good);
  const claims = decodeJwt(good);
  const [head, payload, signature] = good.split('.');
  const admin = Buffer.from(JSON.stringify({ ...claims, roles: ['log-admin'] })).toString('base64url');
  const jwks = await (await fetch(`${issuer.issuer}/jwks`)).text();
  const { keys } = JSON.parse(jwks) as { keys: readonly [object] };
  const mac = new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid, typ: 'at+jwt' })
    .sign(new TextEncoder().encode(JSON.stringify(keys[0])));
  const refused: readonly [what: string, jwt: string][] = [
    ['for another audience', await issuer.token('auditor', 'https://other.bank.example')],
    ['of another issuer', await other.token('auditor', AUDIENCE)],
    ['with other claims', `${head}.${admin}.${signature}`],
    [
      'with another signature',
      `${head}.${payload}.${signature!.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))}`,
    ],
    ['with no algorithm', `${new UnsecuredJWT(claims).encode()}AA`],
    ['with a MAC under the public key', await mac],
  ];
  for (const [what, jwt] of refused) await assert.rejects(authenticate(oidc, jwt), UNAUTHENTICATED, what);
  assert.deepEqual(await authenticate(oidc, good), { name: 'oidc:auditor', role: 'audit', sources: [] });
});

test('a key that the issuer rotates to is found, and the one it took back is refused', async (t) => {
  const issuer = await startIssuer(t, CLIENTS);
  const clock = new Clock();
  const oidc = clock.open(issuer.issuer);
  const before = await issuer.token('auditor', AUDIENCE);
  await authenticate(oidc, before);
  await issuer.rotate();
  const after = await issuer.token('auditor', AUDIENCE);
  assert.notEqual(decodeProtectedHeader(after).kid, decodeProtectedHeader(before).kid);
  await assert.rejects(authenticate(oidc, after), UNAUTHENTICATED, 'not within the cooldown');
  clock.pass(COOLDOWN_MS);
  assert.deepEqual(await authenticate(oidc, after), { name: 'oidc:auditor', role: 'audit', sources: [] });
  await assert.rejects(authenticate(oidc, before), UNAUTHENTICATED);
});

test('an issuer that has gone lets nobody in once its keys are old', async (t) => {
  const issuer = await startIssuer(t, CLIENTS);
  const clock = new Clock();
  const oidc = clock.open(issuer.issuer);
  const jwt = await issuer.token('auditor', AUDIENCE);
  await authenticate(oidc, jwt);
  await issuer.stop();
  await authenticate(oidc, jwt);
  // Time without the time of day: the JWT has not ended.
  clock.elapsedMs += MAX_AGE_MS;
  await assert.rejects(authenticate(oidc, jwt), { code: 'issuer_unavailable' });
  await assert.rejects(authenticate(clock.open(issuer.issuer), jwt), { code: 'issuer_unavailable' });
});

describe('at a log that is served', () => {
  interface Asked {
    readonly status: number;
    readonly retryAfter: string | null;
    readonly json: Record<string, unknown>;
  }

  class Served {
    readonly issuer: TestIssuer;
    readonly url: string;
    readonly token: string;

    constructor(issuer: TestIssuer, url: string, token: string) {
      this.issuer = issuer;
      this.url = url;
      this.token = token;
    }

    static async open(t: TestContext): Promise<Served> {
      const issuer = await startIssuer(t, CLIENTS);
      const { dir, folder, token } = await newDiskLog(await tempFolder(t), 'log', { kind: 'events' });
      const config = JSON.parse(await readFile(folder.paths.config, 'utf8')) as object;
      await writeFile(folder.paths.config, JSON.stringify({ ...config, oidc: member(issuer.issuer) }));
      const { url } = await serveDiskLog(t, dir);
      return new Served(issuer, url, token);
    }

    async ask(bearer: string, path: string, event?: unknown): Promise<Asked> {
      const response = await fetchDescribed(`${this.url}${path}`, {
        headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' },
        ...(event === undefined ? {} : { method: 'POST', body: JSON.stringify(event) }),
      });
      const json = (await response.json()) as Record<string, unknown>;
      return { status: response.status, retryAfter: response.headers.get('Retry-After'), json };
    }
  }

  const FLAT = exampleEvents('flat.json')[0];

  test('bearers do what their role allows, on their sources', async (t) => {
    const served = await Served.open(t);
    const jwt = (name: keyof typeof CLIENTS): Promise<string> => served.issuer.token(name, AUDIENCE);
    const written = await served.ask(await jwt('writer'), '/v1/events', FLAT);
    assert.equal(written.status, 201, JSON.stringify(written.json));
    const path = `/v1/events/${String(written.json['event_id'])}`;
    const expected: Readonly<Record<keyof typeof CLIENTS, readonly [post: number, get: number]>> = {
      writer: [201, 200],
      stranger: [201, 404],
      sourceless: [403, 403],
      auditor: [403, 200],
      admin: [403, 403],
      nobody: [403, 403],
      both: [403, 403],
    };
    for (const [name, [post, get]] of Object.entries(expected)) {
      const bearer = await jwt(name as keyof typeof CLIENTS);
      assert.equal((await served.ask(bearer, '/v1/events', FLAT)).status, post, `${name} posts`);
      assert.equal((await served.ask(bearer, path)).status, get, `${name} reads`);
    }
    assert.equal(
      (await served.ask(await served.issuer.token('auditor', 'https://x.example'), path)).status,
      401,
    );
    const head = await served.ask(await jwt('auditor'), '/v1/tree-head');
    const { published, signed } = head.json;
    assert.deepEqual(signed, published, 'on public routes a JWT has no effect');
  });

  test('an issuer that is away is a 503 to its bearers, and nothing to others', async (t) => {
    const served = await Served.open(t);
    const jwt = await served.issuer.token('writer', AUDIENCE);
    await served.issuer.stop();
    const { status, retryAfter, json } = await served.ask(jwt, '/v1/events', FLAT);
    assert.deepEqual([status, retryAfter, json['code']], [503, '10', 'issuer_unavailable']);
    assert.equal((await served.ask(served.token, '/v1/events', FLAT)).status, 201);
  });
});
