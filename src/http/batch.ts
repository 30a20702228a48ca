/**
 * `POST /v1/events` with several events: an array of them, or a line for each (`application/x-ndjson`). The answer has an
 * item for each, in their order, and begins as soon as the first event is read; from then on it is 200, and what becomes
 * of an event is in its item. `atomic=true` takes all of them or none.
 */

import type { ServerResponse } from 'node:http';
import type { Context } from 'hono';
import type { Principal } from '../access/principal.ts';
import { NewelError } from '../errors.ts';
import type { StatementAlg, Vault } from '../vault/vault.ts';
import { onceAnswered } from './answered.ts';
import { BatchAnswer, type Framing } from './batch-answer.ts';
import { BatchRefusedError, submitAtomic } from './batch-atomic.ts';
import { BatchItems } from './batch-items.ts';
import { type BatchLimits, BatchSlots, BatchTooLargeError } from './batch-limits.ts';
import { type BatchInput, BatchRun } from './batch-run.ts';
import { type BodyChunks, bodyChunks, cappedChunks } from './body-chunks.ts';
import { contentLength } from './body.ts';
import { assertJsonType } from './json-body.ts';
import { JsonItems } from './json-items.ts';
import type { Wanted } from './level.ts';
import { NdjsonLines } from './ndjson.ts';
import { problemOf, respondError } from './problems.ts';
import type { Receipts } from './receipts.ts';
import { CACHE, JSON_TYPE, NDJSON_TYPE, NOSNIFF } from './respond.ts';
import type { Site } from './site.ts';
import { headerOf, incomingOf } from './target.ts';
import type { WriteSite } from './write-site.ts';

/** What a request says of its batch. */
export interface BatchRequest {
  readonly principal: Principal;
  readonly alg: StatementAlg;
  readonly isAtomic: boolean;
  /** What each receipt is to be. */
  readonly wanted: Wanted;
  /** What is preferred of `return`. */
  readonly preferred: string | undefined;
  /** The body, of an array that has begun to be read; else it is lines, and nothing is read. */
  readonly array?: BodyChunks;
  /** Events that are charged already. */
  readonly charged: number;
}

const ARRAY: Framing = { type: JSON_TYPE, begin: '{"items":[', between: ',', end: ']}\n' };
const LINES: Framing = { type: NDJSON_TYPE, begin: '', between: '\n', end: '\n' };

export class Batches {
  readonly #site: Site;
  readonly #write: WriteSite;
  readonly #vault: Vault;
  readonly #receipts: Receipts;
  readonly #limits: BatchLimits;
  readonly #slots: BatchSlots;

  constructor(
    site: Site,
    write: WriteSite,
    vault: Vault,
    parts: { receipts: Receipts; limits: BatchLimits },
  ) {
    this.#site = site;
    this.#write = write;
    this.#vault = vault;
    this.#receipts = parts.receipts;
    this.#limits = parts.limits;
    this.#slots = new BatchSlots(parts.limits);
  }

  /** Throws what is wrong before the first event is read. */
  async answer(c: Context, request: BatchRequest): Promise<Response> {
    const { array, principal } = request;
    let release = (): void => array?.release();
    try {
      if (headerOf(c, 'idempotency-key') !== undefined) {
        throw new NewelError('malformed', 'Idempotency-Key is of one event: in a batch each has its own id');
      }
      const endSlot = this.#slots.take(principal.name);
      release = () => {
        array?.release();
        endSlot();
      };
      const chunks = array ?? this.#openLines(c);
      chunks.keepPace();
      return await this.#answer(c, request, this.#inputOf(request, chunks), endSlot);
    } catch (error) {
      release();
      throw error;
    }
  }

  #openLines(c: Context): BodyChunks {
    assertJsonType(c);
    const { maxBytes, pace } = this.#limits;
    if ((contentLength(c) ?? 0) > maxBytes) throw new BatchTooLargeError(maxBytes, 'bytes');
    return bodyChunks(c, pace);
  }

  #inputOf({ principal, array, charged }: BatchRequest, chunks: BodyChunks): BatchInput {
    const { maxEventBytes } = this.#vault;
    const { maxBytes } = this.#limits;
    let left = charged;
    return {
      vault: this.#vault,
      limits: this.#limits,
      principal,
      charge: (events) => {
        const due = Math.max(0, events - left);
        left -= events - due;
        if (due > 0) this.#write.charge(principal, due);
      },
      chunks: cappedChunks(chunks, maxBytes, () => new BatchTooLargeError(maxBytes, 'bytes')),
      splitter: array ? new JsonItems(maxEventBytes) : new NdjsonLines(maxEventBytes),
    };
  }

  async #answer(
    c: Context,
    request: BatchRequest,
    input: BatchInput,
    endSlot: () => void,
  ): Promise<Response> {
    const { alg, isAtomic, wanted, preferred, array } = request;
    const isMinimal = preferred !== 'representation';
    const items = new BatchItems(this.#site, this.#receipts, { alg, isMinimal, wanted });
    const framing = array ? ARRAY : LINES;
    const submitted = isAtomic ? await this.#submitAtomic(input) : undefined;
    if (submitted instanceof BatchRefusedError) {
      endSlot();
      return this.#respondRefused(c, submitted);
    }
    const answer = this.#openAnswer(c, framing);
    let ended: Promise<void>;
    if (submitted) {
      ended = (async () => {
        const outcomes = submitted.map((one, n) => ({ n, submitted: one }));
        for await (const texts of items.format(outcomes)) await answer.add(texts);
        answer.end();
      })();
    } else {
      ({ ended } = await new BatchRun({ ...input, items, answer }).start());
    }
    void Promise.allSettled([ended, answer.done]).then(endSlot);
    const applied = ['minimal', 'representation'].find((name) => name === preferred);
    return new Response(answer.stream as ReadableStream<Uint8Array<ArrayBuffer>>, {
      status: 200,
      headers: {
        'Content-Type': framing.type,
        'Cache-Control': CACHE.none,
        ...NOSNIFF,
        ...(applied !== undefined && { 'Preference-Applied': `return=${applied}` }),
      },
    });
  }

  async #submitAtomic(
    input: BatchInput,
  ): Promise<Awaited<ReturnType<typeof submitAtomic>> | BatchRefusedError> {
    try {
      return await submitAtomic({ ...input, roundLimits: this.#site.log.limits });
    } catch (error) {
      if (error instanceof BatchRefusedError) return error;
      throw error;
    }
  }

  /** The problem of the first event at fault, and all of them as its items. */
  #respondRefused(c: Context, { faults }: BatchRefusedError): Response {
    const items = faults.map(({ n, error }) => ({ n, ...problemOf(this.#site, error) }));
    return respondError(c, this.#site, faults[0]!.error, { isPublic: false, members: { items } });
  }

  #openAnswer(c: Context, framing: Framing): BatchAnswer {
    const incoming = incomingOf(c.env);
    const { outgoing } = (c.env ?? {}) as { outgoing?: ServerResponse };
    const answer = new BatchAnswer({
      framing,
      maxHeldBytes: this.#limits.maxHeldBytes,
      cut: incoming && (() => void incoming.socket.destroy()),
      pace: this.#limits.pace,
    });
    if (incoming && outgoing) onceAnswered({ incoming, outgoing }, () => answer.leave());
    return answer;
  }
}
