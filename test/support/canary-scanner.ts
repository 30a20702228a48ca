/**
 * Looks for canaries (`canary-events.ts`) in bytes, thousands of them at once: for each, its random characters, the value's
 * SHA-256, and both in the spellings that they could have. A rolling hash over windows of 16 bytes finds where one of them
 * may begin, and the bytes themselves decide.
 */

import { createHash } from 'node:crypto';
import type { Canary } from './canary-events.ts';

export interface Sighting {
  readonly canary: Canary;
  /** `text`, `SHA-256 in hex`. */
  readonly spelling: string;
  readonly at: number;
}

interface Needle extends Omit<Sighting, 'at'> {
  readonly bytes: Uint8Array;
}

const WINDOW_BYTES = 16;
const MULTIPLIER = 0x01000193;
const FILTER_BITS = 22;

export class CanaryScanner {
  /** By the hash of their first window. */
  readonly #needles = new Map<number, Needle[]>();
  readonly #filter = new Uint8Array(2 ** FILTER_BITS);

  constructor(canaries: Iterable<Canary>) {
    for (const canary of canaries) {
      for (const [spelling, bytes] of spellingsOf(canary)) this.#add({ canary, spelling, bytes });
    }
  }

  #add(needle: Needle): void {
    const { bytes, canary, spelling } = needle;
    if (bytes.length < WINDOW_BYTES)
      throw new Error(`${canary.place}: ${spelling} is too short to be looked for`);
    let hash = 0;
    for (let i = 0; i < WINDOW_BYTES; i++) hash = (Math.imul(hash, MULTIPLIER) + bytes[i]!) | 0;
    const same = this.#needles.get(hash);
    if (same) same.push(needle);
    else this.#needles.set(hash, [needle]);
    this.#filter[slotOf(hash)] = 1;
  }

  /** Every sighting in `bytes`. */
  find(bytes: Uint8Array): Sighting[] {
    const sightings: Sighting[] = [];
    let hash = 0;
    for (let i = 0; i < bytes.length; i++) {
      hash = (Math.imul(hash, MULTIPLIER) + bytes[i]!) | 0;
      if (i >= WINDOW_BYTES) hash = (hash - Math.imul(bytes[i - WINDOW_BYTES]!, LEAVING)) | 0;
      if (this.#filter[slotOf(hash)] === 0) continue;
      const at = i - WINDOW_BYTES + 1;
      for (const { bytes: needle, canary, spelling } of this.#needles.get(hash) ?? []) {
        if (startsWith(bytes, at, needle)) sightings.push({ canary, spelling, at });
      }
    }
    return sightings;
  }
}

/** What a byte is worth once a whole window has come after it. */
const LEAVING: number = Array.from({ length: WINDOW_BYTES }).reduce<number>(
  (power) => Math.imul(power, MULTIPLIER),
  1,
);

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 13)) & (2 ** FILTER_BITS - 1);
}

function startsWith(bytes: Uint8Array, at: number, needle: Uint8Array): boolean {
  if (at < 0 || at + needle.length > bytes.length) return false;
  for (let i = 0; i < needle.length; i++) if (bytes[at + i] !== needle[i]) return false;
  return true;
}

function* spellingsOf({ value, random, bytes }: Canary): Generator<[spelling: string, bytes: Uint8Array]> {
  yield* encodingsOf('text', Buffer.from(random));
  // Where the value is longer than its random part, its own hash is another.
  for (const text of new Set([value, random])) yield* encodingsOf('SHA-256', hashOf(text));
  if (bytes) yield* encodingsOf('bytes', bytes);
}

function hashOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

/** Bytes as they are, and as part of something longer in hex and in base64 of either alphabet, wherever they begin in it. */
function* encodingsOf(what: string, bytes: Uint8Array): Generator<[spelling: string, bytes: Uint8Array]> {
  yield [what, bytes];
  const buffer = Buffer.from(bytes);
  yield [`${what} in hex`, Buffer.from(buffer.toString('hex'))];
  for (let before = 0; before < 3; before++) {
    // Only characters that depend on these bytes alone.
    const first = Math.ceil((8 * before) / 6);
    const last = Math.floor((8 * (before + bytes.length)) / 6);
    const padded = Buffer.concat([Buffer.alloc(before), buffer]);
    const spelled = (['base64', 'base64url'] as const).map((name) =>
      padded.toString(name).slice(first, last),
    );
    for (const text of new Set(spelled)) yield [`${what} in base64`, Buffer.from(text)];
  }
}
