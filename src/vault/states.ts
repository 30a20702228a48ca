/**
 * Small states that each event of a source or of a transaction moves on, one row each: sealed, since they say what the
 * submitter said.
 *
 *   89 tag16   →   nonce 12 ‖ ciphertext ‖ tag 16                          of `event/sequence.ts`
 *   8a tag16   →   epoch 4 ‖ moved 4 ‖ nonce 12 ‖ ciphertext ‖ tag 16      of `event/link.ts` (`epoch-sealing.ts`)
 */

import type { Row } from '../storage/store.ts';
import type { GatheredReads } from './gathered-reads.ts';
import { HeldRows, type Hold } from './held.ts';
import { hmac } from './hmac.ts';
import { openBytes, sealBytes } from './seal.ts';

/** States that may stay in memory while nobody holds them. */
const MAX_IDLE = 4096;

/** A state in memory, at the last event that has its place. */
export interface Live<T> {
  state: T | undefined;
}

export interface StateForm<T> {
  readonly key: (tag: Uint8Array) => Uint8Array;
  readonly format: (state: T) => Uint8Array;
  readonly parse: (bytes: Uint8Array) => T;
}

/** How states are sealed for the key that they are stored at. */
export interface StateSealing {
  seal(key: Uint8Array, plain: Uint8Array): Uint8Array;
  /** Throws `storage_failed`. */
  open(key: Uint8Array, sealed: Uint8Array): Uint8Array;
}

export class States<T> {
  readonly #sealing: StateSealing;
  readonly #reads: Pick<GatheredReads, 'get'>;
  readonly #form: StateForm<T>;
  readonly #held = new HeldRows<Live<T>>(MAX_IDLE);

  constructor(sealing: StateSealing, reads: Pick<GatheredReads, 'get'>, form: StateForm<T>) {
    this.#sealing = sealing;
    this.#reads = reads;
    this.#form = form;
  }

  /** The state of a tag, held until the event that moves it is durable. */
  hold(tag: Uint8Array): Promise<Hold<Live<T>>> {
    return this.#held.hold(nameOf(tag), async () => ({ state: await this.read(tag) }));
  }

  /** Has the states of those tags alone while `work` runs; who asks for one meanwhile gets what is stored after it. */
  alone<R>(tags: readonly Uint8Array[], work: () => Promise<R>): Promise<R> {
    const load = async (name: string): Promise<Live<T>> => ({ state: await this.read(tagOf(name)) });
    return this.#held.alone(tags.map(nameOf), load, work);
  }

  /** A state as it is stored. Throws `storage_failed` where it is damaged. */
  async read(tag: Uint8Array): Promise<T | undefined> {
    const key = this.#form.key(tag);
    const stored = await this.#reads.get(key);
    return stored && this.#form.parse(this.#sealing.open(key, stored));
  }

  /** The row that a state is stored as. */
  row(tag: Uint8Array, state: T): Row {
    const key = this.#form.key(tag);
    return { key, value: this.#sealing.seal(key, this.#form.format(state)) };
  }

  /** The state in a stored row. */
  parse({ key, value }: Row): T {
    return this.#form.parse(this.#sealing.open(key, value));
  }
}

/** Seals rows under a key that comes of the index key: for what names nobody. */
export class Sealing implements StateSealing {
  readonly #key: Uint8Array;

  constructor(indexKey: Uint8Array) {
    this.#key = hmac(indexKey, 'newel/state/v1');
  }

  seal(key: Uint8Array, plain: Uint8Array): Uint8Array {
    return sealBytes(this.#key, plain, key);
  }

  /** Throws `storage_failed`. */
  open(key: Uint8Array, sealed: Uint8Array): Uint8Array {
    return openBytes(this.#key, sealed, key);
  }

  /** A row whose value is JSON. */
  jsonRow(key: Uint8Array, value: unknown): Row {
    return { key, value: this.seal(key, Buffer.from(JSON.stringify(value))) };
  }

  /** What `jsonRow` sealed. Throws `storage_failed`. */
  openJson(key: Uint8Array, sealed: Uint8Array): unknown {
    return JSON.parse(Buffer.from(this.open(key, sealed)).toString('utf8'));
  }
}

function nameOf(tag: Uint8Array): string {
  return Buffer.from(tag).toString('latin1');
}

function tagOf(name: string): Uint8Array {
  return Buffer.from(name, 'latin1');
}
