/**
 * Statements as a verifier reads them: an SD-JWT (RFC 9901) of the profile `stepup/1`, with all of its disclosures or
 * some. What the log keeps for itself cannot be told from the decoys, so that nobody can say how much is not shown.
 *
 *   header    {"alg":"Ed25519","kid":"<RFC 7638 thumbprint>","typ":"stepup-event+sd-jwt"}
 *   payload   {"iss":…,"log":…,"iat":…,"jti":"evt_…","schema":"stepup/1",["cnf":{"jwk":{…}},]"_sd_alg":"sha-256","_sd":[…]}
 */

import { NewelError } from '../errors.ts';
import {
  DIGEST_ALGORITHM,
  PAYLOAD_NAMES,
  SCHEMA,
  STATEMENT_TYPE,
  TOP_LEVEL_DIGESTS,
} from '../event/statement-names.ts';
import { formatBase64Url } from '../formats/base64url.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../formats/json.ts';
import { parseSdJwt, type SdJwt, signingInputOf } from '../formats/sd-jwt.ts';
import { verifySdJwt } from '../formats/sd-jwt-verify.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { isEventId } from './receipt.ts';
import type { Trust } from './trust.ts';

export interface OpenedStatement {
  /** `jti`. */
  readonly eventId: string;
  /** `iat`, seconds since 1970: when the log received the event. */
  readonly receivedTimeS: number;
  /** Thumbprint of the statement key that signed it. */
  readonly kid: string;
  /** The event as far as it is shown: `schema`, what is disclosed, and `holder` where there is one. */
  readonly event: JsonObject;
  /** Disclosures. */
  readonly claimsShown: number;
  /** The payload as it was signed, in base64url: what the leaf commits to. */
  readonly encodedPayload: string;
}

const STATEMENT = 'statement';
const ALGORITHMS: readonly JsonValue[] = ['Ed25519', 'EdDSA'];
const WITH_HOLDER = PAYLOAD_NAMES.join();
const WITHOUT_HOLDER = PAYLOAD_NAMES.filter((name) => name !== 'cnf').join();

/**
 * Verifies a statement of the log that `trust` names. Throws `malformed` for what is not a statement in its one form,
 * `schema_unknown` for one of a later profile, `signer_unknown` for another log's or another key's, `signature_invalid`
 * for a false one, `too_large` over the limits of SD-JWTs here.
 */
export function openStatement(text: string, trust: Trust): OpenedStatement {
  const sdJwt = parseSdJwt(text);
  if (sdJwt.keyBinding !== undefined) throw flaw('has a key binding, which this version does not verify');
  const kid = kidOf(sdJwt, STATEMENT_TYPE);
  const { claims, used } = verifySdJwt(sdJwt, () => verifySignature(sdJwt, kid, trust));
  const { eventId, receivedTimeS } = openPayload(sdJwt, trust);
  const { iss: _iss, log: _log, iat: _iat, jti: _jti, cnf, ...event } = claims;
  if (isJsonObject(cnf)) event['holder'] = cnf['jwk']!;
  return { eventId, receivedTimeS, kid, event, claimsShown: used, encodedPayload: sdJwt.encodedPayload };
}

/** The header's key, once the header is in its one form and of the type. Throws `malformed`, naming `what` it is. */
export function kidOf({ header, encodedHeader }: SdJwt, type: string, what?: string): string {
  const { alg, kid, typ } = header;
  if (typ !== type) throw flaw('is of another type', what);
  if (!ALGORITHMS.includes(alg!)) throw flaw('is signed by another algorithm', what);
  if (typeof kid !== 'string') throw flaw('names no key', what);
  if (!isEncodingOf(encodedHeader, { alg: alg!, kid, typ })) throw flaw('has a header of another form', what);
  return kid;
}

/** Throws `signer_unknown` or `signature_invalid`. */
export function verifySignature(
  sdJwt: SdJwt,
  kid: string,
  { statementKeys, ed25519 }: Trust,
  what: string = STATEMENT,
): void {
  const publicKey = statementKeys.get(kid);
  if (!publicKey) {
    throw new NewelError('signer_unknown', `${what} is signed by a key that the trust file does not have`);
  }
  if (!ed25519.verify(publicKey, signingInputOf(sdJwt), sdJwt.signature)) {
    throw new NewelError('signature_invalid', `${what} has a false signature`);
  }
}

function openPayload(
  { payload, encodedPayload }: SdJwt,
  trust: Trust,
): Pick<OpenedStatement, 'eventId' | 'receivedTimeS'> {
  const { iss, log, iat, jti, schema, cnf, _sd_alg: digestAlg, _sd: digests } = payload;
  const members = Object.keys(payload).join();
  if (schema !== undefined && schema !== SCHEMA) {
    throw new NewelError('schema_unknown', 'statement is of a schema that this version does not know');
  }
  if (members !== WITH_HOLDER && members !== WITHOUT_HOLDER) {
    throw flaw('has other open claims, or in another order');
  }
  if (!isEncodingOf(encodedPayload, payload)) throw flaw('has a payload of another form');
  if (log !== trust.origin) throw new NewelError('signer_unknown', 'statement is of another log');
  if (iss !== trust.issuer) throw new NewelError('signer_unknown', 'statement is of another issuer');
  if (typeof iat !== 'number' || !Number.isSafeInteger(iat) || iat < 0) throw flaw('has no time in seconds');
  if (typeof jti !== 'string' || !isEventId(jti)) throw flaw('has no event id');
  if (
    cnf !== undefined &&
    !(isJsonObject(cnf) && Object.keys(cnf).join() === 'jwk' && isJsonObject(cnf['jwk']))
  ) {
    throw flaw('has a holder that is not a JWK');
  }
  if (digestAlg !== DIGEST_ALGORITHM || !isSorted(digests)) {
    throw flaw(`has not ${TOP_LEVEL_DIGESTS} digests by SHA-256, sorted`);
  }
  return { eventId: jti, receivedTimeS: iat };
}

/** Whether the part of a JWT is the one encoding of its value: no space, no escape that is not needed. */
export function isEncodingOf(encoded: string, value: JsonObject): boolean {
  return formatBase64Url(encodeUtf8(JSON.stringify(value))) === encoded;
}

function isSorted(digests: JsonValue | undefined): boolean {
  if (!Array.isArray(digests) || digests.length !== TOP_LEVEL_DIGESTS) return false;
  return digests.every((digest, i) => i === 0 || digests[i - 1]! < digest!);
}

function flaw(found: string, what: string = STATEMENT): NewelError {
  return new NewelError('malformed', `${what} ${found}`);
}
