/**
 * Ed25519 public keys as JSON Web Keys (RFC 7517, RFC 8037 §2), named by their thumbprint (RFC 7638): the SHA-256 of the
 * required members in the order of their names.
 *
 *   {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
 *    "kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}
 *
 * A key that is written has no `alg`: of the two names of its algorithm, "EdDSA" and "Ed25519", libraries know one each.
 */

import { hashBytes } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { formatBase64Url, parseBase64Url } from './base64url.ts';
import { isAcceptableKey } from './ed25519.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { encodeUtf8 } from './text.ts';

/** Keys that a set may have. */
export const MAX_JWKS_KEYS = 100;

export interface Ed25519Jwk {
  kty: 'OKP';
  crv: 'Ed25519';
  /** base64url of the 32 bytes. */
  x: string;
  kid?: string;
}

/** A public key and its name. */
export interface NamedKey {
  readonly publicKey: Uint8Array;
  /** The thumbprint, whether the JWK said it or not. */
  readonly kid: string;
}

/** The RFC 7638 thumbprint of an Ed25519 key: 43 characters of base64url. */
export function thumbprintOf(publicKey: Uint8Array): string {
  return formatBase64Url(
    hashBytes(encodeUtf8(`{"crv":"Ed25519","kty":"OKP","x":"${formatBase64Url(publicKey)}"}`)),
  );
}

/** The JWK of an Ed25519 key, with its thumbprint as `kid`. */
export function formatJwk(publicKey: Uint8Array): Ed25519Jwk {
  return { kty: 'OKP', crv: 'Ed25519', x: formatBase64Url(publicKey), kid: thumbprintOf(publicKey) };
}

/**
 * The key of an Ed25519 JWK. Members that this file does not know are ignored (RFC 7517 §4). Throws `malformed` for any
 * other kind of key, for a private one, for a `kid` that is not the thumbprint, for a `use` or `alg` other than signing
 * with Ed25519, and for a key that `isAcceptableKey` refuses.
 */
export function parseJwk(value: JsonValue): NamedKey {
  if (!isJsonObject(value) || !isEd25519(value)) throw malformed('is not an Ed25519 key');
  if (Object.hasOwn(value, 'd')) throw malformed('holds a private key');
  const { x, kid, use = 'sig', alg = 'Ed25519' } = value;
  if (use !== 'sig' || (alg !== 'Ed25519' && alg !== 'EdDSA')) {
    throw malformed('is not for Ed25519 signatures');
  }
  if (typeof x !== 'string') throw malformed('has no x');
  const publicKey = parseBase64Url(x, 'x of a JWK');
  if (!isAcceptableKey(publicKey)) throw malformed('is not an acceptable Ed25519 key');
  const thumbprint = thumbprintOf(publicKey);
  if (kid !== undefined && kid !== thumbprint) throw malformed('has a kid that is not its thumbprint');
  return { publicKey, kid: thumbprint };
}

/**
 * The Ed25519 keys of a JWK Set, in their order. Keys of other kinds are ignored (RFC 7517 §5), so that a set may gain
 * some. Throws `malformed` for what is no set, for an Ed25519 key that `parseJwk` refuses and for one key twice;
 * `too_large` for more than 100 keys.
 */
export function parseJwks(value: JsonValue): readonly NamedKey[] {
  if (!isJsonObject(value) || !Array.isArray(value['keys'])) throw malformed('set has no list of keys');
  const { keys } = value;
  if (keys.length > MAX_JWKS_KEYS) {
    throw new NewelError('too_large', `JWK set has more than ${MAX_JWKS_KEYS} keys`);
  }
  if (!keys.every(isJsonObject)) throw malformed('set has a key that is no object');
  const named = keys.filter(isEd25519).map(parseJwk);
  if (new Set(named.map(({ kid }) => kid)).size < named.length) throw malformed('set has a key twice');
  return named;
}

function isEd25519(value: JsonObject): boolean {
  return value['kty'] === 'OKP' && value['crv'] === 'Ed25519';
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `JWK ${flaw}`);
}
