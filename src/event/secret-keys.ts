/**
 * Keys in a text, and what stands for one.
 *
 *   -----BEGIN PRIVATE KEY----- MC4CAQAw…          PEM, in lines or not; the bytes without armour
 *   {"kty":"EC","d":"…"}                           a private JWK, in a text that is more than JSON
 *   otpauth://totp/…?secret=…                      the enrolment of an authenticator app
 *   $2b$12$…   $argon2id$…                         what a password is kept as
 *   eyJ0eXBlIjoid2ViYXV0aG4u…                      the client data of a WebAuthn response
 */

import { isHarmless } from './secret-mask.ts';
import type { Hits } from './secret-rules.ts';

const ARMOUR = /-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}/g;
const ARMOUR_END = 'PRIVATE KEY';
/** So much of base64 follows an armour's first line at least; an Ed25519 key has 64. */
const ARMOURED = /[A-Za-z0-9+/]{24}/;
const ARMOUR_HEADERS = 512;
/** PKCS#8 (Ed25519, X25519, EC, RSA) and OpenSSH by their first bytes, without armour. */
const BARE_KEY =
  /(?<![A-Za-z0-9+/_-])(?:MC4CAQAwBQYDK2V[uwx]|MFECAQEwBQYDK2V[uwx]|MI[A-Za-z0-9+/]{2,4}AgEAMBMGByqGSM49AgEG|MII[A-Za-z0-9+/]{3}IBADANBgkqhkiG9w0BAQEF|MII[A-Za-z0-9+/]{3}IBAAKC|b3BlbnNzaC1rZXktdjE)[A-Za-z0-9+/_-]{20,}={0,2}/g;

/** Private keys: an armour with something in it, to its end or that of the text; or the bytes alone. */
export function findPrivateKeys(text: string, hits: Hits): void {
  let done = 0;
  for (const match of text.matchAll(ARMOUR)) {
    const body = match.index + match[0].length;
    if (match.index < done || !ARMOURED.test(text.slice(body, body + ARMOUR_HEADERS))) continue;
    const last = text.indexOf(ARMOUR_END, body);
    done = last < 0 ? text.length : endOfArmour(text, last + ARMOUR_END.length);
    hits.add('private_key', match.index, done);
  }
}

function endOfArmour(text: string, at: number): number {
  let end = at;
  if (text.startsWith(' BLOCK', end)) end += ' BLOCK'.length;
  while (text.charAt(end) === '-' || (text.charAt(end) === ' ' && text.charAt(end + 1) === '-')) end++;
  return end;
}

export function findBareKeys(text: string, hits: Hits): void {
  if (text.search(BARE_KEY) < 0) return;
  for (const { 0: key, index } of text.matchAll(BARE_KEY)) hits.add('private_key', index, index + key.length);
}

const JWK_MEMBER =
  /\\{0,8}"(?:d|k|p|q|dp|dq|qi|priv)\\{0,8}"\s{0,8}:\s{0,8}\\{0,8}"([A-Za-z0-9_-]{16,})\\{0,8}"/g;
const JWK = /"kty\\{0,8}"|"crv\\{0,8}"/;

/** Private members of a JWK in a text that has more in it than JSON. */
export function findJwksInText(text: string, hits: Hits): void {
  if (!JWK.test(text)) return;
  for (const { 0: member, 1: value, index } of text.matchAll(JWK_MEMBER)) {
    const begin = index + member.lastIndexOf(value!);
    hits.add('private_jwk', begin, begin + value!.length);
  }
}

const OTPAUTH = /otpauth(?:-migration)?:\/\/[^\s"'<>]{1,4096}/gi;
const OTPAUTH_SECRET = /[?&](?:secret|data)=([^&#]+)/i;

export function findOtpauth(text: string, hits: Hits): void {
  for (const { 0: uri, index } of text.matchAll(OTPAUTH)) {
    const secret = OTPAUTH_SECRET.exec(uri)?.[1];
    if (secret !== undefined && !isHarmless(secret)) hits.add('otpauth', index, index + uri.length);
  }
}

const PASSWORD_HASH =
  /\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}|\$argon2(?:id|i|d)\$(?:v=[0-9]{1,3}\$)?m=[0-9]{1,10},t=[0-9]{1,10},p=[0-9]{1,6}\$[A-Za-z0-9+/]{8,128}\$[A-Za-z0-9+/]{16,256}|\$(?:scrypt|pbkdf2(?:-sha(?:1|256|512))?)\$[A-Za-z0-9=,]{1,64}\$[A-Za-z0-9+/.=]{4,128}\$[A-Za-z0-9+/.=]{16,256}|\$(?:1|5|6|7|y|gy|apr1)\$(?:rounds=[0-9]{1,9}\$)?[./A-Za-z0-9]{1,64}\$(?:[./A-Za-z0-9]{1,86}\$)?[./A-Za-z0-9]{22,86}|pbkdf2_sha(?:1|256|512)\$[0-9]{1,9}\$[A-Za-z0-9+/=]{1,128}\$[A-Za-z0-9+/=]{16,128}|\{S?(?:SHA|MD5|SHA256|SHA512)\}[A-Za-z0-9+/]{22,160}={0,2}/g;

/** What passwords are kept as: a weak one is soon guessed from it. */
export function findPasswordHashes(text: string, hits: Hits): void {
  for (const { 0: hash, index } of text.matchAll(PASSWORD_HASH))
    hits.add('password_hash', index, index + hash.length);
}

/** Base64 of `{"type":"webauthn.` or `{"challenge":`, as browsers begin it, and the text itself. */
const CLIENT_DATA =
  /(?<![A-Za-z0-9+/_-])eyJ(?:0eXBlIjoid2ViYXV0aG4u|jaGFsbGVuZ2UiOi)[A-Za-z0-9+/_-]{20,}={0,2}(?!\.)/g;
const CLIENT_DATA_TEXT = /"type\\{0,8}"\s{0,8}:\s{0,8}\\{0,8}"webauthn\.(?:get|create)/;

export function findClientData(text: string, hits: Hits): void {
  for (const { 0: data, index } of text.matchAll(CLIENT_DATA))
    hits.add('webauthn', index, index + data.length);
  if (CLIENT_DATA_TEXT.test(text) && text.includes('"challenge')) hits.add('webauthn', 0, text.length);
}
