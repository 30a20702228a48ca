/**
 * Who calls, by either kind of bearer token. They are told apart by their form, before anything costly: ours begin with
 * `newel_`, and have no dot.
 */

import type { Oidc } from './oidc.ts';
import { isJwt } from './oidc.ts';
import type { Principal } from './principal.ts';
import type { Tokens } from './tokens.ts';

export type Authenticate = (authorization: string | undefined) => Principal | Promise<Principal>;

/** `{"` in base64url: how every JWT begins, and no token of ours does. */
const JWT_BEARER = /^Bearer eyJ/i;
const BEARER_LENGTH = 'Bearer '.length;

/** Answers at once for our own tokens; for JWTs only where `oidc` is there. Failures leave nothing behind. */
export function authenticateWith(tokens: Tokens, oidc: Oidc | undefined): Authenticate {
  if (!oidc) return (authorization) => tokens.authenticate(authorization);
  return (authorization) => {
    if (authorization === undefined || !JWT_BEARER.test(authorization))
      return tokens.authenticate(authorization);
    const jwt = authorization.slice(BEARER_LENGTH);
    return isJwt(jwt) ? oidc.authenticate(jwt) : tokens.authenticate(authorization);
  };
}
