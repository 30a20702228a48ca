/**
 * What was asked for, from the bytes of the request target. Nothing is decoded or normalised: every path and value of
 * this server is plain ASCII, so a percent sign, a dot segment or a double slash is simply another path, which is not
 * there. (URL parsers, Hono's own among them, make aliases of them all.)
 */

import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import { HASH_SIZE } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { isDecimal, parseDecimal } from '../formats/decimal.ts';
import { parseHex } from '../formats/hex.ts';

/** Node's request, where the app runs behind `listen`; `undefined` under `app.request()`. */
export function incomingOf(env: unknown): IncomingMessage | undefined {
  return (env as { incoming?: IncomingMessage } | undefined)?.incoming;
}

/** Path and query as they were sent. The authority of an absolute form is dropped: this server is whoever is asked. */
export function targetOf(request: Request, env: unknown): string {
  const target = incomingOf(env)?.url ?? request.url;
  if (target.startsWith('/')) return target;
  const rest = target.replace(ABSOLUTE_FORM, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

/** The path of a target: what Hono routes by. */
export function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

/**
 * The query, each key at most once and only those that are `known` or `unlisted`; a key without `=` has an empty value.
 * Throws `malformed`, for a key that is neither with those that are known; the others are for whoever asks to refuse.
 */
export function queryOf<K extends string>(
  c: Context,
  known: readonly K[],
  unlisted: readonly K[] = [],
): Partial<Record<K, string>> {
  const target = targetOf(c.req.raw, c.env);
  const query = target.slice(pathOf(target).length + 1);
  const values: Partial<Record<K, string>> = {};
  if (query === '') return values;
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const name = equals === -1 ? pair : pair.slice(0, equals);
    const key = [...known, ...unlisted].find((candidate) => candidate === name);
    if (key === undefined) {
      const takes = known.length === 0 ? 'none' : known.join(', ');
      throw new NewelError(
        'malformed',
        `the query has a key that this route does not know; it takes ${takes}`,
      );
    }
    if (values[key] !== undefined) throw new NewelError('malformed', `the query has ${key} twice`);
    values[key] = equals === -1 ? '' : pair.slice(equals + 1);
  }
  return values;
}

/** A number of the query. Throws `malformed` where it is missing and there is no `fallback`, or not strictly decimal. */
export function numberOf(text: string | undefined, name: string, fallback?: number): number {
  if (text !== undefined) return parseDecimal(text, name);
  if (fallback === undefined) throw new NewelError('malformed', `the query has no ${name}`);
  return fallback;
}

/** What names a leaf: its index, or the 64 lower-case hex digits of its hash. */
export type LeafRef = { readonly index: number } | { readonly hash: Uint8Array };

/** Throws `malformed`. A hash of 64 decimal digits is a hash: no index has more than 16. */
export function parseLeafRef(text: string): LeafRef {
  if (isDecimal(text)) return { index: Number(text) };
  if (text.length === 2 * HASH_SIZE) return { hash: parseHex(text, 'leaf hash') };
  throw new NewelError(
    'malformed',
    'a leaf is named by its index in decimal or by its hash in 64 lower-case hex digits',
  );
}

/** Headers that routes look at. */
export type HeaderName =
  | 'accept'
  | 'authorization'
  | 'content-encoding'
  | 'content-length'
  | 'content-type'
  | 'idempotency-key'
  | 'if-none-match'
  | 'prefer';

/** The value of a header; of several, all of them behind commas. Node has parsed it already where there is Node. */
export function headerOf(c: Context, name: HeaderName): string | undefined {
  const incoming = incomingOf(c.env);
  const value = incoming ? incoming.headers[name] : c.req.header(name);
  return typeof value === 'object' ? value.join(', ') : value;
}
