/**
 * Requests of `POST /add`, every one with an entry of its own that does not compress: a random piece of a pool, and a
 * number. One buffer a connection is written over and over, which costs less than making another.
 */

import { randomFillSync } from 'node:crypto';

export const ENTRY_BYTES = 200;
/** Of the number that makes an entry unique: the smallest entry that there is here. */
export const NUMBER_BYTES = 8;
const POOL_BYTES = 4 * 2 ** 20;

/** What `runLoad` asks for the next request; unique across everything that is made of one call. */
export function addRequests(token: string, connections: number): (connection: number) => Buffer {
  const fill = entryFiller();
  const head = Buffer.from(
    `POST /add HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/octet-stream\r\nContent-Length: ${ENTRY_BYTES}\r\n\r\n`,
    'latin1',
  );
  const requests = Array.from({ length: connections }, () =>
    Buffer.concat([head, Buffer.alloc(ENTRY_BYTES)]),
  );
  return (connection) => {
    const request = requests[connection]!;
    fill(request, head.length);
    return request;
  };
}

/** Writes another unique entry of `bytes` bytes, at least 8, at `at` with each call. */
export function entryFiller(bytes: number = ENTRY_BYTES): (target: Buffer, at: number) => void {
  const pool = randomFillSync(Buffer.allocUnsafe(POOL_BYTES));
  const places = POOL_BYTES - bytes;
  const rest = bytes - NUMBER_BYTES;
  let number = 0;
  let place = 0;
  return (target, at) => {
    // A stride that is prime, so that all places are used.
    place = (place + 1_000_003) % places;
    pool.copy(target, at, place, place + rest);
    target.writeDoubleBE(number, at + rest);
    number += 1;
  };
}

/** The index in the answer of `/add`: decimal digits and a newline. Throws for anything else. */
export function parseAdded(body: Buffer): number {
  let index = 0;
  const digits = body.length - 1;
  for (let i = 0; i < digits; i++) {
    const digit = body[i]! - 0x30;
    if (digit < 0 || digit > 9) throw new Error(`not an index: ${body.toString('latin1')}`);
    index = index * 10 + digit;
  }
  if (digits < 1 || body[digits] !== 0x0a) throw new Error(`not an index: ${body.toString('latin1')}`);
  return index;
}

/** Which indexes were acknowledged: each must be there once, and none be left out. */
export class Acknowledged {
  #seen = new Uint8Array(2 ** 16);
  #count = 0;
  #end = 0;
  readonly #first: number;

  /** `first` is the size of the tree before. */
  constructor(first: number) {
    this.#first = first;
  }

  get count(): number {
    return this.#count;
  }

  add(index: number): void {
    const place = index - this.#first;
    if (place < 0) throw new Error(`index ${index} was acknowledged, but the tree had ${this.#first} leaves`);
    while (place >= this.#seen.length) {
      const larger = new Uint8Array(2 * this.#seen.length);
      larger.set(this.#seen);
      this.#seen = larger;
    }
    if (this.#seen[place] !== 0) throw new Error(`index ${index} was acknowledged twice`);
    this.#seen[place] = 1;
    this.#count += 1;
    this.#end = Math.max(this.#end, index + 1);
  }

  /** Throws unless the tree of `size` leaves has them all and, where nothing was cut off, nothing else. */
  check(size: number, { cutOff = false }: { cutOff?: boolean } = {}): void {
    if (this.#end > size)
      throw new Error(`index ${this.#end - 1} was acknowledged, the tree has ${size} leaves`);
    const added = size - this.#first;
    if (!cutOff && this.#count !== added) {
      throw new Error(`${this.#count} entries were acknowledged, the tree has ${added} new leaves`);
    }
  }
}
