/** `/v1/erasures` as a command asks it, and what it answers, read strictly. */

import { Api, type ApiOptions, isUnsure } from '../client/api.ts';
import { readJsonObject } from '../client/json-input.ts';
import { parseReceipt, type Receipt } from '../client/receipt.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../formats/json.ts';

const PATH = '/v1/erasures';
const MAX_ANSWER_BYTES = 2 * 1024 * 1024;
/** Counting a retention reads all of the index that it is about. */
const TIMEOUT_MS = 120_000;
const RETRIES = 3;
const STATES = ['erasing', 'compacting', 'done', 'failed'] as const;
const ERASURE_ID = /^era_[A-Za-z0-9_-]{22}$/;

/** An erasure, as far as a command looks at it; `members` is all that was answered. */
export interface ErasureAnswer {
  readonly erasureId: string;
  readonly state: (typeof STATES)[number];
  readonly events: number;
  readonly erased: number;
  readonly tombstones: number;
  readonly keysDestroyedBy: string | undefined;
  /** Whether that time is over, and they are still there. */
  readonly areKeysOverdue: boolean;
  readonly failure: string | undefined;
  readonly members: JsonObject;
}

export interface ReceiptPage {
  readonly receipts: readonly Receipt[];
  /** Where the next page begins. */
  readonly next: number | undefined;
}

/** Whether `text` has the form of an erasure's id, so that it can stand in a path. */
export function isErasureId(text: string): boolean {
  return ERASURE_ID.test(text);
}

export class ErasureApi {
  readonly #repeated: Api;
  readonly #once: Api;

  constructor({ url, token }: Pick<ApiOptions, 'url' | 'token'>) {
    const options = { url, token, fetch: globalThis.fetch, timeoutMs: TIMEOUT_MS };
    this.#repeated = new Api({ ...options, retries: RETRIES });
    this.#once = new Api({ ...options, retries: 0 });
  }

  /** How many events it would erase. */
  async count(request: JsonObject): Promise<number> {
    const body = JSON.stringify({ ...request, dry_run: true });
    const answer = readAnswer(await this.#repeated.request({ method: 'POST', path: PATH, body }));
    return countOf(answer, 'events');
  }

  /** Sent once: a second one would be another erasure. */
  async erase(request: JsonObject): Promise<ErasureAnswer> {
    try {
      const body = JSON.stringify(request);
      return parseErasure(readAnswer(await this.#once.request({ method: 'POST', path: PATH, body })));
    } catch (cause) {
      if (!(cause instanceof NewelError) || !isUnsure(cause)) throw cause;
      const advice =
        'it may have been accepted all the same; run this again, and what is erased by then is said to be';
      throw new NewelError(cause.code, `${cause.message}: ${advice}`, { cause });
    }
  }

  async show(erasureId: string): Promise<ErasureAnswer> {
    const path = `${PATH}/${erasureId}`;
    return parseErasure(readAnswer(await this.#repeated.request({ method: 'GET', path })));
  }

  /** Receipts of what the log said about it, from one on; verified by nobody yet. */
  async receipts(erasureId: string, start: number): Promise<ReceiptPage> {
    const path = `${PATH}/${erasureId}?receipts=true&start=${start}`;
    const answer = readAnswer(await this.#repeated.request({ method: 'GET', path }));
    const { receipts, next } = answer;
    if (!Array.isArray(receipts)) throw notUnderstood();
    const end = next === null ? undefined : countOf(answer, 'next');
    // Else nothing would come to its end.
    if (end !== undefined && end !== start + receipts.length) throw notUnderstood();
    if (end !== undefined && receipts.length === 0) throw notUnderstood();
    return { receipts: receipts.map((receipt) => parseReceipt(receipt)), next: end };
  }
}

function readAnswer(bytes: Uint8Array): JsonObject {
  return readJsonObject(bytes, "the log's answer", MAX_ANSWER_BYTES);
}

function parseErasure(members: JsonObject): ErasureAnswer {
  const { erasure_id: erasureId, tombstones, keys_destroyed_by: keysDestroyedBy, failure } = members;
  const state = STATES.find((one) => one === members['state']);
  if (typeof erasureId !== 'string' || !isErasureId(erasureId) || !state) throw notUnderstood();
  if (!Array.isArray(tombstones) || !tombstones.every(isJsonObject)) throw notUnderstood();
  return {
    erasureId,
    state,
    events: countOf(members, 'events'),
    erased: countOf(members, 'erased'),
    tombstones: tombstones.length,
    keysDestroyedBy: typeof keysDestroyedBy === 'string' ? keysDestroyedBy : undefined,
    areKeysOverdue: members['keys_overdue'] === true,
    failure: typeof failure === 'string' ? failure : undefined,
    members,
  };
}

function countOf(members: JsonObject, name: string): number {
  const value = members[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw notUnderstood();
}

function notUnderstood(): NewelError {
  return new NewelError('unreachable', 'the log answers what is no erasure of this version');
}
