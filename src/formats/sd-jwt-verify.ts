/**
 * Verifying an SD-JWT (RFC 9901 §7.1): the signature, then every digest replaced by the claim that it stands for.
 *
 *   {"iss":…,"_sd_alg":"sha-256","_sd":[d1,d2]}       d1 = digest of ["…","subject",{"kind":"user","_sd":[d3,d4]}]
 *                                                     d4 = digest of ["…","id","u-8841"]; d2 and d3 are of nothing known
 *   {"iss":…,"subject":{"kind":"user","id":"u-8841"}}
 */

import { NewelError } from '../errors.ts';
import { setMember, type JsonObject, type JsonValue } from './json.ts';
import type { Disclosure, SdJwt } from './sd-jwt.ts';

/** How deep a claim may stand in the processed payload. */
export const MAX_CLAIM_DEPTH = 32;

/** Where a claim stands in the processed payload: names of members, and indexes among the elements that are shown. */
export type ClaimPath = readonly (string | number)[];

/** Told of each disclosure at the place of its claim; `within` is the disclosure that its digest stands in. */
export type DisclosureVisitor = (
  disclosure: Disclosure,
  path: ClaimPath,
  within: Disclosure | undefined,
) => void;

export interface VerifiedSdJwt {
  /** The payload with each disclosed claim in its place, and without digests and `_sd_alg`. */
  readonly claims: JsonObject;
  /** How many disclosures there were: all of them, each used once. */
  readonly used: number;
}

/**
 * The claims of an SD-JWT. `verify` throws unless the signature over `signingInputOf(sdJwt)` is by the issuer's key, under
 * the algorithm that this key is for; the times and names in the claims are the caller's to judge, and so is key binding.
 * Throws what `verify` throws, and `malformed` where §7.1 rejects: a disclosure that no digest stands for, a digest twice,
 * a claim where there is one of that name already, a claim called `_sd`, `...` or `_sd_alg`, and any hash but SHA-256.
 */
export function verifySdJwt(sdJwt: SdJwt, verify: (sdJwt: SdJwt) => void): VerifiedSdJwt {
  verify(sdJwt);
  return { claims: processPayload(sdJwt), used: sdJwt.disclosures.length };
}

/** The processed payload of an SD-JWT whose signature is left aside. Throws `malformed` as `verifySdJwt` does. */
export function processPayload(
  sdJwt: Pick<SdJwt, 'payload' | 'disclosures'>,
  visit?: DisclosureVisitor,
): JsonObject {
  const { payload } = sdJwt;
  if (Object.hasOwn(payload, '_sd_alg') && payload['_sd_alg'] !== 'sha-256') {
    throw malformed('has digests by another hash than SHA-256');
  }
  const byDigest = new Map(sdJwt.disclosures.map((disclosure) => [disclosure.digest, disclosure]));
  if (byDigest.size < sdJwt.disclosures.length) throw malformed('has a disclosure twice');
  const seen = new Set<string>();
  let used = 0;
  const claims = showObject(payload, [], undefined);
  if (used < byDigest.size) throw malformed('has a disclosure that no digest stands for');
  return claims;

  function showValue(value: JsonValue, path: ClaimPath, within: Disclosure | undefined): JsonValue {
    if (typeof value !== 'object' || value === null) return value;
    if (path.length >= MAX_CLAIM_DEPTH) throw malformed(`has claims deeper than ${MAX_CLAIM_DEPTH}`);
    return Array.isArray(value) ? showArray(value, path, within) : showObject(value, path, within);
  }

  function showObject(object: JsonObject, path: ClaimPath, within: Disclosure | undefined): JsonObject {
    const shown: JsonObject = {};
    let digests: JsonValue = [];
    for (const [name, member] of Object.entries(object)) {
      if (name === '_sd') digests = member;
      else if (name !== '_sd_alg' || object !== payload) show(name, member, within);
    }
    if (!Array.isArray(digests)) throw malformed('has an _sd that is no array');
    for (const digest of digests) {
      const disclosure = disclosed(digest);
      if (disclosure === undefined) continue;
      if (disclosure.name === undefined) throw malformed('has a claim without a name');
      if (Object.hasOwn(shown, disclosure.name)) throw malformed('has two claims of one name');
      visit?.(disclosure, [...path, disclosure.name], within);
      show(disclosure.name, disclosure.value, disclosure);
    }
    return shown;

    function show(name: string, value: JsonValue, by: Disclosure | undefined): void {
      if (name === '_sd' || name === '...' || name === '_sd_alg') {
        throw malformed('has a claim by a reserved name');
      }
      setMember(shown, name, showValue(value, [...path, name], by));
    }
  }

  function showArray(array: JsonValue[], path: ClaimPath, within: Disclosure | undefined): JsonValue[] {
    const shown: JsonValue[] = [];
    for (const element of array) {
      const place = [...path, shown.length];
      if (!isDigestElement(element)) {
        shown.push(showValue(element, place, within));
        continue;
      }
      const disclosure = disclosed(element['...']);
      if (disclosure === undefined) continue;
      if (disclosure.name !== undefined) throw malformed('has an element with a name');
      visit?.(disclosure, place, within);
      shown.push(showValue(disclosure.value, place, disclosure));
    }
    return shown;
  }

  /** The disclosure that a digest stands for, unless it is a decoy's or of one that was left out. */
  function disclosed(digest: JsonValue | undefined): Disclosure | undefined {
    if (typeof digest !== 'string') throw malformed('has a digest that is no string');
    if (seen.size === seen.add(digest).size) throw malformed('has a digest twice');
    const disclosure = byDigest.get(digest);
    if (disclosure !== undefined) used++;
    return disclosure;
  }
}

/** Whether an element of an array is the digest of one: an object with `...` alone. With other members it is refused. */
function isDigestElement(element: JsonValue): element is JsonObject {
  return (
    typeof element === 'object' &&
    element !== null &&
    Object.hasOwn(element, '...') &&
    Object.keys(element).length === 1
  );
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `SD-JWT ${flaw}`);
}
