/**
 * Receipts: the body of the `201`, saved as it is. It names an event and its leaf, and carries the two things that prove
 * them: the statement (an SD-JWT, private) and the proof (a tlog-proof, public).
 *
 *   { "event_id": "evt_3q2-7wAAAAAAAAAAAAAAAA", "id": "01JD4X…", "source": "https://bank.example/payments",
 *     "log": "log.example/bank", "leaf_index": 41, "leaf_hash": "qFMJ…=", "tree_size": 42, "level": "signed",
 *     "received_time": "2026-11-20T12:00:08.123Z", "proof_url": "https://log.example/bank/v1/leaves/41/proof",
 *     "statement": "eyJ…~WyJ…~", "proof": "c2sp.org/tlog-proof@v1\nindex 41\n…" }
 *
 * What is in it is a claim until `verifyReceipt` has checked it; the page of receipts lists what is left a claim after
 * that. Members that this version does not know are kept.
 */

import { NewelError } from '../errors.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { isSize } from '../core/int.ts';
import { parseBase64 } from '../formats/base64.ts';
import { isJsonObject, type JsonObject } from '../formats/json.ts';
import { MAX_PROOF_BYTES } from '../formats/tlog-proof.ts';
import { readJsonObject } from './json-input.ts';

export interface Receipt {
  /** Made by the log: `evt_` and 22 base64url characters. */
  readonly event_id: string;
  /** The submitter's own, unique within `source`. Both are checked only against a statement that shows them. */
  readonly id: string;
  readonly source: string;
  /** The log's origin. */
  readonly log: string;
  readonly leaf_index: number;
  /** Base64 of the 32-byte leaf hash. */
  readonly leaf_hash: string;
  /** Leaves of the tree that the proof is in. */
  readonly tree_size: number;
  /** What whoever made the receipt computed: after `submit` and `upgrade` what was proven. Verifying never reads it. */
  readonly level: string;
  /** What a higher level that was asked for still lacks. */
  readonly pending?: JsonObject;
  /** RFC 3339, UTC, milliseconds. */
  readonly received_time: string;
  /** Where the log serves the public proof, it says; nothing is read from there to verify. An http or https URL. */
  readonly proof_url?: string;
  readonly statement: string;
  readonly proof: string;
}

/** Bytes that a receipt may have: the longest statement and proof, and room for their escapes and what comes later. */
export const MAX_RECEIPT_BYTES: number = 2 * 1024 * 1024;
/** Characters of a statement. */
export const MAX_STATEMENT_CHARS: number = 256 * 1024;
const MAX_NAME_CHARS = 4096;

const EVENT_ID = /^evt_[A-Za-z0-9_-]{22}$/;
const SUBMITTER_ID = /^[\x21-\x7e]{1,128}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Whether `text` has the form of an `event_id`, so that it can stand in a path or name a file. */
export function isEventId(text: string): boolean {
  return EVENT_ID.test(text);
}

/**
 * Reads a receipt: text, bytes, or parsed JSON. Verifies nothing. A `proof_url` that is no http or https URL is left out.
 * Throws `too_large` or `malformed`, naming the member; also for a receipt without statement and proof (`Prefer: return=minimal`), since there is nothing to verify in it.
 */
export function parseReceipt(input: unknown): Receipt {
  const json = readJsonObject(input, 'receipt', MAX_RECEIPT_BYTES);
  if (json['event_id'] !== undefined && json['statement'] === undefined && json['proof'] === undefined) {
    throw flaw('has no statement and no proof: fetch the whole one from /v1/events/<event_id>/receipt');
  }
  const { proof_url: proofUrl, ...members } = json;
  if (proofUrl !== undefined && typeof proofUrl !== 'string') throw flaw('has a proof_url that is none');
  const receipt = {
    // What is no URL proves nothing and is not handed on.
    ...(proofUrl === undefined || isHttpUrl(proofUrl) ? json : members),
    event_id: textOf(json, 'event_id', isEventId),
    id: textOf(json, 'id', (text) => SUBMITTER_ID.test(text)),
    source: textOf(json, 'source', isName),
    log: textOf(json, 'log', isName),
    leaf_index: sizeOf(json, 'leaf_index'),
    leaf_hash: textOf(json, 'leaf_hash', isHash),
    tree_size: sizeOf(json, 'tree_size'),
    level: textOf(json, 'level', isName),
    received_time: textOf(json, 'received_time', isTime),
    statement: textOf(json, 'statement', (text) => text.length <= MAX_STATEMENT_CHARS),
    proof: textOf(json, 'proof', (text) => text.length <= MAX_PROOF_BYTES),
  };
  const { pending } = json;
  if (pending === undefined) return receipt;
  if (!isJsonObject(pending)) throw flaw('has a pending that is not an object');
  return { ...receipt, pending };
}

/** The text of a receipt, on one line: the bytes that the log answers with. */
export function formatReceipt(receipt: Receipt): string {
  return `${JSON.stringify(receipt)}\n`;
}

function textOf(json: JsonObject, name: string, isValid: (text: string) => boolean): string {
  const value = json[name];
  if (value === undefined) throw flaw(`has no ${name}`);
  if (typeof value !== 'string' || !isValid(value)) throw flaw(`has a ${name} that is none`);
  return value;
}

function sizeOf(json: JsonObject, name: string): number {
  const value = json[name];
  if (value === undefined) throw flaw(`has no ${name}`);
  if (typeof value !== 'number' || !isSize(value)) {
    throw flaw(`has a ${name} that is not a whole number below 2^53`);
  }
  return value;
}

function isName(text: string): boolean {
  return text !== '' && text.length <= MAX_NAME_CHARS;
}

/** Whether it can be shown as a link anywhere: no control, invisible or white character. */
function isHttpUrl(text: string): boolean {
  if (!/^https?:\/\/[^\p{C}\p{Z}]+$/u.test(text) || text.length > MAX_NAME_CHARS) return false;
  try {
    return new URL(text).hostname !== '';
  } catch {
    return false;
  }
}

function isHash(text: string): boolean {
  try {
    return parseBase64(text, 'hash').length === HASH_SIZE;
  } catch {
    return false;
  }
}

function isTime(text: string): boolean {
  const timeMs = TIME.test(text) ? Date.parse(text) : NaN;
  return Number.isFinite(timeMs) && new Date(timeMs).toISOString() === text;
}

function flaw(found: string): NewelError {
  return new NewelError('malformed', `receipt ${found}`);
}
