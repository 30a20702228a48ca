/**
 * Cookies in a text (RFC 6265).
 *
 *   Cookie: sid=31d4d96e407aad42; lang=en          after the name of the header
 *   JSESSIONID=1A530637289A03B0…                   under a name that is known for a session's
 *   acme=31d4d96e407aad42; HttpOnly                with a cookie's attributes
 */

import { isHarmless } from './secret-mask.ts';
import type { Hits } from './secret-rules.ts';

const COOKIE_HEADER =
  /(?<![A-Za-z0-9_])(?:set-)?cookie2?["']?\s{0,3}[:=]\s{0,3}["']?((?:[^\s=;,"']{1,64}=[^;\s"']*)(?:;[^;"'\r\n]*)*)/gi;
const SESSION_COOKIE =
  /(?<![A-Za-z0-9_.-])(?:JSESSIONID|PHPSESSID|ASPSESSIONID[A-Z]{8}|ASP\.NET_SessionId|connect\.sid|laravel_session|_gitlab_session|rack\.session|ci_session|sessionid|csrftoken|XSRF-TOKEN|__(?:Host|Secure)-[A-Za-z0-9_.-]{1,64})=([^;\s"',&]{8,})/gi;
const SET_COOKIE = /^[A-Za-z0-9_.-]{1,64}=([^;\s"]{8,});/;
const COOKIE_ATTRIBUTE = /;\s?(?:httponly|samesite=)/i;
const ATTRIBUTES: ReadonlySet<string> = new Set([
  'path',
  'domain',
  'expires',
  'max-age',
  'samesite',
  'priority',
]);

/** Cookies: after the name of the header, under a name that is known for a session's, or with a cookie's attributes. */
export function findCookies(text: string, hits: Hits): void {
  for (const match of text.matchAll(COOKIE_HEADER)) {
    const pairs = match[1]!;
    const end = match.index + match[0].length;
    if (pairs.split(';').some(isCookie)) hits.add('cookie', end - pairs.length, end);
  }
  for (const { 0: pair, 1: value, index } of text.matchAll(SESSION_COOKIE)) {
    const end = index + pair.length;
    if (!isHarmless(value!)) hits.add('cookie', end - value!.length, end);
  }
  const [, value] = SET_COOKIE.exec(text) ?? [];
  if (value !== undefined && !isHarmless(value) && COOKIE_ATTRIBUTE.test(text)) {
    hits.add('cookie', text.indexOf('=') + 1, text.indexOf(';'));
  }
}

function isCookie(pair: string): boolean {
  const at = pair.indexOf('=');
  if (at < 0 || ATTRIBUTES.has(pair.slice(0, at).trim().toLowerCase())) return false;
  const value = pair.slice(at + 1);
  return value.length >= 4 && !isHarmless(value);
}
