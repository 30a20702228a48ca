/**
 * CBOR (RFC 8949) for what is hashed, signed or received: a small subset, and of each value the one encoding that §4.2.1
 * calls core deterministic. So a value has one text, and what is read is written back as the same bytes.
 *
 *   {1: 1, 2: -16, 3: h'0102'}   ⇄   a3  01 01  02 2f  03 42 0102
 *
 *   in       whole numbers within ±(2^53 - 1), byte and text strings, arrays, maps with numbers and texts for keys,
 *            true, false, null, and tag 18 (COSE_Sign1)
 *   refused  longer heads than needed, indefinite lengths, keys out of bytewise order or twice, invalid UTF-8, floats,
 *            undefined, other simple values, other tags (bignums too), anything after the value
 */

import { NewelError } from '../errors.ts';
import { decodeUtf8, encodeUtf8, isWellFormed } from './text.ts';

export type CborValue = number | boolean | null | string | Uint8Array | CborValue[] | CborMap | CborTagged;

export type CborMap = Map<number | string, CborValue>;

/** COSE_Sign1 (RFC 9052 §4.2), the one tag of the subset. */
export const COSE_SIGN1_TAG = 18;

/** A value under tag 18. */
export class CborTagged {
  readonly tag: typeof COSE_SIGN1_TAG = COSE_SIGN1_TAG;
  readonly value: CborValue;

  constructor(value: CborValue) {
    this.value = value;
  }
}

/** How many arrays, maps and tags may stand inside one another. */
export const MAX_CBOR_DEPTH = 16;

/** The three high bits of a head. */
const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;
const SIMPLE = 7;

const FALSE = 20;
const TRUE = 21;
const NULL = 22;

const TWO_32 = 2 ** 32;

/** The bytes of a value. Throws `RangeError` for one that `parseCbor` would not give back. */
export function formatCbor(value: CborValue): Uint8Array {
  const out: Bytes = { bytes: new Uint8Array(64), length: 0 };
  writeValue(out, value, 0);
  return out.bytes.slice(0, out.length);
}

/**
 * The value of a CBOR text; its byte strings are copies. Throws `malformed` for all that `formatCbor` does not write, and
 * for more than `maxDepth` arrays, maps and tags inside one another. What it takes in room and time is linear in `bytes`.
 */
export function parseCbor(
  bytes: Uint8Array,
  { maxDepth = MAX_CBOR_DEPTH }: { readonly maxDepth?: number } = {},
): CborValue {
  let at = 0;
  const value = readValue(0);
  if (at < bytes.length) throw malformed('goes on after its value');
  return value;

  function readValue(depth: number): CborValue {
    const first = readByte();
    const type = first >> 5;
    const info = first & 31;
    if (type === SIMPLE) return simpleOf(info);
    const argument = readArgument(info);
    switch (type) {
      case UNSIGNED:
        return argument;
      case NEGATIVE:
        if (argument === Number.MAX_SAFE_INTEGER) throw malformed('has a number beyond ±(2^53 - 1)');
        return -1 - argument;
      case BYTES:
        return new Uint8Array(take(argument));
      case TEXT:
        return decodeUtf8(take(argument));
    }
    if (depth >= maxDepth) throw malformed(`is nested deeper than ${maxDepth}`);
    if (type === ARRAY) return readArray(argument, depth + 1);
    if (type === MAP) return readMap(argument, depth + 1);
    if (argument !== COSE_SIGN1_TAG) throw malformed('has a tag that is not in use here');
    return new CborTagged(readValue(depth + 1));
  }

  function readArray(count: number, depth: number): CborValue[] {
    const array: CborValue[] = [];
    // A count beyond the bytes that are there ends in `readByte`, before it costs anything.
    for (let i = 0; i < count; i++) array.push(readValue(depth));
    return array;
  }

  function readMap(count: number, depth: number): CborMap {
    const map: CborMap = new Map();
    let previous: Uint8Array | undefined;
    for (let i = 0; i < count; i++) {
      const begin = at;
      const key = readValue(depth);
      if (typeof key !== 'number' && typeof key !== 'string') {
        throw malformed('has a key that is neither a number nor a text');
      }
      const encoded = bytes.subarray(begin, at);
      if (previous !== undefined && compareBytes(previous, encoded) >= 0) {
        throw malformed('has a key twice or out of order');
      }
      previous = encoded;
      map.set(key, readValue(depth));
    }
    return map;
  }

  /** The number in or after a head, which must be written in the fewest bytes. */
  function readArgument(info: number): number {
    if (info < 24) return info;
    if (info > 27) throw malformed('has a length that is reserved or indefinite');
    const width = 1 << (info - 24);
    let argument = 0;
    for (const byte of take(width)) argument = argument * 256 + byte;
    if (argument > Number.MAX_SAFE_INTEGER) throw malformed('has a number beyond ±(2^53 - 1)');
    if (argument < (width === 1 ? 24 : 256 ** (width / 2))) throw malformed('has a head longer than needed');
    return argument;
  }

  function readByte(): number {
    return take(1)[0]!;
  }

  function take(length: number): Uint8Array {
    if (length > bytes.length - at) throw malformed('ends too early');
    at += length;
    return bytes.subarray(at - length, at);
  }
}

function simpleOf(info: number): boolean | null {
  switch (info) {
    case FALSE:
      return false;
    case TRUE:
      return true;
    case NULL:
      return null;
    default:
      throw malformed('has a float or a simple value other than true, false and null');
  }
}

/** Bytes as they are written; the room is more than the length. */
interface Bytes {
  bytes: Uint8Array;
  length: number;
}

function writeValue(out: Bytes, value: CborValue, depth: number): void {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new RangeError('number expected a whole one within ±(2^53 - 1)');
    if (value < 0) writeHead(out, NEGATIVE, -1 - value);
    else writeHead(out, UNSIGNED, value);
  } else if (typeof value === 'string') {
    if (!isWellFormed(value)) throw new RangeError('text expected no lone surrogate');
    const utf8 = encodeUtf8(value);
    writeHead(out, TEXT, utf8.length);
    write(out, utf8);
  } else if (value === null) {
    writeHead(out, SIMPLE, NULL);
  } else if (typeof value === 'boolean') {
    writeHead(out, SIMPLE, value ? TRUE : FALSE);
  } else if (value instanceof Uint8Array) {
    writeHead(out, BYTES, value.length);
    write(out, value);
  } else {
    if (depth >= MAX_CBOR_DEPTH) throw new RangeError(`value expected at most ${MAX_CBOR_DEPTH} levels`);
    writeNested(out, value, depth + 1);
  }
}

function writeNested(out: Bytes, value: CborValue[] | CborMap | CborTagged, depth: number): void {
  if (Array.isArray(value)) {
    writeHead(out, ARRAY, value.length);
    for (const element of value) writeValue(out, element, depth);
  } else if (value instanceof Map) {
    const entries = Array.from(value, ([key, member]) => ({ key: formatCbor(key), member }));
    entries.sort((a, b) => compareBytes(a.key, b.key));
    writeHead(out, MAP, entries.length);
    for (const { key, member } of entries) {
      write(out, key);
      writeValue(out, member, depth);
    }
  } else {
    writeHead(out, TAG, value.tag);
    writeValue(out, value.value, depth);
  }
}

function writeHead(out: Bytes, type: number, argument: number): void {
  const high = type << 5;
  if (argument < 24) writeNumber(out, high | argument, 1);
  else {
    // 1, 2, 4 or 8 bytes, as 24 to 27 say.
    const log2 = argument < 256 ? 0 : argument < 65536 ? 1 : argument < TWO_32 ? 2 : 3;
    writeNumber(out, high | (24 + log2), 1);
    writeNumber(out, argument, 2 ** log2);
  }
}

/** Big-endian. */
function writeNumber(out: Bytes, value: number, width: number): void {
  const end = extend(out, width);
  let left = value;
  for (let at = end - 1; at >= end - width; at--) {
    out.bytes[at] = left % 256;
    left = Math.floor(left / 256);
  }
}

function write(out: Bytes, bytes: Uint8Array): void {
  const end = extend(out, bytes.length);
  out.bytes.set(bytes, end - bytes.length);
}

/** Takes so many bytes more, and returns where they end. */
function extend(out: Bytes, count: number): number {
  const length = out.length + count;
  if (length > out.bytes.length) {
    const larger = new Uint8Array(2 * length);
    larger.set(out.bytes.subarray(0, out.length));
    out.bytes = larger;
  }
  out.length = length;
  return length;
}

/** Bytewise order: below zero where `a` comes first. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `CBOR ${flaw}`);
}
