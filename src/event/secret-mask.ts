/**
 * Values that tell nothing though their name or place is that of a secret.
 *
 *   ****   ••••1234   XXXX-XXXX-1234   [REDACTED]   <password>   ${TOKEN}      masked, or a placeholder
 *   sha-256:…   hmac-sha256:…                                                 a hash that says so, and is as long as one
 *   changed   revoked   none                                                  a word on what became of it
 */

import { TEXT_FORMS } from './text-form.ts';

/** Three mask characters in a row: what is left on either side does not make it a secret again. */
const STARRED = /[*•●∗█▪■]{3}/;
/** Nothing but X, or X and the last four. */
const CROSSED = /^[xX\s-]{3,}[0-9A-Za-z]{0,4}$/;
/** The first six and last four digits around X, as on a receipt. */
const CROSSED_WITHIN = /^[0-9\s-]{0,8}[xX\s-]{4,}[0-9]{0,4}$/;
const THREE_CROSSES = /x[\s-]?x[\s-]?x/i;
const FILLED = /^[#_.?-]{3,}$/;
const CUT = /…|\.\.\.$/;
const SAID =
  /^[[(<{](?:redacted|masked|filtered|hidden|removed|omitted|scrubbed|sanitized|deleted|protected|secret|private)\b[\w :.,-]{0,60}[\])>}]$/i;
const PLACEHOLDER =
  /^(?:<[A-Za-z _-]{1,40}>|\$\{[A-Za-z_.-]{1,60}\}|\{\{?\s?[A-Za-z_.-]{1,60}\s?\}?\}|%[A-Za-z_]{2,40}%|:[a-z_]{2,40})$/;

const HASH = new RegExp(TEXT_FORMS.hash.pattern, 'u');
/** Names of hashes, as sources of regular expressions, and how many bytes each gives. */
const DIGESTS: readonly (readonly [names: string, bytes: number])[] = [
  ['md5', 16],
  ['sha-?1', 20],
  ['sha-?(?:3-)?224|sha-?512/224', 28],
  ['sha-?(?:3-)?256|sha-?512/256|blake2[bs]-?256|blake2s|blake3', 32],
  ['sha-?(?:3-)?384|blake2b-?384', 48],
  ['sha-?(?:3-)?512|blake2b(?:-?512)?', 64],
];
/** `sha256:` and its like, then such a digest in hex or base64; a MAC may be half of one (RFC 2104 §5). */
const DECLARED_HASH = new RegExp(`^(?:${DIGESTS.map(declaredHash).join('|')})$`, 'i');

/** What became of a secret, or what kind it is: in the place of the secret itself. */
const WORDS: ReadonlySet<string> = new Set(
  `absent accepted access active all allowed approved basic bearer blocked changed created declined deleted denied digest disabled dpop empty
   enabled enrolled entered expired failed failure false fido fido2 filtered granted hardware hidden hmac hotp id inactive
   incorrect invalid issued jwt locked masked missing mtls n/a negotiate new nil no none not_set ntlm null oauth2 ok old omitted
   opaque optional otp passed passkey pending present provided push redacted refresh refreshed rejected removed requested required
   reset revoked rotated sent session set sms soft software success totp true u2f undefined unchanged unknown unset unused
   used user valid verified webauthn wrong yes yubikey`.split(/\s+/),
);
const MAX_WORD = 12;

/** Whether a value in the place of a secret is none. `value` may have space around it. */
export function isHarmless(value: string): boolean {
  const text = value.trim();
  if (text === '') return true;
  return isMasked(text) || DECLARED_HASH.test(text) || HASH.test(text) || isWord(text);
}

/** Whether a value is masked, in whole or in part, or stands for another. */
export function isMasked(text: string): boolean {
  return (
    STARRED.test(text) ||
    ((CROSSED.test(text) || CROSSED_WITHIN.test(text)) && THREE_CROSSES.test(text)) ||
    FILLED.test(text) ||
    CUT.test(text) ||
    SAID.test(text) ||
    PLACEHOLDER.test(text)
  );
}

function declaredHash([names, bytes]: readonly [names: string, bytes: number]): string {
  const mac = `hmac-?(?:${names})[:-](?:${digestOfBytes(bytes)}|${digestOfBytes(bytes / 2)})`;
  return `(?:${names})[:-](?:${digestOfBytes(bytes)})|${mac}`;
}

function digestOfBytes(bytes: number): string {
  const padding = (3 - (bytes % 3)) % 3;
  return `[0-9a-f]{${2 * bytes}}|[A-Za-z0-9+/_-]{${Math.ceil((4 * bytes) / 3)}}(?:={${padding}})?`;
}

function isWord(text: string): boolean {
  return text.length <= MAX_WORD && WORDS.has(text.toLowerCase());
}
