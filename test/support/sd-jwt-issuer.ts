/**
 * An issuer of SD-JWTs for tests: any claims, any of them hidden at any depth, elements of arrays too, with decoys, signed
 * by Ed25519.
 */

import { formatBase64Url } from '../../src/formats/base64url.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { isJsonObject, type JsonObject, type JsonValue, setMember } from '../../src/formats/json.ts';
import { type Ed25519Jwk, formatJwk } from '../../src/formats/jwk.ts';
import type { ClaimPath } from '../../src/formats/sd-jwt-verify.ts';
import {
  digestOf,
  encodeDisclosure,
  formatDisclosure,
  formatSdJwt,
  signingInputOf,
} from '../../src/formats/sd-jwt.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';

/** The key of all SD-JWTs that are issued here. */
export const issuerSeed: Uint8Array = new Uint8Array(32).fill(5);
export const issuerKey: Uint8Array = nodeEd25519.publicKey(issuerSeed);
export const issuerJwk: Ed25519Jwk = formatJwk(issuerKey);

export interface IssueOptions {
  /** Whether the claim at this place is a disclosure. */
  readonly isHidden: (path: ClaimPath) => boolean;
  /** Decoys beside the digests of each object and array that has any. */
  readonly decoys?: number;
  readonly header?: JsonObject;
}

/** An SD-JWT of `claims` with every disclosure. */
export function issueSdJwt(claims: JsonObject, options: IssueOptions): string {
  const { header = { alg: 'Ed25519', kid: issuerJwk.kid!, typ: 'example+sd-jwt' } } = options;
  const disclosures: { encoded: string }[] = [];
  let salts = 0;
  const payload = { ...(conceal(claims, []) as JsonObject), _sd_alg: 'sha-256' };
  return signSdJwt(JSON.stringify(header), JSON.stringify(payload), disclosures);

  function conceal(value: JsonValue, path: ClaimPath): JsonValue {
    if (Array.isArray(value)) {
      const elements = value.map((element, index): JsonValue => {
        const place = [...path, index];
        const shown = conceal(element, place);
        return options.isHidden(place) ? { '...': disclose(JSON.stringify([salt(), shown])) } : shown;
      });
      const hasDigests = value.some((_, index) => options.isHidden([...path, index]));
      return hasDigests ? [...elements, ...decoys().map((digest) => ({ '...': digest }))] : elements;
    }
    if (!isJsonObject(value)) return value;
    const shown: JsonObject = {};
    const digests: string[] = [];
    for (const [name, member] of Object.entries(value)) {
      const place = [...path, name];
      const inner = conceal(member, place);
      if (options.isHidden(place)) {
        digests.push(disclose(formatDisclosure(new Uint8Array(16).fill(++salts), name, inner)));
      } else setMember(shown, name, inner);
    }
    return digests.length === 0 ? shown : { ...shown, _sd: [...digests, ...decoys()].sort() };
  }

  function disclose(json: string): string {
    const encoded = encodeDisclosure(json);
    disclosures.push({ encoded });
    return digestOf(encoded);
  }

  function salt(): string {
    return formatBase64Url(new Uint8Array(16).fill(++salts));
  }

  function decoys(): string[] {
    return Array.from({ length: options.decoys ?? 0 }, () => digestOf(`decoy ${++salts}`));
  }
}

/** An SD-JWT of a header and a payload that are given as text. */
export function signSdJwt(
  header: string,
  payload: string,
  disclosures: readonly { readonly encoded: string }[],
): string {
  const encodedHeader = formatBase64Url(encodeUtf8(header));
  const encodedPayload = formatBase64Url(encodeUtf8(payload));
  const signature = nodeEd25519.sign(issuerSeed, signingInputOf({ encodedHeader, encodedPayload }));
  return formatSdJwt({ encodedHeader, encodedPayload, signature, disclosures });
}
