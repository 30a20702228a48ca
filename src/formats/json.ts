/**
 * JSON (RFC 8259), read so that a text has one meaning. `JSON.parse` lets the last of two members of one name win and
 * rounds a number that a double does not hold; here both are refused, so that no two readers see two values.
 *
 *   {"a":1,"\u0061":2}           refused: "a" is there twice
 *   9007199254740993, 1e400      refused: no double has this value
 *   0.1, 1.50, 1e2, -0           read: the double, printed, is the same decimal value
 *   {"__proto__":1}              read: a member like any other
 */

import { NewelError } from '../errors.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

export interface JsonObject {
  [name: string]: JsonValue;
}

/** How many arrays and objects may stand inside one another, where the caller does not say. */
export const MAX_JSON_DEPTH = 32;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * The value of a JSON text. Throws `malformed`, with an offset in UTF-16 code units and nothing of the text, for what
 * RFC 8259 does not allow, for a member name that one object has twice (escaped or not), for a number that no double
 * holds as it is written, and for a depth over `maxDepth`. A lone surrogate is kept. The time is linear in the length.
 */
export function parseJson(
  text: string,
  { maxDepth = MAX_JSON_DEPTH }: { readonly maxDepth?: number } = {},
): JsonValue {
  let at = 0;
  const value = readValue(0);
  skipSpace();
  if (at < text.length) throw notJson();
  return value;

  /** The first code unit that is not white space, which is then at `at`; NaN at the end. */
  function skipSpace(): number {
    for (;;) {
      const code = text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
      at++;
    }
  }

  function readValue(depth: number): JsonValue {
    switch (skipSpace()) {
      case QUOTE:
        return readString();
      case OPEN_OBJECT:
        return readObject(depth + 1);
      case OPEN_ARRAY:
        return readArray(depth + 1);
      case 0x74:
        return readWord('true', true);
      case 0x66:
        return readWord('false', false);
      case 0x6e:
        return readWord('null', null);
      default:
        return readNumber();
    }
  }

  function readObject(depth: number): JsonObject {
    if (depth > maxDepth) throw tooDeep();
    const object: JsonObject = {};
    at++;
    if (skipSpace() === CLOSE_OBJECT) {
      at++;
      return object;
    }
    for (;;) {
      if (skipSpace() !== QUOTE) throw notJson();
      const nameAt = at;
      const name = readString();
      if (Object.hasOwn(object, name)) throw malformed('has a member name twice in one object', nameAt);
      if (skipSpace() !== COLON) throw notJson();
      at++;
      const value = readValue(depth);
      setMember(object, name, value);
      if (!readComma(CLOSE_OBJECT)) return object;
    }
  }

  function readArray(depth: number): JsonValue[] {
    if (depth > maxDepth) throw tooDeep();
    const array: JsonValue[] = [];
    at++;
    if (skipSpace() === CLOSE_ARRAY) {
      at++;
      return array;
    }
    do array.push(readValue(depth));
    while (readComma(CLOSE_ARRAY));
    return array;
  }

  /** Whether a comma comes next rather than `close`; past it. */
  function readComma(close: number): boolean {
    const code = skipSpace();
    if (code !== COMMA && code !== close) throw notJson();
    at++;
    return code === COMMA;
  }

  function readString(): string {
    const begin = at + 1;
    let end = begin;
    let escaped = false;
    for (;;) {
      const code = text.charCodeAt(end);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        escaped = true;
        end++;
      } else if (!(code >= 0x20)) {
        // A control character, or NaN: the end of the text.
        at = Math.min(end, text.length);
        throw notJson();
      }
      end++;
    }
    at = end + 1;
    return escaped ? unescape(begin, end) : text.slice(begin, end);
  }

  function unescape(begin: number, end: number): string {
    try {
      return JSON.parse(text.slice(begin - 1, end + 1)) as string;
    } catch {
      // Its message would repeat the string.
      throw malformed('has a string with an invalid escape', begin - 1);
    }
  }

  function readNumber(): number {
    NUMBER.lastIndex = at;
    if (!NUMBER.test(text)) throw notJson();
    const literal = text.slice(at, NUMBER.lastIndex);
    const number = Number(literal);
    const printed = String(number);
    if (printed !== literal && decimalOf(printed) !== decimalOf(literal)) {
      throw malformed('has a number that a double does not hold as it is written', at);
    }
    at = NUMBER.lastIndex;
    return number;
  }

  function readWord<T>(word: string, value: T): T {
    if (!text.startsWith(word, at)) throw notJson();
    at += word.length;
    return value;
  }

  function notJson(): NewelError {
    return malformed(at < text.length ? 'is not well-formed' : 'ends too early', at);
  }

  function tooDeep(): NewelError {
    return malformed(`is nested deeper than ${maxDepth}`, at);
  }
}

/** Whether a value is an object: neither null nor an array nor a scalar. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets a member whatever its name: a plain assignment to `__proto__` sets the prototype instead. */
export function setMember(object: JsonObject, name: string, value: JsonValue): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  } else {
    object[name] = value;
  }
}

/** One spelling for each decimal value: its digits without zeros at either end, and a power of ten. */
function decimalOf(literal: string): string {
  const [mantissa = '', exponent = '0'] = literal.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = whole + fraction;
  let begin = 0;
  while (digits.charCodeAt(begin) === 0x30) begin++;
  let end = digits.length;
  while (end > begin && digits.charCodeAt(end - 1) === 0x30) end--;
  if (begin === end) return '0';
  return `${digits.slice(begin, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

function malformed(flaw: string, offset: number): NewelError {
  return new NewelError('malformed', `JSON ${flaw}, at offset ${offset}`);
}
