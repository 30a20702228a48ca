/**
 * The rules by which secrets are found in an event, by name. spec/secrets.md says what each matches and what passes; the
 * cases of spec/vectors/secrets hold both to it.
 */

export const SECRET_RULES = [
  'field_name',
  'one_time_code',
  'card_number',
  'jwt',
  'private_key',
  'private_jwk',
  'otpauth',
  'authorization',
  'cookie',
  'url_userinfo',
  'url_query',
  'vendor_token',
  'newel_token',
  'password_hash',
  'webauthn',
] as const;

export type SecretRule = (typeof SECRET_RULES)[number];

/** A part of a text that a rule found, in UTF-16 code units. */
export interface Hit {
  readonly rule: SecretRule;
  readonly begin: number;
  readonly end: number;
}

/** What is found in a text, without overlaps: what was found first stays. */
export class Hits {
  #list: Hit[] | undefined;

  get list(): readonly Hit[] {
    return this.#list ?? NONE;
  }

  add(rule: SecretRule, begin: number, end: number): void {
    this.#list ??= [];
    if (!this.#list.some((hit) => begin < hit.end && hit.begin < end)) this.#list.push({ rule, begin, end });
  }
}

const NONE: readonly Hit[] = [];

/** What stands in the place of a secret: `[REDACTED:jwt]`. No rule finds anything in it. */
export function markerOf(rule: SecretRule): string {
  return `[REDACTED:${rule}]`;
}
