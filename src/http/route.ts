/**
 * How a handler becomes a route. There is no middleware: with a single handler on a path, Hono calls it directly and
 * a handler that returns a `Response` is answered in the same turn of the event loop.
 */

import type { Context, Hono } from 'hono';
import { NewelError } from '../errors.ts';
import { accepts } from './accept.ts';
import { respondError } from './problems.ts';
import type { Site } from './site.ts';
import { headerOf } from './target.ts';

export type Handler = (c: Context) => Response | Promise<Response>;

export interface RouteOptions {
  readonly method?: 'GET' | 'POST';
  /** The media type of the answer, where `Accept` is to be honoured. */
  readonly produces?: string;
  /** For pages of any origin; what is read is, and what is written is not, unless this says otherwise. */
  readonly isPublic?: boolean;
}

/** Handlers of routes that are for no page of another origin. */
const privateHandlers = new WeakSet<object>();

export function isPrivateRoute(handler: object): boolean {
  return privateHandlers.has(handler);
}

/** Adds a route whose failures are answered as problems and whose answers are signalled. GET brings HEAD with it. */
export function addRoute(
  app: Hono,
  site: Site,
  path: string,
  handler: Handler,
  { method = 'GET', produces, isPublic = method === 'GET' }: RouteOptions = {},
): void {
  const handle: Handler = (c) => {
    if (produces !== undefined) assertAccepted(c, produces);
    return handler(c);
  };
  const routed = answering(handle, path, {
    respondFailure: (c, error) => respondError(c, site, error, { isPublic }),
    onRequest: site.onRequest,
  });
  if (!isPublic) privateHandlers.add(routed);
  app.on(method, path, routed);
}

export interface Answering {
  readonly respondFailure: (c: Context, error: unknown) => Response;
  readonly onRequest: Site['onRequest'] | undefined;
}

/** The same handler, answering what it throws or rejects with, and telling of each answer. */
export function answering(
  handler: Handler,
  route: string,
  { respondFailure, onRequest }: Answering,
): Handler {
  const handle: Handler = (c) => {
    try {
      const response = handler(c);
      return response instanceof Promise
        ? response.catch((error: unknown) => respondFailure(c, error))
        : response;
    } catch (error) {
      return respondFailure(c, error);
    }
  };
  return onRequest ? signalled(handle, route, onRequest) : handle;
}

/** The same handler, telling of each answer. */
export function signalled(
  handle: Handler,
  route: string,
  onRequest: NonNullable<Site['onRequest']>,
): Handler {
  return (c) => {
    const startMs = performance.now();
    const signal = (response: Response): Response => {
      const { method } = c.req;
      onRequest({ method, route, status: response.status, durationMs: performance.now() - startMs });
      return response;
    };
    const response = handle(c);
    return response instanceof Promise ? response.then(signal) : signal(response);
  };
}

/** Throws `not_acceptable` where `Accept` excludes the media type. */
export function assertAccepted(c: Context, type: string): void {
  if (accepts(headerOf(c, 'accept'), type)) return;
  throw new NewelError('not_acceptable', `this route answers with ${type} only`);
}
