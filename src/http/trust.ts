/** What a client pins (`/v1/log`, saved as log.json), and how far the log has come (`/v1/tree-head`). */

import type { Context, Hono } from 'hono';
import { NewelError } from '../errors.ts';
import { formatBase64 } from '../formats/base64.ts';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { MAX_PUBLISH_DELAY_MS } from '../log/limits.ts';
import { BATCH_LIMITS } from './batch-limits.ts';
import { mayReadRevealed } from './bound.ts';
import { type OwnHeads, ownHeadsOf } from './heads.ts';
import { MAX_LEAVES } from './leaves.ts';
import { formatTime, JSON_TYPE, respondJson } from './respond.ts';
import { addRoute } from './route.ts';
import type { Site, Statements } from './site.ts';
import { queryOf } from './target.ts';

export function addTrustRoutes(app: Hono, site: Site): void {
  const heads = ownHeadsOf(site);
  const produces = JSON_TYPE;
  addRoute(app, site, '/v1/log', (c) => showLog(c, site), { produces });
  addRoute(app, site, '/v1/tree-head', (c) => showTreeHead(c, site, heads), { produces });
  addRoute(app, site, '/.well-known/jwks.json', (c) => showJwks(c, site));
}

function showLog(c: Context, site: Site): Response {
  queryOf(c, []);
  return respondJson(c, trustFileOf(site), 'short');
}

/** The one thing to pin about the log. */
export function trustFileOf({
  log,
  url,
  vkeys,
  policy,
  publicPolicy,
  statements,
  software,
}: Site): Record<string, unknown> {
  const { origin, kind } = log.identity;
  const limits = {
    max_entry_bytes: MAX_ENTRY_BYTES,
    ...(statements && {
      max_event_bytes: statements.maxEventBytes,
      max_batch_events: BATCH_LIMITS.maxEvents,
      max_batch_bytes: BATCH_LIMITS.maxBytes,
    }),
    max_leaves: MAX_LEAVES,
    max_round_entries: log.limits.maxRoundEntries,
    max_round_bytes: log.limits.maxRoundBytes,
    max_queue_entries: log.limits.maxQueueEntries,
    max_queue_bytes: log.limits.maxQueueBytes,
    max_publish_delay: MAX_PUBLISH_DELAY_MS / 1000,
  };
  const { name, version } = software;
  return {
    origin,
    kind,
    url,
    vkeys,
    policy,
    ...(publicPolicy !== undefined && { public_policy: publicPolicy }),
    ...(statements && pinnedOf(statements)),
    limits,
    software: { name, version },
  };
}

function pinnedOf({ issuer, jwks, schemas }: Statements): Pick<Statements, 'issuer' | 'jwks' | 'schemas'> {
  return { issuer, jwks, schemas };
}

/** The keys of statements: a JWK Set (RFC 7517 §5). Queries are ignored, as by whoever serves such a file. */
function showJwks(c: Context, { statements }: Site): Response {
  if (statements) return respondJson(c, statements.jwks, 'short');
  throw new NewelError('not_found', 'a log of opaque entries signs no statements and has no keys for them');
}

function showTreeHead(c: Context, site: Site, heads: OwnHeads): Response {
  queryOf(c, []);
  const { published, revealed } = site.log;
  const isPrivate = mayReadRevealed(c, site);
  const body = {
    published: headOf(published, heads),
    signed: headOf(isPrivate ? revealed : published, heads),
  };
  return respondJson(c, body, isPrivate ? 'private' : 'short');
}

function headOf(
  { timeMs, checkpoint }: { readonly timeMs: number; readonly checkpoint: Uint8Array },
  heads: OwnHeads,
): Record<string, string | number> {
  const { size, root, level } = heads.open(checkpoint);
  return {
    tree_size: size,
    root_hash: formatBase64(root),
    time: formatTime(timeMs),
    level,
    checkpoint: decodeUtf8(checkpoint),
  };
}
