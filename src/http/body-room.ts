/**
 * What bodies that are under way may take, of all senders together and of each: a quarter, so that idle uploads of one
 * leave room for those of the others. Bytes count as they arrive, and until the answer is made.
 */

import type { Context } from 'hono';
import { concatBytes } from '../core/bytes.ts';
import { NewelError } from '../errors.ts';
import { declaredLength, tooLarge } from './body.ts';
import { bodyChunks, cappedChunks } from './body-chunks.ts';

export interface BodyRoomLimits {
  readonly maxRequests: number;
  readonly maxBytes: number;
  /** Of one body. */
  readonly maxBodyBytes: number;
}

const SHARE = 1 / 4;

interface Held {
  requests: number;
  bytes: number;
}

export class BodyRoom {
  readonly #limits: BodyRoomLimits;
  readonly #all: Held = { requests: 0, bytes: 0 };
  /** By sender; nobody who holds nothing. */
  readonly #held = new Map<string, Held>();

  constructor(limits: BodyRoomLimits) {
    this.#limits = limits;
  }

  /** Reads the body and answers it. Rejects with `too_large`, `malformed`, with `queue_full`, and as `answer` does. */
  async run<T>(c: Context, sender: string, answer: (body: Uint8Array) => Promise<T>): Promise<T> {
    const { maxRequests, maxBytes, maxBodyBytes } = this.#limits;
    const held = this.#held.get(sender) ?? { requests: 0, bytes: 0 };
    if (this.#all.requests >= maxRequests || held.requests >= maxRequests * SHARE) throw full();
    this.#held.set(sender, held);
    held.requests += 1;
    this.#all.requests += 1;
    const body = bodyChunks(c);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      declaredLength(c, maxBodyBytes);
      const capped = cappedChunks(body, maxBodyBytes, () => tooLarge(maxBodyBytes));
      for (let chunk = await capped.next(); chunk; chunk = await capped.next()) {
        const { length } = chunk;
        if (this.#all.bytes + length > maxBytes || held.bytes + length > maxBytes * SHARE) throw full();
        bytes += length;
        held.bytes += length;
        this.#all.bytes += length;
        chunks.push(chunk);
      }
      return await answer(concatBytes(...chunks));
    } finally {
      body.release();
      held.bytes -= bytes;
      held.requests -= 1;
      this.#all.bytes -= bytes;
      this.#all.requests -= 1;
      if (held.requests === 0) this.#held.delete(sender);
    }
  }
}

function full(): NewelError {
  return new NewelError('queue_full', 'more is under way than is taken at a time');
}
