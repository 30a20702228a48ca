/**
 * Events as files hold them. Three layouts, told apart by their first character, and cut into events as they arrive, so
 * that a long file is never held whole:
 *
 *   {                        {"type":…}               [{"type":…},
 *     "type": …              {"type":…}                {"type":…}]
 *   }
 *   one object               one after another:       one array of objects
 *                            NDJSON, or any white space
 */

import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';

/** An event, and where in its file it is. */
export interface EventText {
  /** The line that it begins on, from 1. */
  readonly line: number;
  readonly event: JsonObject;
}

/** What is wrong with a text of events, and on which line. Nothing of the text is repeated. */
export class EventTextError extends NewelError {
  override name = 'EventTextError';
  readonly line: number;

  constructor(code: 'malformed' | 'too_large', line: number, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.line = line;
  }
}

/** Far more than any log takes as one event; no more than this is ever held. */
export const MAX_EVENT_TEXT_BYTES: number = 1024 * 1024;

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * The events of a text, one by one: those before a fault come before it is thrown. Throws `EventTextError`; of a text
 * that holds no event nothing comes and nothing is thrown.
 */
export async function* readEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<EventText, void> {
  const splitter = new Splitter();
  for await (const chunk of chunks) {
    for (const { line, bytes } of splitter.push(chunk)) yield { line, event: parseEventText(bytes, line) };
  }
  splitter.end();
}

/** Where between events a text is: which characters may come next. */
type Place = 'begin' | 'between' | 'array begins' | 'after comma' | 'after element' | 'array ended';

/** Cuts a text by its brackets alone. Whether what is between them is JSON is for the parser. */
class Splitter {
  #place: Place = 'begin';
  /** Bytes of the text that were read. */
  #offset = 0;
  #line = 1;
  /** Brackets that are open, inside an event. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The event that has begun. */
  #parts: Uint8Array[] = [];
  #length = 0;
  #beginLine = 1;

  *push(chunk: Uint8Array): Generator<{ line: number; bytes: Uint8Array }, void> {
    let begin = 0;
    for (let at = 0; at < chunk.length; at++, this.#offset++) {
      const octet = chunk[at]!;
      if (this.#depth === 0) {
        if (this.#begins(octet)) begin = at;
      } else if (this.#ends(octet)) {
        this.#keep(chunk.subarray(begin, at + 1));
        yield { line: this.#beginLine, bytes: this.#take() };
      }
      if (octet === LF) this.#line++;
    }
    if (this.#depth > 0) this.#keep(chunk.subarray(begin));
  }

  /** Throws where the text ends too early. */
  end(): void {
    if (this.#depth > 0) {
      // Often what is wrong comes long before the end: a bracket that is missing on one line takes in those after it.
      parseEventText(this.#take(), this.#beginLine);
    } else if (this.#place === 'array begins' || this.#place.startsWith('after')) {
      throw new EventTextError('malformed', this.#line, 'the array does not end');
    }
  }

  /** Reads an octet between events; whether one begins with it. */
  #begins(octet: number): boolean {
    if (octet === SPACE || octet === LF || octet === CR || octet === TAB) return false;
    if (this.#offset < BYTE_ORDER_MARK.length && octet === BYTE_ORDER_MARK[this.#offset]) return false;
    const place = this.#place;
    switch (octet) {
      case OPEN_OBJECT:
        if (place === 'after element' || place === 'array ended') break;
        this.#place = place === 'begin' || place === 'between' ? 'between' : 'after element';
        this.#depth = 1;
        this.#beginLine = this.#line;
        return true;
      case OPEN_ARRAY:
        if (place !== 'begin') break;
        this.#place = 'array begins';
        return false;
      case COMMA:
        if (place !== 'after element') break;
        this.#place = 'after comma';
        return false;
      case CLOSE_ARRAY:
        if (place !== 'after element' && place !== 'array begins') break;
        this.#place = 'array ended';
        return false;
      default:
    }
    throw new EventTextError('malformed', this.#line, EXPECTED[place]);
  }

  /** Reads an octet of an event; whether it is the last one. */
  #ends(octet: number): boolean {
    if (this.#inString) {
      if (octet === LF) {
        throw new EventTextError('malformed', this.#line, 'a string does not end on its line');
      }
      if (this.#escaped) this.#escaped = false;
      else if (octet === BACKSLASH) this.#escaped = true;
      else if (octet === QUOTE) this.#inString = false;
    } else if (octet === QUOTE) {
      this.#inString = true;
    } else if (octet === OPEN_OBJECT || octet === OPEN_ARRAY) {
      this.#depth++;
    } else if (octet === CLOSE_OBJECT || octet === CLOSE_ARRAY) {
      this.#depth--;
    }
    return this.#depth === 0;
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > MAX_EVENT_TEXT_BYTES) {
      const message = `what begins here is longer than any event, ${MAX_EVENT_TEXT_BYTES} bytes`;
      throw new EventTextError('too_large', this.#beginLine, message);
    }
    // The chunk is its reader's, who may fill it anew.
    this.#parts.push(Uint8Array.from(part));
  }

  #take(): Uint8Array {
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#length = 0;
    return bytes;
  }
}

const EXPECTED: Readonly<Record<Place, string>> = {
  begin: 'it begins with neither a JSON object nor an array of them',
  between: 'what follows an event is not another one: a JSON object',
  'array begins': 'an element of the array is not an event: a JSON object',
  'after comma': 'an element of the array is not an event: a JSON object',
  'after element': 'what follows an element of the array is neither a comma nor its end',
  'array ended': 'something follows the array',
};

const AT_OFFSET = /, at offset (\d+)$/;

function parseEventText(bytes: Uint8Array, line: number): JsonObject {
  let text: string;
  try {
    text = decodeUtf8(bytes);
  } catch (cause) {
    throw new EventTextError('malformed', line, 'the event that begins here is not UTF-8', { cause });
  }
  try {
    const value = parseJson(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    const [found, offset] = AT_OFFSET.exec(cause.message) ?? [];
    if (found === undefined) throw new EventTextError('malformed', line, cause.message, { cause });
    // Where an editor looks for it.
    const before = text.slice(0, Number(offset)).split('\n');
    const message = `${cause.message.slice(0, -found.length)}, at column ${before.at(-1)!.length + 1}`;
    const shift = line + before.length - 1;
    throw new EventTextError('malformed', shift, message, { cause });
  }
  throw new Error('bug: what begins with a brace is not an object');
}
