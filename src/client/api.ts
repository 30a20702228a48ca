/**
 * The log's private routes, over `fetch`: a bearer token that goes to one place only, answers of bounded size and time,
 * and another attempt where one may help.
 *
 *   no answer, 429, 502, 503, 504    again, after a pause that grows; what is sent must be safe to repeat
 *   any other                        an answer, or the error that its problem details stand for
 */

import { type ErrorCode, NewelError } from '../errors.ts';
import { pause, withTimeout } from './pause.ts';
import { MAX_PROBLEM_BYTES, parseProblem } from './problem.ts';
import { readCapped } from './read-capped.ts';
import { MAX_RECEIPT_BYTES } from './receipt.ts';

export interface ApiOptions {
  /** Where the log is, without a trailing slash. */
  readonly url: string;
  readonly token: string;
  readonly fetch: typeof globalThis.fetch;
  /** How long one attempt may take, and a pause before the next one. */
  readonly timeoutMs: number;
  /** Attempts after the first. */
  readonly retries: number;
}

export interface Request {
  readonly method: 'GET' | 'POST';
  /** From the log's URL on, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
  /** How long the log is asked to wait before it answers, beyond what an attempt may take. */
  readonly waitMs?: number;
  /** Bytes that the answer may have; as many as a receipt, by default. */
  readonly maxBytes?: number;
  /** Called after an attempt of which nobody can say whether the log has acted on it. */
  readonly onUnsure?: () => void;
}

const FIRST_PAUSE_MS = 200;
const RETRIED: readonly number[] = [429, 502, 503, 504];
/** With these the log may have acted on a request all the same. With any other code of its own it has not. */
const UNSURE: readonly ErrorCode[] = ['unreachable', 'storage_failed', 'internal'];

/** The end of an attempt that got nothing. */
export class Failure extends Error {
  override name = 'Failure';
  readonly error: NewelError;
  readonly isUnsure: boolean;
  /** The pause that the log asks for before another attempt; `undefined` where none would help. */
  readonly retryAfterMs: number | undefined;

  constructor(error: NewelError, isUnsure: boolean, retryAfterMs?: number) {
    super(error.message);
    this.error = error;
    this.isUnsure = isUnsure;
    this.retryAfterMs = retryAfterMs;
  }
}

export class Api {
  readonly #options: ApiOptions;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /**
   * The body of an answer with a status of 2xx. Rejects with the log's own error, with `unreachable` where none comes in
   * the attempts there are, `too_large` for one without an end, and with the signal's reason. What it rejects with is how
   * the last attempt ended; whether an earlier one may have been acted on, `onUnsure` says.
   */
  async request(request: Request): Promise<Uint8Array> {
    const { timeoutMs, retries } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(request);
      } catch (failure) {
        if (!(failure instanceof Failure)) throw failure;
        const { error, isUnsure, retryAfterMs } = failure;
        if (isUnsure) request.onUnsure?.();
        if (retryAfterMs === undefined || attempt >= retries || retryAfterMs > timeoutMs) throw error;
        await pause(pauseMsOf(attempt, retryAfterMs, timeoutMs), request.signal);
      }
    }
  }

  async #attempt(request: Request): Promise<Uint8Array> {
    const { url, timeoutMs } = this.#options;
    const { path, signal, maxBytes, waitMs = 0 } = request;
    // Called as a function: a browser's own fetch refuses to be a method of something else.
    const { fetch } = this.#options;
    const init = requestInit(this.#options, request);
    return withTimeout(timeoutMs + waitMs, signal, async (own) => {
      try {
        return await readAnswer(await fetch(`${url}${path}`, { ...init, signal: own }), maxBytes);
      } catch (cause) {
        if (cause instanceof Failure) throw cause;
        if (cause instanceof NewelError) throw new Failure(cause, true);
        if (signal?.aborted) throw cause;
        throw new Failure(new NewelError('unreachable', 'the log does not answer', { cause }), true, 0);
      }
    });
  }
}

async function readAnswer(response: Response, maxBytes = MAX_RECEIPT_BYTES): Promise<Uint8Array> {
  await assertTaken(response);
  return readCapped(response, maxBytes, 'any answer of a log');
}

/**
 * Throws a `Failure` unless the status is one of 2xx, with what `toError` makes of the body, of at most so many bytes; by
 * default of a problem.
 */
export async function assertTaken(
  response: Response,
  { maxBytes = MAX_PROBLEM_BYTES, toError = parseProblem }: ProblemReader = {},
): Promise<void> {
  const { status, type, ok } = response;
  if (ok) return;
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    await response.body?.cancel();
    throw new NewelError(
      'unreachable',
      'the log answers with a redirect, which is not followed: give its URL',
    );
  }
  const error = toError(status, await readCapped(response, maxBytes, 'any problem'));
  const retryAfterMs = RETRIED.includes(status) ? retryAfterOf(response) : undefined;
  throw new Failure(error, isUnsure(error), retryAfterMs);
}

export interface ProblemReader {
  readonly maxBytes?: number;
  readonly toError?: (status: number, body: Uint8Array) => NewelError;
}

/** Whether the log may have acted on what ended so. */
export function isUnsure({ code }: NewelError): boolean {
  return UNSURE.includes(code);
}

/** What every request says. A redirect would carry the token, or the event, to a place that nobody named. */
export function requestInit({ token }: ApiOptions, { method, headers, body }: Request): RequestInit {
  return {
    method,
    headers: {
      Accept: 'application/json',
      Authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    redirect: 'manual',
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
    ...(body !== undefined && { body }),
  };
}

/** The pause before another attempt, after `attempt` and one more. Clients that failed together do not come back together. */
export function pauseMsOf(attempt: number, retryAfterMs: number, timeoutMs: number): number {
  const backoffMs = FIRST_PAUSE_MS * 2 ** attempt;
  return Math.min(retryAfterMs + backoffMs * (0.5 + Math.random() / 2), timeoutMs);
}

/** `Retry-After` (RFC 9110 §10.2.3) in milliseconds: seconds, or a date. */
function retryAfterOf({ headers }: Response): number {
  const text = headers.get('Retry-After') ?? '';
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? ms : 0;
}
