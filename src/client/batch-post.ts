/**
 * Sending a batch and reading its answer as it comes: one line for each event, of bounded size, none of which may take
 * longer than an attempt.
 */

import { GrowingBytes } from '../core/growing-bytes.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject } from '../formats/json.ts';
import { type ApiOptions, assertTaken, Failure, requestInit } from './api.ts';
import { MAX_ITEM_BYTES } from './batch-items.ts';
import { readJsonObject } from './json-input.ts';
import { withIdleTimeout } from './pause.ts';
import { problemError } from './problem.ts';

/** An event that kept a batch from being taken. */
export interface BatchFault {
  readonly n: number;
  readonly error: NewelError;
}

/** A batch that was to be taken whole was refused: nothing of it is logged. The code is that of the first fault. */
export class BatchRefusedError extends NewelError {
  override name = 'BatchRefusedError';
  /** All events at fault, in their order; at least one. */
  readonly faults: readonly BatchFault[];

  constructor(faults: readonly BatchFault[]) {
    super(faults[0]!.error.code, `event ${faults[0]!.n} of the batch: ${faults[0]!.error.message}`);
    this.faults = faults;
  }
}

export interface BatchPost {
  /** From the log's URL on, with its query. */
  readonly path: string;
  /** Lines of JSON. */
  readonly body: string;
  /** How long the log is asked to wait for witnesses, in seconds; `undefined` where none are asked for. */
  readonly waitS: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Of a batch that is refused: a problem for each of its events. */
const MAX_REFUSAL_BYTES = 16 * 1024 * 1024;
/** Slower than this an upload is not waited for. */
const MIN_UPLOAD_BYTES_PER_MS = 64;
const LF = 0x0a;

/** The lines of the answer. Throws `Failure`, or with the signal's reason. */
export async function* postBatch(
  options: ApiOptions,
  { path, body, waitS, signal }: BatchPost,
): AsyncGenerator<Uint8Array, void> {
  const { url, fetch } = options;
  const timeoutMs = options.timeoutMs + 1000 * (waitS ?? 0);
  const headers = {
    Accept: 'application/x-ndjson',
    'Content-Type': 'application/x-ndjson',
    Prefer: `return=representation${waitS === undefined ? '' : `, wait=${waitS}`}`,
  };
  const init = requestInit(options, { method: 'POST', path, headers, body });
  const idle = withIdleTimeout(signal);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    idle.restart(timeoutMs + body.length / MIN_UPLOAD_BYTES_PER_MS);
    const response = await fetch(`${url}${path}`, { ...init, signal: idle.signal });
    await assertTaken(response, { maxBytes: MAX_REFUSAL_BYTES, toError: refusalOf });
    reader = response.body?.getReader();
    const lines = new Lines();
    for (;;) {
      idle.restart(timeoutMs);
      const next = await reader?.read();
      if (!next || next.done) break;
      idle.stop();
      yield* lines.push(next.value);
    }
    lines.end();
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    if (cause instanceof NewelError)
      throw new Failure(cause, true, cause.code === 'unreachable' ? 0 : undefined);
    if (signal?.aborted) throw cause;
    throw new Failure(new NewelError('unreachable', 'the log does not answer', { cause }), true, 0);
  } finally {
    idle.stop();
    reader?.cancel().catch(() => {});
  }
}

/** The error of a problem, with the events at fault where it lists them. */
function refusalOf(status: number, body: Uint8Array): NewelError {
  let problem;
  try {
    problem = readJsonObject(body, 'problem', MAX_REFUSAL_BYTES);
  } catch (error) {
    if (error instanceof NewelError) return problemError(status, undefined);
    throw error;
  }
  const error = problemError(status, problem);
  const { items } = problem;
  if (!Array.isArray(items) || error.code === 'unreachable') return error;
  const faults = items.flatMap((item): BatchFault[] => {
    if (!isJsonObject(item)) return [];
    const { n, status: own } = item;
    return typeof n === 'number' && typeof own === 'number' ? [{ n, error: problemError(own, item) }] : [];
  });
  return faults.length === 0 ? error : new BatchRefusedError(faults);
}

/** Cuts what arrives into lines. */
class Lines {
  readonly #line = new GrowingBytes(MAX_ITEM_BYTES);

  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    let begin = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, begin)) {
      this.#keep(chunk.subarray(begin, end));
      begin = end + 1;
      yield this.#line.take();
    }
    this.#keep(chunk.subarray(begin));
  }

  /** Throws where the answer ends within a line. */
  end(): void {
    if (this.#line.length > 0) throw new NewelError('unreachable', 'the answer of the log ends too early');
  }

  #keep(part: Uint8Array): void {
    if (this.#line.length + part.length > MAX_ITEM_BYTES) {
      throw new NewelError(
        'too_large',
        `the answer has a line longer than any item, ${MAX_ITEM_BYTES} bytes`,
      );
    }
    this.#line.add(part);
  }
}
