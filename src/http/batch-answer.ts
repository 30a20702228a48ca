/**
 * The answer to a batch, as it comes about: an object with `items`, or a line for each.
 *
 *   {"items":[{"n":0,"status":201,…},{"n":1,"status":422,…}]}
 *
 *   {"n":0,"status":201,…}\n{"n":1,"status":422,…}\n
 *
 * What is made is held until the client takes it, up to a bound, at which whoever makes it waits. A client that takes too
 * long is cut off. Of a client that is gone nothing is held.
 */

import { concatBytes } from '../core/bytes.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { Pace, type PaceLimits } from './pace.ts';

/** How items stand beside one another. */
export interface Framing {
  readonly type: string;
  readonly begin: string;
  readonly between: string;
  readonly end: string;
}

/** Bytes handed on at once. */
const PIECE_BYTES = 64 * 1024;

export interface BatchAnswerOptions {
  readonly framing: Framing;
  readonly maxHeldBytes: number;
  /** Ends the connection of a client that takes too long; without one, nobody is too slow. */
  readonly cut: (() => void) | undefined;
  readonly pace?: PaceLimits;
}

export class BatchAnswer {
  readonly stream: ReadableStream<Uint8Array>;
  /** Resolves when all of it is taken, or the client is gone. */
  readonly done: Promise<void>;
  readonly #options: BatchAnswerOptions;
  readonly #pace: Pace;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #separator: string;
  #hasEnded = false;
  #isGone = false;
  /** Of whoever reads the stream and found nothing in it. */
  #wanted: (() => void) | undefined;
  #hasRoom: (() => void) | undefined;
  #watching: { readonly sinceMs: number; readonly timer: NodeJS.Timeout } | undefined;
  #resolveDone!: () => void;

  constructor(options: BatchAnswerOptions) {
    this.#options = options;
    this.#pace = new Pace(options.pace);
    this.#separator = options.framing.begin;
    this.done = new Promise((resolve) => (this.#resolveDone = resolve));
    this.stream = new ReadableStream(
      { pull: (controller) => this.#pull(controller), cancel: () => this.leave() },
      { highWaterMark: 0 },
    );
  }

  /** Whether nobody takes it any more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Adds items, each a JSON text of its own, when there is room for them. */
  async add(items: readonly string[]): Promise<void> {
    if (items.length === 0) return;
    const { framing, maxHeldBytes } = this.#options;
    const bytes = encodeUtf8(this.#separator + items.join(framing.between));
    this.#separator = framing.between;
    while (!this.#isGone && this.#heldBytes > 0 && this.#heldBytes + bytes.length > maxHeldBytes) {
      await new Promise<void>((resolve) => (this.#hasRoom = resolve));
    }
    this.#hold(bytes);
  }

  /** Nothing more comes. */
  end(): void {
    this.#hasEnded = true;
    this.#hold(encodeUtf8(this.#options.framing.end));
  }

  /** The client is gone. What still comes is thrown away. */
  leave(): void {
    this.#isGone = true;
    this.#held = [];
    this.#heldBytes = 0;
    this.#watchedMs();
    this.#hasRoom?.();
    this.#wake();
    this.#resolveDone();
  }

  #hold(bytes: Uint8Array): void {
    if (this.#isGone) return;
    if (bytes.length > 0) this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    this.#wake();
    this.#watch();
  }

  #wake(): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#heldBytes === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => (this.#wanted = resolve));
    }
    if (this.#isGone) return;
    const piece = this.#take();
    this.#pace.moved(this.#watchedMs(), piece.length);
    if (piece.length > 0) {
      controller.enqueue(piece);
      this.#watch();
    } else {
      controller.close();
      this.#resolveDone();
    }
  }

  /** What is handed on next. */
  #take(): Uint8Array {
    const parts: Uint8Array[] = [];
    let length = 0;
    while (length < PIECE_BYTES && this.#held.length > 0) {
      const first = this.#held[0]!;
      const part = first.subarray(0, PIECE_BYTES - length);
      if (part.length < first.length) this.#held[0] = first.subarray(part.length);
      else this.#held.shift();
      parts.push(part);
      length += part.length;
    }
    this.#heldBytes -= length;
    this.#hasRoom?.();
    this.#hasRoom = undefined;
    return parts.length === 1 ? parts[0]! : concatBytes(...parts);
  }

  /** Waits for the client to ask for what there is, as long as its pace allows. */
  #watch(): void {
    const { cut } = this.#options;
    if (!cut || this.#watching || this.#isGone || (this.#heldBytes === 0 && !this.#hasEnded)) return;
    this.#watching = { sinceMs: performance.now(), timer: setTimeout(cut, this.#pace.leftMs) };
  }

  /** Ends the wait; how long it was. */
  #watchedMs(): number {
    const watching = this.#watching;
    if (!watching) return 0;
    this.#watching = undefined;
    clearTimeout(watching.timer);
    return performance.now() - watching.sinceMs;
  }
}
