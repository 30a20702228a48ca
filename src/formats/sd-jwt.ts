/**
 * SD-JWT (RFC 9901): a signed JWT with digests where claims were, and the claims beside it, each with a salt.
 *
 *   eyJhbGciOi….eyJpc3MiOi….c2lnbmF0dXJl~WyJfMjZiYzRM…~WyI2SWo3dE0t…~
 *   header      payload     signature    disclosures, each ended by a tilde; after the last one a key-binding JWT, or nothing
 *
 *   disclosure  base64url of ["<salt>","<name>",<value>], or of ["<salt>",<value>] for an element of an array
 *   digest      base64url of the SHA-256 of that base64url; it stands in an "_sd" array, or as {"...":"<digest>"} in an array
 *
 * What an SD-JWT says is worth nothing until `verifySdJwt` (sd-jwt-verify.ts) has checked it.
 */

import { hashBytes } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { formatBase64Url, parseBase64Url } from './base64url.ts';
import { isJsonObject, parseJson, type JsonObject, type JsonValue } from './json.ts';
import { decodeUtf8, encodeUtf8, isWellFormed } from './text.ts';

/** Characters, all ASCII, that an SD-JWT may have. */
export const MAX_SD_JWT_CHARS: number = 256 * 1024;
/** Disclosures that an SD-JWT may have. */
export const MAX_DISCLOSURES = 256;

export interface Disclosure {
  /** As it stands in the SD-JWT. */
  readonly encoded: string;
  readonly digest: string;
  /** The claim's name; undefined for an element of an array. */
  readonly name: string | undefined;
  /** The claim's value. It may have digests of further disclosures in it. */
  readonly value: JsonValue;
}

/** The parts of an SD-JWT, of which nothing is verified. */
export interface SdJwt {
  readonly header: JsonObject;
  /** As it is signed: with digests, without the claims that they stand for. */
  readonly payload: JsonObject;
  readonly encodedHeader: string;
  readonly encodedPayload: string;
  readonly signature: Uint8Array;
  readonly disclosures: readonly Disclosure[];
  /** The key-binding JWT of a presentation: three parts in base64url, not looked into. */
  readonly keyBinding: string | undefined;
}

/** What an SD-JWT is written from. */
export interface SdJwtParts {
  readonly encodedHeader: string;
  readonly encodedPayload: string;
  readonly signature: Uint8Array;
  readonly disclosures: readonly { readonly encoded: string }[];
  readonly keyBinding?: string | undefined;
}

/** The JSON text of a disclosure, which must be kept as it is: its digest is over these very characters. */
export function formatDisclosure(salt: Uint8Array, name: string, value: JsonValue): string {
  return JSON.stringify([formatBase64Url(salt), name, value]);
}

/** A disclosure as it travels. Throws `malformed` for text with a lone surrogate. */
export function encodeDisclosure(json: string): string {
  return formatBase64Url(encodeShort(json));
}

/** The digest of an encoded disclosure, or of any other ASCII text (the `sd_hash` of a key-binding JWT): 43 characters. */
export function digestOf(encoded: string): string {
  return formatBase64Url(hashBytes(encodeShort(encoded)));
}

/** The text of an SD-JWT. Its parts are taken as they are. */
export function formatSdJwt({
  encodedHeader,
  encodedPayload,
  signature,
  disclosures,
  keyBinding = '',
}: SdJwtParts): string {
  const jwt = `${encodedHeader}.${encodedPayload}.${formatBase64Url(signature)}`;
  return `${[jwt, ...disclosures.map(({ encoded }) => encoded)].join('~')}~${keyBinding}`;
}

/** The bytes that the signature is over (RFC 7515 §5.1). */
export function signingInputOf(sdJwt: Pick<SdJwtParts, 'encodedHeader' | 'encodedPayload'>): Uint8Array {
  return encodeUtf8(`${sdJwt.encodedHeader}.${sdJwt.encodedPayload}`);
}

/**
 * Reads an SD-JWT, with a key-binding JWT or without. Throws `malformed` for what `formatSdJwt` would not write again,
 * for JSON that `parseJson` refuses, for a header without an `alg`, with `none` for one, or with `crit`; `too_large` over
 * 256 KiB or 256 disclosures.
 */
export function parseSdJwt(text: string): SdJwt {
  if (text.length > MAX_SD_JWT_CHARS) {
    throw new NewelError('too_large', `SD-JWT is longer than ${MAX_SD_JWT_CHARS} characters`);
  }
  const [jwt = '', ...rest] = text.split('~', MAX_DISCLOSURES + 3);
  const keyBinding = rest.pop();
  if (keyBinding === undefined) throw malformed('has no tilde after the JWT');
  if (rest.length > MAX_DISCLOSURES) {
    throw new NewelError('too_large', `SD-JWT has more than ${MAX_DISCLOSURES} disclosures`);
  }
  const [encodedHeader, encodedPayload, encodedSignature] = splitJws(jwt, 'JWT');
  const header = parseObject(encodedHeader, 'header');
  const { alg } = header;
  // RFC 7515 §4.1.11: an extension that is not known here may change what the signature means.
  if (typeof alg !== 'string' || alg.toLowerCase() === 'none' || Object.hasOwn(header, 'crit')) {
    throw malformed('has a header without an algorithm or with an extension');
  }
  if (keyBinding !== '') {
    for (const part of splitJws(keyBinding, 'key-binding JWT')) {
      parseBase64Url(part, 'part of a key-binding JWT');
    }
  }
  return {
    header,
    payload: parseObject(encodedPayload, 'payload'),
    encodedHeader,
    encodedPayload,
    signature: parseBase64Url(encodedSignature, 'signature of an SD-JWT'),
    disclosures: rest.map(parseDisclosure),
    keyBinding: keyBinding === '' ? undefined : keyBinding,
  };
}

function parseDisclosure(encoded: string): Disclosure {
  const array = parseEncoded(encoded, 'disclosure');
  if (!Array.isArray(array) || typeof array[0] !== 'string') throw malformed('has a disclosure without salt');
  const digest = digestOf(encoded);
  const [, second, third] = array;
  if (second !== undefined && third === undefined) {
    return { encoded, digest, name: undefined, value: second };
  }
  if (typeof second !== 'string' || third === undefined || array.length > 3) {
    throw malformed('has a disclosure that is neither [salt, name, value] nor [salt, value]');
  }
  return { encoded, digest, name: second, value: third };
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(4096);

/** As `encodeUtf8`, but good only until the next call: dozens of short texts a statement, without an array for each. */
function encodeShort(text: string): Uint8Array {
  if (3 * text.length > scratch.length || !isWellFormed(text)) return encodeUtf8(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}

/** The parts of a JWS in compact form, none of which is empty. */
function splitJws(jws: string, what: string): [header: string, payload: string, signature: string] {
  const [header = '', payload = '', signature = '', more] = jws.split('.', 4);
  if (header === '' || payload === '' || signature === '' || more !== undefined) {
    throw malformed(`has a ${what} that is not three parts`);
  }
  return [header, payload, signature];
}

function parseObject(encoded: string, what: string): JsonObject {
  const value = parseEncoded(encoded, what);
  if (!isJsonObject(value)) throw malformed(`has a ${what} that is no object`);
  return value;
}

function parseEncoded(encoded: string, what: string): JsonValue {
  return parseJson(decodeUtf8(parseBase64Url(encoded, `${what} of an SD-JWT`)));
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `SD-JWT ${flaw}`);
}
