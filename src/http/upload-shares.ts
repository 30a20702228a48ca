/**
 * What each token may hold of the queue while its uploads are still being read: a quarter, so that idle uploads of one
 * token leave room for the entries of the others.
 */

import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import { type PoolLimits, QueueFullError } from '../log/log.ts';

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

  /** However small the queue is, a share has room for one entry. */
  constructor({ maxQueueEntries, maxQueueBytes }: PoolLimits) {
    this.#maxEntries = Math.max(1, Math.floor(maxQueueEntries * SHARE));
    this.#maxBytes = Math.max(MAX_ENTRY_BYTES, Math.floor(maxQueueBytes * SHARE));
  }

  /** Takes room for an upload of at most `bytes`; returns how to give it back, once. Throws `QueueFullError`. */
  take(name: string, bytes: number): () => void {
    const held = this.#held.get(name) ?? { entries: 0, bytes: 0 };
    if (held.entries + 1 > this.#maxEntries) throw new QueueFullError(this.#maxEntries, 'entries');
    if (held.bytes + bytes > this.#maxBytes) throw new QueueFullError(this.#maxBytes, 'bytes');
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
