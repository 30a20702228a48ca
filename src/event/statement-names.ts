/**
 * The names in a statement (profile `stepup/1`), for those who make one and those who verify it.
 *
 *   header  {"alg":"Ed25519","kid":"<RFC 7638 thumbprint>","typ":"stepup-event+sd-jwt"}
 *   payload {"iss":…,"log":…,"iat":…,"jti":…,"schema":"stepup/1","cnf":…,"_sd_alg":"sha-256","_sd":[32 digests]}
 */

/** The one schema there is so far. */
export const SCHEMA = 'stepup/1';

/** `typ` of a statement. */
export const STATEMENT_TYPE = 'stepup-event+sd-jwt';

/** The only digest algorithm of disclosures (RFC 9901 §4.1.1). */
export const DIGEST_ALGORITHM = 'sha-256';

/** The members of a payload, in their order. `cnf` is there only where the submitter sent a holder. */
export const PAYLOAD_NAMES = ['iss', 'log', 'iat', 'jti', 'schema', 'cnf', '_sd_alg', '_sd'] as const;

/** Digests in the `_sd` of the payload itself, decoys included. */
export const TOP_LEVEL_DIGESTS = 32;

/** Member names that no event has at any depth: what SD-JWT gives a meaning (RFC 9901 §4.2), and a prototype's. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set(['_sd', '...', '_sd_alg', '__proto__']);
