/**
 * Payment card numbers (PAN, ISO/IEC 7812-1): an issuer's prefix, a length that this issuer has, and a check digit by
 * Luhn's formula. One in ten random numbers has the right check digit and one in forty the prefix as well, so where a number stands
 * decides too.
 *
 *   4111 1111 1111 1111   4111-1111-1111-1111   3782 822463 10005     grouped as on a card, or with `.`, `_` or `/`
 *   "4111111111111111"                                                all of a text
 *   paid with card 4111111111111111                                   beside a word for a card
 *   order 4111111111111111   /orders/4111111111111111                 none: a number in a text, and no card is spoken of
 *   %B4111111111111111^DOE/JANE^2912…   ;4111111111111111=2912…       the tracks of a magnetic stripe
 */

export interface CardNumber {
  readonly begin: number;
  readonly end: number;
  /**
   * `named`: beside a word for a card, or of a stripe. `grouped`: with separators as on a card. `whole`: all of the text.
   * `bare`: digits in a text that speaks of no card, or of something else that has numbers.
   */
  readonly as: 'named' | 'grouped' | 'whole' | 'bare';
}

/** The fewest digits that are a card number in any context. */
export const MIN_CARD_DIGITS = 13;

/** Digits in a row; four groups of four and perhaps a fifth; or 4-6-5 and 4-6-4. No part of a longer number, decimal or name. */
const CANDIDATE =
  /(?<![0-9A-Za-z_+]|[0-9][.-])(?:[0-9]{13,19}(?![0-9A-Za-z_]|\.[0-9])|(?:([0-9]{4}([ ._/-])[0-9]{4}\2[0-9]{4}\2[0-9]{4})(?:\2[0-9]{1,3})?|[0-9]{4}([ ._/-])[0-9]{6}\3[0-9]{4,5})(?![0-9A-Za-z_]|[.-][0-9]))/g;
const SEPARATORS = /[ ._/-]/g;
const STRIPE = /%B([0-9]{13,19})\^|;([0-9]{13,19})=[0-9]{4}/g;

const CARD_WORD =
  /(?<![A-Za-z0-9_])(?:(?:credit|debit|payment|bank)?[ _-]?cards?(?:[ _-]?(?:no|num|number))?|pan|visa|master ?card|maestro|amex|american express|diners|jcb|unionpay|rupay|cc|kreditkarte|karte|carte|tarjeta|carta)(?![A-Za-z0-9_])/i;
const OTHER_WORD =
  /(?<![A-Za-z0-9])(?:order|invoice|reference|ref|tracking|parcel|shipment|ticket|case|booking|transaction|txn|receipt|serial|imei|iccid|phone|tel|mobile|msisdn|fax|request|trace)(?:[ _-]?(?:no|nr|num|number|id))?[ .:#=-]{0,4}$/i;
/** How far before and after a number a word belongs to it. */
const BEFORE = 48;
const AFTER = 24;

/** Words of the names of members whose value is a number of something else. */
const IDENTIFIER_WORDS: ReadonlySet<string> = new Set(
  `id ids uid uuid guid ulid jti sub txn transaction order invoice ref reference tracking parcel shipment ticket case booking receipt
   serial imei imsi iccid ean gtin isbn upc phone tel telephone mobile msisdn fax seq sequence nonce trace span correlation request
   corrects to fingerprint device timestamp time date epoch version hash`.split(/\s+/),
);
const NUMBER_WORDS: ReadonlySet<string> = new Set(['number', 'no', 'nr', 'num']);
const CARD_WORDS: ReadonlySet<string> = new Set(
  'card cards pan cc ccnum visa mastercard maestro amex diners jcb unionpay cardnumber creditcard debitcard'.split(
    ' ',
  ),
);

/** Issuers: prefixes as ranges, and the lengths that they have. */
const ISSUERS: readonly (readonly [from: number, to: number, lengths: readonly number[]])[] = [
  [4, 4, [13, 16, 19]], // Visa
  [51, 55, [16]], // Mastercard
  [2221, 2720, [16]],
  [34, 34, [15]], // American Express
  [37, 37, [15]],
  [6011, 6011, [16, 19]], // Discover
  [644, 649, [16, 19]],
  [65, 65, [16, 19]],
  [3528, 3589, [16, 17, 18, 19]], // JCB
  [300, 305, [14, 16, 19]], // Diners Club
  [3095, 3095, [14, 16, 19]],
  [36, 36, [14, 15, 16, 17, 18, 19]],
  [38, 39, [14, 16, 19]],
  [62, 62, [16, 17, 18, 19]], // UnionPay
  [81, 82, [16, 17, 18, 19]], // UnionPay, RuPay
  [60, 60, [16]], // RuPay, Hipercard
  [508, 508, [16]],
  [5018, 5018, [16, 17, 18, 19]], // Maestro
  [5020, 5020, [16, 17, 18, 19]],
  [5038, 5038, [16, 17, 18, 19]],
  [5893, 5893, [16, 17, 18, 19]],
  [6304, 6304, [16, 17, 18, 19]],
  [6759, 6759, [16, 17, 18, 19]],
  [6761, 6763, [16, 17, 18, 19]],
  [2200, 2204, [16]], // Mir
  [506099, 506198, [16, 18, 19]], // Verve
  [9792, 9792, [16]], // Troy
];

/** Whether digits are a number that an issuer could have given to a card. */
export function isCardNumber(digits: string): boolean {
  return hasIssuer(digits) && hasCheckDigit(digits);
}

/** Luhn's formula (ISO/IEC 7812-1 annex B): every second digit from the right counts double, and the sum ends in 0. */
function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 0x30;
    const doubled = i % 2 === 0 ? digit : 2 * digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function hasIssuer(digits: string): boolean {
  return ISSUERS.some(([from, to, lengths]) => {
    const prefix = Number(digits.slice(0, String(from).length));
    return prefix >= from && prefix <= to && lengths.includes(digits.length);
  });
}

/** The card numbers in a text, in its order, each with how it stands there. */
export function findCardNumbers(text: string): CardNumber[] {
  const found: CardNumber[] = [];
  for (const match of text.includes('%B') || text.includes(';') ? text.matchAll(STRIPE) : []) {
    const digits = match[1] ?? match[2]!;
    const begin = match.index + match[0].indexOf(digits);
    if (isCardNumber(digits)) found.push({ begin, end: begin + digits.length, as: 'named' });
  }
  for (const [begin, candidate] of candidatesIn(text)) {
    const end = begin + candidate.length;
    const digits = candidate.replace(SEPARATORS, '');
    if (!isCardNumber(digits) || found.some((other) => other.begin === begin)) continue;
    const as = standingOf(text, begin, end, candidate.charAt(candidate.search(/[^0-9]/)));
    // Visa gave out its last number of 13 digits long ago, and many things have 13: a word is needed.
    if (digits.length > MIN_CARD_DIGITS || as === 'named') found.push({ begin, end, as });
  }
  return found;
}

/** Groups are read from each on, and a fifth that is of no card, such as a date, is left out. */
function* candidatesIn(text: string): Generator<readonly [begin: number, candidate: string]> {
  CANDIDATE.lastIndex = 0;
  for (let match = CANDIDATE.exec(text); match !== null; match = CANDIDATE.exec(text)) {
    const [candidate, fours] = match;
    const { index } = match;
    yield [index, candidate];
    if (fours !== undefined && fours !== candidate) yield [index, fours];
    if (fours !== undefined) CANDIDATE.lastIndex = index + 4;
  }
}

/** `separator` stands between groups; it is empty where there are none. */
function standingOf(text: string, begin: number, end: number, separator: string): CardNumber['as'] {
  const isGrouped = separator !== '';
  const before = text.slice(Math.max(0, begin - BEFORE), begin);
  const after = text.slice(end, end + AFTER);
  if (CARD_WORD.test(before) || CARD_WORD.test(after)) return 'named';
  if (text.trim().length === end - begin) return isGrouped ? 'grouped' : 'whole';
  // Part of a longer name with dashes, or of something else that has numbers.
  if (/[0-9A-Za-z]-$/.test(before) || /^-[0-9A-Za-z]/.test(after) || OTHER_WORD.test(before)) return 'bare';
  const isPath = separator === '/' && before.endsWith('/');
  return isGrouped && !isPath ? 'grouped' : 'bare';
}

/** Whether a member's name says that its value is a card's: `card_number`, `paymentCard`. */
export function isCardName(name: string): boolean {
  return wordsOf(name).some((word) => CARD_WORDS.has(word));
}

/** Whether a member's name says that its value is a number of something else: `order_id`, `phoneNumber`, `txn`. */
export function isIdentifierName(name: string): boolean {
  const words = wordsOf(name);
  while (words.length > 1 && NUMBER_WORDS.has(words.at(-1)!)) words.pop();
  return IDENTIFIER_WORDS.has(words.at(-1) ?? '');
}

function wordsOf(name: string): string[] {
  return name
    .slice(-128)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}
