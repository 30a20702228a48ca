/**
 * Answers. The header sets are constants, frozen because the adapter writes them out as they stand: a plain object
 * with a string or bytes beside it is its fast path, and middleware, `Headers` objects and streams all leave it.
 */

import type { Context } from 'hono';

export const TEXT = 'text/plain; charset=utf-8';
export const JSON_TYPE = 'application/json';
/** A JSON text a line. */
export const NDJSON_TYPE = 'application/x-ndjson';
const BYTES = 'application/octet-stream';
export const PROBLEM = 'application/problem+json';

/** How long an answer stays true. */
export const CACHE = {
  /** The bytes of this URL never change. */
  immutable: 'public, max-age=31536000, immutable',
  /** As long as a publication lasts while the tree grows. */
  short: 'public, max-age=1',
  none: 'no-store',
  /** More than strangers may see. */
  private: 'private, no-store',
} as const;
export type Caching = keyof typeof CACHE;

/** Of every answer with a body: its type is what it says. */
export const NOSNIFF = { 'X-Content-Type-Options': 'nosniff' } as const;

/** For anyone, from any page. */
export const PUBLIC_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'X-Content-Type-Options': 'nosniff',
} as const;

export interface Init {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export function initOf(status: number, headers: Readonly<Record<string, string>>): Init {
  return Object.freeze({ status, headers: Object.freeze({ ...headers }) });
}

function publicInit(type: string, caching: Caching): Init {
  return initOf(200, {
    'Content-Type': type,
    'Cache-Control': CACHE[caching],
    ...PUBLIC_HEADERS,
    // The same URL shows the bearer of a token more.
    ...((caching === 'private' || (type === JSON_TYPE && caching === 'short')) && { Vary: 'Authorization' }),
  });
}

function publicInits(type: string): Readonly<Record<Caching, Init>> {
  return {
    immutable: publicInit(type, 'immutable'),
    short: publicInit(type, 'short'),
    none: publicInit(type, 'none'),
    private: publicInit(type, 'private'),
  };
}

export const BYTES_INIT: Readonly<Record<Caching, Init>> = publicInits(BYTES);
export const TEXT_INIT: Readonly<Record<Caching, Init>> = publicInits(TEXT);
export const JSON_INIT: Readonly<Record<Caching, Init>> = publicInits(JSON_TYPE);

/** The answer, or for HEAD its headers with the length that GET would have. */
export function respond(c: Context, body: string | Uint8Array, init: Init): Response {
  if (c.req.method === 'HEAD') {
    const length = typeof body === 'string' ? new TextEncoder().encode(body).length : body.length;
    return new Response(null, {
      status: init.status,
      headers: { ...init.headers, 'Content-Length': String(length) },
    });
  }
  // Bytes of ours are never in shared memory, which is all that this type excludes.
  return new Response(body as string | Uint8Array<ArrayBuffer>, init);
}

export function respondJson(c: Context, value: unknown, caching: Caching): Response {
  return respond(c, formatJson(value), JSON_INIT[caching]);
}

export function formatJson(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** RFC 3339, UTC, milliseconds. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
