/**
 * Sealing of what is known of transactions, under a key that comes of the epoch's: an old copy of the database opens none
 * of it once that epoch is over. What no event has moved for a whole epoch is not taken along.
 *
 *   epoch 4      whose key seals it
 *   moved 4      the epoch in which an event last moved it
 *   nonce 12 ‖ ciphertext ‖ tag 16
 */

import { NewelError } from '../errors.ts';
import { hmac } from './hmac.ts';
import type { Keyring } from './keyring.ts';
import { openBytes, sealBytes } from './seal.ts';
import type { StateSealing } from './states.ts';

const NUMBER_BYTES = 4;
const HEAD_BYTES: number = 2 * NUMBER_BYTES;

export class EpochSealing implements StateSealing {
  readonly #keyring: Pick<Keyring, 'epoch' | 'epochOf'>;
  /** By epoch. */
  readonly #keys = new Map<number, Uint8Array>();

  constructor(keyring: Pick<Keyring, 'epoch' | 'epochOf'>) {
    this.#keyring = keyring;
  }

  seal(key: Uint8Array, plain: Uint8Array): Uint8Array {
    return this.#seal(key, plain, this.#keyring.epoch.number);
  }

  open(key: Uint8Array, sealed: Uint8Array): Uint8Array {
    const { epoch } = headOf(sealed);
    return openBytes(this.#keyOf(epoch), sealed.subarray(HEAD_BYTES), key);
  }

  /** A stored value under the current epoch; `same` where it is already, `undefined` where it is not taken along. */
  resealed(key: Uint8Array, sealed: Uint8Array): Uint8Array | 'same' | undefined {
    const current = this.#keyring.epoch.number;
    const { epoch, moved } = headOf(sealed);
    if (epoch === current) return 'same';
    if (moved < current - 1) return undefined;
    return this.#seal(key, this.open(key, sealed), moved);
  }

  #seal(key: Uint8Array, plain: Uint8Array, moved: number): Uint8Array {
    const epoch = this.#keyring.epoch.number;
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(epoch, 0);
    head.writeUInt32BE(moved, NUMBER_BYTES);
    return Buffer.concat([head, sealBytes(this.#keyOf(epoch), plain, key)]);
  }

  #keyOf(number: number): Uint8Array {
    const epoch = this.#keyring.epochOf(number);
    if (!epoch) throw new NewelError('storage_failed', 'a state is sealed under an epoch that is over');
    const known = this.#keys.get(number);
    if (known) return known;
    const key = hmac(epoch.key, 'newel/state/v1');
    // Those of epochs that are over are not kept.
    this.#keys.clear();
    this.#keys.set(number, key);
    return key;
  }
}

function headOf(sealed: Uint8Array): { readonly epoch: number; readonly moved: number } {
  if (sealed.length < HEAD_BYTES) throw new NewelError('storage_failed', 'a stored state is damaged');
  const head = Buffer.from(sealed.buffer, sealed.byteOffset, HEAD_BYTES);
  return { epoch: head.readUInt32BE(0), moved: head.readUInt32BE(NUMBER_BYTES) };
}
