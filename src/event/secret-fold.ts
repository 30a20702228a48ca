/**
 * Other spellings of a text, brought to the one that the rules know.
 *
 *   ４１１１ → 4111     full-width, mathematical and other compatibility characters (Unicode NFKC)
 *   ٤٩٣ → 493          decimal digits of every script
 *   pass‍word → password  what is not seen (zero-width joiners and spaces, soft hyphens, direction marks) is gone
 *   %3Dabc → =abc      percent-encoding, once
 */

const BEYOND_ASCII = /\P{ASCII}/u;
const UNSEEN = /[\p{Cf}\ufe00-\ufe0f\u034f]/gu;
const DASH = /\p{Pd}/gu;
const DIGIT = /\p{Nd}/u;
const FOREIGN_DIGIT = /\P{ASCII}/gu;
const PERCENT = /%([0-9A-Fa-f]{2})/g;

/** The text as the rules read it; the very same one where it is plain already. */
export function foldText(text: string): string {
  const plain = BEYOND_ASCII.test(text) ? foldCharacters(text) : text;
  return plain.includes('%') ? plain.replace(PERCENT, decodePercent) : plain;
}

function foldCharacters(text: string): string {
  return text.normalize('NFKC').replace(UNSEEN, '').replace(DASH, '-').replace(FOREIGN_DIGIT, foldDigit);
}

/** The digits of a script stand in a row from 0 to 9, and nothing that is a digit stands before the 0. */
function foldDigit(character: string): string {
  if (!DIGIT.test(character)) return character;
  const code = character.codePointAt(0)!;
  let value = 0;
  while (value < 9 && DIGIT.test(String.fromCodePoint(code - value - 1))) value++;
  return String(value);
}

/** Of ASCII alone: what is beyond it takes several bytes, and no rule needs it. */
function decodePercent(escape: string, hex: string): string {
  const code = Number.parseInt(hex, 16);
  return code < 0x80 ? String.fromCharCode(code) : escape;
}
