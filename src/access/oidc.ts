/**
 * JWTs of an OIDC issuer as bearer tokens (RFC 6750, RFC 9068): who may call is then kept where an organisation keeps
 * it already.
 *
 *   {"alg":"ES256","kid":"…","typ":"at+jwt"}
 *   {"iss":"https://id.bank.example","aud":"https://log.bank.example","sub":"8f2c…","exp":1795176300,
 *    "roles":["log-auditor"]}
 *
 * A signature by one of the issuer's keys and an algorithm that is allowed; `iss` and `aud` letter by letter; `exp`
 * there, and `nbf` where it is, within 30 s. Exactly one of our roles: they are duties that are kept apart, and who was
 * given two is given none here. What is bound to a key of its bearer (`cnf`) is refused, since nothing proves it here.
 */

import { errors, jwtVerify, type JWTPayload, type JWTHeaderParameters } from 'jose';
import { NewelError } from '../errors.ts';
import { parseBase64Url } from '../formats/base64url.ts';
import { claimOf, textsOf } from './claims.ts';
import { IssuerKeys, type IssuerKeysOptions } from './issuer-keys.ts';
import type { OidcConfig } from './oidc-config.ts';
import type { Principal } from './principal.ts';
import { isOwnSource, isSource, MAX_SOURCES } from './source.ts';

export interface OidcOptions extends IssuerKeysOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface Oidc {
  /**
   * The bearer of a JWT; at once where it was seen before. Throws `unauthenticated`, `forbidden` where it gives no role,
   * and `issuer_unavailable`.
   */
  authenticate(jwt: string): Principal | Promise<Principal>;
}

/** What a JWT is told by before it costs anything: the start of a JSON object, and three parts that none is empty. */
const JWT = /^eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const MAX_JWT_CHARS = 8192;
const CLOCK_TOLERANCE_S = 30;
/** Of JWTs that were accepted, so strangers cannot fill it. */
const MAX_CACHED = 1024;
/** OpenID Connect Core 1.0 §2: at most 255 ASCII characters. */
const SUBJECT = /^[\x21-\x7e]{1,255}$/;
/** RFC 9068 §2.1, and what issuers before it write. Other kinds of JWT are not tokens of access (RFC 8725 §3.11). */
const TYPES: readonly unknown[] = [undefined, 'at+jwt', 'application/at+jwt', 'jwt', 'application/jwt'];

/** Whether a bearer token has the form of a JWT. */
export function isJwt(text: string): boolean {
  return text.length <= MAX_JWT_CHARS && JWT.test(text);
}

/** Knows the bearers of one issuer's JWTs. Nothing is fetched before the first one comes. */
export function openOidc(config: OidcConfig, options: OidcOptions = {}): Oidc {
  return new JwtBearers(config, options);
}

interface Accepted {
  readonly principal: Principal;
  readonly untilMs: number;
  /** The keys that it was verified with. */
  readonly keys: object;
}

class JwtBearers implements Oidc {
  readonly #config: OidcConfig;
  readonly #keys: IssuerKeys;
  readonly #now: () => number;
  readonly #accepted = new Map<string, Accepted>();

  constructor(config: OidcConfig, { now = Date.now, ...options }: OidcOptions) {
    this.#config = config;
    this.#keys = new IssuerKeys(config, options);
    this.#now = now;
  }

  authenticate(jwt: string): Principal | Promise<Principal> {
    const known = this.#accepted.get(jwt);
    if (!known) return this.#verify(jwt);
    if (this.#now() < known.untilMs && known.keys === this.#keys.fresh) return known.principal;
    this.#accepted.delete(jwt);
    return this.#verify(jwt);
  }

  async #verify(jwt: string): Promise<Principal> {
    // Before, so that nothing is remembered under keys that it was not verified with.
    const keys = this.#keys.fresh;
    const { payload, protectedHeader } = await this.#open(jwt);
    assertBearer(protectedHeader, payload);
    const principal = this.#principalOf(payload);
    if (keys) this.#remember(jwt, { principal, untilMs: (payload.exp! + CLOCK_TOLERANCE_S) * 1000, keys });
    return principal;
  }

  #remember(jwt: string, accepted: Accepted): void {
    if (this.#accepted.size >= MAX_CACHED) this.#accepted.delete(this.#accepted.keys().next().value!);
    this.#accepted.set(jwt, accepted);
  }

  async #open(jwt: string): Promise<{ payload: JWTPayload; protectedHeader: JWTHeaderParameters }> {
    const { issuer, audience, algorithms } = this.#config;
    try {
      for (const part of jwt.split('.')) parseBase64Url(part, 'the JWT');
      return await jwtVerify(jwt, (header) => this.#keys.keyOf(header), {
        issuer,
        audience,
        algorithms: [...algorithms],
        requiredClaims: ['exp', 'sub'],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(this.#now()),
      });
    } catch (error) {
      if (error instanceof NewelError && error.code !== 'malformed') throw error;
      throw unauthenticated(reasonOf(error));
    }
  }

  #principalOf(payload: JWTPayload): Principal {
    const { roleClaim, roles: mapped, sourcesClaim } = this.#config;
    if (typeof payload.sub !== 'string' || !SUBJECT.test(payload.sub)) {
      throw unauthenticated('the sub of the JWT is not 1 to 255 visible ASCII characters');
    }
    const values = textsOf(claimOf(payload, roleClaim));
    const roles = new Set(values.flatMap((value) => mapped.get(value) ?? []));
    const [role] = roles;
    if (role === undefined) throw forbidden('the JWT has no role in this log');
    if (roles.size > 1) throw forbidden('the JWT has several roles in this log, which are kept apart');
    const name = `oidc:${payload.sub}`;
    if (role !== 'submit') return { name, role, sources: [] };
    const sources = sourcesClaim === undefined ? [] : textsOf(claimOf(payload, sourcesClaim));
    if (sources.length === 0) throw forbidden('the JWT may submit, but has no source to submit for');
    if (sources.length > MAX_SOURCES || !sources.every((one) => isSource(one) && !isOwnSource(one))) {
      throw forbidden(
        `the JWT has sources that are not at most ${MAX_SOURCES} of those that a caller may have`,
      );
    }
    return { name, role, sources };
  }
}

function assertBearer({ typ }: JWTHeaderParameters, { cnf }: JWTPayload): void {
  if (!TYPES.includes(typeof typ === 'string' ? typ.toLowerCase() : typ)) {
    throw unauthenticated('the JWT is of a kind that is no access token');
  }
  if (cnf !== undefined) throw unauthenticated('the JWT is bound to a key, and a bearer proves none');
}

/** In words of ours: messages of the library may name what was received. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the JWT has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const claim = CLAIMS.find((name) => name === error.claim);
    if (claim !== undefined) return `the ${claim} of the JWT is missing, or not one that is taken here`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'the JWT is signed with an algorithm that is not taken';
  return 'the JWT is not one that the issuer signed';
}

const CLAIMS = ['iss', 'aud', 'exp', 'nbf', 'iat', 'sub'] as const;

function unauthenticated(message: string): NewelError {
  return new NewelError('unauthenticated', message);
}

function forbidden(message: string): NewelError {
  return new NewelError('forbidden', message);
}
