/** What the names that a value stands under say about it: the member's own, and those around it, the innermost first. */

import type { JsonObject } from '../formats/json.ts';
import { kindOfName, type NameKind, ruleOfNamed } from './secret-names.ts';
import type { SecretRule } from './secret-rules.ts';

/** What only private and symmetric JWKs have (RFC 7518 §6, RFC 9964). */
const PRIVATE_JWK_MEMBERS: ReadonlySet<string> = new Set([
  'd',
  'p',
  'q',
  'dp',
  'dq',
  'qi',
  'oth',
  'k',
  'priv',
]);

/** The first rule that a value breaks under any of the names that it stands under. */
export function ruleOfKinds(kinds: readonly NameKind[], value: string | number): SecretRule | undefined {
  for (const kind of kinds) {
    const rule = ruleOfNamed(kind, value);
    if (rule !== undefined) return rule;
  }
  return undefined;
}

/** The kinds with that of a name further in, none of them twice. */
export function withKind(kinds: readonly NameKind[], kind: NameKind | undefined): readonly NameKind[] {
  if (kind === undefined || kinds[0] === kind) return kinds;
  return [kind, ...kinds.filter((other) => other !== kind)];
}

/** What the name of a member says of its value. */
export function kindOfMember(object: JsonObject, name: string): NameKind | undefined {
  if (PRIVATE_JWK_MEMBERS.has(name) && isJwkWith(object, name)) return 'jwk';
  if (name.length === 'signature'.length && name.toLowerCase() === 'signature') {
    return Object.keys(object).some((other) => kindOfName(other) === 'webauthn') ? 'webauthn' : undefined;
  }
  return kindOfName(name);
}

/** Whether a name is that of a member which only private and shared keys have. */
export function isPrivateJwkName(name: string): boolean {
  return PRIVATE_JWK_MEMBERS.has(name);
}

/** Whether a member of this name makes a JWK of the object a private or a shared key. */
function isJwkWith(object: JsonObject, name: string): boolean {
  const { kty, crv } = object;
  if (name === 'k') return kty === 'oct';
  if (name === 'priv') return kty === 'AKP';
  if (name === 'd') return typeof kty === 'string' || typeof crv === 'string';
  return kty === 'RSA';
}
