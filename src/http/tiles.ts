/**
 * The read API of C2SP tlog-tiles: `/checkpoint`, `/tile/<L>/<N>[.p/<W>]`, `/tile/entries/<N>[.p/<W>]`. These are the
 * hot routes. What is in memory is answered synchronously, out of constants.
 */

import { createHash } from 'node:crypto';
import type { Context, Hono } from 'hono';
import { tileWidth } from '../core/tile.ts';
import { NewelError } from '../errors.ts';
import { parseTilePath, type TilePath } from '../formats/tile-path.ts';
import { decodeUtf8 } from '../formats/text.ts';
import type { Log } from '../log/log.ts';
import { maxBundleBytes } from './answer-room.ts';
import { mayReadRevealed } from './bound.ts';
import { BYTES_INIT, CACHE, type Init, initOf, PUBLIC_HEADERS, respond, TEXT } from './respond.ts';
import { respondLarge } from './respond-large.ts';
import { addRoute, type Handler } from './route.ts';
import type { Site } from './site.ts';
import { headerOf, queryOf, targetOf } from './target.ts';

export function addTileRoutes(app: Hono, site: Site): void {
  const { log } = site;
  addRoute(
    app,
    site,
    '/checkpoint',
    checkpointHandler(() => log.checkpoint),
  );
  const ofSlot = SLOTS.map((slot) => [slot, checkpointHandler(() => publicationOf(log, slot))] as const);
  addRoute(app, site, '/v1/checkpoint', (c) => {
    const { policy } = queryOf(c, ['policy']);
    const [, show] = ofSlot.find(([slot]) => slot === policy) ?? [];
    if (!show) throw new NewelError('malformed', `policy is one of ${SLOTS.join(', ')}`);
    return show(c);
  });
  addRoute(app, site, '/tile/*', (c) => showTile(c, site));
}

/** Publication slots, in the order of their strength. */
const SLOTS = ['none', 'fast', 'public'] as const;

function publicationOf(log: Log, slot: (typeof SLOTS)[number]): Publication {
  const publication = log.publication(slot);
  if (publication) return publication;
  throw new NewelError(
    'not_found',
    `no checkpoint of the slot ${slot} is published: it has no policy, or was never met`,
  );
}

type Publication = Log['published'];

interface Shown {
  readonly publication: Publication;
  readonly text: string;
  readonly etag: string;
  readonly init: Init;
  readonly unchanged: Init;
}

/** Everything about a publication is computed when it is first asked for. */
function checkpointHandler(newest: () => Publication): Handler {
  let shown: Shown | undefined;
  return (c) => {
    const publication = newest();
    if (shown?.publication !== publication) shown = show(publication);
    const { text, etag, init, unchanged } = shown;
    const seen = headerOf(c, 'if-none-match');
    if (seen !== undefined && matchesEtag(seen, etag)) return new Response(null, unchanged);
    return respond(c, text, init);
  };
}

function show(publication: Publication): Shown {
  const etag = `"${createHash('sha256').update(publication.checkpoint).digest('hex').slice(0, 32)}"`;
  const headers = {
    'Cache-Control': CACHE.short,
    ETag: etag,
    ...PUBLIC_HEADERS,
    'Access-Control-Expose-Headers': 'ETag',
  };
  return {
    publication,
    text: decodeUtf8(publication.checkpoint),
    etag,
    init: initOf(200, { 'Content-Type': TEXT, ...headers }),
    unchanged: initOf(304, headers),
  };
}

/** `If-None-Match` (RFC 9110 §13.1.2), compared weakly. No entity tag of ours holds a comma. */
function matchesEtag(header: string, etag: string): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

function showTile(c: Context, site: Site): Response | Promise<Response> {
  const path = tilePathOf(targetOf(c.req.raw, c.env));
  const { log } = site;
  const level = path.kind === 'tile' ? path.level : 0;
  let init: Init = BYTES_INIT.immutable;
  if (path.width > tileWidth(level, path.index, log.published.size)) {
    // A token is looked at only for what strangers do not see; what they see is the same bytes for all.
    const isRevealed = path.width <= tileWidth(level, path.index, log.revealed.size);
    if (!isRevealed || !mayReadRevealed(c, site)) {
      throw new NewelError('not_found', 'the published tree has no such tile or bundle, or not that wide');
    }
    init = BYTES_INIT.private;
  }
  if (path.kind === 'entries') {
    const { index, width } = path;
    return respondLarge(c, site, maxBundleBytes(width), async () => ({
      body: await log.readBundle(index, width),
      init,
    }));
  }
  const bytes = log.peekTile(path);
  return bytes ? respond(c, bytes, init) : log.readTile(path).then((read) => respond(c, read, init));
}

/** A target that is not canonical, or has a query, names nothing; that is no fault of its form. */
function tilePathOf(target: string): TilePath {
  try {
    return parseTilePath(target.slice(1));
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError('not_found', 'this is not the one path of a tile or entry bundle', { cause });
  }
}
