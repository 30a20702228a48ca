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
}

/**
 * Adds a route whose failures are answered as problems and whose answers are signalled. GET brings HEAD with it. What is
 * not read but written is for no page of another origin.
 */
export function addRoute(
  app: Hono,
  site: Site,
  path: string,
  handler: Handler,
  { method = 'GET', produces }: RouteOptions = {},
): void {
  const { onRequest } = site;
  const isPublic = method === 'GET';
  const handle: Handler = (c) => {
    try {
      if (produces !== undefined) assertAccepted(c, produces);
      const response = handler(c);
      return response instanceof Promise
        ? response.catch((error) => respondError(c, site, error, { isPublic }))
        : response;
    } catch (error) {
      return respondError(c, site, error, { isPublic });
    }
  };
  app.on(method, path, onRequest ? signalled(handle, path, onRequest) : handle);
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

function assertAccepted(c: Context, type: string): void {
  if (accepts(headerOf(c, 'accept'), type)) return;
  throw new NewelError('not_acceptable', `this route answers with ${type} only`);
}
