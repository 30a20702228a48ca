/**
 * Secrets in URLs, and in forms, which are written alike.
 *
 *   postgres://app:hunter2@db.example/bank         the password of a user
 *   https://app.example/cb?code=SplxlOBeZQQY…      a parameter of the query or the fragment
 */

import { isHarmless } from './secret-mask.ts';
import { kindOfName, ruleOfNamed } from './secret-names.ts';
import type { Hits } from './secret-rules.ts';

/** A token in the place of a user name has so many characters. */
const MIN_TOKEN = 12;
const USERINFO = /:\/\/([^\s/?#@"'<>\\]+)@/g;

/** User names with their passwords in URLs, and tokens in the place of a user name. */
export function findUserinfo(text: string, hits: Hits): void {
  for (const { 0: all, 1: userinfo, index } of text.matchAll(USERINFO)) {
    const end = index + all.length - 1;
    const colon = userinfo!.indexOf(':');
    const secret = userinfo!.slice(colon + 1);
    const isSecret =
      colon >= 0 ? secret !== '' : secret.length >= MIN_TOKEN && /[0-9]/.test(secret) && !/[.%]/.test(secret);
    if (isSecret && !isHarmless(secret)) hits.add('url_userinfo', end - secret.length, end);
  }
}

/** Parameters whose value is a secret whatever it looks like; those of `secret-names.ts` as well. */
const STRONG_PARAMETERS: ReadonlySet<string> = new Set(
  `sig signature x-amz-signature x-amz-security-token x-amz-credential x-goog-signature x-ms-signature pass
   samlresponse assertion client_assertion ticket hmac login_hint_token id_token_hint sas`.split(/\s+/),
);
/** Parameters whose value is one if it looks like it. */
const WEAK_PARAMETERS: ReadonlySet<string> = new Set(
  'code key auth otp session sid sessid state_token t k jwt nonce_token'.split(' '),
);
const PARAMETER = /[?&#]([A-Za-z0-9_.~-]{1,40})=([^?&#\s"'<>;]*)/g;
/** A value with a question mark in it is a URL of its own, unless it is a secret. */
const REST = /[^&#\s"'<>;]*/y;

/** Secrets in the query or the fragment of a URL, or in a form. */
export function findParameters(text: string, hits: Hits): void {
  let done = 0;
  for (const { 0: all, 1: name, 2: value, index } of text.matchAll(PARAMETER)) {
    if (index < done || value === '' || isHarmless(value!)) continue;
    if (!isSecretParameter(name!.toLowerCase(), value!)) continue;
    const begin = index + all.length - value!.length;
    REST.lastIndex = begin;
    REST.test(text);
    done = REST.lastIndex;
    hits.add('url_query', begin, done);
  }
}

function isSecretParameter(name: string, value: string): boolean {
  if (STRONG_PARAMETERS.has(name)) return value.length >= 4;
  if (WEAK_PARAMETERS.has(name)) {
    const isCode = name === 'code' || name === 'otp';
    if (/^[0-9]+$/.test(value)) return isCode && value.length >= 4 && value.length <= 10;
    return value.length >= 8 && (/[0-9]/.test(value) || /[a-z][A-Z]/.test(value)) && !isDashedWords(value);
  }
  const kind = kindOfName(name);
  return kind !== undefined && kind !== 'code' && ruleOfNamed(kind, value) !== undefined;
}

/** A key that people gave: words and short numbers. */
function isDashedWords(text: string): boolean {
  return /^[a-z]+(?:[._:-](?:[a-z]+|[0-9]{1,4}))*$/.test(text);
}
