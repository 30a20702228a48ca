/**
 * One request to a peer about heads, and what comes of it:
 *
 *   200, 202, 409       its status and its body, cut off at what that may have
 *   else below 500      its status: it refuses
 *   429, 500 to 599     `PeerFailure`: not now; and so where nothing comes in time, or too much
 */

import { MAX_EVIDENCE_BYTES } from '../client/evidence-bundle.ts';
import { withTimeout } from '../client/pause.ts';
import { readCapped } from '../client/read-capped.ts';
import { NewelError } from '../errors.ts';
import { MAX_NOTE_BYTES } from '../formats/note.ts';

export interface PeerRequest {
  readonly method: 'GET' | 'POST';
  readonly body?: Uint8Array;
}

export interface PeerAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface AskPeerOptions {
  readonly fetch: typeof globalThis.fetch;
  /** For the answer, all of it. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Why nothing can be exchanged with a peer for now. */
export class PeerFailure extends Error {
  /** For how long the peer wants to be left alone, by `Retry-After`; 0 where it does not say. */
  readonly retryAfterMs: number;

  constructor(why: string, { retryAfterMs = 0, cause }: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(why, { cause });
    this.retryAfterMs = retryAfterMs;
  }
}

/** What the peer answers. Throws `PeerFailure` where it does not, or not now, and the reason of the signal. */
export async function askPeer(
  url: string,
  { method, body }: PeerRequest,
  { fetch, timeoutMs, signal }: AskPeerOptions,
): Promise<PeerAnswer> {
  const request = {
    method,
    redirect: 'error',
    ...(body && {
      body: body as Uint8Array<ArrayBuffer>,
      headers: { 'Content-Type': 'text/plain; charset=utf-8' },
    }),
  } as const;
  try {
    return await withTimeout(timeoutMs, signal, async (bounded) => {
      const response = await fetch(url, { ...request, signal: bounded });
      const { status } = response;
      if (status === 200 || status === 202 || status === 409) {
        const maxBytes = status === 409 ? MAX_EVIDENCE_BYTES : MAX_NOTE_BYTES;
        return { status, body: await readCapped(response, maxBytes, 'an answer about heads') };
      }
      await response.body?.cancel();
      if (status < 500 && status !== 429) return { status, body: new Uint8Array(0) };
      throw new PeerFailure(`it answers ${status}`, { retryAfterMs: retryAfterMsOf(response) });
    });
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof PeerFailure) throw cause;
    throw new PeerFailure(cause instanceof NewelError ? cause.message : 'it does not answer', { cause });
  }
}

/** Seconds alone are understood. */
function retryAfterMsOf(response: Response): number {
  const text = response.headers.get('Retry-After') ?? '';
  return /^[0-9]{1,6}$/.test(text) ? 1000 * Number(text) : 0;
}
