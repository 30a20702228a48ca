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
import { openCheckpoint } from '../formats/checkpoint.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { Api, type ApiOptions, type Request } from './api.ts';
import { BatchRefusedError } from './batch-post.ts';
import { followHeads, type KnownHead } from './consistency.ts';
import { readJsonObject } from './json-input.ts';
import { assertReachable, type Level } from './level.ts';
import { OutcomeUnknownError } from './outcome-errors.ts';
import { type Proven, type ProvenReceipt, proveReceipt } from './proven-receipt.ts';
import type { Receipt } from './receipt.ts';
import { assertSameEvent } from './same-event.ts';
import { httpSource, type LogSource } from './source.ts';
import { BatchFailure, batchesOf, type EventOutcome, type Sent, submitBatch } from './submit-many.ts';
import type { OpenedCheckpoint } from './tree.ts';
import type { Lines } from './trim-lines.ts';
import { toTrust, type Trust, type TrustInput } from './trust.ts';
import { KnownPairs, MAX_WAIT_S, upgradeReceipt } from './upgrade.ts';

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
  /** How long the log may wait for witnesses before it answers: whole seconds, 0 to 10; 2 by default. */
  readonly waitS?: number;
  /** Which lines of its checkpoint a receipt keeps, once they meet the policy in the trust file; `all` by default. */
  readonly lines?: Lines;
}

export interface UpgradeOptions extends CallOptions {
  /** How long the log is asked again where the level is not met yet; 10 s by default. It is asked once at least. */
  readonly timeoutMs?: number;
  /** As for `submit`. */
  readonly lines?: Lines;
}

export interface SubmitManyOptions extends SubmitOptions {
  /** All of them or none, in one request: `BatchRefusedError` says what kept them from being taken. */
  readonly atomic?: boolean;
}

export interface HeadsOptions extends CallOptions {
  /** A head that is known, or the signed note of one: every other one is to be consistent with it. */
  readonly from?: KnownHead | Uint8Array | string;
  /** Between two readings; 10 s by default. */
  readonly intervalMs?: number;
}

type WithoutId<Event> = Event extends unknown
  ? Omit<Event, 'id'> & { readonly id?: string | undefined }
  : never;

/** An event as it is submitted: of either profile, with an `id` or without. */
export type Submittable = WithoutId<StepUpEvent> | WithoutId<FlatEvent>;

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_RETRIES = 3;
const DEFAULT_INTERVAL_MS = 10_000;
const DEFAULT_UPGRADE_MS = 10_000;
const DEFAULT_WAIT_S = 2;
/** More than any log takes; the log says how much that is. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
const TOKEN = /^[\x21-\x7e]+$/;

export class Newel {
  readonly url: string;
  readonly trust: Trust;
  readonly #api: Api;
  readonly #options: ApiOptions;
  readonly #knownPairs = new KnownPairs();

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
   * Submits an event and resolves with its receipt, verified: it is of this event, under the pinned keys, and `level` in it
   * is what it proves. Below the level asked for it has `pending`: the event is logged, and the receipt to be upgraded later.
   * An event without `id` is given one, so that every attempt is the same submission.
   *
   * Rejects with the log's own error where it says that it took nothing (`EventInvalidError` has the faults); with
   * `OutcomeUnknownError` after any attempt that may have logged it, which has the `id` to submit it with again: the code is
   * that of the last answer, or what `verifyReceipt` throws of it, or `inconsistent` for a receipt of another event; with
   * `no_witnesses` where the policy in the trust file names none; with the signal's reason, which knows no `id`: give the
   * event one before.
   */
  async submit(event: Submittable, options: SubmitOptions = {}): Promise<ProvenReceipt> {
    const { level = 'signed', lines, signal } = options;
    const waitS = this.#waitOf(options);
    const { id, event: sent, text: body } = sentOf(event);
    let isUnsure = false;
    const onUnsure = (): void => {
      isUnsure = true;
    };
    try {
      const post = { method: 'POST', path: PATH, body, signal, onUnsure } as const;
      const answer = await this.#api.request(waiting(post, waitS));
      // The log has taken it, it says: until the receipt proves that, nobody knows.
      isUnsure = true;
      const { receipt, event: shown } = proveReceipt(decodeUtf8(answer), this.trust, { level, lines });
      assertSameEvent(shown, sent, receipt.source);
      return receipt;
    } catch (error) {
      throw isUnsure && error instanceof NewelError ? new OutcomeUnknownError(error, id) : error;
    }
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
    const { level = 'signed', lines, atomic: isAtomic = false, signal } = options;
    const waitS = this.#waitOf(options);
    const query = [...(level === 'signed' ? [] : [`level=${level}`]), ...(isAtomic ? ['atomic=true'] : [])];
    const parts = {
      api: this.#options,
      path: query.length === 0 ? PATH : `${PATH}?${query.join('&')}`,
      waitS,
      isAtomic,
      signal,
      prove: (answered: Receipt, sent: Sent): ProvenReceipt => {
        const { receipt, event: shown } = proveReceipt(answered, this.trust, { level, lines });
        assertSameEvent(shown, sent.event, receipt.source);
        return receipt;
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
   * The receipt of an event at a higher level, verified, with the statement that the first one has, and all that it shows;
   * its head is shown to be of one tree with the head of the first one. Where the level is not met yet, the log is asked
   * again until it is or the time is over.
   *
   * Rejects with the log's own error or what `verifyReceipt` throws of either receipt; with `inconsistent` where it is of
   * another leaf or statement, or shows less; with `InconsistentHeadsError`, which has both signed heads, where no tree has
   * both; with `no_witnesses`, `LevelNotMetError`, the signal's reason.
   */
  async upgrade(receipt: Receipt, level: Level, options: UpgradeOptions = {}): Promise<ProvenReceipt> {
    const { timeoutMs = DEFAULT_UPGRADE_MS, lines, signal } = options;
    assertReachable(this.trust.policy, level);
    const first = proveReceipt(receipt, this.trust, { level: 'signed' });
    const get = { method: 'GET', path: `${PATH}/${first.receipt.event_id}/receipt`, signal } as const;
    const ask = async (waitS: number): Promise<Proven> => {
      const answer = await this.#api.request(waiting(get, level === 'signed' ? undefined : waitS));
      return proveReceipt(decodeUtf8(answer), this.trust, { level, lines });
    };
    const [source, known] = [this.#revealed(), this.#knownPairs];
    return upgradeReceipt({ first, level, ask, source, known, timeoutMs, signal });
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
    const known = from === undefined ? undefined : this.#headOf(from);
    return followHeads({ source, trust: this.trust, from: known, intervalMs, retries, signal });
  }

  /** A head that was kept. Throws what `openCheckpoint` throws. */
  #headOf(from: KnownHead | Uint8Array | string): KnownHead {
    if (typeof from !== 'string' && !(from instanceof Uint8Array)) return from;
    const note = typeof from === 'string' ? encodeUtf8(from) : from;
    return { ...openCheckpoint(note, this.trust.verifiers, this.trust.origin), note };
  }

  /** How long the log is asked to wait; `undefined` where there is nothing to wait for. */
  #waitOf({ level = 'signed', waitS = DEFAULT_WAIT_S }: SubmitOptions): number | undefined {
    if (!(Number.isInteger(waitS) && waitS >= 0 && waitS <= MAX_WAIT_S)) {
      throw new RangeError(`waitS expected whole seconds, 0 to ${MAX_WAIT_S}`);
    }
    assertReachable(this.trust.policy, level);
    return level === 'signed' ? undefined : waitS;
  }

  /** The log's tiles, as far as the bearer of the token may read: a receipt's head may not be published yet. */
  #revealed(): LogSource {
    const { fetch, timeoutMs, token } = this.#options;
    const headers = { Authorization: `Bearer ${token}` };
    return httpSource(this.url, { timeoutMs, fetch: (input, init) => fetch(input, { ...init, headers }) });
  }
}

const PATH = '/v1/events';

/** The request of a receipt that takes time to come, where witnesses are waited for. */
function waiting(request: Request, waitS: number | undefined): Request {
  if (waitS === undefined) return request;
  const path = `${request.path}?level=witnessed`;
  return { ...request, path, headers: { Prefer: `wait=${waitS}` }, waitMs: 1000 * waitS };
}

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
