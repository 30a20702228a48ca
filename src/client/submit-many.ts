/**
 * Submitting many events: in batches, in their order, each receipt verified before it is handed on. What a broken
 * connection left open is sent again under the same ids, and what the log could not take for a moment too.
 *
 *   gather ─ post ─┬─ an item for each ─ verified ─ handed on
 *                  └─ broken off, or no room ─ pause ─ post what has no item yet
 */

import { NewelError } from '../errors.ts';
import type { JsonObject } from '../formats/json.ts';
import { type ApiOptions, Failure, isUnsure, pauseMsOf } from './api.ts';
import { BatchItems } from './batch-items.ts';
import { postBatch } from './batch-post.ts';
import { pause } from './pause.ts';
import type { ProvenReceipt } from './proven-receipt.ts';
import type { Receipt } from './receipt.ts';

/** An event as it is sent, which has an id. */
export interface Sent {
  readonly id: string;
  readonly event: JsonObject;
  readonly text: string;
}

/** What became of an event. */
export type Settled =
  | {
      readonly id: string;
      /** Verified: of this event, under the pinned keys. Below the level asked for it has `pending`. */
      readonly receipt: ProvenReceipt;
      readonly error?: undefined;
    }
  | {
      readonly id: string;
      readonly receipt?: undefined;
      /** Why the log did not take it. */
      readonly error: NewelError;
    };

/** What became of an event, and its number among those that were submitted, from 0. */
export type EventOutcome = Settled & { readonly n: number };

/** What a batch failed with, once for all of its events that have no outcome. */
export class BatchFailure extends Error {
  override name = 'BatchFailure';
  readonly error: NewelError;
  /** Whether an attempt may have been acted upon. */
  readonly isUnsure: boolean;

  constructor(error: NewelError, unsure: boolean) {
    super(error.message);
    this.error = error;
    this.isUnsure = unsure;
  }
}

export interface ManyParts {
  readonly api: ApiOptions;
  readonly path: string;
  /** How long the log is asked to wait for witnesses, in seconds; `undefined` where none are asked for. */
  readonly waitS: number | undefined;
  /** Whether the batch is taken whole or not at all. */
  readonly isAtomic: boolean;
  readonly signal: AbortSignal | undefined;
  /** The receipt once it is proven to be of `sent`. Throws what does not hold. */
  readonly prove: (receipt: Receipt, sent: Sent) => ProvenReceipt;
}

/** Refusals of a moment: what comes after such an event in its batch is refused as well, so the rest is sent again. */
const MOMENTARY: readonly string[] = ['queue_full', 'rate_limited', 'not_ready', 'storage_failed'];
const RETRY_MS = 1000;

/**
 * The outcomes of one batch, in its order. Throws `BatchFailure` when no attempt is left or would help, and the signal's
 * reason.
 */
export async function* submitBatch(parts: ManyParts, batch: readonly Sent[]): AsyncGenerator<Settled, void> {
  const { timeoutMs, retries } = parts.api;
  let left = batch;
  let unsure = false;
  for (let attempt = 0; ; attempt++) {
    let failure: Failure;
    let done = 0;
    try {
      for await (const outcome of attemptBatch(parts, left)) {
        yield outcome;
        done++;
      }
      return;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failure = error;
    }
    unsure ||= failure.isUnsure;
    if (done > 0) attempt = 0;
    left = left.slice(done);
    const { error, retryAfterMs } = failure;
    if (retryAfterMs === undefined || attempt >= retries || retryAfterMs > timeoutMs) {
      throw new BatchFailure(error, unsure);
    }
    await pause(pauseMsOf(attempt, retryAfterMs, timeoutMs), parts.signal);
  }
}

/** Throws `Failure`: after so many outcomes it went wrong. */
async function* attemptBatch(
  { api, path, waitS, signal, prove, isAtomic }: ManyParts,
  batch: readonly Sent[],
): AsyncGenerator<Settled, void> {
  const items = new BatchItems();
  const body = batch.map(({ text }) => `${text}\n`).join('');
  let next = 0;
  for await (const line of postBatch(api, { path, body, waitS, signal })) {
    const item = read(items, line);
    if (!item) continue;
    const sent = batch[next];
    if (!sent || item.n !== next) throw untrue('answers to events in another order, or to others');
    const { id } = sent;
    if (item.error) {
      const { error } = item;
      if (MOMENTARY.includes(error.code)) throw new Failure(error, isAtomic || isUnsure(error), RETRY_MS);
      // Of a batch that is taken whole, an event without a receipt is logged all the same.
      if (isAtomic || isUnsure(error)) throw new Failure(error, true);
      yield { id, error };
    } else {
      yield proven(() => prove(item.receipt, sent), id);
    }
    next++;
  }
  if (next < batch.length) {
    throw new Failure(new NewelError('unreachable', 'the answer of the log ends too early'), true, 0);
  }
}

function read(items: BatchItems, line: Uint8Array): ReturnType<BatchItems['read']> {
  try {
    return items.read(line);
  } catch (error) {
    if (error instanceof NewelError) throw new Failure(error, true);
    throw error;
  }
}

/** A receipt that does not hold says nothing of its event. */
function proven(prove: () => ProvenReceipt, id: string): Settled {
  try {
    return { id, receipt: prove() };
  } catch (error) {
    if (error instanceof NewelError) throw new Failure(error, true);
    throw error;
  }
}

function untrue(what: string): Failure {
  return new Failure(new NewelError('inconsistent', `the log ${what}`), true);
}

/** Events of a request that is not to be taken whole, and bytes. */
const MAX_BATCH_EVENTS = 1000;
const MAX_BATCH_CHARS = 2 * 1024 * 1024;

/** The events in batches, in their order; in one where all are to be taken or none. */
export async function* batchesOf(
  events: AsyncIterable<Sent>,
  isAtomic: boolean,
): AsyncGenerator<readonly Sent[], void> {
  let batch: Sent[] = [];
  let chars = 0;
  for await (const sent of events) {
    const isFull = batch.length >= MAX_BATCH_EVENTS || chars + sent.text.length > MAX_BATCH_CHARS;
    if (batch.length > 0 && isFull && !isAtomic) {
      yield batch;
      batch = [];
      chars = 0;
    }
    batch.push(sent);
    chars += sent.text.length;
  }
  if (batch.length > 0) yield batch;
}
