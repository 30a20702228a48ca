/**
 * Events with canaries that are secrets: one by each rule of spec/secrets.md, which no log may keep, in a member of `ext`
 * and, where the rule finds it in a text too, in `trigger.detail`.
 */

import { randomBytes } from 'node:crypto';
import { SECRET_RULES, type SecretRule } from '../../src/event/secret-rules.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { type Canary, canaryEvent, canaryFlatEvent, type CanaryMaker } from './canary-events.ts';

/** An event, the rule by which it is found to have a secret, and the secrets: all else in it may be logged. */
export interface SecretEvent {
  readonly rule: SecretRule;
  readonly event: JsonObject;
  readonly secrets: readonly Canary[];
}

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const DIGITS = '0123456789';
/** The letters that a YubiKey types. */
const MODHEX = 'cbdefghijklnrtuv';

type Random = (length: number, alphabet?: string) => string;
/** Something that a text is part of as well, or the member of `ext` alone. */
type Made = { readonly name: string; readonly value: JsonValue } | { readonly text: string };

const SECRETS: Readonly<Record<SecretRule, (random: Random) => Made>> = {
  field_name: (random) => ({ name: 'password', value: random(24) }),
  one_time_code: (random) => ({ name: 'otp', value: random(44, MODHEX) }),
  card_number: (random) => ({ name: 'card_number', value: random(19, DIGITS) }),
  jwt: (random) => ({ text: `eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJ${random(40)}.${random(86)}` }),
  private_key: (random) => ({
    text: `${armour('BEGIN')} ${random(64)} ${random(64)} ${armour('END')}`,
  }),
  private_jwk: (random) => ({
    name: 'key',
    value: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43), d: random(43) },
  }),
  otpauth: (random) => ({ text: `otpauth://totp/canary?issuer=x&secret=${random(32, BASE32)}` }),
  authorization: (random) => ({ text: `Authorization: Bearer ${random(40)}` }),
  cookie: (random) => ({ text: `Cookie: sid=${random(32)}` }),
  url_userinfo: (random) => ({ text: `https://canary:${random(24)}@files.example/report` }),
  url_query: (random) => ({ text: `https://files.example/report?access_token=${random(32)}` }),
  vendor_token: (random) => ({ text: `ghp_${random(36)}` }),
  newel_token: (random) => ({ text: `newel_${random(43)}` }),
  password_hash: (random) => ({ text: `$argon2id$v=19$m=65536,t=3,p=4$${random(22)}$${random(43)}` }),
  webauthn: (random) => ({ name: 'authenticatorData', value: random(60) }),
};

function armour(word: string): string {
  return `-----${word} ${['PRIVATE', 'KEY'].join(' ')}-----`;
}

/** Events of a source with one secret each: by every rule in `ext`, in a text where it is one, and one of the flat profile. */
export function secretEvents(maker: CanaryMaker, source: Canary): readonly SecretEvent[] {
  return [
    ...SECRET_RULES.flatMap((rule) => {
      const [first, second] = [makeSecret(maker, rule), makeSecret(maker, rule)];
      const inExt = secretEvent(maker, source, rule, first.secrets, { ext: extensionOf(first.made) });
      if ('name' in second.made) return [inExt];
      const trigger = { reason: 'other', detail: `seen: ${second.made.text} in a request` };
      return [inExt, secretEvent(maker, source, rule, second.secrets, { trigger })];
    }),
    flatSecretEvent(maker, source),
  ];
}

/** Events with a secret where none can be replaced: in the name of a member. */
export function secretNameEvent(maker: CanaryMaker, source: Canary): SecretEvent {
  const { made, secrets } = makeSecret(maker, 'vendor_token');
  if (!('text' in made)) throw new Error('the token of a vendor is a text');
  const ext = { 'com.canary.app': { [made.text]: 1 } };
  return secretEvent(maker, source, 'vendor_token', secrets, { ext });
}

function makeSecret(maker: CanaryMaker, rule: SecretRule): { made: Made; secrets: readonly Canary[] } {
  const first = maker.made.length;
  const random: Random = (length, alphabet = ALPHANUMERIC) => {
    const text = Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join('');
    return maker.keep(`secret ${rule}`, text);
  };
  const made = SECRETS[rule](random);
  return { made, secrets: maker.made.slice(first) };
}

function extensionOf(made: Made): JsonObject {
  const [name, value] = 'text' in made ? ['value', made.text] : [made.name, made.value];
  return { 'com.canary.app': { [name]: value } };
}

function secretEvent(
  maker: CanaryMaker,
  source: Canary,
  rule: SecretRule,
  secrets: readonly Canary[],
  members: JsonObject,
): SecretEvent {
  const { event } = canaryEvent(maker, { type: 'access.denied', isWhole: false, source });
  const { seq: _seq, ...rest } = event;
  return { rule, event: { ...rest, ...members }, secrets };
}

function flatSecretEvent(maker: CanaryMaker, source: Canary): SecretEvent {
  const { made, secrets } = makeSecret(maker, 'authorization');
  if (!('text' in made)) throw new Error('a header is a text');
  const { event } = canaryFlatEvent(maker, { isWhole: true, source });
  return { rule: 'authorization', event: { ...event, device: made.text }, secrets };
}
