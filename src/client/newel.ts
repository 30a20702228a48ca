/**
 * A log of step-up events, for whoever submits to it. Nothing that it answers is passed on before it is verified.
 *
 *   const newel = new Newel({ url, token, trust });
 *   const receipt = await newel.submit({ schema: 'stepup/1', type: 'stepup.completed', … });
 */

import { NewelError } from '../errors.ts';
import type { FlatEvent } from '../event/flat.ts';
import type { StepUpEvent } from '../event/schema.ts';
import { formatBase64Url } from '../formats/base64url.ts';
import type { JsonObject } from '../formats/json.ts';
import { parseSdJwt } from '../formats/sd-jwt.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { Api, type ApiOptions, type Request } from './api.ts';
import { BatchRefusedError } from './batch-post.ts';
import { followHeads, type KnownHead } from './consistency.ts';
import { readJsonObject } from './json-input.ts';
import { assertReachable, type Level } from './level.ts';
import { parseReceipt, type Receipt } from './receipt.ts';
import { checkReceipt } from './report.ts';
import { assertSameEvent } from './same-event.ts';
import { httpSource } from './source.ts';
import { BatchFailure, batchesOf, type EventOutcome, type Sent, submitBatch } from './submit-many.ts';
import type { OpenedCheckpoint } from './tree.ts';
import { toTrust, type Trust, type TrustInput } from './trust.ts';

export interface NewelOptions {
  /** The saved answer of `GET /v1/log`, as text, bytes or JSON, or what `parseTrust` made of it. */
  readonly trust: TrustInput;
  /** A bearer token of the role that the calls need. */
  readonly token: string;
  /** Where the log is reached; by default its public URL. */
  readonly url?: string;
  readonly fetch?: typeof globalThis.fetch;
  /** How long one attempt may take; 10 s by default. A `signal` bounds all of them together. */
  readonly timeoutMs?: number;
  /** Attempts after the first; 3 by default. */
  readonly retries?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface SubmitOptions extends CallOptions {
  /** What the receipt is to prove; `signed` by default. */
  readonly level?: Level;
}

export interface SubmitManyOptions extends SubmitOptions {
  /** All of them or none, in one request: `BatchRefusedError` says what kept them from being taken. */
  readonly atomic?: boolean;
}

export interface HeadsOptions extends CallOptions {
  /** A head that is known: every other one is to be consistent with it. */
  readonly from?: KnownHead;
  /** Between two readings; 10 s by default. */
  readonly intervalMs?: number;
}

type WithoutId<Event> = Event extends unknown
  ? Omit<Event, 'id'> & { readonly id?: string | undefined }
  : never;

/** An event as it is submitted: of either profile, with an `id` or without. */
export type Submittable = WithoutId<StepUpEvent> | WithoutId<FlatEvent>;

/** A receipt that is true, below the level that was asked for. It is here: keep it, and upgrade it later. */
export class LevelNotMetError extends NewelError {
  override name = 'LevelNotMetError';
  readonly receipt: Receipt;

  constructor(message: string, receipt: Receipt) {
    super('level_not_met', message);
    this.receipt = receipt;
  }
}

/**
 * Whether the event is in the log is not known: of one attempt or more nobody can say how it ended, or the log took the
 * event and its answer does not hold. The code is that of `cause`, which is what was found last.
 */
export class OutcomeUnknownError extends NewelError {
  override name = 'OutcomeUnknownError';
  /** The event's `id`: submitted again with it, the event is logged once. */
  readonly id: string;

  constructor(error: NewelError, id: string) {
    super(error.code, `${error.message}; whether the event is logged is not known`, { cause: error });
    this.id = id;
  }
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_RETRIES = 3;
const DEFAULT_INTERVAL_MS = 10_000;
/** The longest wait for witnesses that a log agrees to, in seconds. */
const MAX_WAIT_S = 10;
/** More than any log takes; the log says how much that is. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
const TOKEN = /^[\x21-\x7e]+$/;

export class Newel {
  readonly url: string;
  readonly trust: Trust;
  readonly #api: Api;
  readonly #options: ApiOptions;

  /** Throws `malformed` for a trust file that cannot be used, `TypeError` for a token or URL that is none. */
  constructor(options: NewelOptions) {
    const { token, timeoutMs = DEFAULT_TIMEOUT_MS, retries = DEFAULT_RETRIES } = options;
    const fetch = options.fetch ?? globalThis.fetch;
    this.trust = toTrust(options.trust);
    this.url = urlOf(options.url ?? this.trust.url);
    if (!TOKEN.test(token)) throw new TypeError('token expected a word of visible ASCII');
    this.#options = { url: this.url, token, fetch, timeoutMs, retries };
    this.#api = new Api(this.#options);
  }

  /**
   * Submits an event and resolves with its receipt, verified: it is of this event, under the pinned keys, and of the level
   * asked for. An event without `id` is given one, so that every attempt is the same submission.
   *
   * Rejects with the log's own error where it says that it took nothing (`EventInvalidError` has the faults); with
   * `OutcomeUnknownError` after any attempt that may have logged it, which has the `id` to submit it with again: the code is
   * that of the last answer, or what `verifyReceipt` throws of it, or `inconsistent` for a receipt of another event; with
   * `LevelNotMetError`, which has the receipt; with the signal's reason, which knows no `id`: give the event one before.
   */
  async submit(event: Submittable, options: SubmitOptions = {}): Promise<Receipt> {
    const { level = 'signed', signal } = options;
    assertReachable(this.trust.policy, level);
    const { id, event: sent, text: body } = sentOf(event);
    let isUnsure = false;
    const onUnsure = (): void => {
      isUnsure = true;
    };
    const post = {
      method: 'POST',
      path: PATH,
      body,
      signal,
      onUnsure,
    } as const;
    let proven: ProvenReceipt;
    try {
      const answer = await this.#request(level, post);
      // The log has taken it, it says: until the receipt proves that, nobody knows.
      isUnsure = true;
      proven = this.#prove(decodeUtf8(answer));
      assertSameEvent(proven.shown, sent, proven.receipt.source);
    } catch (error) {
      throw isUnsure && error instanceof NewelError ? new OutcomeUnknownError(error, id) : error;
    }
    return atLevel(proven, level);
  }

  /**
   * Submits events in batches, in their order, and yields what became of each, in the same order: its receipt, verified as
   * by `submit`, or the error for which the log did not take it. Those after an event that is refused are sent all the
   * same. Events without `id` are given one; what has no outcome yet when a connection breaks is sent again.
   *
   * Throws where it cannot go on: what `submit` rejects with, of the first event that has no outcome. With `atomic`, which
   * has to be within what the log takes in one round, `BatchRefusedError` says that nothing is logged, and for which events.
   */
  async *submitMany(
    events: Iterable<Submittable> | AsyncIterable<Submittable>,
    options: SubmitManyOptions = {},
  ): AsyncGenerator<EventOutcome, void> {
    const { level = 'signed', atomic: isAtomic = false, signal } = options;
    assertReachable(this.trust.policy, level);
    const query = [...(level === 'signed' ? [] : [`level=${level}`]), ...(isAtomic ? ['atomic=true'] : [])];
    const parts = {
      api: this.#options,
      path: query.length === 0 ? PATH : `${PATH}?${query.join('&')}`,
      isAtomic,
      signal,
      prove: (receipt: Receipt, sent: Sent): Receipt => {
        const proven = this.#prove(receipt);
        assertSameEvent(proven.shown, sent.event, proven.receipt.source);
        return atLevel(proven, level);
      },
    };
    let n = 0;
    for await (const batch of batchesOf(sentEvents(events), isAtomic)) {
      let done = 0;
      try {
        for await (const settled of submitBatch(parts, batch)) {
          done++;
          yield { n: n++, ...settled };
        }
      } catch (failure) {
        if (!(failure instanceof BatchFailure)) throw failure;
        const { error, isUnsure } = failure;
        const isRefused = error instanceof BatchRefusedError;
        throw isUnsure && !isRefused ? new OutcomeUnknownError(error, batch[done]!.id) : error;
      }
    }
  }

  /**
   * The receipt of an event at a higher level, verified, with the statement that the first one has, and all that it shows.
   * Rejects with the log's own error or what `verifyReceipt` throws; with `inconsistent` where it is of another leaf or
   * statement, or shows less; with `no_witnesses`, `LevelNotMetError`, the signal's reason.
   */
  async upgrade(receipt: Receipt, level: Level, { signal }: CallOptions = {}): Promise<Receipt> {
    const first = parseReceipt(receipt);
    assertReachable(this.trust.policy, level);
    const path = `/v1/events/${first.event_id}/receipt`;
    const proven = this.#prove(decodeUtf8(await this.#request(level, { method: 'GET', path, signal })));
    assertSameReceipt(proven.receipt, first);
    return atLevel(proven, level);
  }

  /**
   * The heads that the log publishes, from the newest on, each larger than the one before and proven to extend it. Runs
   * until the signal is aborted, or throws what `followHeads` throws: two heads that are no one tree's, with both.
   */
  heads({ from, signal, intervalMs = DEFAULT_INTERVAL_MS }: HeadsOptions = {}): AsyncGenerator<
    OpenedCheckpoint,
    never
  > {
    const { fetch, timeoutMs, retries } = this.#options;
    const source = httpSource(this.url, { fetch, timeoutMs });
    return followHeads({ source, trust: this.trust, from, intervalMs, retries, signal });
  }

  #request(level: Level, request: Request): Promise<Uint8Array> {
    return this.#api.request(level === 'signed' ? request : this.#waiting(request, level));
  }

  #prove(input: Receipt | string): ProvenReceipt {
    const { error, receipt, level, event } = checkReceipt(input, { trust: this.trust });
    if (error) throw error;
    if (!level || !event) throw new Error('bug: a receipt that holds proves nothing');
    return { receipt: { ...receipt, level }, level, shown: event };
  }

  /** The request of a receipt that takes time to come. */
  #waiting({ path, headers, ...request }: Request, level: Level): Request {
    // Half of the attempt, so that the answer is there when the wait is over.
    const waitS = Math.min(MAX_WAIT_S, Math.floor(this.#options.timeoutMs / 2000));
    return { ...request, path: `${path}?level=${level}`, headers: { ...headers, Prefer: `wait=${waitS}` } };
  }
}

const PATH = '/v1/events';

/** The event as it goes out, with an id. */
function sentOf(event: Submittable): Sent {
  const id = event.id ?? randomId();
  const sent = readJsonObject({ ...event, id }, 'event', MAX_EVENT_BYTES);
  return { id, event: sent, text: JSON.stringify(sent) };
}

async function* sentEvents(
  events: Iterable<Submittable> | AsyncIterable<Submittable>,
): AsyncGenerator<Sent, void> {
  for await (const event of events) yield sentOf(event);
}

/** A receipt that holds, which says of itself the level that it proves. */
interface ProvenReceipt {
  readonly receipt: Receipt;
  readonly level: Level;
  /** The event as far as it is shown. */
  readonly shown: JsonObject;
}

function atLevel({ receipt, level: found }: ProvenReceipt, level: Level): Receipt {
  if (level === 'witnessed' && found !== 'witnessed') {
    throw new LevelNotMetError(
      'too few witnesses have signed yet: the receipt is to be upgraded later',
      receipt,
    );
  }
  return receipt;
}

/** Throws `inconsistent` unless `later` is of the leaf and statement of `first`, and shows all that `first` does. */
function assertSameReceipt(later: Receipt, first: Receipt): void {
  const [had, has] = [parseSdJwt(first.statement), parseSdJwt(later.statement)];
  const shown = new Set(has.disclosures.map(({ digest }) => digest));
  const isSame =
    later.event_id === first.event_id &&
    later.id === first.id &&
    later.source === first.source &&
    later.leaf_index === first.leaf_index &&
    later.leaf_hash === first.leaf_hash &&
    has.encodedPayload === had.encodedPayload;
  if (!isSame) throw differs('the log hands out another leaf or statement of the same event');
  if (!had.disclosures.every(({ digest }) => shown.has(digest))) {
    throw differs('the log hands out less of the same statement');
  }
}

function urlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain =
    url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash;
  if (!isPlain)
    throw new TypeError('url expected an http or https URL without credentials, query and fragment');
  return text.replace(/\/+$/, '');
}

/** 128 random bits. */
function randomId(): string {
  return formatBase64Url(crypto.getRandomValues(new Uint8Array(16)));
}

function differs(how: string): NewelError {
  return new NewelError('inconsistent', how);
}
