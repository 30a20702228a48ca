/**
 * Errors as problem details (RFC 9457): one table from code to status, title and help.
 *
 *   {"type":"https://log.example/problems/not_found","title":"Not found","status":404,
 *    "detail":"the tree has no such leaf yet","code":"not_found"}
 *
 * `code` is the thing to switch on. `type` resolves, on the log itself, to the help. Nothing that was received is ever
 * repeated. What is not in the table is a 500 that says nothing, and is reported.
 */

import type { Context } from 'hono';
import {
  type ErrorCode,
  EventInvalidError,
  NewelError,
  RateLimitedError,
  SecretFoundError,
  SequenceConflictError,
} from '../errors.ts';
import { QueueFullError } from '../log/log.ts';
import { NoRoomError } from './answer-room.ts';
import { BatchesFullError, BatchTooLargeError } from './batch-limits.ts';
import { CACHE, initOf, NOSNIFF, PROBLEM, PUBLIC_HEADERS, respond } from './respond.ts';
import type { Site } from './site.ts';
import { UploadsFullError } from './upload-room.ts';

export interface Problem {
  readonly status: number;
  readonly title: string;
  /** A paragraph for whoever follows `type`. */
  readonly help: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The codes that a client can meet; `internal` is all that has none of its own. */
export type ProblemCode = Extract<
  ErrorCode,
  | 'malformed'
  | 'unauthenticated'
  | 'forbidden'
  | 'issuer_unavailable'
  | 'not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'unsupported_media_type'
  | 'id_conflict'
  | 'sequence_conflict'
  | 'event_erased'
  | 'too_large'
  | 'event_invalid'
  | 'secret_found'
  | 'schema_unknown'
  | 'no_witnesses'
  | 'rate_limited'
  | 'queue_full'
  | 'not_ready'
  | 'storage_failed'
  | 'internal'
>;

export const PROBLEMS: Readonly<Record<ProblemCode, Problem>> = {
  malformed: {
    status: 400,
    title: 'Malformed request',
    help: 'Something in the request is not in the one form that is accepted: a number with a sign, a leading zero, an exponent or a value of 2^53 and more; a hash that is not 64 lower-case hex digits; a query key that is unknown, missing or repeated; a body that ended early. In JSON: bytes that are not UTF-8, a member name that one object has twice, or a number whose value no double has exactly. The detail says which. Sending it again will not help.',
  },
  unauthenticated: {
    status: 401,
    title: 'Not authenticated',
    help: 'This route wants a token, as the header “Authorization: Bearer newel_…”. It was missing, or it is unknown, revoked or expired. Tokens are made by the operator of the log, with “newel token create”. Where the operator has configured an OpenID Connect issuer, a JWT access token of that issuer is taken in its place; the detail says what is wrong with one.',
    headers: { 'WWW-Authenticate': 'Bearer' },
  },
  forbidden: {
    status: 403,
    title: 'Forbidden',
    help: 'The token is valid, but it does not allow this. Adding entries and submitting events needs a token of the role “submit”, and an event names one of the sources of its token; reading events needs “submit”, for those of its own sources, or “audit”; erasing needs “admin”. The page of access of the specification has each route and role. A JWT must give exactly one role, and to “submit” at least one source.',
  },
  issuer_unavailable: {
    status: 503,
    title: 'Issuer unavailable',
    help: 'The JWT in this request cannot be checked, for the keys of the issuer of JWTs cannot be fetched now. Nothing was stored. Send the request again after the seconds in “Retry-After”. Tokens of the log itself do not depend on the issuer.',
    headers: { 'Retry-After': '10' },
  },
  not_found: {
    status: 404,
    title: 'Not found',
    help: 'There is nothing here, or not yet. The public routes go no further than the newest published checkpoint: a leaf, a tile or a tree size beyond it is answered so until it is published, usually within a second or two. Paths have one spelling: no percent-encoding, no dot segments, no double slashes, and no query on a tile. An event of a source that the token does not speak for is answered as one that does not exist.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    help: 'The path is right, the method is not. The header “Allow” lists the methods that are.',
  },
  not_acceptable: {
    status: 406,
    title: 'Not acceptable',
    help: 'The header “Accept” excludes the only media type that this route has.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    help: 'An event is sent as one JSON object, with “Content-Type: application/json” and no “Content-Encoding”. JSON is UTF-8; a “charset” may say so and nothing else. Several events are sent as an array, or a line each as “application/x-ndjson”.',
    headers: { Accept: 'application/json, application/x-ndjson', 'Accept-Encoding': 'identity' },
  },
  id_conflict: {
    status: 409,
    title: 'Id conflict',
    help: 'The source has submitted an event of this “id” before, and its content was another. The same event may be sent again, however often; another event needs another “id”. Nothing was stored.',
  },
  sequence_conflict: {
    status: 409,
    title: 'Sequence conflict',
    help: 'This source is strict about “seq”: each event has the number after the last one’s, and this one has another. “expected” is the number that would be taken. Nothing was stored. Send the events that are missing first, in their order.',
  },
  event_erased: {
    status: 410,
    title: 'Event erased',
    help: 'There was an event here, and its content was erased for good. Its leaf is still in the tree, and receipts of it still verify. It is not taken again under the same “id”.',
  },
  too_large: {
    status: 413,
    title: 'Too large',
    help: 'The body, an event of it or the number of events is larger than what is taken; of a batch, “limit” and “unit” say how much that is. Bytes are counted as they arrive, so that a wrong or missing “Content-Length” changes nothing. The limits are in “/v1/log”.',
  },
  event_invalid: {
    status: 422,
    title: 'Event invalid',
    help: 'The body is JSON, and breaks rules of the schema of events. “errors” lists what is wrong, up to 20 faults at once, each with a JSON Pointer (RFC 6901) to where it is and the rule in words. Values are never repeated. Sending it again will not help.',
  },
  secret_found: {
    status: 422,
    title: 'Secret found',
    help: 'The event holds what looks like a secret: a password, a one-time code, a token, a private key, a card number. Nothing was stored, and nothing of it was written down. “errors” lists where, each with a JSON Pointer (RFC 6901) and the id of the rule; the rules are in the page of secrets of the specification. Take the value out, mask it (“****”, “[REDACTED]”) or send its hash with its prefix (“sha-256:…”).',
  },
  schema_unknown: {
    status: 422,
    title: 'Schema unknown',
    help: 'The member “schema” names none that this log takes. Those that it takes are listed in “/v1/log”.',
  },
  no_witnesses: {
    status: 422,
    title: 'No witnesses',
    help: 'The level “witnessed” was asked for, and the policy of this log names no witnesses, so that no waiting would reach it. Nothing was stored. Ask for “signed”, which is the default.',
  },
  rate_limited: {
    status: 429,
    title: 'Rate limited',
    help: 'This token has used up what it may ask for: “limit” of “unit” a second. Nothing was stored. Send the request again after the seconds in “Retry-After”.',
  },
  queue_full: {
    status: 503,
    title: 'Queue full',
    help: 'More entries are waiting to be sequenced than the log holds in memory, or one token is sending more at a time than its share, or more batches, lines of witnesses or large answers are under way than are held at a time; “limit” and “unit” say which bound was met. Nothing was stored. Send the request again after the seconds in “Retry-After”, with growing pauses.',
    headers: { 'Retry-After': '1' },
  },
  not_ready: {
    status: 503,
    title: 'Not ready',
    help: 'The log reads and does not write yet: it has just started, and its witnesses have not said that nothing newer of it is out in the world. Nothing was stored. The body of “/readyz” names those that have not answered. Send the request again after the seconds in “Retry-After”.',
    headers: { 'Retry-After': '5' },
  },
  storage_failed: {
    status: 503,
    title: 'Storage failed',
    help: 'The log takes no entries: it is shutting down, a write has failed, or what was read is not what was once committed. For an entry that was being added the outcome is unknown; it may or may not be in the log when it runs again. The operator finds the cause in the log lines of the process.',
    headers: { 'Retry-After': '10' },
  },
  internal: {
    status: 500,
    title: 'Internal error',
    help: 'A fault of the server, not of the request. The operator finds it in the log lines of the process.',
  },
};

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code);
}

const INTERNAL = 'the server failed; the request may be right';

/** What belongs to one occurrence. */
export interface Occurrence {
  /** Whether pages of any origin may read it, as all answers of public routes; they may unless it says no. */
  readonly isPublic?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly members?: Readonly<Record<string, unknown>>;
}

export function respondProblem(
  c: Context,
  site: Pick<Site, 'url'>,
  code: ProblemCode,
  detail: string,
  { isPublic = true, headers, members }: Occurrence = {},
): Response {
  const { status, title, headers: own } = PROBLEMS[code];
  const problem = { type: `${site.url}/problems/${code}`, title, status, detail, code, ...members };
  const init = initOf(status, {
    'Content-Type': PROBLEM,
    'Cache-Control': CACHE.none,
    ...(isPublic ? PUBLIC_HEADERS : NOSNIFF),
    ...own,
    ...headers,
  });
  return respond(c, `${JSON.stringify(problem)}\n`, init);
}

/** What was thrown as the members of a problem, for where an answer has begun already or is about several requests. */
export function problemOf(site: Site, error: unknown): Readonly<Record<string, unknown>> {
  const told = error instanceof NewelError && isProblemCode(error.code) ? error : undefined;
  const code = told && isProblemCode(told.code) ? told.code : 'internal';
  if (code === 'internal' || code === 'storage_failed') report(site, error);
  const { status, title } = PROBLEMS[code];
  const type = `${site.url}/problems/${code}`;
  if (!told || code === 'internal') return { status, type, title, detail: INTERNAL, code };
  return { status, type, title, detail: told.message, code, ...membersOf(told) };
}

/** The answer to whatever a handler threw. */
export function respondError(
  c: Context,
  site: Site,
  error: unknown,
  { isPublic = true, members }: Pick<Occurrence, 'isPublic' | 'members'> = {},
): Response {
  if (!(error instanceof NewelError) || !isProblemCode(error.code) || error.code === 'internal') {
    report(site, error);
    return respondProblem(c, site, 'internal', INTERNAL, { isPublic });
  }
  if (error.code === 'storage_failed') report(site, error);
  const headers =
    error instanceof RateLimitedError ? { 'Retry-After': String(error.retryAfterS) } : undefined;
  return respondProblem(c, site, error.code, error.message, {
    isPublic,
    members: { ...membersOf(error), ...members },
    ...(headers && { headers }),
  });
}

/** What an error carries beside its code. */
function membersOf(error: NewelError): Record<string, unknown> {
  if (error instanceof QueueFullError || error instanceof NoRoomError || error instanceof UploadsFullError) {
    return { limit: error.limit, unit: error.unit };
  }
  if (error instanceof BatchTooLargeError || error instanceof BatchesFullError) {
    return { limit: error.limit, unit: error.unit };
  }
  if (error instanceof RateLimitedError) return { limit: error.limit, unit: error.unit };
  if (error instanceof SequenceConflictError) return { expected: error.expected };
  if (error instanceof SecretFoundError) {
    return { errors: error.findings.map(({ pointer, rule }) => ({ pointer, rule })) };
  }
  if (error instanceof EventInvalidError) {
    return { errors: error.faults.map(({ pointer, detail }) => ({ pointer, detail })) };
  }
  return {};
}

/** What fails for many throws them the same error. */
const reported = new WeakSet<object>();

function report(site: Site, error: unknown): void {
  // Why it stopped is the log's own to tell, and told when it does.
  if (error !== undefined && error === site.log.refusal) return;
  if (typeof error === 'object' && error !== null) {
    if (reported.has(error)) return;
    reported.add(error);
  }
  if (site.onError) site.onError(error);
  else console.error(error);
}
