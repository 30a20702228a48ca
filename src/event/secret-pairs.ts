/**
 * Names with their values in running text.
 *
 *   password=hunter2   "client_secret":"…"   api key: …   PIN=4711     the value is found, not the name
 *   Password: must be changed                                          prose: the word after a colon begins a sentence
 *   error code: 50074                                                   none: it says whose code it is
 */

import { kindOfName, type NameKind, ownsCode, ruleOfNamed } from './secret-names.ts';
import { isHarmless } from './secret-mask.ts';
import type { Hits, SecretRule } from './secret-rules.ts';

const EQUALS = 0x3d;
const COLON = 0x3a;
const SPACE = 0x20;
const BACKSLASH = 0x5c;

/** How far around a separator names and values are looked for; a value that is found is taken to its end. */
const MAX_GAP = 6;
const MAX_NAME = 48;
const MAX_JUDGED = 512;

const VALUE_AFTER_EQUALS = /[^\s&;,"'<>]{0,512}/y;
const VALUE_AFTER_COLON = /[^\s;,"'<>}]{0,512}/y;
/** What is left of a value that is longer than it takes to judge it. */
const REST = /[^\s&;,"'<>}]*/y;
const NATURAL = /^[A-Za-z’'-]+$/;
const WORD_FOLLOWS = /[ \t]{1,3}[A-Za-z]/y;

/** Finds the values of `name=value` and `name: value`. */
export function findPairs(text: string, hits: Hits): void {
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code !== EQUALS && code !== COLON) || at < from || isNoPair(text, at)) continue;
    const kind = kindBefore(text, at);
    if (kind === undefined) continue;
    const { begin, end, isQuoted } = valueAfter(text, at, code);
    const value = text.slice(begin, Math.min(end, begin + MAX_JUDGED));
    // Cookies with names have a rule of their own.
    if (kind === 'cookie' && value.includes('=')) continue;
    const rule = code === COLON && !isQuoted ? ruleOfSaid(kind, value, text, end) : ruleOfNamed(kind, value);
    if (rule === undefined) continue;
    from = isQuoted || end - begin < MAX_JUDGED ? end : endOfMatch(REST, text, end);
    hits.add(rule, begin, from);
  }
}

/** Where a sticky expression that matches nothing as well stops. */
function endOfMatch(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  pattern.test(text);
  return pattern.lastIndex;
}

/** `12:00`, `sha-256:`, `https://`: no name ends with two digits, and no value begins with two slashes. */
function isNoPair(text: string, separator: number): boolean {
  return (
    (isDigit(text.charCodeAt(separator - 1)) && isDigit(text.charCodeAt(separator - 2))) ||
    text.startsWith('//', separator + 1)
  );
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** The kind of the name that ends before the separator: one word, or two where there is one space between them. */
function kindBefore(text: string, separator: number): NameKind | undefined {
  let end = separator;
  while (end > 0 && separator - end < MAX_GAP && isPadding(text.charCodeAt(end - 1))) end--;
  const begin = startOfName(text, end);
  if (begin === undefined || begin === end) return undefined;
  const name = text.slice(begin, end);
  const own = kindOfName(name);
  if (own !== undefined && own !== 'code') return own;
  if (text.charCodeAt(begin - 1) !== SPACE) return own;
  const before = startOfName(text, begin - 1);
  if (before === undefined || before === begin - 1) return own;
  const owner = text.slice(before, begin - 1);
  return kindOfName(`${owner}_${name}`) ?? (own === 'code' && ownsCode(owner) ? undefined : own);
}

/** Where the name begins that ends at `end`; `undefined` where it is longer than any. */
function startOfName(text: string, end: number): number | undefined {
  let begin = end;
  while (begin > 0 && isNameCharacter(text.charCodeAt(begin - 1))) {
    if (end - begin === MAX_NAME) return undefined;
    begin--;
  }
  return begin;
}

function isPadding(code: number): boolean {
  // Space, quotes, a backslash before a quote, and the end of an index.
  return code === SPACE || code === 0x22 || code === 0x27 || code === BACKSLASH || code === 0x5d;
}

function isNameCharacter(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    isDigit(code) ||
    code === 0x5f ||
    code === 0x2d ||
    code === 0x2e
  );
}

interface Value {
  readonly begin: number;
  readonly end: number;
  readonly isQuoted: boolean;
}

function valueAfter(text: string, separator: number, code: number): Value {
  let begin = separator + 1;
  // `=>` and `:=` are one separator.
  if (text.charAt(begin) === '>' || text.charCodeAt(begin) === EQUALS) begin++;
  // `name= and` has no value; `name = value` has.
  const mayGap = code === COLON || text.charCodeAt(separator - 1) === SPACE;
  while (mayGap && text.charCodeAt(begin) === SPACE && begin - separator < MAX_GAP) begin++;
  let quote = begin;
  while (text.charCodeAt(quote) === BACKSLASH && quote - begin < MAX_GAP) quote++;
  const mark = text.charAt(quote);
  if (mark === '"' || mark === "'") {
    const end = text.indexOf(mark, quote + 1);
    return { begin: quote + 1, end: beforeBackslash(text, end < 0 ? text.length : end), isQuoted: true };
  }
  const pattern = code === EQUALS ? VALUE_AFTER_EQUALS : VALUE_AFTER_COLON;
  return { begin, end: endOfMatch(pattern, text, begin), isQuoted: false };
}

/** Where the quote at `end` is escaped, the backslashes before it are its own. */
function beforeBackslash(text: string, end: number): number {
  let at = end;
  while (text.charCodeAt(at - 1) === BACKSLASH) at--;
  return at;
}

/** After a colon, people write sentences: a word of letters that others follow is the first of one. */
function ruleOfSaid(kind: NameKind, value: string, text: string, end: number): SecretRule | undefined {
  if (isHarmless(value)) return undefined;
  const word = value.replace(/[.!?)\]]{1,8}$/, '');
  if (kind !== 'password' && kind !== 'token' && kind !== 'cookie') return ruleOfNamed(kind, word);
  if (word.length < 4 || isHarmless(word)) return undefined;
  WORD_FOLLOWS.lastIndex = end;
  if (NATURAL.test(word) && WORD_FOLLOWS.test(text)) return undefined;
  return ruleOfNamed(kind, word);
}
