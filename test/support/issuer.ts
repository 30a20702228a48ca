/** An issuer without a socket, for what no real one would sign: keys of ours, and the two documents that it serves. */

import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { parseOidcConfig, type OidcConfig } from '../../src/access/oidc-config.ts';

export const ISSUER = 'https://id.example';
export const AUDIENCE = 'https://log.example';
export const KEYS_URL = 'https://id.example/keys';
const DISCOVERY_URL = `${ISSUER}/.well-known/openid-configuration`;

/** As newel.json has it, with other members. */
export function oidcConfig(members: Readonly<Record<string, unknown>> = {}): OidcConfig {
  return parseOidcConfig({
    issuer: ISSUER,
    audience: AUDIENCE,
    role_claim: 'roles',
    roles: { 'log-writer': 'submit', 'log-auditor': 'audit', 'log-examiner': 'audit', 'log-admin': 'admin' },
    sources_claim: 'log_sources',
    ...members,
  });
}

export interface Signed {
  readonly claims?: JWTPayload;
  readonly header?: Readonly<Record<string, unknown>>;
}

export class FakeIssuer {
  nowMs = 1_795_176_000_000;
  elapsedMs = 0;
  /** Paths that were fetched, in order. */
  readonly fetched: string[] = [];
  /** What a URL answers; the documents of the issuer where there is nothing here. */
  readonly answers: Map<string, () => Response | Promise<Response>> = new Map();
  readonly keys: JWK[] = [];
  readonly #private = new Map<string, CryptoKey>();

  static async open(alg = 'ES256'): Promise<FakeIssuer> {
    const issuer = new FakeIssuer();
    await issuer.addKey('k1', alg);
    return issuer;
  }

  /** Of `openOidc`. */
  get options(): { now: () => number; elapsed: () => number; fetch: typeof fetch } {
    return {
      now: () => this.nowMs,
      elapsed: () => this.elapsedMs,
      fetch: async (input) => this.#answer(new URL(input instanceof Request ? input.url : input).href),
    };
  }

  /** Lets time pass. */
  pass(durationMs: number): void {
    this.nowMs += durationMs;
    this.elapsedMs += durationMs;
  }

  async addKey(kid: string, alg = 'ES256'): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    this.#private.set(kid, privateKey);
    this.keys.push({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' });
  }

  /** A JWT that is right, with other claims (`undefined`: without) and header members, by the key `kid`. */
  sign({ claims, header }: Signed = {}, kid = 'k1'): Promise<string> {
    const nowS = Math.floor(this.nowMs / 1000);
    const payload = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'u1',
      exp: nowS + 60,
      roles: ['log-auditor'],
      ...claims,
    };
    const alg = this.keys.find((key) => key.kid === kid)?.alg ?? 'ES256';
    return new SignJWT(payload)
      .setProtectedHeader({ alg, kid, typ: 'at+jwt', ...header })
      .sign(this.#private.get(kid)!);
  }

  async #answer(url: string): Promise<Response> {
    this.fetched.push(new URL(url).pathname);
    const answer = this.answers.get(url);
    if (answer) return answer();
    if (url === DISCOVERY_URL) return Response.json({ issuer: ISSUER, jwks_uri: KEYS_URL });
    if (url === KEYS_URL) return Response.json({ keys: this.keys });
    return new Response(null, { status: 404 });
  }
}
