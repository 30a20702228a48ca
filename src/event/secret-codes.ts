/**
 * One-time codes and PINs that a text reads out. Digits alone are never one: something has to say so.
 *
 *   your code is 493021   493021 is your code   OTP 493021   use 493021 to sign in
 *   error code is 50074   code is 403   amount 493021                   none
 */

import { ownsCode } from './secret-names.ts';
import type { Hits } from './secret-rules.ts';

const CODE = '((?:[A-Z]-)?[0-9]{4,10}|[0-9]{3,4}[ -][0-9]{3,4})(?![0-9A-Za-z_]|[.:/-][0-9A-Za-z])';
const SAID_CODES: readonly RegExp[] = [
  // "code is 493021", "PIN was 4711"
  new RegExp(
    `([A-Za-z-]{1,24} )?\\b(?:code|otp|totp|passcode|pin|tan)(?:\\s{1,3}(?:is|was)|\\s{1,3}[a-z]{2,12}\\s{1,3}(?:is|was))\\s{0,3}:?\\s{0,3}"?${CODE}`,
    'gi',
  ),
  // "OTP 493021", "verification code 493021"
  new RegExp(
    `()\\b(?:otp|totp|passcode|(?:verification|security|one-time|one time|sms|login|access|confirmation|authentication|mfa|2fa|otp) code)\\s{1,3}#?${CODE}`,
    'gi',
  ),
  // "493021 is your code"
  new RegExp(
    `()(?<![0-9A-Za-z_.:/-])${CODE}\\s{1,3}is\\s{1,3}(?:your|the|my|a|an)\\s{1,3}(?:[A-Za-z-]{1,24}\\s{1,3}){0,3}(?:code|otp|passcode|pin|password)\\b`,
    'gi',
  ),
  // "entered code 493021", "use 493021 to sign in"
  new RegExp(
    `()\\b(?:enter|entered|typed|use|used|submit|submitted)\\s{1,3}(?:the\\s{1,3})?code\\s{1,3}${CODE}`,
    'gi',
  ),
  new RegExp(
    `()\\b(?:enter|use)\\s{1,3}${CODE}\\s{1,3}to\\s{1,3}(?:sign|log|verify|confirm|authenticate|continue|approve)\\b`,
    'gi',
  ),
];
const MENTIONS_CODE = /code|otp|pin|tan|password|enter|use/i;

/** Finds one-time codes and PINs that a text reads out. */
export function findSaidCodes(text: string, hits: Hits): void {
  if (!MENTIONS_CODE.test(text)) return;
  for (const pattern of SAID_CODES) {
    for (const match of text.matchAll(pattern)) {
      const [all, owner, code] = match;
      if (owner !== undefined && ownsCode(owner)) continue;
      const begin = match.index + all.lastIndexOf(code!);
      hits.add('one_time_code', begin, begin + code!.length);
    }
  }
}
