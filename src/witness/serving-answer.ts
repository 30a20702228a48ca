/** What a witness answers: which status, and what stands in the body (C2SP tlog-witness). */

import { type ErrorCode, NewelError } from '../errors.ts';

/** Why there is no cosignature. The reason is in words, and repeats nothing of the request. */
export interface Refusal {
  /**
   * 400 not of the form, or the old size is larger than the checkpoint's · 403 no signature by a key of the log, or a
   * false one · 404 the origin is not listed · 413 too large · 422 what was claimed of the trees is not true.
   */
  readonly status: 400 | 403 | 404 | 413 | 422;
  readonly reason: string;
}

/** The old size is not that of the checkpoint that was cosigned last, which is `size`. */
export interface Conflict {
  readonly status: 409;
  readonly size: number;
}

/** Later perhaps: 429 the log has used up what it may ask for, 503 the witness cannot sign now. */
export interface Postponement {
  readonly status: 429 | 503;
  readonly reason: string;
  readonly retryAfterS: number;
}

/** Signature lines, each with its newline. */
export interface Cosigned {
  readonly status: 200;
  readonly lines: string;
}

export type AddCheckpointAnswer = Cosigned | Conflict | Refusal | Postponement;
export type SignSubtreeAnswer = Cosigned | Refusal | Postponement;

const STATUS_OF: ReadonlyMap<ErrorCode, Refusal['status']> = new Map([
  ['malformed', 400],
  ['too_large', 413],
  ['signature_invalid', 403],
  ['signer_unknown', 403],
  ['proof_invalid', 422],
  ['root_mismatch', 422],
]);

/** What was thrown while a request was read, as an answer. Throws anything else again. */
export function refusalOf(error: unknown): Refusal {
  const status = error instanceof NewelError ? STATUS_OF.get(error.code) : undefined;
  if (status === undefined || !(error instanceof NewelError)) throw error;
  return { status, reason: error.message };
}

/** When to ask again where nobody knows better. */
export const RETRY_S = 10;

export const STOPPED: Postponement = {
  status: 503,
  reason: 'the witness does not sign: it is shutting down, or a write of it has failed',
  retryAfterS: RETRY_S,
};

export const UNKNOWN_ORIGIN: Refusal = { status: 404, reason: 'this witness does not know the origin' };

export function overBudget(retryAfterS: number): Postponement {
  return { status: 429, reason: 'this log has used up the cosignatures that it may ask for', retryAfterS };
}
