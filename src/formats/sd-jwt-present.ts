/** Presenting an SD-JWT (RFC 9901 §7.2): the same signed JWT, with some of its disclosures. */

import { NewelError } from '../errors.ts';
import { processPayload, type ClaimPath } from './sd-jwt-verify.ts';
import { formatSdJwt, parseSdJwt, type Disclosure } from './sd-jwt.ts';

/**
 * The SD-JWT with the disclosures that `keep` wants, in their order. `keep` is asked once for each, with the place of its
 * claim in the processed payload (`['subject', 'sub_id']`, `['methods', 0]`); a claim that is kept brings the disclosures
 * that it stands in, and none of those that stand in it. The signature is left aside. Throws what `parseSdJwt` and
 * `verifySdJwt` throw, and `malformed` for an SD-JWT that is bound to a presentation already.
 */
export function presentSdJwt(text: string, keep: (path: ClaimPath) => boolean): string {
  const sdJwt = parseSdJwt(text);
  if (sdJwt.keyBinding !== undefined) {
    throw new NewelError('malformed', 'SD-JWT has a key-binding JWT, which holds for its disclosures only');
  }
  const kept = new Set<Disclosure>();
  const outer = new Map<Disclosure, Disclosure | undefined>();
  processPayload(sdJwt, (disclosure, path, within) => {
    outer.set(disclosure, within);
    if (!keep(path)) return;
    for (let needed: Disclosure | undefined = disclosure; needed !== undefined; needed = outer.get(needed)) {
      kept.add(needed);
    }
  });
  return formatSdJwt({ ...sdJwt, disclosures: sdJwt.disclosures.filter((one) => kept.has(one)) });
}
