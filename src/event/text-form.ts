/**
 * The forms that a text of an event can have. One regular expression each, run here and published in the JSON Schema
 * word for word, so that both accept the same texts. All are linear in the length of the text, and none lets a lone
 * surrogate or a control character through.
 */

export interface TextForm {
  /** Source of a regular expression with the flag `u`, anchored at both ends. */
  readonly pattern: string;
  /** Continues "must be". */
  readonly words: string;
  /** Code points, where the form itself bounds them. */
  readonly max?: number;
}

export type TextFormName =
  | 'line'
  | 'id'
  | 'uri'
  | 'did_url'
  | 'acct'
  | 'email'
  | 'phone'
  | 'time'
  | 'hash'
  | 'ip'
  | 'trace_id'
  | 'country'
  | 'http_method'
  | 'route'
  | 'adapter';

const HEX = '[0-9A-Fa-f]';
const BYTE = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4: string = `${BYTE}(?:\\.${BYTE}){3}`;
const GROUP: string = `${HEX}{1,4}`;
/** RFC 4291 §2.2: eight groups, the last two perhaps as IPv4, one run of zero groups perhaps as `::`. No zone. */
const IPV6: string = [
  `(?:${GROUP}:){7}${GROUP}`,
  `(?:${GROUP}:){6}${IPV4}`,
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((before) => {
    const after = 7 - before;
    return `${groups(before)}::${after === 0 ? '' : `(?:${GROUP}(?::${GROUP}){0,${after - 1}})?`}`;
  }),
  ...[0, 1, 2, 3, 4, 5].map((before) => `${groups(before)}::(?:${GROUP}:){0,${5 - before}}${IPV4}`),
].join('|');

function groups(count: number): string {
  return count === 0 ? '' : `${GROUP}(?::${GROUP}){${count - 1}}`;
}

/** A date that the Gregorian calendar has, from 1970 to 9999. */
const DATE: string = [
  '(?:19[7-9][0-9]|[2-9][0-9]{3})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))',
  '(?:19(?:7[26]|8[048]|9[26])|[2-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[3579][26])00)-02-29',
].join('|');

/** Base64url of 32 bytes, in its one spelling. */
const BASE64URL_32 = '[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]';
const URI_CHARACTER = "[A-Za-z0-9._~:/?@!$&'()*+,;=[\\]-]|%[0-9A-Fa-f]{2}";

export const TEXT_FORMS: Readonly<Record<TextFormName, TextForm>> = {
  line: { pattern: '^[^\\p{Cc}\\p{Cs}]+$', words: 'characters without control characters' },
  id: { pattern: '^[!-~]+$', words: 'visible ASCII characters' },
  uri: {
    pattern: `^[A-Za-z][A-Za-z0-9+.-]*:(?:${URI_CHARACTER})+(?:#(?:${URI_CHARACTER})*)?$`,
    words: 'characters, an absolute URI (RFC 3986)',
  },
  did_url: {
    pattern: `^did:[a-z0-9]+:(?:${URI_CHARACTER})+(?:#(?:${URI_CHARACTER})*)?$`,
    words: 'characters, a DID URL (did:method:…)',
  },
  acct: {
    pattern: "^acct:(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+@[A-Za-z0-9.:[\\]-]+$",
    words: 'characters, an acct URI (acct:name@host, RFC 7565)',
  },
  email: {
    pattern: '^[^\\p{Cc}\\p{Cs}\\s@]+@[^\\p{Cc}\\p{Cs}\\s@]+$',
    words: 'characters, an e-mail address',
  },
  phone: {
    pattern: '^\\+[1-9][0-9]{1,14}$',
    words: 'a telephone number as E.164 writes it: + and 2 to 15 digits',
    max: 16,
  },
  time: {
    pattern: `^(?:${DATE})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,3})?Z$`,
    words: 'an RFC 3339 time in UTC, to the second or millisecond: 2026-11-20T12:00:08.123Z',
    max: 24,
  },
  hash: {
    pattern: `^sha-256:${BASE64URL_32}$`,
    words: '"sha-256:" and 43 characters of unpadded base64url',
    max: 51,
  },
  ip: {
    pattern: `^(?:${IPV4}|${IPV6})$`,
    words: 'an IPv4 or IPv6 address, without zone or prefix length',
    max: 45,
  },
  trace_id: {
    pattern: '^(?!0{32})[0-9a-f]{32}$',
    words: '32 lower-case hex digits, not all zero (W3C trace id)',
    max: 32,
  },
  country: { pattern: '^[A-Z]{2}$', words: 'two upper-case letters (ISO 3166-1 alpha-2)', max: 2 },
  http_method: { pattern: '^[A-Z][A-Z-]{0,31}$', words: 'an HTTP method in upper case', max: 32 },
  route: {
    pattern: '^/[^\\p{Cc}\\p{Cs}?#]*$',
    words: 'characters, a route or path that begins with "/" and has no query and no fragment',
  },
  adapter: {
    pattern: '^[a-z0-9][a-z0-9._-]*/[a-z0-9][a-z0-9._-]*$',
    words: 'characters, a name and a version: okta/1',
  },
};
