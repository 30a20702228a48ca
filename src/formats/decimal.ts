/**
 * Whole numbers as every C2SP format writes them: ASCII digits, no sign, no leading zero, no exponent.
 * Sizes and indexes are below 2^53 (`9007199254740992`), so every accepted number is held exactly.
 */

import { NewelError } from '../errors.ts';

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;

/** Whether `text` is the one spelling of a whole number below 2^53. */
export function isDecimal(text: string): boolean {
  return DECIMAL.test(text) && Number.isSafeInteger(Number(text));
}

/** The number that `text` spells. Throws `malformed`, naming `what` and never the text, if `isDecimal` says no. */
export function parseDecimal(text: string, what: string): number {
  if (!isDecimal(text)) {
    throw new NewelError(
      'malformed',
      `${what} is not a decimal number below 2^53 without sign or leading zero`,
    );
  }
  return Number(text);
}
