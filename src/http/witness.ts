/**
 * The routes of a witness (C2SP tlog-witness). What is answered is decided in `witness/`; here it becomes HTTP.
 *
 *   POST /add-checkpoint                   200 signature lines · 409 text/x.tlog.size · else a reason in a line of text
 *   POST /sign-subtree                     200 signature lines · else a reason
 *   GET  /<SHA-256 of the origin>/checkpoint    200 the checkpoint cosigned last · 404
 *   GET  /healthz  /readyz
 *
 * How much is under way at once is bounded (`upload-room.ts`): beyond it the answer is 503. How often a body is looked at is
 * bounded for each network and for all (`public-rate.ts`), since to refuse it costs the verification of a signature: beyond
 * it the answer is 429. Both prefixes of the specification are the root; a proxy may put others before it.
 */

import { type Context, Hono } from 'hono';
import { NewelError, RateLimitedError } from '../errors.ts';
import {
  type AddCheckpointAnswer,
  MAX_WITNESS_BODY_BYTES,
  type SignSubtreeAnswer,
  type Witness,
} from '../witness/witness.ts';
import { clientNetworkOf, type PerSecond, PublicRate } from './public-rate.ts';
import { CACHE, type Init, initOf, NOSNIFF, PUBLIC_HEADERS, respond, TEXT, TEXT_INIT } from './respond.ts';
import { type Answering, answering, type Handler, signalled } from './route.ts';
import type { AnsweredRequest } from './signals.ts';
import { pathOf, queryOf, targetOf } from './target.ts';
import { UploadRoom } from './upload-room.ts';

export interface WitnessSite {
  readonly witness: Witness;
  /** Requests with whole bodies that may be under way; 2,048 by default. */
  readonly maxRequests?: number;
  /** Bytes of bodies that may be held; 64 MiB by default. */
  readonly maxBytes?: number;
  /** Bodies that may be waited for; 1,024 by default. */
  readonly maxWaiting?: number;
  /** Bodies of one network that may be waited for; 64 by default. */
  readonly maxWaitingEach?: number;
  /** Bodies of `add-checkpoint` that are looked at; 50 a second of one network and 500 of all by default. */
  readonly checkpoints?: PerSecond;
  /** Bodies of `sign-subtree` that are looked at; 50 a second of one network and 150 of all by default. */
  readonly subtrees?: PerSecond;
  /** Told of each request when its answer is made. */
  readonly onRequest?: (request: AnsweredRequest) => void;
  /** Told of each failure that is not the client's. By default it goes to the console. */
  readonly onError?: (error: unknown) => void;
  /** Adds routes beside those of a witness. */
  readonly addRoutes?: (app: Hono) => void;
}

const MAX_REQUESTS = 2048;
const MAX_BYTES: number = 64 * 2 ** 20;
const MAX_WAITING = 1024;
const MAX_WAITING_EACH = 64;
const CHECKPOINTS: PerSecond = { each: 50, all: 500 };
/** A false line of type 0x06 takes 3 ms. */
const SUBTREES: PerSecond = { each: 50, all: 150 };
const HEADERS = { 'Cache-Control': CACHE.none, ...NOSNIFF } as const;
const SIZE_TYPE = 'text/x.tlog.size';
const ORIGIN_HASH = /^[0-9a-f]{64}$/;
const METHODS = ['GET', 'POST'] as const;

export function createWitnessApp(site: WitnessSite): Hono {
  const { witness, onRequest, checkpoints = CHECKPOINTS, subtrees = SUBTREES } = site;
  const app = new Hono({ getPath: (request, options) => pathOf(targetOf(request, options?.env)) });
  const room = roomOf(site);
  const parts: Answering = { respondFailure: (c, error) => respondFailure(c, site, error), onRequest };
  const add = (method: 'GET' | 'POST', path: string, handler: Handler): void => {
    app.on(method, path, answering(handler, path, parts));
  };
  const addCall = (path: string, perSecond: PerSecond, call: Call): void => {
    const rate = new PublicRate(perSecond, 'requests');
    add('POST', path, async (c) => {
      queryOf(c, []);
      const network = clientNetworkOf(c);
      const answer = await room.run(c, (body) => {
        rate.take(network);
        return call(body);
      });
      return respondAnswer(c, answer ?? FULL);
    });
  };

  addCall('/add-checkpoint', checkpoints, (body) => witness.addCheckpoint(body));
  const { signSubtree } = witness;
  if (signSubtree) addCall('/sign-subtree', subtrees, (body) => signSubtree(body));
  add('GET', '/:origin/checkpoint', async (c) => {
    queryOf(c, []);
    const origin = c.req.param('origin') ?? '';
    const note = ORIGIN_HASH.test(origin) ? (await witness.latest(origin))?.note : undefined;
    if (!note)
      return respondLine(c, 404, 'no checkpoint of such an origin was cosigned here', PUBLIC_HEADERS);
    return respond(c, note, TEXT_INIT.short);
  });
  add('GET', '/healthz', (c) => respondLine(c, 200, 'alive'));
  add('GET', '/readyz', (c) =>
    witness.ready ? respondLine(c, 200, 'ready') : respondLine(c, 503, 'the witness does not sign any more'),
  );
  site.addRoutes?.(app);
  const answer: Handler = (c) => respondUnrouted(c, app);
  app.notFound(onRequest ? signalled(answer, '*', onRequest) : answer);
  return app;
}

type Answer = AddCheckpointAnswer | SignSubtreeAnswer;
type Call = (body: Uint8Array) => Promise<Answer>;

function roomOf(site: WitnessSite): UploadRoom {
  const { maxRequests = MAX_REQUESTS, maxBytes = MAX_BYTES } = site;
  const { maxWaiting = MAX_WAITING, maxWaitingEach = MAX_WAITING_EACH } = site;
  return new UploadRoom({
    maxRequests,
    maxBytes,
    maxWaiting,
    maxWaitingEach,
    maxBodyBytes: MAX_WITNESS_BODY_BYTES,
  });
}

const FULL: Answer = {
  status: 503,
  reason: 'more is under way than this witness takes at a time',
  retryAfterS: 1,
};

const COSIGNED: Init = lineInit(200);

function respondAnswer(c: Context, answer: Answer): Response {
  switch (answer.status) {
    case 200:
      return respond(c, answer.lines, COSIGNED);
    case 409:
      return respond(c, `${answer.size}\n`, initOf(409, { ...HEADERS, 'Content-Type': SIZE_TYPE }));
    case 429:
    case 503:
      return respondLine(c, answer.status, answer.reason, { 'Retry-After': String(answer.retryAfterS) });
    case 400:
    case 403:
    case 404:
    case 413:
    case 422:
      return respondLine(c, answer.status, answer.reason);
  }
}

function respondFailure(c: Context, site: WitnessSite, error: unknown): Response {
  if (error instanceof RateLimitedError)
    return respondLine(c, 429, error.message, { 'Retry-After': String(error.retryAfterS) });
  if (error instanceof NewelError) {
    if (error.code === 'malformed') return respondLine(c, 400, error.message);
    if (error.code === 'too_large') return respondLine(c, 413, error.message);
    if (error.code === 'storage_failed') return respondLine(c, 503, error.message, { 'Retry-After': '10' });
  }
  if (site.onError) site.onError(error);
  else console.error(error);
  return respondLine(c, 500, 'the witness failed; the request may be right');
}

function respondUnrouted(c: Context, app: Hono): Response {
  const methods = METHODS.filter((method) => app.router.match(method, c.req.path)[0].length > 0);
  if (methods.length === 0) return respondLine(c, 404, 'there is nothing at this path');
  const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  return respondLine(c, 405, `this path takes ${allow}`, { Allow: allow });
}

function lineInit(status: number, headers: Readonly<Record<string, string>> = {}): Init {
  return initOf(status, { 'Content-Type': TEXT, ...HEADERS, ...headers });
}

function respondLine(
  c: Context,
  status: number,
  line: string,
  headers?: Readonly<Record<string, string>>,
): Response {
  return respond(c, `${line}\n`, lineInit(status, headers));
}
