/**
 * The log's problem details (RFC 9457) as errors: the code that it gives, where that is one that a client can meet, and
 * the faults of an event. Whatever else answers in the log's place is not believed.
 *
 *   {"type":"https://log.example/problems/event_invalid","title":"Event invalid","status":422,"detail":"…",
 *    "code":"event_invalid","errors":[{"pointer":"/outcome","detail":"…"}]}
 */

import {
  type ErrorCode,
  EventInvalidError,
  type Fault,
  NewelError,
  RateLimitedError,
  SecretFoundError,
  type SecretFinding,
  SequenceConflictError,
} from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../formats/json.ts';
import { readJsonObject } from './json-input.ts';

/** Bytes that a problem may have: 20 faults, and room. */
export const MAX_PROBLEM_BYTES: number = 64 * 1024;
const MAX_FAULTS = 20;
const MAX_TEXT_CHARS = 1000;

/** What a log says of a request, beside what has to do with its own tree and folder. */
const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'malformed',
  'too_large',
  'not_acceptable',
  'method_not_allowed',
  'unsupported_media_type',
  'not_found',
  'unauthenticated',
  'forbidden',
  'event_invalid',
  'schema_unknown',
  'secret_found',
  'id_conflict',
  'sequence_conflict',
  'event_erased',
  'issuer_unavailable',
  'rate_limited',
  'no_witnesses',
  'queue_full',
  'not_ready',
  'storage_failed',
  'internal',
]);

/** The error that a problem stands for; `unreachable` where the body is none that a log of this version sends. */
export function parseProblem(status: number, body: Uint8Array): NewelError {
  return problemError(status, readProblem(body));
}

/** The same of one that has been read as JSON, if it could be. */
export function problemError(status: number, problem: JsonObject | undefined): NewelError {
  const code = problem?.['code'];
  if (!problem || !isCode(code)) return new NewelError('unreachable', `the log answers ${status}`);
  return (
    evidenceError(code, problem) ??
    new NewelError(code, textOf(problem['detail']) ?? `the log answers ${status}`)
  );
}

/** The error of a code that has an error of its own, where all that it carries is there. */
function evidenceError(code: ErrorCode, problem: JsonObject): NewelError | undefined {
  const { errors, expected, limit, unit } = problem;
  if (code === 'event_invalid') {
    const faults = faultsOf(errors);
    return faults.length > 0 ? new EventInvalidError(faults) : undefined;
  }
  if (code === 'secret_found') {
    const findings = findingsOf(errors);
    return findings.length > 0 ? new SecretFoundError(findings) : undefined;
  }
  if (code === 'sequence_conflict') {
    return typeof expected === 'number' ? new SequenceConflictError(expected) : undefined;
  }
  const unitText = textOf(unit);
  if (code !== 'rate_limited' || typeof limit !== 'number' || unitText === undefined) return undefined;
  return new RateLimitedError(limit, unitText, 0);
}

function readProblem(body: Uint8Array): JsonObject | undefined {
  try {
    return readJsonObject(body, 'problem', MAX_PROBLEM_BYTES);
  } catch (error) {
    if (error instanceof NewelError) return undefined;
    throw error;
  }
}

function isCode(code: JsonValue | undefined): code is ErrorCode {
  return typeof code === 'string' && CODES.has(code);
}

function faultsOf(errors: JsonValue | undefined): Fault[] {
  return pairsOf(errors, 'detail').map(([pointer, detail]) => ({ pointer, detail }));
}

function findingsOf(errors: JsonValue | undefined): SecretFinding[] {
  return pairsOf(errors, 'rule').map(([pointer, rule]) => ({ pointer, rule }));
}

/** The pointer and the member `name` of each error that has both. */
function pairsOf(errors: JsonValue | undefined, name: string): [pointer: string, value: string][] {
  if (!Array.isArray(errors)) return [];
  const pairs: [string, string][] = [];
  for (const error of errors.slice(0, MAX_FAULTS)) {
    if (!isJsonObject(error)) continue;
    const pointer = error['pointer'] === '' ? '' : textOf(error['pointer']);
    const value = textOf(error[name]);
    if (pointer !== undefined && value !== undefined) pairs.push([pointer, value]);
  }
  return pairs;
}

const PRINTABLE = /^[^\p{Cc}\p{Surrogate}]+$/u;

/** A text that can be shown anywhere. */
function textOf(value: JsonValue | undefined): string | undefined {
  const isShort = typeof value === 'string' && value.length <= MAX_TEXT_CHARS;
  return isShort && PRINTABLE.test(value) ? value : undefined;
}
