/**
 * A JSON array, cut into its elements as it arrives.
 *
 *   [ {"type":…} , {"type":…} ]
 *     └ element ┘
 *
 * Only brackets, strings and commas are looked at, to find where an element ends; whether it is JSON says `parseJson`, by
 * which every element goes before it is handed out. An array is elements of JSON between commas, so what is not one is
 * never taken for one, wherever a wrong bracket has it cut. It is refused where it is wrong: what came before has come.
 */

import { GrowingBytes } from '../core/growing-bytes.ts';
import { NewelError } from '../errors.ts';
import { parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { isWhiteSpace } from './json-body.ts';
import type { Element, Splitter } from './splitter.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Between elements: before the array, before its first element or its end, before an element, within one, after the array. */
type Place = 'begin' | 'first' | 'next' | 'element' | 'ended';

export class JsonItems implements Splitter {
  readonly #maxItemBytes: number;
  #place: Place = 'begin';
  /** Brackets that are open within the element. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Of the element that has begun. */
  readonly #item: GrowingBytes;

  constructor(maxItemBytes: number) {
    this.#maxItemBytes = maxItemBytes;
    this.#item = new GrowingBytes(maxItemBytes);
  }

  /** Throws `malformed`, and `too_large` for an element that is: what cannot be parsed cannot be passed over. */
  *push(chunk: Uint8Array): Generator<Element, void> {
    let begin = 0;
    for (let at = 0; at < chunk.length; at++) {
      const octet = chunk[at]!;
      if (this.#place !== 'element') {
        if (isWhiteSpace(octet) || !this.#begins(octet)) continue;
        begin = at;
      }
      if (!this.#ends(octet)) continue;
      this.#keep(chunk.subarray(begin, at));
      this.#place = octet === COMMA ? 'next' : 'ended';
      yield { body: this.#take() };
    }
    if (this.#place === 'element') this.#keep(chunk.subarray(begin));
  }

  end(): readonly Element[] {
    if (this.#place !== 'ended') throw malformed('the array ends too early');
    return [];
  }

  /** Reads an octet between elements, no white space; whether an element begins with it. */
  #begins(octet: number): boolean {
    const place = this.#place;
    if (place === 'begin') {
      if (octet !== OPEN_ARRAY) throw malformed('the body is not an array');
      this.#place = 'first';
      return false;
    }
    if (place === 'ended') throw malformed('something follows the array');
    if (place === 'first' && octet === CLOSE_ARRAY) {
      this.#place = 'ended';
      return false;
    }
    if (octet === COMMA || octet === CLOSE_ARRAY) throw malformed('an element of the array is missing');
    this.#place = 'element';
    return true;
  }

  /** Reads an octet within an element; whether it is the comma or bracket after it. */
  #ends(octet: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (octet === BACKSLASH) this.#escaped = true;
      else if (octet === QUOTE) this.#inString = false;
      return false;
    }
    if (this.#depth === 0 && (octet === COMMA || octet === CLOSE_ARRAY)) return true;
    if (octet === QUOTE) this.#inString = true;
    else if (octet === OPEN_OBJECT || octet === OPEN_ARRAY) this.#depth++;
    else if (octet === CLOSE_OBJECT || octet === CLOSE_ARRAY) this.#depth = Math.max(0, this.#depth - 1);
    return false;
  }

  #keep(part: Uint8Array): void {
    if (this.#item.length + part.length > this.#maxItemBytes) {
      const most = this.#maxItemBytes;
      throw new NewelError('too_large', `an element of the array has more than ${most} bytes`);
    }
    this.#item.add(part);
  }

  #take(): Uint8Array {
    const bytes = this.#item.take();
    parseJson(decodeUtf8(bytes));
    return bytes;
  }
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', flaw);
}
