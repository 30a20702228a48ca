/**
 * The answer to a batch, read back into receipts. In it a checkpoint is said once, and each proof on it ends at its blank
 * line; put behind it, the note makes the proof whole, byte for byte.
 *
 *   {"checkpoint":1,"note":"log.example/bank\n42\n…"}
 *   {"n":0,"status":201,"event_id":"evt_…",…,"statement":"eyJ…~","checkpoint":1,"proof":"c2sp.org/tlog-proof@v1\nindex 41\n…\n\n"}
 *   {"n":1,"status":422,"type":"https://log.example/problems/event_invalid",…}
 */

import { NewelError } from '../errors.ts';
import { isSize } from '../core/int.ts';
import { isJsonObject, type JsonObject } from '../formats/json.ts';
import { MAX_NOTE_BYTES } from '../formats/note.ts';
import { readJsonObject } from './json-input.ts';
import { problemError } from './problem.ts';
import { MAX_RECEIPT_BYTES, parseReceipt, type Receipt } from './receipt.ts';

/** What the answer says of the event at `n`, of which nothing is verified yet. */
export type BatchItem =
  | { readonly n: number; readonly receipt: Receipt; readonly error?: undefined }
  | { readonly n: number; readonly receipt?: undefined; readonly error: NewelError };

/** Bytes that an item may have. */
export const MAX_ITEM_BYTES: number = MAX_RECEIPT_BYTES;
/** Checkpoints that an answer may have: one for each of its events. */
const MAX_NOTES = 10_000;
const PROOF_END = '\n\n';

/** Reads the items of one answer, in their order. */
export class BatchItems {
  readonly #notes = new Map<number, string>();

  /**
   * An item as text, bytes or parsed JSON; `undefined` for a checkpoint. Throws `malformed` or `too_large`; also for a
   * receipt without statement and proof, as one is without `Prefer: return=representation`.
   */
  read(input: unknown): BatchItem | undefined {
    const item = readJsonObject(input, WHAT, MAX_ITEM_BYTES);
    const { n, status, checkpoint, note, ...members } = item;
    if (note !== undefined) {
      this.#keep(checkpoint, note);
      return undefined;
    }
    if (typeof n !== 'number' || !isSize(n)) throw flaw('has no number of an event');
    if (typeof status !== 'number') throw flaw('has no status');
    if (status !== 200 && status !== 201 && status !== 202)
      return { n, error: problemError(status, members) };
    return {
      n,
      receipt: parseReceipt(checkpoint === undefined ? members : this.#whole(members, checkpoint)),
    };
  }

  #keep(checkpoint: unknown, note: unknown): void {
    if (typeof checkpoint !== 'number' || typeof note !== 'string' || note.length > MAX_NOTE_BYTES) {
      throw flaw('has a checkpoint that is none');
    }
    if (this.#notes.size >= MAX_NOTES || this.#notes.has(checkpoint)) throw flaw('has a checkpoint too many');
    this.#notes.set(checkpoint, note);
  }

  #whole(members: JsonObject, checkpoint: unknown): JsonObject {
    const note = typeof checkpoint === 'number' ? this.#notes.get(checkpoint) : undefined;
    const { proof } = members;
    if (note === undefined) throw flaw('stands on a checkpoint that did not come before it');
    if (typeof proof !== 'string' || !proof.endsWith(PROOF_END))
      throw flaw('has no proof that ends before its checkpoint');
    return { ...members, proof: proof + note };
  }
}

/**
 * The items of an answer to a batch: its text as NDJSON or as JSON, or what `JSON.parse` made of the latter. Throws
 * `malformed` or `too_large`. Nothing is verified.
 */
export function parseBatchAnswer(answer: string | { readonly items: readonly unknown[] }): BatchItem[] {
  const items = new BatchItems();
  return itemsOf(answer).flatMap((item) => items.read(item) ?? []);
}

function itemsOf(answer: string | { readonly items: readonly unknown[] }): readonly unknown[] {
  if (typeof answer !== 'string') return answer.items;
  if (!answer.startsWith('{"items":')) return answer.split('\n').filter((line) => line !== '');
  const { items } = readJsonObject(answer, 'answer', Infinity);
  if (!Array.isArray(items) || !items.every(isJsonObject))
    throw new NewelError('malformed', 'answer has no items');
  return items;
}

const WHAT = 'item of the answer';

function flaw(found: string): NewelError {
  return new NewelError('malformed', `${WHAT} ${found}`);
}
