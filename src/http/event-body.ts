/**
 * What `POST /v1/events` is sent: one event, whose room in the queue is taken before its body is read, or an array of
 * them, which the first byte tells. An event with a length comes the short way: whole, with nothing in between.
 */

import type { Context } from 'hono';
import { GrowingBytes } from '../core/growing-bytes.ts';
import type { Reservation } from '../log/log.ts';
import type { Vault } from '../vault/vault.ts';
import { BatchTooLargeError } from './batch-limits.ts';
import { type BodyChunks, bodyChunks, chunksAfter } from './body-chunks.ts';
import { contentLength, tooLarge } from './body.ts';
import { beginsArray } from './json-body.ts';
import type { PaceLimits } from './pace.ts';
import type { UploadShares } from './upload-shares.ts';

export type EventBody =
  | { readonly event: Uint8Array; readonly reservation: Reservation }
  /** From its first byte on. */
  | { readonly array: BodyChunks };

export interface EventBodyParts {
  readonly vault: Pick<Vault, 'maxEventBytes' | 'reserve'>;
  readonly shares: UploadShares;
  readonly maxBatchBytes: number;
  /** Of a body that is an array, or may be one. */
  readonly pace: PaceLimits;
}

/**
 * Reads an event, or as much of an array as shows that it is one. Throws `too_large`, `queue_full`, `storage_failed`, and
 * `malformed` where the body ends early; then nothing is held.
 */
export async function openEventBody(c: Context, name: string, parts: EventBodyParts): Promise<EventBody> {
  const { vault, shares, maxBatchBytes } = parts;
  const { maxEventBytes } = vault;
  const declared = contentLength(c);
  if (declared !== undefined && declared > maxBatchBytes)
    throw new BatchTooLargeError(maxBatchBytes, 'bytes');
  // Only an array may be so large.
  if (declared !== undefined && declared > maxEventBytes) {
    return { array: await openArray(c, maxEventBytes, parts.pace) };
  }

  const reservation = vault.reserve(declared ?? maxEventBytes);
  try {
    if (declared === undefined) return await openUnmeasured(c, reservation, name, parts);
    const body = await shares.read(c, declared, { name, reservation });
    if (beginsArray(body) !== true) return { event: body, reservation };
    reservation.release();
    return { array: chunksAfter([body]) };
  } catch (error) {
    reservation.release();
    throw error;
  }
}

async function openArray(c: Context, maxEventBytes: number, pace: PaceLimits): Promise<BodyChunks> {
  const chunks = bodyChunks(c, pace);
  const { read, isArray } = await readUntil(chunks, maxEventBytes, (isArray) => isArray !== undefined);
  if (isArray === true) return chunksAfter([read], chunks);
  chunks.release();
  throw tooLarge(maxEventBytes);
}

async function openUnmeasured(
  c: Context,
  reservation: Reservation,
  name: string,
  { vault: { maxEventBytes }, shares, pace }: EventBodyParts,
): Promise<EventBody> {
  const release = shares.take(name, reservation.bytes);
  try {
    const chunks = bodyChunks(c, pace);
    const { read, isArray } = await readUntil(chunks, maxEventBytes, (isArray) => isArray === true);
    if (isArray !== true) return { event: read, reservation };
    reservation.release();
    return { array: chunksAfter([read], chunks) };
  } finally {
    release();
  }
}

/** Reads up to the end, or to where `isEnough` says so of what the body begins with. Throws `too_large`. */
async function readUntil(
  chunks: BodyChunks,
  maxBytes: number,
  isEnough: (isArray: boolean | undefined) => boolean,
): Promise<{ readonly read: Uint8Array; readonly isArray: boolean | undefined }> {
  const read = new GrowingBytes(maxBytes);
  let isArray: boolean | undefined;
  for (let chunk = await chunks.next(); chunk; chunk = await chunks.next()) {
    read.add(chunk);
    isArray ??= beginsArray(chunk);
    if (isEnough(isArray)) break;
    if (read.length > maxBytes) {
      chunks.release();
      throw tooLarge(maxBytes);
    }
  }
  return { read: read.take(), isArray };
}
