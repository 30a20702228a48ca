/**
 * What the rules find in one text. Most texts of an event hold none of the characters that any secret has to have, and one look at
 * each character tells; only the rules that what was seen allows are then run.
 */

import { type CardNumber, findCardNumbers, MIN_CARD_DIGITS } from './card-number.ts';
import { findSaidCodes } from './secret-codes.ts';
import { findCookies } from './secret-cookies.ts';
import { foldText } from './secret-fold.ts';
import {
  findBareKeys,
  findClientData,
  findJwksInText,
  findOtpauth,
  findPasswordHashes,
  findPrivateKeys,
} from './secret-keys.ts';
import { findPairs } from './secret-pairs.ts';
import { type Hit, Hits, markerOf } from './secret-rules.ts';
import { findAuthorizations, findJwts } from './secret-tokens.ts';
import { findParameters, findUserinfo } from './secret-urls.ts';
import { NEWEL_TOKEN, VENDOR_TOKEN } from './secret-vendors.ts';

/** Says whether a number that could be a card's is one where it stands. */
export interface CardJudge {
  isCard(card: CardNumber): boolean;
}

/** The shortest text that a rule finds anything in: `pin=4711` has eight, `pwd=x` five. */
const MIN_SECRET = 5;
/** The shortest that can be a credential by its form alone. */
const MIN_CREDENTIAL = 15;
const MIN_BARE_KEY = 40;
/** `{` and what may follow it in a header, in base64. */
const JWT_BEGINS = /e[wy][A-Za-z0-9_-]/;

// Kinds of characters. What is none of these has kind 0.
const DIGIT = 1;
const BETWEEN_DIGITS = 2;
const EQUALS = 4;
const COLON = 8;
const AT = 16;
const DOT = 32;
const DASH = 64;
const SPACE = 128;
const SIGN = 256; // `$`, `{`
const OTHER = 512; // beyond ASCII, or a percent sign

const KINDS: Uint16Array = kindsOfCharacters();

function kindsOfCharacters(): Uint16Array {
  const kinds = new Uint16Array(128);
  const set = (characters: string, kind: number): void => {
    for (const character of characters) kinds[character.charCodeAt(0)]! |= kind;
  };
  set('0123456789', DIGIT);
  set(' ._/-', BETWEEN_DIGITS);
  set('=', EQUALS);
  set(':', COLON);
  set('@', AT);
  set('.', DOT);
  set('-', DASH);
  set(' \t\r\n', SPACE);
  set('${', SIGN);
  set('%', OTHER);
  return kinds;
}

const NONE: readonly Hit[] = [];

/** What is found, without overlaps, the more specific rule first. Beyond the text as it is, its plain spelling is read. */
export function findInText(text: string, judge: CardJudge): readonly Hit[] {
  if (text.length < MIN_SECRET) return NONE;
  let seen = 0;
  let digits = 0;
  let mostDigits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const kind = code < 128 ? KINDS[code]! : OTHER;
    if (kind === DIGIT) digits++;
    else if ((kind & BETWEEN_DIGITS) === 0) {
      if (digits > mostDigits) mostDigits = digits;
      digits = 0;
    }
    seen |= kind;
  }
  if (digits > mostDigits) mostDigits = digits;
  const hits = run(text, seen, mostDigits, judge);
  if ((seen & OTHER) === 0) return hits;
  const folded = foldText(text);
  return folded === text ? hits : withFolded(hits, folded, text.length, judge);
}

/** What only the plain spelling shows has no place of its own in the text: it is all of it. */
function withFolded(hits: readonly Hit[], folded: string, length: number, judge: CardJudge): readonly Hit[] {
  const all = run(folded, -1, MIN_CARD_DIGITS, judge);
  const known = new Set(hits.map(({ rule }) => rule));
  const more = [...new Set(all.map(({ rule }) => rule))].filter((rule) => !known.has(rule));
  return more.length === 0 ? hits : [...hits, ...more.map((rule) => ({ rule, begin: 0, end: length }))];
}

function run(text: string, seen: number, mostDigits: number, judge: CardJudge): readonly Hit[] {
  const hits = new Hits();
  if (text.length >= MIN_CREDENTIAL) {
    if (seen & DASH && text.includes('PRIVATE KEY')) findPrivateKeys(text, hits);
    if (seen & COLON) {
      findJwksInText(text, hits);
      if (text.includes('otpauth') || text.includes('OTPAUTH')) findOtpauth(text, hits);
      if (text.includes('webauthn')) findClientData(text, hits);
    }
    if (text.includes('eyJ')) findClientData(text, hits);
    if (seen & DOT && JWT_BEGINS.test(text)) findJwts(text, hits);
    if (text.length >= MIN_BARE_KEY) findBareKeys(text, hits);
    for (const { 0: token, index } of matchesOf(VENDOR_TOKEN, text)) {
      if (!isCrossed(token)) hits.add('vendor_token', index, index + token.length);
    }
    for (const { 0: token, index } of matchesOf(NEWEL_TOKEN, text)) {
      hits.add('newel_token', index, index + token.length);
    }
    if (seen & SIGN) findPasswordHashes(text, hits);
  }
  if (seen & AT && seen & COLON) findUserinfo(text, hits);
  if (seen & EQUALS) findParameters(text, hits);
  if (seen & SPACE) findAuthorizations(text, hits);
  if (seen & EQUALS) findCookies(text, hits);
  if (mostDigits >= MIN_CARD_DIGITS) {
    for (const card of findCardNumbers(text))
      if (judge.isCard(card)) hits.add('card_number', card.begin, card.end);
  }
  if (seen & SPACE && seen & DIGIT) findSaidCodes(text, hits);
  if (seen & (EQUALS | COLON)) findPairs(text, hits);
  return hits.list;
}

/** `matchAll` copies its expression; most texts have no match. */
function matchesOf(pattern: RegExp, text: string): Iterable<RegExpExecArray> {
  return text.search(pattern) < 0 ? [] : text.matchAll(pattern);
}

/** A token of which nothing but X is left. */
function isCrossed(token: string): boolean {
  return /x{8}|X{8}/.test(token);
}

/** The text with a marker in the place of each hit. */
export function redactText(text: string, hits: readonly Hit[]): string {
  let redacted = '';
  let at = 0;
  for (const { rule, begin, end } of hits.toSorted((one, other) => one.begin - other.begin)) {
    if (begin < at) continue;
    redacted += text.slice(at, begin) + markerOf(rule);
    at = end;
  }
  return redacted + text.slice(at);
}
