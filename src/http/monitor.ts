/**
 * Heads that parties exchange (spec/gossip.md):
 *
 *   POST /v1/heads            one signed checkpoint → 200 ours of that log · 202 it is the log's, and whether it is
 *                             of the same tree cannot be said yet · 409 the evidence that both cannot be
 *   GET  /v1/heads/<SHA-256 of the origin, hex>     → ours · 404
 *
 * Anybody may ask: what counts is the log's signature. Before a body is read it is refused by the rate of its sender and
 * by its declared length; how much is under way at once is bounded, of a network and of all (`upload-room.ts`).
 */

import type { Context, Hono } from 'hono';
import { type ErrorCode, NewelError, RateLimitedError } from '../errors.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { type HeadAnswer, type Heads, MAX_POSTED_BYTES } from '../monitor/heads.ts';
import { clientNetworkOf } from './public-rate.ts';
import { CACHE, initOf, JSON_TYPE, PROBLEM, PUBLIC_HEADERS, respond, TEXT, TEXT_INIT } from './respond.ts';
import { type Answering, answering, type Handler } from './route.ts';
import type { AnsweredRequest } from './signals.ts';
import { queryOf } from './target.ts';
import { UploadRoom, type UploadRoomLimits } from './upload-room.ts';

export interface GossipSite {
  readonly heads: Heads;
  /** Told of each request when its answer is made. */
  readonly onRequest?: (request: AnsweredRequest) => void;
  /** Told of each failure that is not the client's. */
  readonly onError: (error: unknown) => void;
}

/** A comparison may take two seconds, and a network's heads a quarter of the places meanwhile, and of the bytes. */
const BODIES: UploadRoomLimits = {
  maxRequests: 256,
  maxRequestsEach: 64,
  maxBytes: 16 * 2 ** 20,
  maxWaiting: 256,
  maxWaitingEach: 64,
  maxBodyBytes: MAX_POSTED_BYTES,
};
const ORIGIN_HASH = /^[0-9a-f]{64}$/;
const ANSWER_HEADERS = { 'Cache-Control': CACHE.none, ...PUBLIC_HEADERS } as const;
const CONSISTENT = initOf(200, { 'Content-Type': TEXT, ...ANSWER_HEADERS });
const UNDECIDED = initOf(202, { 'Content-Type': TEXT, ...ANSWER_HEADERS });
const CONFLICT = initOf(409, { 'Content-Type': JSON_TYPE, ...ANSWER_HEADERS });

export function addGossipRoutes(app: Hono, site: GossipSite): void {
  const parts: Answering = {
    respondFailure: (c, error) => respondFailure(c, site, error),
    onRequest: site.onRequest,
  };
  const add = (method: 'GET' | 'POST', path: string, handler: Handler): void => {
    app.on(method, path, answering(handler, path, parts));
  };
  const room = new UploadRoom(BODIES);
  add('POST', '/v1/heads', (c) => postHead(c, site.heads, room));
  add('GET', '/v1/heads/:origin', (c) => showHead(c, site.heads));
}

async function postHead(c: Context, heads: Heads, room: UploadRoom): Promise<Response> {
  const poster = heads.admit(clientNetworkOf(c));
  queryOf(c, []);
  const answer = await room.run(c, (body) => heads.takePosted(body, poster));
  if (!answer) throw new NewelError('queue_full', 'more is under way than is taken at a time');
  return respondAnswer(c, answer);
}

function respondAnswer(c: Context, answer: HeadAnswer): Response {
  switch (answer.kind) {
    case 'consistent':
      return respond(c, decodeUtf8(answer.ours), CONSISTENT);
    case 'undecided':
      return respond(c, answer.ours ? decodeUtf8(answer.ours) : '', UNDECIDED);
    case 'conflict':
      return respond(c, answer.evidence, CONFLICT);
  }
}

async function showHead(c: Context, heads: Heads): Promise<Response> {
  queryOf(c, []);
  const name = c.req.param('origin') ?? '';
  const note = ORIGIN_HASH.test(name) ? await heads.ours(name) : undefined;
  if (!note) throw new NewelError('not_found', 'no head of a log with this hash of its origin is kept here');
  return respond(c, decodeUtf8(note), TEXT_INIT.short);
}

/** What a client can meet here. */
const STATUSES: Partial<Record<ErrorCode, readonly [status: number, title: string]>> = {
  malformed: [400, 'Malformed request'],
  signer_unknown: [403, 'Signer unknown'],
  signature_invalid: [403, 'Signature invalid'],
  not_found: [404, 'Not found'],
  too_large: [413, 'Too large'],
  rate_limited: [429, 'Rate limited'],
  queue_full: [503, 'Queue full'],
  storage_failed: [503, 'Storage failed'],
};
const INTERNAL = [500, 'Internal error'] as const;

/** A problem (RFC 9457) whose type says nothing more than its status: there is no page of help here. */
function respondFailure(c: Context, { onError }: GossipSite, error: unknown): Response {
  const known = error instanceof NewelError ? STATUSES[error.code] : undefined;
  if (!known || (error instanceof NewelError && error.code === 'storage_failed')) onError(error);
  const [status, title] = known ?? INTERNAL;
  const code = known && error instanceof NewelError ? error.code : 'internal';
  const detail = known && error instanceof NewelError ? error.message : 'the server failed';
  const headers = {
    'Content-Type': PROBLEM,
    ...ANSWER_HEADERS,
    ...(status === 429 && {
      'Retry-After': String(error instanceof RateLimitedError ? error.retryAfterS : 10),
    }),
    ...(status === 503 && { 'Retry-After': '10' }),
  };
  const problem = { type: 'about:blank', title, status, detail, code };
  return respond(c, `${JSON.stringify(problem)}\n`, initOf(status, headers));
}
