/**
 * The seed of an event: 32 fresh bytes, and all that is secret or random about the event is one AES-256-CTR keystream of
 * it. So the seed is the unit of erasure: without it the record does not open, the salts and decoys are unknown and
 * nobody can tell whether some content was this event's.
 *
 *   0    record key      seals the record, once
 *   32   content key     of the HMAC by which a second copy is recognised
 *   64   salts, decoys   `event/statement.ts`
 */

import { createCipheriv } from 'node:crypto';
import { STATEMENT_RANDOM_BYTES } from '../event/statement.ts';
import { randomBytes } from './random.ts';
import { EVENT_ID_BYTES } from './rows.ts';
import { KEY_BYTES, openKey, sealKey } from './seal.ts';

export interface SeedKeys {
  readonly recordKey: Uint8Array;
  readonly contentKey: Uint8Array;
  readonly statementRandom: Uint8Array;
}

const SEED_CONTEXT = Buffer.from('newel/seed/v1');
const ZERO_COUNTER = Buffer.alloc(16);
const ZEROS = Buffer.alloc(2 * KEY_BYTES + STATEMENT_RANDOM_BYTES);

export function newSeed(): Uint8Array {
  return randomBytes(KEY_BYTES);
}

/** A seed as it is stored: sealed under the data key. */
export function sealSeed(dataKey: Uint8Array, seed: Uint8Array, eventId: Uint8Array): Uint8Array {
  return sealKey(dataKey, seed, seedContext(eventId));
}

/** Throws `storage_failed` where the seed does not open under the data key. */
export function openSeed(dataKey: Uint8Array, sealedSeed: Uint8Array, eventId: Uint8Array): Uint8Array {
  return openKey(dataKey, sealedSeed, seedContext(eventId));
}

function seedContext(eventId: Uint8Array): Uint8Array {
  if (eventId.length !== EVENT_ID_BYTES) throw new RangeError(`event id of ${EVENT_ID_BYTES} bytes expected`);
  return Buffer.concat([SEED_CONTEXT, eventId]);
}

export function keysOfSeed(seed: Uint8Array): SeedKeys {
  const stream = createCipheriv('aes-256-ctr', seed, ZERO_COUNTER).update(ZEROS);
  return {
    recordKey: stream.subarray(0, KEY_BYTES),
    contentKey: stream.subarray(KEY_BYTES, 2 * KEY_BYTES),
    statementRandom: stream.subarray(2 * KEY_BYTES),
  };
}
