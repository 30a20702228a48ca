/**
 * Room for large answers: entry bundles and leaves. A bundle can have 16 MiB, and a client may ask for many and read
 * none, so what is being made or is not yet with the client is bounded for the process as a whole.
 *
 *   take (the most it can be) ─ make the answer ─ shrink to what it is ─ the client has it, or is gone ─ release
 *
 * Who finds no room waits in line for a while. While somebody waits, whoever does not take an answer is cut off.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { TILE_WIDTH } from '../core/tile.ts';
import { NewelError } from '../errors.ts';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import { onceAnswered } from './answered.ts';

/** Bytes of a bundle of `width` entries, at most. */
export function maxBundleBytes(width: number): number {
  return width * (2 + MAX_ENTRY_BYTES);
}

export interface AnswerLimits {
  readonly maxBytes: number;
  /** Requests that wait for room. */
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
  /** How long a client may take over an answer while others wait for its room. */
  readonly maxHeldMs: number;
}

export const ANSWER_LIMITS: AnswerLimits = {
  maxBytes: 4 * maxBundleBytes(TILE_WIDTH),
  maxWaiting: 64,
  maxWaitMs: 20_000,
  maxHeldMs: 10_000,
};

/** How often clients that hold room are looked at while others wait. */
const LOOK_INTERVAL_MS = 500;

/** No room for another large answer: `limit` bytes are on their way. Try again in a moment. */
export class NoRoomError extends NewelError {
  override name = 'NoRoomError';
  readonly limit: number;
  readonly unit = 'bytes';

  constructor(limit: number) {
    super('queue_full', `large answers of ${limit} bytes are on their way to clients, and no more fit`);
    this.limit = limit;
  }
}

/** Node's side of a request. */
export interface Client {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** Room that is taken, until the answer is with the client. */
export interface Lease {
  /** The answer is made and has so many bytes; no more than that is held. */
  shrink(bytes: number): void;
  release(): void;
}

interface Holder {
  bytes: number;
  /** When the answer was made. */
  madeMs: number | undefined;
  readonly client: Client | undefined;
}

interface Waiter {
  readonly bytes: number;
  readonly client: Client | undefined;
  readonly sinceMs: number;
  readonly resolve: (lease: Lease) => void;
  readonly reject: (error: unknown) => void;
}

export class AnswerRoom {
  readonly #limits: AnswerLimits;
  readonly #holders = new Set<Holder>();
  readonly #waiting = new Set<Waiter>();
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: AnswerLimits = ANSWER_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes that are taken now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Resolves when there is room for an answer of at most `bytes`. It is given back when the client has its answer, or
   * is gone; without a client, by `release`. Rejects with `NoRoomError`, or with `malformed` once the client is gone.
   */
  take(wantedBytes: number, client?: Client): Promise<Lease> {
    const bytes = Math.min(wantedBytes, this.#limits.maxBytes);
    if (client?.incoming.socket.destroyed) return Promise.reject(gone());
    if (this.#waiting.size === 0 && this.#fits(bytes)) return Promise.resolve(this.#hold(bytes, client));
    if (this.#waiting.size >= this.#limits.maxWaiting) return Promise.reject(this.#noRoom());
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { bytes, client, sinceMs: performance.now(), resolve, reject };
      this.#waiting.add(waiter);
      if (client) {
        onceAnswered(client, () => {
          if (this.#waiting.delete(waiter)) reject(gone());
          this.#admit();
        });
      }
      this.#timer ??= setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
    });
  }

  #fits(bytes: number): boolean {
    return this.#heldBytes + bytes <= this.#limits.maxBytes;
  }

  #hold(bytes: number, client: Client | undefined): Lease {
    const holder: Holder = { bytes, client, madeMs: undefined };
    this.#holders.add(holder);
    this.#heldBytes += bytes;
    const release = (): void => {
      if (!this.#holders.delete(holder)) return;
      this.#heldBytes -= holder.bytes;
      this.#admit();
    };
    // A client that leaves takes no work back: while its answer is being made, the room for it stays taken.
    let isGone = false;
    if (client) {
      onceAnswered(client, () => {
        isGone = true;
        if (holder.madeMs !== undefined) release();
      });
    }
    return {
      shrink: (made) => {
        if (!this.#holders.has(holder)) return;
        if (isGone) return release();
        const less = Math.max(0, holder.bytes - made);
        holder.bytes -= less;
        holder.madeMs = performance.now();
        this.#heldBytes -= less;
        this.#admit();
      },
      release,
    };
  }

  /** Lets in who waits, in order. */
  #admit(): void {
    for (const waiter of this.#waiting) {
      if (!this.#fits(waiter.bytes)) return;
      this.#waiting.delete(waiter);
      waiter.resolve(this.#hold(waiter.bytes, waiter.client));
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const nowMs = performance.now();
    const { maxHeldMs, maxWaitMs } = this.#limits;
    for (const { madeMs, client } of this.#holders) {
      if (madeMs !== undefined && nowMs - madeMs > maxHeldMs) client?.incoming.socket.destroy();
    }
    for (const waiter of this.#waiting) {
      if (nowMs - waiter.sinceMs <= maxWaitMs) break;
      this.#waiting.delete(waiter);
      waiter.reject(this.#noRoom());
    }
    this.#admit();
  }

  #noRoom(): NoRoomError {
    return new NoRoomError(this.#limits.maxBytes);
  }
}

function gone(): NewelError {
  return new NewelError('malformed', 'the client went away before its answer was made');
}
