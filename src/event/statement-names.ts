/**
 * The names in a statement (profile `stepup/1`) and in the JWT that presents it, for those who make them and those who
 * verify them.
 *
 *   header  {"alg":"Ed25519","kid":"<RFC 7638 thumbprint>","typ":"stepup-event+sd-jwt"}
 *   payload {"iss":…,"log":…,"iat":…,"jti":…,"schema":"stepup/1","cnf":…,"_sd_alg":"sha-256","_sd":[32 digests]}
 *
 *   header  {"alg":"Ed25519","kid":"<the same>","typ":"newel-presentation+jwt"}
 *   payload {"iss":…,"iat":…,"aud":…,"nonce":…,"sd_hash":"<of the statement as it is presented>"}
 */

/** The one schema there is so far. */
export const SCHEMA = 'stepup/1';

/** `typ` of a statement. */
export const STATEMENT_TYPE = 'stepup-event+sd-jwt';

/** `typ` of the JWT beside a statement that says for whom it is presented. */
export const PRESENTATION_TYPE = 'newel-presentation+jwt';

/** The members of its payload, in their order. `sd_hash` is that of a key-binding JWT (RFC 9901 §4.3). */
export const PRESENTATION_NAMES = ['iss', 'iat', 'aud', 'nonce', 'sd_hash'] as const;

/** An audience, and a nonce: visible ASCII. */
export const AUDIENCE_FORM: RegExp = /^[\x21-\x7e]{1,255}$/;
export const NONCE_FORM: RegExp = /^[\x21-\x7e]{1,128}$/;

/** The only digest algorithm of disclosures (RFC 9901 §4.1.1). */
export const DIGEST_ALGORITHM = 'sha-256';

/** The members of a payload, in their order. `cnf` is there only where the submitter sent a holder. */
export const PAYLOAD_NAMES = ['iss', 'log', 'iat', 'jti', 'schema', 'cnf', '_sd_alg', '_sd'] as const;

/** Digests in the `_sd` of the payload itself, decoys included. */
export const TOP_LEVEL_DIGESTS = 32;

/** Member names that no event has at any depth: what SD-JWT gives a meaning (RFC 9901 §4.2), and a prototype's. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set(['_sd', '...', '_sd_alg', '__proto__']);
