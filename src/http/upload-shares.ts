/**
 * What each token may hold of the queue while its uploads are still being read: a quarter, so that idle uploads of one
 * token leave room for the entries of the others.
 */

import type { Context } from 'hono';
import { type PoolLimits, QueueFullError, type Reservation } from '../log/log.ts';
import { readBody } from './body.ts';

const SHARE = 1 / 4;

interface Held {
  entries: number;
  bytes: number;
}

export class UploadShares {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  /** By the name of the principal; nobody who holds nothing. */
  readonly #held = new Map<string, Held>();

  constructor({ maxQueueEntries, maxQueueBytes }: PoolLimits) {
    this.#maxEntries = Math.max(1, Math.floor(maxQueueEntries * SHARE));
    this.#maxBytes = Math.floor(maxQueueBytes * SHARE);
  }

  /** The body of a request, of at most `maxBytes`, read on the share of `name`. Throws as `take` and `readBody` do. */
  async read(
    c: Context,
    maxBytes: number,
    { name, reservation }: { readonly name: string; readonly reservation: Reservation },
  ): Promise<Uint8Array> {
    const release = this.take(name, reservation.bytes);
    try {
      return await readBody(c, maxBytes);
    } finally {
      release();
    }
  }

  /**
   * Counts an upload for which `bytes` of the queue are held; returns how to end that, once. However small the queue is,
   * a share has room for one. Throws `QueueFullError`.
   */
  take(name: string, bytes: number): () => void {
    const held = this.#held.get(name) ?? { entries: 0, bytes: 0 };
    if (held.entries + 1 > this.#maxEntries) throw new QueueFullError(this.#maxEntries, 'entries');
    if (held.entries > 0 && held.bytes + bytes > this.#maxBytes)
      throw new QueueFullError(this.#maxBytes, 'bytes');
    held.entries += 1;
    held.bytes += bytes;
    this.#held.set(name, held);
    return () => {
      held.entries -= 1;
      held.bytes -= bytes;
      if (held.entries === 0) this.#held.delete(name);
    };
  }
}
