/**
 * NDJSON (newline-delimited JSON), cut into its lines as it arrives.
 *
 *   {"type":…}\n      a line
 *   \r\n              blank, nothing but white space: passed over
 *   {"type":…}        the last one may do without its newline
 *
 * Whether a line is JSON is for its parser to say. One that is too long is passed over without being held.
 */

import { GrowingBytes } from '../core/growing-bytes.ts';
import { NewelError } from '../errors.ts';
import { isWhiteSpace } from './json-body.ts';
import type { Element, Splitter } from './splitter.ts';

const LF = 0x0a;

export class NdjsonLines implements Splitter {
  readonly #maxLineBytes: number;
  /** Of the line that has begun; nothing once it is too long. */
  readonly #line: GrowingBytes;
  #length = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
    this.#line = new GrowingBytes(maxLineBytes);
  }

  *push(chunk: Uint8Array): Generator<Element, void> {
    let begin = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, begin)) {
      this.#keep(chunk.subarray(begin, end));
      begin = end + 1;
      yield* this.#take();
    }
    this.#keep(chunk.subarray(begin));
  }

  *end(): Generator<Element, void> {
    yield* this.#take();
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#maxLineBytes) this.#line.clear();
    else this.#line.add(part);
  }

  /** The line that has ended, unless it is blank. */
  *#take(): Generator<Element, void> {
    const body = this.#line.take();
    const isTooLong = this.#length > this.#maxLineBytes;
    this.#length = 0;
    if (isTooLong) {
      yield { error: new NewelError('too_large', `the line has more than ${this.#maxLineBytes} bytes`) };
    } else if (!body.every(isWhiteSpace)) {
      yield { body };
    }
  }
}
