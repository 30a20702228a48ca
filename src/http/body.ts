/**
 * Reading a request's body: whole, counted as it arrives, never more than a maximum in memory. On Node it is read from
 * Node's own request; anything between costs more than all the rest of a small request.
 */

import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import { GrowingBytes } from '../core/growing-bytes.ts';
import { NewelError } from '../errors.ts';
import { isDecimal } from '../formats/decimal.ts';
import { headerOf, incomingOf } from './target.ts';

/**
 * How many bytes a body of at most `maxBytes` can have: what `Content-Length` says, else all of them.
 * Throws `too_large` if it says more, before anything is read.
 */
export function declaredLength(c: Context, maxBytes: number): number {
  const length = contentLength(c) ?? maxBytes;
  if (length > maxBytes) throw tooLarge(maxBytes);
  return length;
}

/** What `Content-Length` says, if it is there. Throws `malformed`. */
export function contentLength(c: Context): number | undefined {
  const text = headerOf(c, 'content-length');
  if (text === undefined) return undefined;
  if (!isDecimal(text)) throw new NewelError('malformed', 'Content-Length is not a decimal number');
  return Number(text);
}

/**
 * The body. Rejects with `too_large` at the first byte over `maxBytes`, and with `malformed` if the client goes away
 * before the end.
 */
export function readBody(c: Context, maxBytes: number): Promise<Uint8Array> {
  const incoming = incomingOf(c.env);
  return incoming ? readIncoming(incoming, maxBytes) : readStream(c.req.raw.body, maxBytes);
}

function readIncoming(incoming: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const body = new GrowingBytes(maxBytes);
    const settle = (error?: NewelError): void => {
      incoming.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      if (error) reject(error);
      else resolve(body.take());
    };
    const onData = (chunk: Uint8Array): void => {
      // What still comes is thrown away by the adapter, which gives up on it soon.
      if (body.length + chunk.length > maxBytes) settle(tooLarge(maxBytes));
      else body.add(chunk);
    };
    const onEnd = (): void => settle();
    const onClose = (): void => settle(endedEarly());
    if (incoming.destroyed) return reject(endedEarly());
    incoming.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

async function readStream(
  stream: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  maxBytes: number,
): Promise<Uint8Array> {
  const body = new GrowingBytes(maxBytes);
  const reader = stream?.getReader();
  let isTooLarge = false;
  try {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      isTooLarge = body.length + next.value.length > maxBytes;
      if (isTooLarge) break;
      body.add(next.value);
    }
  } catch {
    throw endedEarly();
  }
  if (!isTooLarge) return body.take();
  await reader?.cancel();
  throw tooLarge(maxBytes);
}

export function tooLarge(maxBytes: number): NewelError {
  return new NewelError('too_large', `the body has more than ${maxBytes} bytes`);
}

function endedEarly(): NewelError {
  return new NewelError('malformed', 'the body ended before it was complete');
}
