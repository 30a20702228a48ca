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
  /** Called after an attempt of which nobody can say whether the log has acted on it. */
  readonly onUnsure?: () => void;
}

const FIRST_PAUSE_MS = 200;
const RETRIED: readonly number[] = [429, 502, 503, 504];
/** With these the log may have acted on a request all the same. With any other code of its own it has not. */
const UNSURE: readonly ErrorCode[] = ['unreachable', 'storage_failed', 'internal'];

/** The end of an attempt that got nothing. */
class Failure extends Error {
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
        const backoffMs = FIRST_PAUSE_MS * 2 ** attempt;
        // Clients that failed together do not come back together.
        const jitteredMs = retryAfterMs + backoffMs * (0.5 + Math.random() / 2);
        await pause(Math.min(jitteredMs, timeoutMs), request.signal);
      }
    }
  }

  async #attempt({ method, path, headers, body, signal }: Request): Promise<Uint8Array> {
    const { url, token, timeoutMs } = this.#options;
    // Called as a function: a browser's own fetch refuses to be a method of something else.
    const { fetch } = this.#options;
    const init: RequestInit = {
      method,
      headers: {
        Accept: 'application/json',
        Authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      // A redirect would carry the token, or the event, to a place that nobody named.
      redirect: 'manual',
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      ...(body !== undefined && { body }),
    };
    return withTimeout(timeoutMs, signal, async (own) => {
      try {
        return await readAnswer(await fetch(`${url}${path}`, { ...init, signal: own }));
      } catch (cause) {
        if (cause instanceof Failure) throw cause;
        if (cause instanceof NewelError) throw new Failure(cause, true);
        if (signal?.aborted) throw cause;
        throw new Failure(new NewelError('unreachable', 'the log does not answer', { cause }), true, 0);
      }
    });
  }
}

async function readAnswer(response: Response): Promise<Uint8Array> {
  const { status, type, ok } = response;
  if (ok) return readCapped(response, MAX_RECEIPT_BYTES, 'any receipt');
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    await response.body?.cancel();
    throw new NewelError(
      'unreachable',
      'the log answers with a redirect, which is not followed: give its URL',
    );
  }
  const error = parseProblem(status, await readCapped(response, MAX_PROBLEM_BYTES, 'any problem'));
  const retryAfterMs = RETRIED.includes(status) ? retryAfterOf(response) : undefined;
  throw new Failure(error, UNSURE.includes(error.code), retryAfterMs);
}

/** `Retry-After` (RFC 9110 §10.2.3) in milliseconds: seconds, or a date. */
function retryAfterOf({ headers }: Response): number {
  const text = headers.get('Retry-After') ?? '';
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? ms : 0;
}
