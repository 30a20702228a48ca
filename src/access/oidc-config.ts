/**
 * `oidc` of newel.json: whose JWTs are taken as bearer tokens, and what in them makes a role.
 *
 *   "oidc": {
 *     "issuer": "https://id.bank.example", "audience": "https://log.bank.example",
 *     "role_claim": "roles", "roles": { "log-auditor": "audit", "log-writer": "submit" }, "sources_claim": "log_sources"
 *   }
 *
 * Read strictly, as what decides over access: a member that is not known is refused rather than passed over.
 */

import { NewelError } from '../errors.ts';
import { isRole, type Role } from './principal.ts';

export interface OidcConfig {
  /** `iss`, letter by letter. */
  readonly issuer: string;
  /** What `aud` must be or hold. */
  readonly audience: string;
  /** Where the issuer's keys are; found by discovery where it is not given. */
  readonly jwksUri?: string;
  /** As `claimOf` reads it. */
  readonly roleClaim: string;
  /** Roles by the values of that claim. */
  readonly roles: ReadonlyMap<string, Role>;
  /** Where the sources of a `submit` bearer are, as `claimOf` reads it; there wherever a value makes that role. */
  readonly sourcesClaim?: string;
  /** Names of JWS algorithms, asymmetric ones. */
  readonly algorithms: readonly string[];
}

/** RFC 7518 and RFC 8037 as of RFC 9864: those whose verifying key signs nothing. */
export const ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Values of the role claim that are mapped. */
const MAX_VALUES = 256;
const TEXT = /^[\x21-\x7e]{1,1024}$/;

/** Reads the member. Throws `malformed`, saying which part of it has what flaw. */
export function parseOidcConfig(value: unknown): OidcConfig {
  if (!isObject(value)) throw flaw('is not an object');
  const {
    issuer,
    audience,
    jwks_uri: jwksUri,
    role_claim: roleClaim,
    roles: mapped,
    sources_claim: sourcesClaim,
    algorithms = ALGORITHMS,
    ...rest
  } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw flaw(`has an unknown member ${JSON.stringify(unknown)}`);
  if (!isText(issuer) || !isIssuerUrl(issuer)) {
    throw flaw('has no issuer that is an https URL without query and fragment (http on loopback alone)');
  }
  if (!isText(audience)) throw flaw('has no audience of 1 to 1024 visible ASCII characters');
  if (jwksUri !== undefined && (!isText(jwksUri) || !isKeysUrl(jwksUri, issuer))) {
    throw flaw('has a jwks_uri that is not an https URL (http where the issuer is on loopback)');
  }
  if (!isText(roleClaim)) throw flaw('has no role_claim');
  if (sourcesClaim !== undefined && !isText(sourcesClaim)) throw flaw('has a sources_claim that is not one');
  const roles = parseRoles(mapped);
  if (sourcesClaim === undefined && [...roles.values()].includes('submit')) {
    throw flaw('gives the role submit, but has no sources_claim to say for which sources');
  }
  if (!isAlgorithms(algorithms)) throw flaw(`has algorithms that are not some of ${ALGORITHMS.join(', ')}`);
  return {
    issuer,
    audience,
    ...(jwksUri === undefined ? {} : { jwksUri }),
    roleClaim,
    roles,
    ...(sourcesClaim === undefined ? {} : { sourcesClaim }),
    algorithms,
  };
}

/** The member of newel.json, as JSON. */
export function formatOidcConfig(config: OidcConfig): Record<string, unknown> {
  const { issuer, audience, jwksUri, roleClaim, roles, sourcesClaim, algorithms } = config;
  return {
    issuer,
    audience,
    jwks_uri: jwksUri,
    role_claim: roleClaim,
    roles: Object.fromEntries(roles),
    sources_claim: sourcesClaim,
    algorithms,
  };
}

function parseRoles(value: unknown): ReadonlyMap<string, Role> {
  const entries = isObject(value) ? Object.entries(value) : [];
  if (entries.length === 0 || entries.length > MAX_VALUES) {
    throw flaw(`has no roles: an object of 1 to ${MAX_VALUES} values of the role claim, each with its role`);
  }
  const roles = new Map<string, Role>();
  for (const [name, role] of entries) {
    if (!isText(name))
      throw flaw('has roles with a value that is not visible ASCII, which no claim can have');
    if (!isRole(role)) throw flaw('has roles with a role that is not submit, audit or admin');
    roles.set(name, role);
  }
  return roles;
}

function isAlgorithms(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) && value.length > 0 && value.every((name) => ALGORITHMS.includes(name as string))
  );
}

function isIssuerUrl(text: string): boolean {
  const url = safeUrl(text);
  return url !== undefined && url.search === '' && url.hash === '' && !/[?#]/.test(text);
}

/** Whether keys of `issuer` may be fetched from there: never in clear over a network. */
export function isKeysUrl(text: string, issuer: string): boolean {
  const url = safeUrl(text);
  if (url === undefined || url.hash !== '') return false;
  return url.protocol === 'https:' || safeUrl(issuer)?.protocol === 'http:';
}

const LOOPBACK = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])$/;

/** An https URL without user, or an http one of this machine. */
function safeUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.username !== '' || url.password !== '') return undefined;
  if (url.protocol === 'https:') return url;
  return url.protocol === 'http:' && LOOPBACK.test(url.hostname) ? url : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && TEXT.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function flaw(what: string): NewelError {
  return new NewelError('malformed', `oidc ${what}`);
}
