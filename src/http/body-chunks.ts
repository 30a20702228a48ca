/**
 * Reading a request's body piece by piece, as fast as whoever takes the pieces. While nobody asks for the next one, nothing
 * is read, and the client waits.
 */

import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import { NewelError } from '../errors.ts';
import { keepPace, Pace, type PaceLimits } from './pace.ts';
import { incomingOf } from './target.ts';

export interface BodyChunks {
  /**
   * The next bytes, `undefined` at the end. Rejects with `malformed` where the client goes away before it, or takes too
   * long. One at a time.
   */
  next(): Promise<Uint8Array | undefined>;
  /** From now on the body may take as long as its pace allows. */
  keepPace(): void;
  /** Lets go of what is not read; a `next` that waits then never settles. */
  release(): void;
}

/** The body of a request. */
export function bodyChunks(c: Context, pace?: PaceLimits): BodyChunks {
  const incoming = incomingOf(c.env);
  return incoming ? new IncomingChunks(incoming, new Pace(pace)) : streamChunks(c.req.raw.body);
}

/** A body of which `read` has been read already. */
export function chunksAfter(read: readonly Uint8Array[], rest?: BodyChunks): BodyChunks {
  const first = [...read];
  return {
    next: () =>
      first.length > 0 ? Promise.resolve(first.shift()) : (rest?.next() ?? Promise.resolve(undefined)),
    keepPace: () => rest?.keepPace(),
    release: () => rest?.release(),
  };
}

/** The same body, which ends with what `tooLarge` makes at the first byte over `maxBytes`. */
export function cappedChunks(chunks: BodyChunks, maxBytes: number, tooLarge: () => NewelError): BodyChunks {
  let length = 0;
  return {
    async next() {
      const chunk = await chunks.next();
      length += chunk?.length ?? 0;
      if (length > maxBytes) throw tooLarge();
      return chunk;
    },
    keepPace: () => chunks.keepPace(),
    release: () => chunks.release(),
  };
}

/** On Node it is read from Node's own request. */
class IncomingChunks implements BodyChunks {
  readonly #incoming: IncomingMessage;
  readonly #pace: Pace;
  #endPace: () => void = () => {};
  #endWait: () => void = () => {};

  constructor(incoming: IncomingMessage, pace: Pace) {
    this.#incoming = incoming;
    this.#pace = pace;
  }

  keepPace(): void {
    this.#endPace = keepPace(this.#incoming.socket);
  }

  release(): void {
    this.#endPace();
    this.#endWait();
  }

  next(): Promise<Uint8Array | undefined> {
    const incoming = this.#incoming;
    if (incoming.readableEnded) return Promise.resolve(undefined);
    const chunk = this.#take();
    if (chunk) return Promise.resolve(chunk);
    if (incoming.destroyed) return Promise.reject(malformed(ENDED_EARLY));
    return this.#wait();
  }

  /** What has arrived, if anything has. */
  #take(sinceMs: number = performance.now()): Uint8Array | undefined {
    const chunk = this.#incoming.read() as Uint8Array | null;
    if (!chunk) return undefined;
    this.#pace.moved(performance.now() - sinceMs, chunk.length);
    return chunk;
  }

  #wait(): Promise<Uint8Array | undefined> {
    const incoming = this.#incoming;
    const sinceMs = performance.now();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        incoming.off('readable', onReadable).off('end', onEnd).off('close', onClose).off('error', onClose);
      };
      const onReadable = (): void => {
        const chunk = this.#take(sinceMs);
        if (!chunk) return;
        settle();
        resolve(chunk);
      };
      const onEnd = (): void => {
        settle();
        this.#endPace();
        resolve(undefined);
      };
      const fail = (why: string): void => {
        settle();
        reject(malformed(why));
      };
      const onClose = (): void => fail(ENDED_EARLY);
      this.#endWait = settle;
      const timer = setTimeout(fail, this.#pace.leftMs, 'the body came too slowly, and is not waited for');
      incoming.on('readable', onReadable).on('end', onEnd).on('close', onClose).on('error', onClose);
    });
  }
}

const ENDED_EARLY = 'the body ended before it was complete';

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', flaw);
}

function streamChunks(body: ReadableStream<Uint8Array<ArrayBuffer>> | null): BodyChunks {
  const reader = body?.getReader();
  return {
    async next() {
      try {
        return (await reader?.read())?.value;
      } catch {
        throw malformed(ENDED_EARLY);
      }
    },
    keepPace: () => {},
    release: () => void reader?.cancel().catch(() => {}),
  };
}
