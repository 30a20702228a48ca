/**
 * The public files of a log, read by somebody who stays for years: no more at a time than its share of `FetchTurns`, each
 * file capped at what it can be, and a server that says that it is too much (429, 503) left alone for as long as it says.
 * What fails in passing is tried again, with pauses that grow; a 404 is an answer.
 */

import { NewelError } from '../errors.ts';
import { pause, withTimeout } from '../client/pause.ts';
import { readCapped } from '../client/read-capped.ts';
import type { LogSource } from '../client/source.ts';
import { TILE_BYTES, TILE_WIDTH } from '../core/tile.ts';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import { MAX_NOTE_BYTES } from '../formats/note.ts';
import type { FetchTurns } from './fetch-turns.ts';

export interface PacedSourceOptions {
  readonly turns: FetchTurns;
  /** Ends everything under way; what was waiting rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  readonly fetch?: typeof globalThis.fetch;
  /** For one answer, all of it. */
  readonly timeoutMs?: number;
  /** How often a file is asked for until it is given up. */
  readonly attempts?: number;
  /** The first pause; each is twice the one before. */
  readonly pauseMs?: number;
}

const TIMEOUT_MS = 30_000;
const ATTEMPTS = 4;
const PAUSE_MS = 500;
/** Who asks to be left alone for longer than this is not waited for. */
const MAX_PAUSE_MS = 60_000;
const BUNDLES = 'tile/entries/';
/** That of a full bundle of the largest entries. */
const MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES);

/** A failure that may be gone in a moment. */
interface Passing {
  readonly why: string;
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
}

/** Reads below a URL prefix. `read` rejects with `unreachable`, `too_large`, or the reason of a signal. */
export function pacedSource(url: string, options: PacedSourceOptions): LogSource {
  const { attempts = ATTEMPTS, pauseMs = PAUSE_MS } = options;
  const turns = options.turns.share();
  const prefix = url.replace(/\/+$/, '');
  /** Until when the server asked to be left alone, by `performance.now()`. */
  let quietUntilMs = 0;
  const readPaced = async (
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> => {
    const isLarge = path.startsWith(BUNDLES);
    for (let attempt = 1; ; attempt++) {
      const quietMs = quietUntilMs - performance.now();
      if (quietMs > 0) await pause(quietMs, signal);
      const fetchOnce = (): ReturnType<typeof readOnce> =>
        readOnce(`${prefix}/${path}`, path, { ...options, signal });
      const got = await turns.take(fetchOnce, { isLarge, signal });
      if (!isPassing(got)) return got;
      const { why, cause, retryAfterMs = 0 } = got;
      if (attempt >= attempts || retryAfterMs > MAX_PAUSE_MS) {
        throw new NewelError('unreachable', `${prefix}/${path} ${why}`, { cause });
      }
      if (retryAfterMs > 0) quietUntilMs = performance.now() + retryAfterMs;
      else await pause(Math.min(MAX_PAUSE_MS, pauseMs * 2 ** (attempt - 1) * (0.5 + Math.random())), signal);
    }
  };
  return { read: (path, signal) => underEither(options.signal, signal, (either) => readPaced(path, either)) };
}

/** Runs `work` under one signal that is aborted when either of two is. */
async function underEither<T>(
  one: AbortSignal | undefined,
  other: AbortSignal | undefined,
  work: (either: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (!one || !other) return work(one ?? other);
  const either = new AbortController();
  const abort = (): void => either.abort(one.aborted ? one.reason : other.reason);
  if (one.aborted || other.aborted) abort();
  one.addEventListener('abort', abort, { once: true });
  other.addEventListener('abort', abort, { once: true });
  try {
    return await work(either.signal);
  } finally {
    one.removeEventListener('abort', abort);
    other.removeEventListener('abort', abort);
  }
}

async function readOnce(
  where: string,
  path: string,
  { signal, fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS }: PacedSourceOptions,
): Promise<Uint8Array | undefined | Passing> {
  signal?.throwIfAborted();
  try {
    return await withTimeout(timeoutMs, signal, async (bounded) => {
      const response = await fetch(where, { signal: bounded, redirect: 'error' });
      const { status } = response;
      if (response.ok) return await readCapped(response, maxBytesOf(path), 'any file of this kind');
      await response.body?.cancel();
      if (status === 404) return undefined;
      const why = `answers ${status}`;
      if (status === 429 || status === 503) return { why, retryAfterMs: retryAfterMsOf(response) };
      if (status >= 500) return { why };
      throw new NewelError('unreachable', `${where} ${why}`);
    });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof NewelError) throw cause;
    return { why: 'does not answer', cause };
  }
}

function isPassing(got: Uint8Array | undefined | Passing): got is Passing {
  return got !== undefined && !(got instanceof Uint8Array);
}

/** Seconds alone are understood; a date, and none, leave it to the growing pauses. */
function retryAfterMsOf(response: Response): number {
  const text = response.headers.get('Retry-After') ?? '';
  return /^[0-9]{1,6}$/.test(text) ? Number(text) * 1000 : 0;
}

function maxBytesOf(path: string): number {
  if (path.startsWith(BUNDLES)) return MAX_BUNDLE_BYTES;
  return path.startsWith('tile/') ? TILE_BYTES : MAX_NOTE_BYTES;
}
